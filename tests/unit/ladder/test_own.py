"""Own prompts: every form gives the same ladder, and every mistake is refused at its place."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import datasets
import pytest

from lm_eval_sensitivity.cli import main as cli
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder import build_pairs, load_ladder
from lm_eval_sensitivity.ladder.authoring.generic_control import with_generic_controls
from lm_eval_sensitivity.ladder.authoring.hub_prompts import read_own_dataset
from lm_eval_sensitivity.ladder.authoring.user_prompts import MAX_PROMPTS, OwnPrompts, read_own_file
from lm_eval_sensitivity.ladder.edits import EDITS
from lm_eval_sensitivity.ladder.hub import HubSource
from lm_eval_sensitivity.ladder.schema import rows_from_pairs

PROMPTS = ["Recommend a book like Dune", "Why is the café closed, and who decided it?", "Explain `x = 1`."]


def write_rows(folder: Path, rows: list[dict[str, Any]]) -> list[Path]:
    """The same rows as CSV and as JSON lines."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    with (folder / "own.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, names)
        writer.writeheader()
        writer.writerows(rows)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "own.jsonl").write_text(lines, encoding="utf-8")
    return [folder / "own.csv", folder / "own.jsonl"]


def write_text(path: Path, text: str) -> Path:
    path.write_bytes(text.encode("utf-8"))
    return path


