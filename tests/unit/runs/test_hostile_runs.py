"""Broken and hostile run folders: one sentence each, which names file and field."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder.schema import row_hash
from lm_eval_sensitivity.records.codec import decode
from lm_eval_sensitivity.runs import find, load_runs, rung_samples
from tests.unit.runs.made_run import DATE, MadeRun, Rows, make_run

Corrupt = Callable[[MadeRun], object]
TASK = "prompt_sensitivity_mini_synonym"


@dataclass(frozen=True)
class Case:
    """A corruption of a whole run, and what the sentence must name."""

    name: str
    corrupt: Corrupt
    names: tuple[str, ...]


@dataclass(frozen=True)
class Texts:
    texts: dict[str, str]


def summary(results: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = results["configs"][TASK]["metadata"]["sensitivity"]
    return found


def in_summary(change: Callable[[dict[str, Any]], object]) -> Corrupt:
    return lambda run: run.edit_results(lambda results: change(summary(results)))


def in_row(change: Callable[[dict[str, Any]], object], number: int = 3) -> Corrupt:
    """Change one row, line `number` + 1 of the synonym rung."""
    return lambda run: run.edit_rows("synonym", lambda rows: change(rows[number]))


def in_text(change: Callable[[str], str]) -> Corrupt:
    """Change the bytes of the synonym rung's samples."""

    def corrupt(run: MadeRun) -> None:
        path = run.samples["synonym"]
        path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")

    return corrupt


def remove(*names: str) -> Callable[[dict[str, Any]], object]:
    """Remove a nested field."""

    def change(row: dict[str, Any]) -> None:
        for name in names[:-1]:
            row = row[name]
        del row[names[-1]]

    return change


def put(value: Any, *names: str) -> Callable[[dict[str, Any]], object]:
    """Replace a nested field."""

    def change(row: dict[str, Any]) -> None:
        for name in names[:-1]:
            row = row[name]
        row[names[-1]] = value

    return change


def rehash(row: dict[str, Any]) -> None:
    row["doc"]["row_hash"] = row_hash(row["doc"])


def swap_filters(rows: Rows) -> None:
    for row in rows:
        row["filter"] = "answer" if row["filter"] == "raw" else "raw"


def swap_texts_and_rehash(rows: Rows) -> None:
    """Another edit id with a correct hash: only the ladder itself gives it away."""
    for row in (row for row in rows if row["doc_id"] == 3):
        row["doc"]["reason"] += " changed"
        rehash(row)


def move_a_document(rows: Rows) -> None:
    for row in (row for row in rows if row["doc_id"] == 3):
        row["doc_id"] = 900


def repeat_a_pair(rows: Rows) -> None:
    for row in (row for row in rows if row["doc_id"] == 4):
        row["doc"] = next(other["doc"] for other in rows if other["doc_id"] == 3)


def deep(run: MadeRun) -> None:
    text = run.samples["synonym"].read_text(encoding="utf-8")
    run.samples["synonym"].write_text("[" * 200_000 + "]" * 200_000 + "\n" + text, encoding="utf-8")


def two_subsets(run: MadeRun) -> None:
    def change(results: dict[str, Any]) -> None:
        other = TASK.replace("mini_", "")
        for part in ("configs", "results", "n-samples"):
            results[part][other] = json.loads(json.dumps(results[part][TASK]))
        results["configs"][other]["metadata"]["sensitivity"]["ladder"]["subset"] = "core"

    run.edit_results(change)
    path = run.samples["synonym"]
    path.with_name(path.name.replace("mini_", "")).write_bytes(path.read_bytes())


SAMPLES, RESULTS, LINE = f"samples_{TASK}_{DATE}.jsonl", f"results_{DATE}.json", "line 4"
SENSITIVITY = f"configs.{TASK}.metadata.sensitivity"

