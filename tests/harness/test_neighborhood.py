"""The neighborhood of one prompt: the command through the real harness, on truths that are known beforehand."""

from __future__ import annotations

import contextlib
import io
import json
import statistics
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lm_eval.api.model import LM
from rich.cells import cell_len

from lm_eval_sensitivity.cli.main import main
from lm_eval_sensitivity.harness import one_prompt
from lm_eval_sensitivity.records.sample import SampleRow
from tests.harness import tiny_models

PROMPT = "Recommend three good books for someone who loved the novel Dune, but found it too long."
VARIANTS = (
    "synonym_1: Suggest three good books for someone who loved the novel Dune, but found it too long.\n"
    "control_topic: How do I boil an egg?\n"
)
EDGES = {"leading_space", "trailing_space", "leading_newline", "trailing_newline"}
MEANING_PRESERVING = {"noop", "punctuation", "synonym", "paraphrase"}


Results = tuple[tuple[SampleRow, ...], dict[str, Any]]


@dataclass(frozen=True)
class Measured:
    """One run of the command on a chat model whose template trims, as Llama 3.1's does."""

    printed: str
    """All of stdout: JSON, for filter `answer`."""
    results: Results
    """The sample rows behind it, and the run's summary."""
    arguments: list[str]

    @property
    def content(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.printed)
        return content

    def rows(self, filter_name: str = "answer") -> dict[str, SampleRow]:
        return {row.doc["edit"]: row for row in self.results[0] if row.filter == filter_name}

    def distances(self) -> dict[str, float | None]:
        """By edit, under the filter answer."""
        return {edit: (row.pair.scores or {})["cosine_distance"] for edit, row in self.rows().items()}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    folder = tmp_path_factory.mktemp("neighborhood")
    model = tiny_models.copy_demo(folder / "model")
    template = model / "chat_template.jinja"
    text = template.read_text(encoding="utf-8")
    trimmed = text.replace("message['content']", "(message['content'] | trim)")
    assert trimmed != text
    template.write_text(trimmed, encoding="utf-8")
    (folder / "variants.yaml").write_text(VARIANTS, encoding="utf-8")
    arguments = ["neighborhood", PROMPT, "--model_args", f"pretrained={model}", "--device", "cpu"]
    arguments += ["--batch_size", "8", "--apply_chat_template", "--gen_kwargs", "max_gen_toks=48"]
    arguments += ["--variants", str(folder / "variants.yaml")]
    kept: list[Results] = []
    run = one_prompt.run_one_prompt

    def run_and_keep(*given: Any) -> Results:
        kept.append(run(*given))
        return kept[0]

    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as printed:
        patch.setattr(one_prompt, "run_one_prompt", run_and_keep)
        assert main([*arguments, "--format", "json"]) == 0
    return Measured(printed.getvalue(), kept[0], arguments)


Shown = Callable[..., tuple[int, str, str]]