def refused(path: Path, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        read_own_file(path, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_text_csv_and_json_lines_give_the_same_pairs(tmp_path: Path) -> None:
    text = write_text(tmp_path / "own.txt", "\r\n".join(PROMPTS) + "\r\n\r\n")
    files = [text, *write_rows(tmp_path, [{"prompt": prompt} for prompt in PROMPTS])]
    (first, *others) = [build_pairs(read_own_file(path).source) for path in files]
    assert all(other == first for other in others)
    assert [pair.base for pair in first if pair.rung == "identical"] == PROMPTS
    assert {pair.prompt_id for pair in first} == {"prompt-1", "prompt-2", "prompt-3"}
    assert {pair.category for pair in first} == {"uncategorized"}


def test_rule_rungs_are_those_of_the_rules(tmp_path: Path) -> None:
    # By brute force: every rule edit that applies, and nothing else.
    pairs = build_pairs(read_own_file(write_text(tmp_path / "own.txt", PROMPTS[1])).source)
    expected = {edit.name: edit.variant(PROMPTS[1]) for edit in EDITS.values()}
    assert {p.edit: p.variant for p in pairs if p.rung != "identical"} == {
        name: variant for name, variant in expected.items() if variant is not None
    }


def test_authored_columns_become_authored_rungs(tmp_path: Path) -> None:
    rows = [
        {
            "id": "Dune 2",
            "category": "advice_recommendation",
            "prompt": "Suggest a book.",
            "synonym_1": "Name a book.",
        },
        {
            "id": 7,
            "prompt": "Why, and when?",
            "control_topic": "What is rain?",
            "control_topic_reason": "Weather.",
        },
    ]
    for path in write_rows(tmp_path, rows):
        pairs = {pair.pair_id: pair for pair in build_pairs(read_own_file(path).source)}
        assert pairs["dune-2/synonym_1"].variant == "Name a book."
        assert pairs["dune-2/synonym_1"].category == "advice_recommendation"
        assert pairs["dune-2/synonym_1"].origin == "authored"
        assert pairs["7/control_topic"].reason == "Weather."
        assert "7/synonym_1" not in pairs  # an empty cell is no variant


def test_another_field_can_hold_the_prompt_and_other_fields_are_reported(tmp_path: Path) -> None:
    for path in write_rows(tmp_path, [{"question": "Why?", "answer": "42", "source": "x"}]):
        own = read_own_file(path, prompt_field="question", version="7")
        assert [prompt.base for prompt in own.source.prompts] == ["Why?"]
        assert own.unused_fields == ("answer", "source")
        assert own.source.ladder_version == "7"


def test_repeated_prompts_are_refused_or_reported(tmp_path: Path) -> None:
    path = write_text(tmp_path / "own.txt", "a b\nc d\na b\n")
    assert "line 3 repeats the prompt of" in refused(path)
    own = read_own_file(path, skip_repeated=True)
    assert [prompt.base for prompt in own.source.prompts] == ["a b", "c d"]
    assert own.repeated == (f"`{path}`, line 3",)


def test_limit_takes_the_first_rows(tmp_path: Path) -> None:
    path = write_text(tmp_path / "own.txt", "\n".join(f"prompt {n}" for n in range(20)))
    prompts = read_own_file(path, limit=12).source.prompts
    assert [prompt.prompt_id for prompt in prompts][::11] == ["prompt-01", "prompt-12"]


def test_yaml_source_is_accepted(tmp_path: Path) -> None:
    path = write_text(
        tmp_path / "own.yaml", 'ladder_version: "3"\nprompts: [{id: a, base: Why}, {id: b, base: How}]'
    )
    assert read_own_file(path).source.ladder_version == "3"
    assert len(read_own_file(path, limit=1).source.prompts) == 1


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("own.csv", "prompt,id\nWhy?,1,2\n", ["row 1 (line 2)", "number of cells"]),
        ("own.csv", "prompt,id\nWhy?\n", ["row 1 (line 2)", "number of cells"]),
        ("own.csv", "prompt,prompt\na,b\n", ["column `prompt` stands there twice"]),
        ("own.csv", 'prompt\n"Why?\n', ["no readable CSV at line"]),
        ("own.csv", "prompt\n" + "x" * 200_000 + "\n", ["no readable CSV at line", "field larger"]),
        (
            "own.csv",
            "promt\nWhy?\n",
            ["row 1", "`prompt` is missing", "Did you mean 'promt'", "--prompt-field"],
        ),
        (
            "own.csv",
            "prompt,synonim_1\nWhy?,How?\n",
            ["`synonim_1` means nothing", "Did you mean 'synonym_1'"],
        ),
        ("own.csv", "prompt\n", ["holds no prompt"]),
        ("own.csv", "prompt,category\nWhy?,factuall\n", ["row 1", "Did you mean 'factual'"]),
        ("own.csv", "prompt,id\nWhy?,Q 1\nHow?,q-1\n", ["row 2", "`id` is 'q-1'", "as that of", "row 1"]),
        ("own.csv", "prompt,id\nWhy?,é\n", ["row 1", "`id` is 'é'"]),
        ("own.csv", "prompt,synonym_1\nWhy?,Why?\n", ["row 1", "`synonym_1` equals the prompt"]),
        ("own.csv", "prompt,synonym_1_reason\nWhy?,x\n", ["row 1", "`synonym_1_reason` is there, but"]),
        ("own.csv", "prompt,category\nWhy?,0\n", ["row 1", "`category` is '0'"]),
        ("own.jsonl", '{"prompt": "a", "prompt": "b"}\n', ["line 1", "stands there twice"]),
        ("own.csv", "prompt\n  \n", ["row 1", "`prompt` is '  '", "not blank"]),
        ("own.jsonl", '{"prompt": "a"}\n{"prompt"\n', ["line 2 is not a JSON object"]),
        ("own.jsonl", '"Why?"\n', ["line 1 holds a str"]),
        ("own.jsonl", '{"prompt": ["Why?"]}\n', ["line 1", "`prompt`", "list"]),
        ("own.jsonl", '{"prompt": null}\n', ["line 1", "`prompt`", "NoneType"]),
        ("own.jsonl", "[" * 100_000 + "\n", ["line 1 is not a JSON object"]),
        ("own.jsonl", json.dumps({"prompt": "x" * 100_001}), ["line 1", "100001 characters"]),
        ("own.txt", "\n  \n", ["holds no prompt"]),
        ("own.txt", "x\n" * 2, ["line 2 repeats"]),
        ("own.txt", "\n".join(f"p {n}" for n in range(MAX_PROMPTS + 1)), [str(MAX_PROMPTS), "--limit"]),
        ("own.txt", "", ["is empty"]),
        ("own.docx", "x", ["does not end in", ".jsonl"]),
        ("own", "x", ["does not end in", ".jsonl"]),
    ],
)
def test_mistake_is_named_at_its_place(tmp_path: Path, name: str, content: str, expected: list[str]) -> None:
    path = write_text(tmp_path / name, content)
    message = refused(path)
    for part in [str(path), *expected]:
        assert part in message


