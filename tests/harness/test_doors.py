"""A user's mistake gets a sentence before any token is generated, and nothing that was written is lost."""

from __future__ import annotations

import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.harness.engines.hf.decoder import Decoder
from lm_eval_sensitivity.ladder.load import packaged_folder
from tests.harness import tiny_models
from tests.harness.conftest import Lmeval, Run

IDENTICAL = "prompt_sensitivity_mini_identical"
NOOP = "prompt_sensitivity_mini_noop"
PUNCTUATION = "prompt_sensitivity_mini_punctuation"


@pytest.fixture(scope="module")
def reference(model: Path, run_once: Lmeval) -> Path:
    """A small finished run."""
    return run_once(model, tasks=IDENTICAL, gen_kwargs="max_gen_toks=6").folder


@pytest.fixture(scope="module")
def drifted(reference: Path, run_once: Lmeval, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Another model beside it."""
    other = tiny_models.build(tmp_path_factory.mktemp("other") / "other", "llama", seed=1)
    metadata = {"reference": str(reference)}
    return run_once(other, tasks=f"{IDENTICAL},{PUNCTUATION}", gen_kwargs="max_gen_toks=6", metadata=metadata)


@pytest.fixture
def no_generation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any generation is a failure: the door must close before it."""

    def refuse(*args: Any) -> None:
        raise AssertionError("generated before the mistake was reported")

    monkeypatch.setattr(Decoder, "generate", refuse)


DOORS: dict[str, tuple[dict[str, Any], str]] = {
    "sampling": ({"gen_kwargs": "do_sample=True,temperature=0.7"}, "decode greedily"),
    "a penalty": ({"gen_kwargs": "repetition_penalty=1.3"}, "repetition_penalty.*not accepted"),
    "a misspelt limit": ({"gen_kwargs": "max_gen_tok=3"}, "Did you mean 'max_gen_toks'"),
    "two limits": ({"gen_kwargs": "max_gen_toks=3,max_new_tokens=4"}, "different limits for the same thing"),
    "a limit that is no number": ({"gen_kwargs": "max_gen_toks=nan"}, "1 or more"),
    "a limit of zero": ({"gen_kwargs": "max_gen_toks=0"}, "1 or more"),
    "a limit in words": ({"gen_kwargs": "max_gen_toks=many"}, "not a number"),
    "a batch of nothing": ({"batch_size": 0}, "batch_size 0.*whole numbers from 1"),
    "examples": ({"num_fewshot": 2}, "num_fewshot 2"),
    "an unknown option": ({"metadata": {"refrence": "x"}}, "did you mean `reference`"),
    "an option of the wrong type": ({"metadata": {"reference": 3}}, "expected a text"),
    "no such reference": ({"metadata": {"reference": "/nowhere/run"}}, "does not exist"),
    "no such ladder": (
        {"metadata": {"ladder": "/nowhere/ladder"}},
        r"^`--metadata`: `ladder` is '/nowhere/ladder'.*no such folder",
    ),
    "a ladder of odd bytes": (
        {"metadata": {"ladder": "own\udcff"}},
        r"`ladder` is 'own\\udcff', which is no UTF-8",
    ),
    "an output of odd bytes": ({"output_path": "own\udcff"}, "`--output_path .*is no UTF-8 text"),
    "no such embedder": ({"metadata": {"embedder": "./nowhere"}}, "looks like a folder"),
    "a device that is not there": ({"device": "cpuu"}, "lm_eval took cpu instead. Did you mean 'cpu'"),
    "a template that is not there": ({"apply_chat_template": "tool_use"}, "one template without a name"),
    "thinking that nothing turns on": (
        {"model_args_extra": ",enable_thinking=True,think_end_token=x"},
        "was not done",
    ),
    "a context that is too short": (
        {"model_args_extra": ",max_length=16"},
        "tokens; the model's context holds 16",
    ),
}


@pytest.mark.usefixtures("no_generation")
@pytest.mark.parametrize("door", sorted(DOORS))
def test_a_mistake_is_reported_before_generation(door: str, lm_eval: Lmeval, model: Path) -> None:
    options, message = dict(DOORS[door][0]), DOORS[door][1]
    name = f"{model}{options.pop('model_args_extra', '')}"
    with pytest.raises(InputError, match=message):
        lm_eval(name, tasks=NOOP, **options)


def test_a_template_that_trims_is_another_system(lm_eval: Lmeval, model: Path, tmp_path: Path) -> None:
    trimming = shutil.copytree(model, tmp_path / "trimming")
    template = trimming / "chat_template.jinja"
    text = template.read_text(encoding="utf-8")
    trimmed = re.sub(r"(message(?:\[['\"]content['\"]\]|\.content))", r"(\1 | trim)", text)
    assert trimmed != text
    template.write_text(trimmed, encoding="utf-8")
    systems = {
        lm_eval(each, tasks=NOOP, limit=1).rows(NOOP)[0]["pair"]["system"] for each in (model, trimming)
    }
    assert len(systems) == 2


@pytest.mark.usefixtures("no_generation")
def test_a_model_without_chat_template_is_reported(lm_eval: Lmeval, model: Path, tmp_path: Path) -> None:
    bare = tiny_models.build(tmp_path / "bare", "llama")
    (bare / "chat_template.jinja").unlink(missing_ok=True)
    config = json.loads((bare / "tokenizer_config.json").read_text())
    config.pop("chat_template", None)
    (bare / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="could not apply a chat template"):
        lm_eval(bare, tasks=NOOP)


@pytest.mark.usefixtures("no_generation")
def test_a_tampered_ladder_is_refused(lm_eval: Lmeval, model: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    table = pq.read_table(packaged_folder() / "mini" / "test.parquet")
    changed = table.set_column(
        table.schema.get_field_index("reason"), table.schema.field("reason"), [["tampered"] * table.num_rows]
    )
    (tmp_path / "ladder" / "mini").mkdir(parents=True)
    pq.write_table(changed, tmp_path / "ladder" / "mini" / "test.parquet")
    with pytest.raises(InputError, match=r"test\.parquet.*row_hash"):
        lm_eval(model, tasks=NOOP, metadata={"ladder": str(tmp_path / "ladder")})


@pytest.mark.usefixtures("no_generation")
def test_an_unknown_rung_is_refused(lm_eval: Lmeval, model: Path, tmp_path: Path) -> None:
    source = Path(__file__).parents[2] / "tasks" / "prompt_sensitivity" / "_base.yaml"
    (tmp_path / "mine.yaml").write_text(
        f"include: {source}\ntask: my_rung\ndataset_kwargs: {{rung: synonyms, subset: mini}}\n"
    )
    with pytest.raises(InputError, match="Did you mean 'synonym'"):
        lm_eval(model, tasks="my_rung", include_path=str(tmp_path))


@pytest.mark.usefixtures("no_generation")
def test_an_output_folder_that_cannot_be_written_is_refused(
    lm_eval: Lmeval, model: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match=r"--output_path .* cannot be written"):
        lm_eval(model, folder=tmp_path / "file" / "runs", tasks=NOOP)


def test_a_users_mistake_leaves_lm_eval_as_a_sentence(lm_eval: Lmeval, model: Path) -> None:
    """What Python then prints, a fresh process shows: `test_errors.py`."""
    with pytest.raises(SystemExit) as left:
        lm_eval(model, tasks=NOOP, gen_kwargs="do_sample=True")
    assert "prompt_sensitivity tasks decode greedily" in str(left.value.code)


# ---- reference runs


def test_a_system_does_not_drift_from_itself(lm_eval: Lmeval, model: Path, reference: Path) -> None:
    run = lm_eval(model, tasks=IDENTICAL, gen_kwargs="max_gen_toks=6", metadata={"reference": str(reference)})
    assert run.value(IDENTICAL, "baseline_drift", "raw") == 0
    assert run.value(IDENTICAL, "baseline_drift", "answer") == 0


def test_another_model_drifts(drifted: Run) -> None:
    assert drifted.value(IDENTICAL, "baseline_drift") > 0.1
    summary = drifted.results["configs"][IDENTICAL]["metadata"]["sensitivity"]
    assert summary["reference"]["system"] != summary["system"]


@pytest.mark.usefixtures("no_generation")
def test_a_reference_with_other_decoding_settings_is_refused(
    lm_eval: Lmeval, model: Path, reference: Path
) -> None:
    with pytest.raises(InputError, match="decoding settings"):
        lm_eval(model, tasks=IDENTICAL, gen_kwargs="max_gen_toks=7", metadata={"reference": str(reference)})


@pytest.mark.usefixtures("no_generation")
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text.replace('"version": "', '"version": "9.'), "ladder version"),
        (lambda text: text.replace('"sensitivity"', '"something"'), "holds no prompt_sensitivity task"),
        (
            lambda text: text.replace('"ladder": {', '"ladder": null, "l": {'),
            r"sensitivity\.ladder` is null; accepted is an object",
        ),
        (
            lambda text: text.replace('"decoding": {', '"decoding": [], "d": {'),
            r"sensitivity\.decoding` is a list; accepted is an object",
        ),
        (lambda text: text[:-50], "cannot be read as JSON.*copy it again"),
    ],
)
def test_a_reference_with_damaged_results_is_refused(
    damage: Any, message: str, lm_eval: Lmeval, model: Path, reference: Path, tmp_path: Path
) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(reference, copy)
    (results,) = copy.rglob("results_*.json")
    results.write_text(damage(results.read_text()))
    with pytest.raises(InputError, match=message):
        lm_eval(model, tasks=IDENTICAL, gen_kwargs="max_gen_toks=6", metadata={"reference": str(copy)})


