"""Results folders of wrapped tasks: what is read is what was answered, and nothing else is believed."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.results import open_results
from lm_eval_sensitivity.results.files_to_publish import prepare_results
from lm_eval_sensitivity.results.manifest import answers_name, pairs_name
from lm_eval_sensitivity.results.read import Results, read_everything, read_results
from lm_eval_sensitivity.results.recompute import check_some, recomputed_differences
from lm_eval_sensitivity.results.statements import each_statement
from lm_eval_sensitivity.results.tables import ANSWERS, PAIRS_OF_ANSWERS
from lm_eval_sensitivity.results.write import Request, export_results
from lm_eval_sensitivity.runs import load_runs
from lm_eval_sensitivity.runs.answers import load_answers
from lm_eval_sensitivity.statements import signature
from tests.unit.results.made_results import SETTINGS, declare, edit_manifest
from tests.unit.results.test_hostile_results import Case, changed, in_detail, in_json, with_cell
from tests.unit.runs.made_answers import FLIPPED, N_DOCUMENTS, NO_ANSWER, TASK, make_answers

STATEMENTS, OF_PAIRS, OF_ANSWERS = "statements.json", pairs_name(1), answers_name(1)
NONE = (TASK, "none")


@pytest.fixture
def damaged(answered: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(answered, tmp_path / "results"))


def again(results: Results) -> list[Any]:
    return [
        each
        for path, _ in each_statement(results.statements)
        for each in recomputed_differences(results, path)
    ]


def test_what_is_read_is_what_was_answered(answered: Path) -> None:
    results = open_results(answered, everything=True)
    runs = [answered.parent / f"run{at}" for at in range(2)]
    said = {(each.system, row.doc_id): row for each in load_answers(runs) for row in each.rows}
    read = {
        (system.name, row.doc_id): row
        for system in results.systems
        for row in results.answers(system.index, NONE)
    }
    assert read == said and len(read) == 2 * N_DOCUMENTS
    assert results.answer(0, NONE, NO_ANSWER) == said[results.systems[0].name, NO_ANSWER]
    assert results.answer(0, NONE, N_DOCUMENTS) is None
    table = load_runs(runs).table
    for system in results.systems:
        own = table.filter([name == system.name for name in table["name"].to_pylist()])
        assert results.pairs(system.index).to_pylist() == own.to_pylist()
    assert {pair.pair_id for pair in results.ladder.values()} == set(table["pair_id"].to_pylist())


def test_documents_whose_answer_changes_are_read_through_once(answered: Path) -> None:
    results = read_results(answered)
    assert results.flipped(0, NONE) == FLIPPED
    results.answers = None
    assert results.flipped(0, NONE) == FLIPPED


def test_a_folder_of_answers_has_no_outputs(answered: Path) -> None:
    names = {each.relative_to(answered).as_posix() for each in answered.rglob("*") if each.is_file()}
    expected = {f"{kind}/{at:03d}.parquet" for kind in ("answers", "pairs") for at in range(2)}
    assert names == {"manifest.json", STATEMENTS, "ladder.parquet", *expected}
    assert {each.metric for each in read_results(answered).clusters} == {
        "answer_flip",
        "choice_js_divergence",
    }


def test_answers_beside_the_ladder(beside: Path) -> None:
    results = open_results(beside, everything=True)
    assert [(each.statement.task, each.statement.filter_name) for each in results.statements.answers] == [
        NONE,
        ("sums", "strict"),
        ("sums", "flexible"),
    ]
    assert not results.manifest.is_of_answers and not results.manifest.left_out, "they are read"
    assert {each.metric for each in results.clusters} >= {"cosine_distance"} and results.windows
    assert len(results.answers(0, ("sums", "flexible"))) == N_DOCUMENTS


def test_every_statement_is_what_the_answers_give(answered: Path, beside: Path) -> None:
    for folder in (answered, beside):
        results = read_results(folder)
        assert again(results) == []
        check_some(results, folder)
    files = prepare_results(answered, "me/results")
    assert {"README.md", answers_name(0)} <= files.keys()
    card = bytes(files["README.md"]).decode()
    assert f"answers/&#42;.parquet</code> | {2 * N_DOCUMENTS} |" in card and "details" not in card


def moved(path: str, by: float) -> Any:
    """A number of every statement about answers, moved: which of them is computed again is not known beforehand."""

    def damage(folder: Path) -> None:
        content = json.loads((folder / STATEMENTS).read_text(encoding="utf-8"))
        *before, last = (int(part) if part.isdigit() else part for part in re.findall(r"[^.\[\]]+", path))
        for each in content["answers"]:
            for part in before:
                each = each[part]
            each[last] += by
        (folder / STATEMENTS).write_text(json.dumps(content), encoding="utf-8")
        declare(folder, STATEMENTS)

    return damage


@pytest.mark.parametrize(
    ("damage", "field"),
    [
        (moved("statement.n_documents_flipped", 1), "statement.n_documents_flipped"),
        (moved("statement.scores[0].unedited", 0.01), "statement.scores[0].unedited"),
        (moved("statement.scores[0].by_edit[1][1]", -0.05), "statement.scores[0].by_edit[1][1]"),
        (moved("statement.share.estimate", 0.01), "statement.share.estimate"),
        (moved("statement.noise.n_without_answer", -1), "statement.noise.n_without_answer"),
    ],
)
def test_a_number_that_is_another_one_is_refused(damage: Any, field: str, damaged: Path) -> None:
    damage(damaged)
    with pytest.raises(InputError, match=rf"`answers\[\d\]\.{re.escape(field)}` is"):
        prepare_results(damaged, "me/results")


def test_pairs_that_are_not_those_of_the_answers_are_refused(damaged: Path) -> None:
    for name in (pairs_name(0), OF_PAIRS):
        changed(name, with_cell("variant_answer", "3"), spec=PAIRS_OF_ANSWERS)(damaged)
    with pytest.raises(
        InputError, match=r"`variant_answer` of .* is '3', and the answers of the folder give"
    ):
        check_some(read_results(damaged), damaged)


SAID = "answers[0].statement"
CASES = [
    Case("no answers", lambda folder: (folder / OF_ANSWERS).unlink(), OF_ANSWERS, "is missing"),
    *(
        Case(f"{path} {value!r:.20}", in_json(STATEMENTS, **{path: value}), STATEMENTS, f"`{says or path}`")
        for path, value, says in (
            ("answers[0].system", "nobody", ""),
            (f"{SAID}.task", 7, ""),
            (f"{SAID}.every.n_flipped", 30, ""),
            (f"{SAID}.by_edit[0].n_flipped", 99, f"{SAID}.every.n_flipped"),
            (f"{SAID}.by_edit[0].name", "nbsp", f"{SAID}.by_edit"),
            (f"{SAID}.by_edit[0].statuses", [["fine", 1]], f"{SAID}.by_edit[0].statuses"),
            (f"{SAID}.by_edit[0].statuses", [["survived", 99]], f"{SAID}.by_edit[0].statuses"),
            (f"{SAID}.noise.name", "all", ""),
            (f"{SAID}.n_documents_flipped", 99, ""),
            (f"{SAID}.scores[0].unedited", "0.9", ""),
            (f"{SAID}.scores[0].by_edit[0][0]", "nbsp", f"{SAID}.scores[0].by_edit"),
            (f"{SAID}.share.estimate", 1.5, ""),
            (f"{SAID}.shift.lower", 2.0, f"{SAID}.shift.upper"),
            (f"{SAID}.edits", [], ""),
            (f"{SAID}.edits[0].rung", "harmless", ""),
            (f"{SAID}.unheard_of", 1, ""),
        )
    ),
    *(
        Case(
            f"{path} {value!r:.20}",
            changed(OF_ANSWERS, in_detail(path, value), spec=ANSWERS),
            OF_ANSWERS,
            says or f"row 1: `{path}`",
        )
        for path, value, says in (
            ("unedited.status", "fine", ""),
            ("unedited.answer", 3, ""),
            ("unedited.answer", "x" * 100_001, ""),
            ("unedited.metrics", {"acc": "1"}, "row 1: `unedited.metrics.acc`"),
            ("unedited.metrics", {"acc": float("inf")}, "row 1"),
            ("unedited.choice_probabilities", [2.0], "row 1: `unedited.choice_probabilities[0]`"),
            ("unedited.choice_probabilities", [0.1] * 100_001, "row 1: `unedited.choice_probabilities`"),
            ("edits", {"../x": 1}, "row 1"),
            ("doc_id", -1, ""),
            ("doc_id", 7, "row 1: `document_id`"),
            ("filter", "other", "row 1: `document_id`"),
            ("choices", "abc", ""),
            ("target", None, ""),
        )
    ),
    Case(
        "another task",
        changed(OF_ANSWERS, with_cell("document_id", "aaa/none/0"), spec=ANSWERS),
        OF_ANSWERS,
        "says nothing",
    ),
    Case(
        "a document less",
        changed(OF_ANSWERS, lambda table: table.slice(1), spec=ANSWERS),
        OF_ANSWERS,
        "another number of documents",
    ),
    Case(
        "an answer too long",
        changed(OF_PAIRS, with_cell("variant_answer", "x" * 100_001), spec=PAIRS_OF_ANSWERS),
        OF_PAIRS,
        "`variant_answer`, row 1",
    ),
    Case(
        "a flip of 2",
        changed(OF_PAIRS, with_cell("answer_flip", 2.0), spec=PAIRS_OF_ANSWERS),
        OF_PAIRS,
        "`answer_flip`, row 1",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_hostile_answers_are_refused(case: Case, damaged: Path) -> None:
    case.damage(damaged)
    with pytest.raises(InputError) as raised:
        read_everything(damaged)
    said = str(raised.value)
    assert case.file in said and case.says in said, said
    assert said.isprintable()


def test_an_ordinary_folder_that_claims_answers_is_refused(copied: Path) -> None:
    content = json.loads((copied / "manifest.json").read_text(encoding="utf-8"))
    content["signature"]["embedder"]["weights_sha256"] = "none"
    edit_manifest(copied, signature=content["signature"])
    with pytest.raises(
        InputError, match=r"`files\.answers/00\d\.parquet` is missing|is no file of a results"
    ):
        read_results(copied)


def test_samples_without_questions_are_refused_in_a_sentence(tmp_path: Path) -> None:
    run = make_answers(tmp_path / "run")
    run.edit_rows("sensitivity_science", lambda rows: [row["unedited"].pop("text") for row in rows] and rows)
    pairs = load_runs([run.folder])
    request = Request(pairs, None, None, signature(pairs, **SETTINGS), 0.05)
    with pytest.raises(InputError, match=r"'sensitivity_science': document 0 has no question in its samples"):
        export_results(request, tmp_path / "results")