@pytest.fixture
def shown(measured: Measured, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shown:
    """(exit status, stdout, stderr) of the command with further options, on results that are there already."""

    def show(*options: str, results: Results = measured.results) -> tuple[int, str, str]:
        monkeypatch.setattr(one_prompt, "run_one_prompt", lambda *given: results)
        status = main([*measured.arguments, *options])
        return (status, *capsys.readouterr())

    return show


# ---- the demonstration model


def test_stdout_is_the_result_alone_and_equals_the_samples(measured: Measured) -> None:
    content, rows = measured.content, measured.rows()
    assert {each["edit"] for each in content["variants"]} == set(rows)
    rungs = [each["rung"] for each in content["variants"]]
    assert list(dict.fromkeys(rungs)) == ["identical", "noop", "punctuation", "synonym", "positive_control"]
    for each in content["variants"]:
        row = rows[each["edit"]]
        assert each["cosine_distance"] == measured.distances()[each["edit"]]
        assert each["missing"] == row.pair.missing.get("cosine_distance")
        assert (each["variant"], each["output"]) == (row.doc["variant"], row.filtered_resps[1])
        assert each["audit"] == asdict(row.pair.audit)
        assert row.pair.token_path is not None
        assert each["first_divergence"]["token"] == row.pair.token_path.first_divergence
    assert content["base"]["output"] == rows["identical"].filtered_resps[0]
    assert content["run"]["system"] == rows["identical"].pair.system


def test_range_and_counts_are_those_of_the_meaning_preserving_samples(measured: Measured) -> None:
    edits = [edit for edit, row in measured.rows().items() if row.doc["rung"] in MEANING_PRESERVING]
    distances = [found for edit in edits if (found := measured.distances()[edit]) is not None]
    found = measured.content["meaning_preserving"]
    expected = {"smallest": min(distances), "median": statistics.median(distances), "largest": max(distances)}
    assert found["range"] == expected
    assert (found["n_variants"], found["n_scored"]) == (len(edits), len(distances))
    assert measured.content["noise_floor"] == measured.distances()["identical"]
    assert found["furthest"] in edits
    assert measured.distances()[found["furthest"]] == max(distances) > 0


def test_an_edit_that_the_template_trims_is_erased_and_not_a_distance_of_zero(
    measured: Measured, shown: Shown
) -> None:
    by_edit = {each["edit"]: each for each in measured.content["variants"]}
    for edit, each in by_edit.items():
        assert (each["audit"]["status"] == "erased") == (edit in EDGES)
        assert (each["cosine_distance"] is None) == (edit in EDGES)
    assert measured.content["meaning_preserving"]["n_erased"] == len(EDGES)
    _, printed, _ = shown()
    for line in printed.splitlines():
        if line.split()[:1] and line.split()[0] in EDGES:
            assert line.split()[-3:] == ["erased", "-", "-"]
    assert "4 of 15 edits never reached the model" in printed


def test_git_does_not_complain_where_there_is_no_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from lm_eval import evaluator

    monkeypatch.chdir(tmp_path)
    with one_prompt._without_git():
        assert evaluator.get_git_commit_hash() is None
    assert capfd.readouterr().err == ""
    evaluator.get_git_commit_hash()
    assert "not a git repository" in capfd.readouterr().err, "lm_eval asks as it did; else drop this"


def test_a_limit_fails_below_the_largest_distance_and_passes_at_it(measured: Measured, shown: Shown) -> None:
    largest = measured.content["meaning_preserving"]["range"]["largest"]
    furthest = measured.content["meaning_preserving"]["furthest"]
    # The positive control is further away than any of them and must not count.
    control = measured.distances()["control_topic"]
    assert control is not None and control > largest
    status, printed, errors = shown("--fail-above", str(largest - 1e-9))
    assert (status, errors) == (1, ""), "said once, where it is read"
    (said,) = [line for line in printed.splitlines() if line.startswith("Check failed")]
    assert furthest in said and "control_topic" not in said
    status, printed, errors = shown("--fail-above", str(largest - 1e-9), "--format", "json")
    assert status == 1 and furthest in errors and "Check failed" not in errors
    status, printed, errors = shown("--fail-above", str(largest))
    assert (status, errors) == (0, "")
    assert "Check passed" in printed


def test_the_table_fits_eighty_columns_and_shows_what_was_changed(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    _, printed, _ = shown()
    assert max(map(cell_len, printed.splitlines())) <= 80
    for change in ("[+·]", "[+⏎]", "[·→U+00A0]", "[+U+200B]", "[Recommend→Suggest]"):
        assert change in printed
    assert "The two outputs that differ most" in printed
    assert printed.count("►") == 3  # twice where they part, once where it is explained


def test_a_chat_template_that_was_left_out_is_said(measured: Measured, shown: Shown) -> None:
    sentence = "has a chat template and this run did not use it"
    assert sentence not in shown()[1]
    summary = json.loads(json.dumps(measured.results[1]))
    assert summary["notes"]["chat_template_available"] is True
    summary["identity"]["prompt"]["chat_template_applied"] = False
    assert sentence in " ".join(shown(results=(measured.results[0], summary))[1].split())


def test_a_file_gets_the_report_and_the_terminal_nothing(
    measured: Measured, shown: Shown, tmp_path: Path
) -> None:
    status, printed, _ = shown("--format", "json", "--output", str(tmp_path / "report.json"))
    assert (status, printed) == (0, "")
    assert (tmp_path / "report.json").read_text(encoding="utf-8") == measured.printed


@pytest.mark.parametrize(
    ("stdin", "prompt"),
    [(b"Why?\n", "Why?"), (b"Why?\r\n", "Why?"), (b" Why?\n\n", " Why?\n"), (b"Why?", "Why?")],
)
def test_a_prompt_on_stdin_loses_one_line_break(
    stdin: bytes, prompt: str, measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def keep(pairs: Sequence[Any], *given: Any) -> Results:
        asked.append(pairs[0].base)
        return measured.results

    monkeypatch.setattr(one_prompt, "run_one_prompt", keep)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
    assert main(["neighborhood", "-"]) == 0
    assert asked == [prompt]


# ---- engines that return what a test wants


class Scripted(LM):
    """Answers with a function of the prompt and of how often it was asked in another call."""

    tokenizer_name = "none"

    def __init__(self, answer: Callable[[str, int], str], render: Callable[[str], str]) -> None:
        super().__init__()
        self.answer, self.render, self.n_calls = answer, render, 0

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        self.n_calls += 1
        print("an engine that prints where results belong")
        return [self.answer(request.args[0], self.n_calls) for request in requests]

    def apply_chat_template(self, history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        return self.render(history[-1]["content"])

    def loglikelihood(self, requests: list[Any]) -> Any:
        raise NotImplementedError

    loglikelihood_rolling = loglikelihood


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Shown:
    """The command on a scripted engine, through the real harness."""

    def run(
        answer: Callable[[str, int], str],
        *options: str,
        render: Callable[[str], str] = lambda text: text,
        variants: str = "",
    ) -> tuple[int, str, str]:
        engine = SimpleNamespace(create_from_arg_obj=lambda arguments, settings: Scripted(answer, render))
        monkeypatch.setattr("lm_eval.api.registry.get_model", lambda name: engine)
        if variants:
            (tmp_path / "variants.yaml").write_text(variants, encoding="utf-8")
            options = (*options, "--variants", str(tmp_path / "variants.yaml"))
        status = main(["neighborhood", "Why is the sky blue?", "--apply_chat_template", *options])
        return (status, *capsys.readouterr())

    return run


HOSTILE = (
    "Blue.\x1b[2J\x1b]0;owned\x07 \u202eevil\u2066 [red]bold[/red] | `` <img src=x> "
    "\x9b31m\u2028\r\n# end \U000e0041"
)


@pytest.mark.parametrize("form", ["table", "markdown", "csv", "json"])
def test_hostile_outputs_are_inert(form: str, scripted: Shown) -> None:
    status, printed, _ = scripted(lambda prompt, call: f"{HOSTILE} {len(prompt)}", "--format", form)
    assert status == 0
    active = {c for c in printed if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Co", "Cn")}
    assert active == {"\n"}
    if form == "json":
        assert json.loads(printed)["base"]["output"].startswith(HOSTILE)
    else:
        assert "[red]bold[/red]" in printed, "what looks like markup is text"
        assert "U+001B" in printed and "U+202E" in printed
    if form == "markdown":
        lines = printed.splitlines()
        fences = [index for index, line in enumerate(lines) if line.startswith("```")]
        inside = [index for index, line in enumerate(lines) if "<img" in line]
        assert inside
        assert all(sum(fence < index for fence in fences) % 2 for index in inside)


def test_answers_and_whole_outputs_are_different_things(scripted: Shown) -> None:
    """The reasoning follows the prompt, the answer does not."""

    def answer(prompt: str, call: int) -> str:
        return f"<think>They ask {prompt!r}, {len(prompt)} characters.</think>Because of scattering."

    _, printed, _ = scripted(answer, "--format", "json")
    content = json.loads(printed)
    assert content["meaning_preserving"]["range"]["largest"] == 0
    assert {each["output"] for each in content["variants"]} == {"Because of scattering."}
    assert any(
        "whole outputs differ although their answers do not" in each
        for each in [note["text"] for note in content["cautions"]]
    )
    _, printed, _ = scripted(answer, "--format", "json", "--filter", "raw")
    content = json.loads(printed)
    assert content["filter"] == "raw"
    assert content["meaning_preserving"]["range"]["smallest"] > 0
    assert all(each["output"].startswith("<think>") for each in content["variants"])


def test_without_token_ids_the_divergence_is_a_character(scripted: Shown) -> None:
    _, printed, _ = scripted(lambda prompt, call: f"The answer {'(' in prompt}", "--format", "json")
    by_edit = {each["edit"]: each for each in json.loads(printed)["variants"]}
    moved = by_edit["parenthesize_word"]
    assert moved["audit"]["status"] == "unknown"
    assert moved["first_divergence"] == {"token": None, "character": 11, "censored": False}
    assert by_edit["leading_space"]["first_divergence"]["character"] is None


def test_where_nothing_is_scored_nothing_passes(scripted: Shown) -> None:
    status, printed, errors = scripted(lambda prompt, call: "", "--fail-above", "0.5")
    assert status == 3
    assert "--fail-above" not in errors, "said once"
    assert "Nothing could be scored" in printed and "Check blind" in printed


def test_a_template_that_loses_the_prompt_is_refused(scripted: Shown) -> None:
    status, _, errors = scripted(lambda prompt, call: "same", render=lambda text: "constant")
    assert status == 2
    assert "chat template" in errors and "Traceback" not in errors


def test_distances_of_zero_are_said_in_words_with_what_could_fake_them(scripted: Shown) -> None:
    control = "control_topic: How do I boil an egg?\n"
    _, printed, _ = scripted(lambda prompt, call: "round and round it goes " * 12, variants=control)
    words = " ".join(printed.split())
    assert "All distances are 0" in words
    assert "moved the output" not in words
    assert "outputs are caught in a repetition" in words
    assert "The positive control did not move the output either" in words
    assert "whether an edit that is not marked as erased reached the model is not known" in words
    _, without, _ = scripted(lambda prompt, call: "lol")
    assert "No positive control was scored" in without


def test_what_the_noise_floor_covers_is_not_called_sensitivity(scripted: Shown) -> None:
    """The engine answers otherwise when it is asked again; its variants move less than that."""

    def answer(prompt: str, call: int) -> str:
        if call > 1:
            return "Boil the egg for eight minutes and rinse it under cold water."
        return f"The sky is blue because air scatters short waves{'' if '(' in prompt else ' more'}."

    _, printed, _ = scripted(answer, "--format", "json")
    content = json.loads(printed)
    assert 0 < content["meaning_preserving"]["range"]["largest"] < content["noise_floor"]
    assert content["verdict"].startswith("No distance is above the noise floor")
    assert "moved the output by more" not in printed


# ---- mistakes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model_args", "pretrained=/nowhere/model"], "there is no such folder"),
        (["--model_args", "pretrained=FOLDER"], "could not load the model"),
        (["--model_args", "pretrained=of/another/folder"], "The working folder has no such folder either"),
        (["--model_args", "dtype=float32"], "`--model hf` needs `pretrained`"),
        (["--model_args", "pretraind=gpt2"], "takes no such argument. Did you mean 'pretrained'?"),
        (
            ["--model_args", "pretrained=DEMO", "--device", "cpuu"],
            "lm_eval took cpu instead. Did you mean 'cpu'?",
        ),
        (["--model_args", '{"pretrained": '], "is no JSON"),
        (["--model", "hff"], "Did you mean 'hf'?"),
        (
            ["--model_args", "pretrained=DEMO", "--apply_chat_template", "nonsense"],
            "no chat template of this name; it has one template without a name",
        ),
        (["--model", "vllm", "--model_args", "pretrained=x"], "needs a package that is not installed"),
        (["--fail-above", "nan"], "accepted are distances from 0"),
        (["--batch_size", "0"], "whole numbers from 1"),
        (["--output", "/nowhere/report"], "cannot be written"),
        (["--output", "FOLDER"], "cannot be written"),
        (["--variants", "/nowhere.yaml"], "does not exist"),
        (["--variants", "FOLDER/unknown"], "Did you mean 'synonym_1'?"),
        (["--variants", "FOLDER/same"], "`variant` equals `base`"),
    ],
)
def test_a_mistake_is_one_sentence_and_status_2(
    options: list[str], message: str, tmp_path: Path, demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "unknown").write_text("synonim_1: Tell me why.\n", encoding="utf-8")
    (tmp_path / "same").write_text("synonym_1: Why?\n", encoding="utf-8")
    filled = [option.replace("FOLDER", str(tmp_path)).replace("DEMO", str(demo)) for option in options]
    assert main(["neighborhood", "Why?", "--device", "cpu", *filled]) == 2
    printed, errors = capsys.readouterr()
    assert printed == ""
    assert message in errors.splitlines()[-1]
    assert "Traceback" not in errors


@pytest.mark.parametrize("stdin", [b"\xff\xfe", b" \n"])
def test_a_prompt_that_is_no_text_is_refused(
    stdin: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
    assert main(["neighborhood", "-"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