def test_yaml_repeats_and_options_are_refused_as_in_other_forms(tmp_path: Path) -> None:
    path = write_text(
        tmp_path / "own.yaml", 'ladder_version: "3"\nprompts: [{id: a, base: Why}, {id: b, base: Why}]'
    )
    assert "prompt 'b' repeats the prompt of" in refused(path)
    own = read_own_file(path, skip_repeated=True)
    assert ([prompt.prompt_id for prompt in own.source.prompts], len(own.repeated)) == (["a"], 1)
    assert "`--ladder-version` means nothing" in refused(path, version="9")
    assert "`--prompt-field` means nothing" in refused(path, prompt_field="x")
    text = write_text(tmp_path / "own.txt", "Why?")
    assert "`--prompt-field` means nothing" in refused(text, prompt_field="x")


def test_rewritten_ids_are_said(tmp_path: Path) -> None:
    for path in write_rows(tmp_path, [{"id": "2.5", "prompt": "Why?"}, {"id": "b", "prompt": "How?"}]):
        own = read_own_file(path)
        assert [prompt.prompt_id for prompt in own.source.prompts] == ["2-5", "b"]
        (note,) = own.notes
        assert note.startswith("1 ids were rewritten")
        assert "'2.5' to '2-5'" in note


def test_carriage_returns_alone_end_lines_too(tmp_path: Path) -> None:
    path = write_text(tmp_path / "own.txt", "Why?\rHow?\rWhen?")
    assert [prompt.base for prompt in read_own_file(path).source.prompts] == ["Why?", "How?", "When?"]