CASES = [
    # files
    Case("truncated samples", in_text(lambda text: text[: len(text) // 2]), (SAMPLES, "line", "JSON")),
    Case("last rows lost", in_text(lambda text: "".join(text.splitlines(True)[:-2])), (SAMPLES, "`filter`")),
    Case(
        "a whole pair lost",
        lambda run: run.edit_rows("synonym", lambda rows: [row for row in rows if row["doc_id"] != 4]),
        (RESULTS, SAMPLES, f"`n-samples.{TASK}.effective`"),
    ),
    Case("empty samples", in_text(lambda text: ""), (SAMPLES, "empty")),
    Case("samples are a list", in_text(lambda text: "[1, 2]\n" + text), (SAMPLES, "line 1", "list")),
    Case("blank line", in_text(lambda text: text.replace("\n", "\n\n", 1)), (SAMPLES, "line 2", "JSON")),
    Case("nested too deeply", deep, (SAMPLES, "line 1", "deeply")),
    Case(
        "not UTF-8",
        lambda run: run.samples["synonym"].write_bytes(b'{"filter": "\xff\xfe"}\n'),
        (SAMPLES, "line 1", "utf-8"),
    ),
    Case(
        "a repeated field", in_text(lambda text: '{"doc_id": 7, ' + text[1:]), (SAMPLES, "line 1", "'doc_id'")
    ),
    Case("results truncated", lambda run: run.results.write_text('{"configs": {'), (RESULTS, "JSON")),
    Case("results are a list", lambda run: run.results.write_text("[]"), (RESULTS, "list")),
    Case(
        "infinity in the results",
        lambda run: run.results.write_text('{"a": -Infinity}'),
        (RESULTS, "-Infinity"),
    ),
    # results
    Case("no configs", lambda run: run.edit_results(remove("configs")), (RESULTS, "`configs`")),
    Case("no counts", lambda run: run.edit_results(remove("n-samples")), (RESULTS, "`n-samples")),
    Case(
        "fingerprint is no fingerprint",
        in_summary(put("../../x", "system")),
        (RESULTS, f"`{SENSITIVITY}.system`"),
    ),
    Case(
        "ladder hash is short",
        in_summary(put("abc", "ladder", "hash")),
        (RESULTS, f"`{SENSITIVITY}.ladder.hash`"),
    ),
    Case(
        "another ladder hash", in_summary(put("a" * 64, "ladder", "hash")), (SAMPLES, "`pair.ladder`", "aaaa")
    ),
    Case(
        "another ladder version",
        in_summary(put("9.9.9", "ladder", "version")),
        (SAMPLES, "`doc.ladder_version`", "9.9.9"),
    ),
    Case("identity is a text", in_summary(put("me", "identity")), (RESULTS, f"`{SENSITIVITY}.identity`")),
    Case("predicted only", in_summary(put(None, "embedder")), (RESULTS, "`", "embedder", "--predict_only")),
    Case(
        "sampled",
        in_summary(put(False, "decoding_requested", "greedy")),
        (RESULTS, "decoding_requested.greedy"),
    ),
    Case(
        "limit of true tokens", in_summary(put(True, "decoding", "max_gen_toks")), (RESULTS, "max_gen_toks")
    ),
    Case(
        "audit counts are others",
        in_summary(put({"survived": 10**6}, "audit")),
        (RESULTS, f"{SENSITIVITY}.audit"),
    ),
    Case("unknown audit status", in_summary(put({"fine": 3}, "audit")), (RESULTS, f"{SENSITIVITY}.audit")),
    Case(
        "the mean is another",
        lambda run: run.edit_results(put(0.123, "results", TASK, "cosine_distance,raw")),
        (RESULTS, f"`results.{TASK}.cosine_distance,raw`", "0.123"),
    ),
    Case(
        "fewer pairs than the ladder has",
        lambda run: run.edit_results(
            lambda results: [
                counts.update(original=counts["effective"] + 1) for counts in results["n-samples"].values()
            ]
        ),
        (RESULTS, "n-samples.", "original"),
    ),
    Case(
        "more pairs than there are",
        lambda run: run.edit_results(put(10**6, "n-samples", TASK, "effective")),
        (RESULTS, f"`n-samples.{TASK}.effective` is 1000000", "documents are there to run"),
    ),
    Case("two subsets of the ladder in one run", two_subsets, (RESULTS, "'mini'", "'core'", "--subset")),
    Case(
        "a rung that is none",
        lambda run: run.edit_results(put("synonyms", "configs", TASK, "dataset_kwargs", "rung")),
        (RESULTS, "dataset_kwargs.rung", "'synonyms'"),
    ),
    Case(
        "a nesting bomb for an identity",
        in_summary(lambda s: s.update(identity=json.loads('{"a":' * 300 + "1" + "}" * 300))),
        (RESULTS, f"`{SENSITIVITY}.identity.a.a"),
    ),
    # rows
    Case("row without a filter", in_row(remove("filter")), (SAMPLES, LINE, "`filter`")),
    Case("unknown filter", in_row(put("../../etc/passwd", "filter")), (SAMPLES, LINE, "`filter`", "passwd")),
    Case("swapped filters", lambda run: run.edit_rows("synonym", swap_filters), (SAMPLES, "`pair.")),
    Case("no record", in_row(remove("pair")), (SAMPLES, LINE, "`pair`")),
    Case("the record is a number", in_row(put(7, "pair")), (SAMPLES, LINE, "`pair`")),
    Case(
        "a record of the future",
        in_row(put(2, "pair", "schema_version")),
        (SAMPLES, LINE, "`pair.schema_version`"),
    ),
    Case(
        "a row of another system", in_row(put("f" * 16, "pair", "system")), (SAMPLES, LINE, "`pair.system`")
    ),
    Case(
        "a distance of 7",
        in_row(
            lambda row: (put(7.0, "pair", "scores", "cosine_distance")(row), row.update(cosine_distance=7.0))
        ),
        (SAMPLES, LINE, "`pair.scores.cosine_distance`", "from 0 to 2"),
    ),
    Case(
        "a negative divergence",
        in_row(put(-1, "pair", "scores", "js_divergence")),
        (SAMPLES, LINE, "js_divergence"),
    ),
    Case(
        "NaN in the scores",
        in_row(put(math.nan, "pair", "scores", "cosine_distance")),
        (SAMPLES, LINE, "scores."),
    ),
    Case("infinity in a row", in_row(put(math.inf, "cosine_distance")), (SAMPLES, LINE, "Infinity")),
    Case(
        "an overflowing number",
        in_text(lambda t: t.replace('"js_divergence": 0.', '"js_divergence": 1e999', 1)),
        (SAMPLES, "js_divergence"),
    ),
    Case(
        "a score that is a text",
        in_row(put("0.1", "pair", "scores", "cosine_distance")),
        (SAMPLES, LINE, "cosine"),
    ),
    Case(
        "a score that is true",
        in_row(put(True, "pair", "scores", "cosine_distance")),
        (SAMPLES, LINE, "`pair.scores.cosine_distance` is True", "a valid number"),
    ),
    Case("a score without a column", in_row(remove("cosine_distance")), (SAMPLES, LINE, "`cosine_distance`")),
    Case(
        "column and score differ",
        in_row(put(0.25, "cosine_distance")),
        (SAMPLES, LINE, "`cosine_distance`", "0.25"),
    ),
    Case(
        "a score is gone",
        in_row(remove("pair", "scores", "token_edit_distance")),
        (SAMPLES, LINE, "pair.scores.token"),
    ),
    Case(
        "missing without a reason",
        in_row(put(None, "pair", "scores", "js_divergence")),
        (SAMPLES, LINE, "js_divergence"),
    ),
    Case(
        "a reason beside a number",
        in_row(put({"cosine_distance": "none"}, "pair", "missing")),
        (SAMPLES, LINE, "`pair.missing.cosine_distance`"),
    ),
    Case(
        "erased and scored", in_row(put("erased", "pair", "audit", "status")), (SAMPLES, LINE, "pair.scores")
    ),
    Case(
        "an identical edit",
        in_row(put("identical", "pair", "audit", "status")),
        (SAMPLES, LINE, "audit.status"),
    ),
    Case("unknown audit", in_row(put("maybe", "pair", "audit", "status")), (SAMPLES, LINE, "audit.status")),
    Case(
        "curve of another pair",
        in_row(lambda r: put(r["pair"]["base"]["prompt_token_ids"], "pair", "token_path", "curve")(r)),
        (SAMPLES, LINE, "curve"),
    ),
    Case(
        "a curve that claims gigabytes",
        in_row(put({"dtype": "<i4", "n": 10**9, "z": ""}, "pair", "token_path", "curve")),
        (SAMPLES, LINE, "curve"),
    ),
    Case(
        "a flag is a text",
        in_row(put("no", "pair", "base", "collapse", "loop")),
        (SAMPLES, LINE, "pair.base.collapse.loop"),
    ),
    Case(
        "a length below zero",
        in_row(put(-4, "pair", "variant", "n_tokens")),
        (SAMPLES, LINE, "pair.variant.n_tokens"),
    ),
    Case("three outputs", in_row(lambda row: row["resps"].append(["x"])), (SAMPLES, LINE, "`resps`")),
    Case("an output is a number", in_row(put([["x"], [3]], "resps")), (SAMPLES, LINE, "`resps[1][0]`")),
    Case(
        "filter raw shows another text",
        in_row(put(["x", "y"], "filtered_resps")),
        (SAMPLES, LINE, "`filtered_resps`"),
    ),
    Case(
        "outputs differ between filters",
        in_row(put([["x"], ["y"]], "resps"), number=-1),
        (SAMPLES, "`resps`"),
    ),
    Case("a document stands twice", in_row(put(2, "doc_id")), (SAMPLES, LINE, "`doc_id`")),
    Case(
        "a document at another place",
        lambda run: run.edit_rows("synonym", move_a_document),
        (SAMPLES, LINE, "`doc_id`", "900"),
    ),
    Case(
        "a pair stands twice",
        lambda run: run.edit_rows("synonym", repeat_a_pair),
        (SAMPLES, "`doc.pair_id`", "has it, too"),
    ),
    Case(
        "another document under the other filter",
        lambda run: run.edit_rows("synonym", lambda rows: rows[-1].update(doc=rows[0]["doc"])),
        (SAMPLES, "`doc.row_hash`", "another one in"),
    ),
    Case(
        "another audit under the other filter",
        in_row(put("unknown", "pair", "audit", "status"), number=-1),
        (SAMPLES, "`pair.audit.status`", "another one in"),
    ),
    Case("document id is a text", in_row(put("3", "doc_id")), (SAMPLES, LINE, "`doc_id`")),
    Case(
        "base prompt edited by hand",
        in_row(put("Hello.", "doc", "base")),
        (SAMPLES, LINE, "`doc`", "`replacements`"),
    ),
    Case(
        "category edited by hand",
        in_row(put("factual", "doc", "category"), number=0),
        (SAMPLES, "line 1", "`row_hash`"),
    ),
    Case(
        "edited with a new hash",
        lambda run: run.edit_rows("synonym", swap_texts_and_rehash),
        (SAMPLES, LINE, "`doc.row_hash`"),
    ),
    Case("no row hash", in_row(remove("doc", "row_hash")), (SAMPLES, LINE, "`doc`", "`row_hash`")),
    Case(
        "an escape sequence for a column",
        in_row(put(1, "doc", "\x1b[2J\x07evil")),
        (SAMPLES, LINE, "`doc`", "evil"),
    ),
    Case(
        "an escape sequence for a metric",
        in_row(put({"\x1b[31mm": 3}, "pair", "missing")),
        (SAMPLES, LINE, "pair.missing", "31mm"),
    ),
    Case(
        "half a surrogate pair",
        in_row(put("\ud800", "pair", "base", "answer", "scaffold")),
        (SAMPLES, LINE, "scaffold"),
    ),
    Case(
        "an endless reason",
        in_row(put({"js_divergence": "x" * 10**5}, "pair", "missing")),
        (SAMPLES, LINE, "`pair.missing.js_divergence`", "2000 characters"),
    ),
    Case(
        "a row of another rung",
        in_row(
            lambda row: (put("paraphrase", "doc", "rung")(row), put(4, "doc", "rung_index")(row), rehash(row))
        ),
        (SAMPLES, LINE, "`doc.rung`"),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_broken_run_is_one_sentence(case: Case, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", rungs=("synonym",))
    case.corrupt(run)
    with pytest.raises(InputError) as refused:
        load_runs([run.folder])
    message = str(refused.value)
    for name in case.names:
        assert name in message
    assert message.isprintable(), "a terminal must not act on it, and it is one line"
    assert len(message) < 2_500


def test_the_same_run_without_corruption_loads(tmp_path: Path) -> None:
    """Otherwise every case above could fail for a reason of its own."""
    run = make_run(tmp_path / "run", rungs=("synonym",))
    assert load_runs([run.folder]).table.num_rows > 0
    assert len(CASES) >= 30 and len({case.name for case in CASES}) == len(CASES)


# ---- folders


def refusal(folder: Path) -> str:
    with pytest.raises(InputError) as refused:
        load_runs([folder])
    return str(refused.value)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "nowhere")
    file = tmp_path / "results.json"
    file.write_text("{}")
    assert "is not a folder" in refusal(file) and "results.json" in refusal(file)
    assert "results_<date>.json" in refusal(tmp_path)
    assert "cannot be looked up" in refusal(Path("x" * 5_000))


def test_results_without_samples(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", rungs=("synonym",))
    run.samples["synonym"].unlink()
    assert all(word in refusal(run.folder) for word in (RESULTS, TASK, "--log_samples"))


def test_samples_without_results(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", rungs=("synonym",))
    run.results.unlink()
    assert all(word in refusal(run.folder) for word in (SAMPLES, "results file"))


def test_a_run_of_other_tasks(tmp_path: Path) -> None:
    (tmp_path / f"results_{DATE}.json").write_text('{"configs": {"gsm8k": {"metadata": {"version": 3.0}}}}')
    assert all(word in refusal(tmp_path) for word in (RESULTS, "`configs`", "'gsm8k'"))


def test_a_line_longer_than_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path / "run", rungs=("synonym",))
    monkeypatch.setattr(find, "MAX_LINE_BYTES", 1_000)
    assert all(word in refusal(run.folder) for word in (SAMPLES, "line 1", "1000 bytes"))


@pytest.mark.parametrize(
    ("limit", "name"),
    [("MAX_SAMPLES_BYTES", SAMPLES), ("MAX_RESULTS_BYTES", RESULTS), ("MAX_SAMPLES_ROWS", SAMPLES)],
)
def test_a_file_beyond_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, name: str
) -> None:
    run = make_run(tmp_path / "run", rungs=("synonym",))
    monkeypatch.setattr(find, limit, 10)
    assert name in refusal(run.folder)


def test_too_many_results_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path, rungs=("synonym",))
    make_run(tmp_path, rungs=("synonym",), date="2026-08-02T10-00-00")
    monkeypatch.setattr(find, "MAX_RUNS", 1)
    assert "more than 1 results files" in refusal(tmp_path)


def test_a_name_inside_a_file_is_never_a_path(tmp_path: Path) -> None:
    """The task is named like a file outside; that file is not read, and the name is shown escaped."""
    outside = tmp_path / "outside.jsonl"
    outside.write_text("secret")
    run = make_run(tmp_path / "run", rungs=("synonym",))
    evil = f"../../outside\x1b[31m_{TASK}"
    run.edit_results(lambda results: results["configs"].update({evil: results["configs"].pop(TASK)}))
    message = refusal(run.folder)
    assert message.isprintable() and "secret" not in message and "outside" in message


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    import os

    run = make_run(tmp_path / "run", rungs=("synonym",))
    run.samples["synonym"].unlink()
    os.mkfifo(run.samples["synonym"])
    assert all(word in refusal(run.folder) for word in (SAMPLES, "regular file"))


def test_names_of_files_are_shown_inert(tmp_path: Path) -> None:
    folder = tmp_path / "a\x1b[31mb"
    run = make_run(folder, rungs=("synonym",))
    run.edit_rows("synonym", lambda rows: rows[0].pop("filter"))
    assert refusal(folder).isprintable() and "\\x1b[31mb" in refusal(folder)


def test_nesting_that_a_later_step_cannot_walk_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_deep(row: object) -> str:
        raise RecursionError

    run = make_run(tmp_path / "run", rungs=("synonym",))
    monkeypatch.setattr(rung_samples, "row_digest", too_deep)
    assert all(word in refusal(run.folder) for word in (SAMPLES, "`pair`", "deeply"))


def test_a_huge_text_is_cut_in_the_message() -> None:
    with pytest.raises(InputError) as refused:
        decode(Texts, {"texts": {"k" * 10**6: 1}}, "`f`")
    assert len(str(refused.value)) < 500