@pytest.mark.usefixtures("no_generation")
def test_a_reference_with_strange_rows_is_refused(
    lm_eval: Lmeval, model: Path, reference: Path, tmp_path: Path
) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(reference, copy)
    (samples,) = copy.rglob("samples_*.jsonl")
    samples.write_text(samples.read_text() + '{"filter": "raw"}\n')
    with pytest.raises(InputError, match=r"samples_.*line 19: `doc_id` is missing"):
        lm_eval(model, tasks=IDENTICAL, gen_kwargs="max_gen_toks=6", metadata={"reference": str(copy)})


def test_drift_counts_every_prompt_once_whatever_its_number_of_edits(drifted: Run) -> None:
    assert len({row["doc"]["prompt_id"] for row in drifted.rows(PUNCTUATION)}) == 9
    assert drifted.value(IDENTICAL, "baseline_drift") == pytest.approx(
        drifted.value(PUNCTUATION, "baseline_drift")
    )


# ---- what must not stop a run


def test_non_finite_logits_leave_the_pair_unscored_and_the_run_goes_on(
    lm_eval: Lmeval, model: Path, tmp_path: Path
) -> None:
    """One token's embedding is NaN: prompts that hold it cannot be answered, all others can."""
    broken = tiny_models.build(tmp_path / "broken", "llama")
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(broken)
    poison = _token_of_one_edit(tokenizer)
    weights = load_file(broken / "model.safetensors")
    weights["model.embed_tokens.weight"][poison] = float("nan")
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    run = lm_eval(broken, tasks=NOOP)
    reason = "not finite: NaN or infinite logits while generating the variant"
    scored = 0
    for row in run.rows(NOOP):
        sides = {side: row["pair"][side]["finish_reason"] for side in ("base", "variant")}
        if row["doc"]["edit"] == "zero_width_space":
            assert sides["variant"] == "not_finite"
            assert row["pair"]["missing"]["cosine_distance"].startswith("not finite")
            assert reason in row["pair"]["missing"]["js_divergence"] or sides["base"] == "not_finite"
        # A random model may also generate the poisoned token itself.
        unscored = "not_finite" in sides.values()
        assert math.isnan(row["js_divergence"]) == unscored
        scored += not unscored
    assert scored > 30
    assert "not finite" in run.value(NOOP, "pair")