@pytest.mark.parametrize("name", ["own.jsonl", "own.yaml"])
def test_half_of_a_surrogate_pair_is_one_sentence(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    content = {
        "own.jsonl": '{"prompt": "lone \\ud800 here"}',
        "own.yaml": 'ladder_version: "1"\nprompts: [{id: a, base: "x \\ud800 y"}]',
    }[name]
    path = write_text(tmp_path / name, content)
    assert cli.main(["ladder", "build", str(path), "-o", str(tmp_path / "x")]) == 2
    shown = capsys.readouterr().err
    assert "half of a surrogate pair" in shown or "surrogate" in shown or "UTF-8" in shown
    assert "Traceback" not in shown
    assert not (tmp_path / "x").exists()


def test_text_that_is_no_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.txt"
    path.write_bytes(b"Why?\ncaf\xe9\n")
    assert "not valid UTF-8 at line 2" in refused(path)


# ---- the Hub


def fake_hub(monkeypatch: pytest.MonkeyPatch, **splits: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Replaces the network call; the rows then go the way of any streamed dataset."""
    calls: list[dict[str, Any]] = []

    def load_dataset(repo_id: str, **options: Any) -> Any:
        calls.append({"repo_id": repo_id, **options})
        loaded = {
            name: datasets.Dataset.from_list(rows).to_iterable_dataset() for name, rows in splits.items()
        }
        return datasets.IterableDatasetDict(loaded)

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    return calls


def read_hub(**options: Any) -> OwnPrompts:
    return read_own_dataset(HubSource("org/name", "v1"), **{"prompt_field": "prompt", **options})


def test_hub_rows_are_streamed_and_give_the_pairs_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = fake_hub(monkeypatch, train=[{"prompt": prompt} for prompt in PROMPTS])
    text = write_text(tmp_path / "own.txt", "\n".join(PROMPTS))
    assert build_pairs(read_hub().source) == build_pairs(read_own_file(text).source)
    assert calls == [{"repo_id": "org/name", "name": None, "revision": "v1", "streaming": True}]
    assert len(read_hub(limit=2).source.prompts) == 2


def test_hub_split_must_be_named_where_there_are_several(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_hub(monkeypatch, train=[{"prompt": "a b"}], test=[{"prompt": "c d"}])
    with pytest.raises(InputError, match=r"no `--split` was given, and the dataset has 'train', 'test'"):
        read_hub()
    with pytest.raises(InputError, match=r"`--split` is 'tset'.*Did you mean 'test'"):
        read_hub(split="tset")
    assert [prompt.base for prompt in read_hub(split="test").source.prompts] == ["c d"]


def test_what_does_not_fit_in_somebody_elses_columns_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        {"id": "A", "prompt": "a b", "category": "closed_qa", "synonyms": "x"},
        {"id": "a", "prompt": "c d", "category": "factual", "synonyms": "y"},
    ]
    fake_hub(monkeypatch, train=rows)
    own = read_hub()
    assert [(p.prompt_id, p.category) for p in own.source.prompts] == [
        ("prompt-1", "uncategorized"),
        ("prompt-2", "factual"),
    ]
    assert own.unused_fields == ("synonyms",)
    assert ["numbered instead" in note or "'closed_qa'" in note for note in own.notes] == [True, True]


def test_hub_row_without_the_field_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_hub(monkeypatch, train=[{"text": "a b"}])
    with pytest.raises(InputError, match=r"`org/name@v1`, row 1: the field `prompt` is missing.*`text`"):
        read_hub()


def test_hub_dataset_longer_than_accepted_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_hub(monkeypatch, train=[{"prompt": f"p {n}"} for n in range(MAX_PROMPTS + 5)])
    with pytest.raises(InputError, match="--limit"):
        read_hub()


def test_unreachable_hub_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def load_dataset(*args: Any, **options: Any) -> Any:
        raise ConnectionError("no route to host\nmore")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(InputError, match="cannot be read: no route to host") as caught:
        read_hub()
    assert "\n" not in str(caught.value)


# ---- the command


def test_command_writes_a_ladder_that_loads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, folder = write_text(tmp_path / "own.txt", "\n".join(PROMPTS)), tmp_path / "my ladder"
    assert cli.main(["ladder", "build", str(source), "-o", str(folder)]) == 0
    ladder = load_ladder(folder, "core")  # whatever subset a task asks for
    assert list(ladder.prompts.values()) == PROMPTS
    assert list(ladder.pairs) == build_pairs(with_generic_controls(read_own_file(source).source))
    shown = capsys.readouterr().out
    assert f"3 prompts, {len(ladder.pairs)} pairs" in shown
    assert "--tasks prompt_sensitivity " in shown
    assert "synonym: none, nobody wrote variants" in shown
    n_trailing = sum(pair.edit == "trailing_space" for pair in ladder.pairs)
    assert f"trailing_space {n_trailing}" in shown


def test_command_names_the_group_of_all_rungs_when_variants_are_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"prompt": "Why, and how?", "synonym_1": "Why, or how?", "paraphrase_1": "How and why?"}
    row |= {"semantic_1": "Why, and when?", "control_topic": "Sing a song."}
    (path, _) = write_rows(tmp_path, [row])
    assert cli.main(["ladder", "build", str(path), "-o", str(tmp_path / "mine")]) == 0
    assert "--tasks prompt_sensitivity " in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["ladder", "subset", "other parquet", "file"])
def test_command_never_writes_over_what_it_did_not_make(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source, folder = write_text(tmp_path / "own.txt", "Why?"), tmp_path / "mine"
    if kind == "file":
        folder.write_text("precious")
    else:
        place = {"ladder": "test.parquet", "subset": "core/test.parquet", "other parquet": "x.parquet"}[kind]
        (folder / place).parent.mkdir(parents=True)
        (folder / place).write_text("precious")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert cli.main(["ladder", "build", str(source), "-o", str(folder)]) == 2
    assert str(folder) in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_command_replaces_its_own_ladder_when_asked(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    for text in ("Why?", "How?"):
        source = write_text(tmp_path / "own.txt", text)
        assert cli.main(["ladder", "build", str(source), "-o", str(folder), "--overwrite"]) == 0
    assert list(load_ladder(folder).prompts.values()) == ["How?"]
    assert rows_from_pairs(load_ladder(folder).pairs)[0]["row_hash"]


@pytest.mark.parametrize("version", ["", "bad tag!", "-1"])
def test_version_that_could_not_be_a_tag_is_refused(tmp_path: Path, version: str) -> None:
    source = write_text(tmp_path / "own.txt", "Why?")
    with pytest.raises(SystemExit) as caught:
        cli.main(["ladder", "build", str(source), "-o", str(tmp_path / "x"), f"--ladder-version={version}"])
    assert caught.value.code == 2


def test_split_of_a_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_text(tmp_path / "own.txt", "Why?")
    assert cli.main(["ladder", "build", str(source), "-o", str(tmp_path / "x"), "--split", "test"]) == 2
    assert "`--split` is for Hub datasets" in capsys.readouterr().err
