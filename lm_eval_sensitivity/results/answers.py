"""Answers of wrapped tasks in a results folder: the rows as samples have them, and the pairs that they make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder.replacements import minimal_replacement
from lm_eval_sensitivity.records.answers import AGAIN, AnswerRow, EditOfTask, TaskAnswers
from lm_eval_sensitivity.records.file_codec import Codec
from lm_eval_sensitivity.records.limits import LONGEST_OUTPUT
from lm_eval_sensitivity.report.documents.flips import SystemAnswers
from lm_eval_sensitivity.results.files import refuse
from lm_eval_sensitivity.results.manifest import Manifest, SystemRecord, answers_name
from lm_eval_sensitivity.results.system_files import RecordFile
from lm_eval_sensitivity.results.tables import ANSWERS
from lm_eval_sensitivity.runs.answers_table import NOT_PAIRS, answers_table, edits_by_rung
from lm_eval_sensitivity.text.escape import shown, shown_path
from lm_eval_sensitivity.types import RUNGS, UNCATEGORIZED, Pair

CODEC = Codec(AnswerRow, LONGEST_OUTPUT)

Of = tuple[str, str]
"""A wrapped task and one of its filters."""


def document_id(of: Of, doc_id: int) -> str:
    """Key of a document of a system.

    Example:
        >>> document_id(("gsm8k", "strict-match"), 7)
        'gsm8k/strict-match/7'
    """
    return f"{of[0]}/{of[1]}/{doc_id}"


def records_of(answers: Sequence[TaskAnswers]) -> pa.Table:
    """The file of one system.

    Args:
        answers: of its tasks, each under each of its filters.

    Returns:
        Columns of `ANSWERS`, sorted by key.
    """
    found = {
        document_id((each.wrapped.task, each.filter_name), row.doc_id): CODEC.dump(row).decode()
        for each in answers
        for row in each.rows
    }
    keys = sorted(found)
    columns = [pa.array(keys, pa.string()), pa.array([found[key] for key in keys], pa.string())]
    return pa.table(columns, schema=ANSWERS.schema)


def asked_pairs(answers: TaskAnswers, version: str) -> Iterator[Pair]:
    """The pairs of a task as rows of a ladder: a document is a prompt.

    Args:
        answers: under the filter that the pairs table has.
        version: of the edits.

    Returns:
        Of each document and edit that has a place in it, question and edited question; where the format around the
        question is edited, the edited prompt stands for the latter.

    Raises:
        InputError: a document without its question.
    """
    edits = (EditOfTask(name=AGAIN, family="rules", rung="identical"), *answers.wrapped.edits)
    for row in answers.rows:
        base, prompt = row.unedited.text, f"{answers.wrapped.task}/{row.doc_id}"
        if base is None:
            raise InputError(
                f"{answers.about}: document {row.doc_id} has no question in its samples, as an earlier version wrote "
                "them. Repeat the run for the page, or use `flips` and `report`."
            )
        for edit in edits:
            found = row.edits.get(edit.name)
            if found is None or found.status in NOT_PAIRS:
                continue
            variant = base if edit.name == AGAIN else found.text or ""
            yield Pair(
                pair_id=f"{prompt}/{edit.name}",
                prompt_id=prompt,
                category=UNCATEGORIZED,
                rung=edit.rung,
                rung_index=RUNGS.index(edit.rung),
                edit=edit.name,
                base=base,
                variant=variant,
                meaning_preserving=True,
                origin="authored" if edit.family == "authored" else "rule",
                reason="",
                replacements=minimal_replacement(base, variant),
                ladder_version=version,
            )


# ---- read again


def open_answers(
    folder: Path, manifest: Manifest, system: SystemRecord, said: Sequence[SystemAnswers] | None
) -> RecordFile[AnswerRow]:
    """The answers of one system.

    Args:
        folder: the results folder.
        manifest: of the folder.
        system: one of its systems.
        said: what the statements of the folder say of the system; None where they were not read.

    Raises:
        InputError: naming file and field.
    """
    name = answers_name(system.index)
    place = f"{shown_path(folder / name)}: `document_id`"
    found = RecordFile(folder, name, manifest, ANSWERS, _row)
    if said is None:
        return found
    counts = {
        f"{each.statement.task}/{each.statement.filter_name}": each.statement.n_documents for each in said
    }
    for key in found.keys:
        of = key.rpartition("/")[0]
        if of not in counts:
            refuse(place, f"has {shown(key)}, of which `statements.json` says nothing")
        counts[of] -= 1
    other = next((of for of, rest in counts.items() if rest), None)
    if other is not None:
        refuse(place, f"has another number of documents of {shown(other)} than `statements.json` says")
    return found


def _row(content: str, key: str, place: str) -> AnswerRow:
    row = CODEC.load(content.encode(), place)
    if not key.endswith(f"/{row.filter}/{row.doc_id}"):
        refuse(f"{place}: `document_id`", f"is {shown(key)}, and the row is of another filter or document")
    return row


def rows_of(file: RecordFile[AnswerRow], of: Of) -> list[AnswerRow]:
    """All documents of a task under a filter.

    Args:
        file: of one system.
        of: task and filter.

    Returns:
        By document.

    Raises:
        InputError: a damaged file.
    """
    rows = [row for key, row in file.every("/".join((*of, ""))) if key == document_id(of, row.doc_id)]
    return sorted(rows, key=lambda row: row.doc_id)


def pairs_of_rows(
    task: str, rows: Sequence[AnswerRow], edits: Sequence[EditOfTask]
) -> dict[tuple[str, str], Mapping[str, object]]:
    """The rows of the pairs table that these answers make.

    Args:
        task: the task that is wrapped.
        rows: all documents under one filter.
        edits: of the task.

    Returns:
        (pair, filter) -> cell by column.
    """
    tables = (answers_table(task, rows, rung, names) for rung, names in edits_by_rung(edits).items())
    return {(row["pair_id"], row["filter"]): row for table in tables for row in table.to_pylist()}