def _token_of_one_edit(tokenizer: Any) -> int:
    """A token that appears in prompts with a zero-width space and in no other prompt."""
    from lm_eval_sensitivity.ladder import load_ladder

    pairs = load_ladder(subset="mini").rung("noop")
    with_space = [set(tokenizer.encode(p.variant)) for p in pairs if p.edit == "zero_width_space"]
    others = set().union(
        *(tokenizer.encode(text) for p in pairs for text in (p.base, p.variant) if "\u200b" not in text)
    )
    return min(set.intersection(*with_space) - others)


def test_out_of_memory_halves_the_batch_and_changes_nothing(
    lm_eval: Lmeval, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = lm_eval(model, tasks=NOOP, limit=12, batch_size=8)
    sizes: list[int] = []
    generate = Decoder.generate

    def small_machine(self: Decoder, batch: list[list[int]]) -> Any:
        sizes.append(len(batch))
        if len(batch) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
        return generate(self, batch)

    monkeypatch.setattr(Decoder, "generate", small_machine)
    run = lm_eval(model, tasks=NOOP, limit=12, batch_size=8)
    assert sizes[:3] == [8, 4, 2]
    assert max(sizes[2:]) == 2
    for one, other in zip(expected.rows(NOOP), run.rows(NOOP), strict=True):
        assert one["resps"] == other["resps"]
        assert one["js_divergence"] == pytest.approx(other["js_divergence"], abs=1e-5)


def test_out_of_memory_at_batch_size_one_is_a_sentence(
    lm_eval: Lmeval, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(self: Decoder, batch: list[list[int]]) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    monkeypatch.setattr(Decoder, "generate", no_memory)
    with pytest.raises(InputError, match="Out of memory at batch size 1"):
        lm_eval(model, tasks=NOOP, limit=2)


def test_another_error_is_not_taken_for_memory(
    lm_eval: Lmeval, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Decoder, batch: list[list[int]]) -> Any:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(Decoder, "generate", broken)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        lm_eval(model, tasks=NOOP, limit=2)


def test_a_short_context_lowers_the_token_limit_for_all_and_says_so(
    lm_eval: Lmeval, model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = lm_eval(f"{model},max_length=120", tasks=IDENTICAL, gen_kwargs="max_gen_toks=110")
    summary = run.results["configs"][IDENTICAL]["metadata"]["sensitivity"]
    limit = summary["decoding"]["max_gen_toks"]
    assert 0 < limit < 110
    assert summary["decoding_requested"]["max_gen_toks"] == 110
    assert "max_gen_toks is" in caplog.text
    assert {row["pair"]["base"]["n_tokens"] for row in run.rows(IDENTICAL)} <= set(range(1, limit + 1))
