"""Some statements of a folder are computed again from its pairs, before anybody publishes them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from functools import lru_cache
from pathlib import Path
from secrets import randbelow
from typing import Any

import pyarrow as pa

from lm_eval_sensitivity.metrics.catalogue import ANSWER_FLIP
from lm_eval_sensitivity.records.answers import AGAIN, AnswerRow, TaskAnswers, Wrapped
from lm_eval_sensitivity.report.documents.flips import SystemAnswers
from lm_eval_sensitivity.results.answers import pairs_of_rows
from lm_eval_sensitivity.results.files import refuse
from lm_eval_sensitivity.results.manifest import STATEMENTS, pairs_name
from lm_eval_sensitivity.results.read import Results
from lm_eval_sensitivity.results.statements import CODEC, Statements
from lm_eval_sensitivity.runs.comparability import another_part
from lm_eval_sensitivity.statements import TablePartition
from lm_eval_sensitivity.statements.answers import answers_statement
from lm_eval_sensitivity.statements.clusters import clusters_statement
from lm_eval_sensitivity.statements.drift import drift_statement
from lm_eval_sensitivity.statements.drift_distance import drift_of_answers, recorded_drift
from lm_eval_sensitivity.statements.heatmap import heatmap_statement
from lm_eval_sensitivity.statements.profiles import window_profiles
from lm_eval_sensitivity.statements.records import (
    ClustersStatement,
    DriftStatement,
    HeatmapStatement,
    ProfilesStatement,
)
from lm_eval_sensitivity.statements.selection import PRIMARY_FILTER, PRIMARY_METRIC, PRIMARY_RUNGS
from lm_eval_sensitivity.text.escape import shown, shown_path

Statement = ClustersStatement | DriftStatement | HeatmapStatement | ProfilesStatement | SystemAnswers
_OF_DRIFT = ("drift", "answers", "drift_source", "drift_missing", "drift_message", "verdict")
MEANS = ("acc", "acc_norm", "exact_match")
"""Metrics whose score lm_eval makes as the mean of all documents; how others come about, only their task knows."""
ROUNDING = 1e-6
"""Relative difference of two numbers that may be another machine's rounding."""


def check_some(results: Results, folder: Path) -> None:
    """Compute two statements of each kind again, and compare: the one that a page opens with, and one drawn.

    Where pairs are documents and edits, one system's are made again from its answers, too.

    Which one is drawn follows from nothing that a folder could be made to fit.

    Args:
        results: the folder, opened.
        folder: its path, for messages.

    Raises:
        InputError: a difference; the sentence names statement and field.
    """
    if results.manifest.is_of_answers:
        _check_pairs(results, folder, randbelow(len(results.systems)))
    for kind in fields(Statements):
        stored = getattr(results.statements, kind.name)
        for index in sorted({opens_with(stored), randbelow(len(stored))}) if stored else ():
            for field, ours, theirs in recomputed_differences(results, f"{kind.name}[{index}]"):
                refuse(
                    f"{shown_path(folder / STATEMENTS)}: `{field}`",
                    f"is {shown(ours)}, and the pairs of the folder give {shown(theirs)}",
                )


def _check_pairs(results: Results, folder: Path, system: int) -> None:
    """Refuse pairs of a wrapped task that are not those of its answers."""
    said = results.behind_the_pairs(system)
    rows = results.answers(system, (said.task, said.filter_name))
    expected = pairs_of_rows(said.task, rows, said.edits)
    place = shown_path(folder / pairs_name(system))
    for row in results.pairs(system).to_pylist():
        own = expected.pop((row["pair_id"], row["filter"]), {})
        for name in own or ("pair_id",):
            if own.get(name) != row[name]:
                refuse(
                    f"{place}: `{name}` of {shown(row['pair_id'])}",
                    f"is {shown(row[name])}, and the answers of the folder give {shown(own.get(name))}",
                )
    if expected:
        refuse(place, f"lacks {shown(min(expected)[0])}, which the answers of the folder have")


def opens_with(statements: Sequence[Statement]) -> int:
    """Which of the statements of a kind a page shows to a reader who has chosen nothing.

    Args:
        statements: of one kind, at least one.

    Returns:
        Its place; 0 where the folder lacks it.
    """
    primaries = [(metric, PRIMARY_FILTER, PRIMARY_RUNGS) for metric in (PRIMARY_METRIC, ANSWER_FLIP)]
    for index, each in enumerate(statements):
        if isinstance(each, SystemAnswers):
            return 0
        if isinstance(each, HeatmapStatement):
            names = (each.metric, each.filter_name, PRIMARY_RUNGS)
        else:
            selection = each.points[-1].selection if isinstance(each, ProfilesStatement) else each.selection
            names = (selection.metric, selection.filter_name, selection.rung_set)
        if names in primaries:
            return index
    return 0


def recomputed_differences(results: Results, path: str) -> Iterator[tuple[str, Any, Any]]:
    """What differs in one statement after it was computed again.

    Args:
        results: the folder, opened.
        path: of the statement, as in `clusters[0]`.

    Returns:
        The path of every field that differs, what the folder says, and what its pairs give.
    """
    kind, _, at = path.removesuffix("]").partition("[")
    stored: Statement = getattr(results.statements, kind)[int(at)]
    return differences(stored, _as_read(kind, _computed(stored, _partition(results), results)), path)


@lru_cache(maxsize=1)
def _partition(results: Results) -> TablePartition:
    signed = results.manifest.signature
    tables = [results.pairs(system.index) for system in results.systems]
    return TablePartition(pa.concat_tables(tables), signed.resamples, signed.seed, signed.weights)


def _as_read(kind: str, statement: Statement) -> Any:
    """As a reader finds it: long texts are cut."""
    alone: dict[str, Any] = {each.name: () for each in fields(Statements)} | {kind: (statement,)}
    return getattr(CODEC.load(CODEC.dump(Statements(**alone)), STATEMENTS), kind)[0]


def _computed(stored: Statement, partition: TablePartition, results: Results) -> Statement:
    if isinstance(stored, ClustersStatement):
        described = results.manifest
        return clusters_statement(
            partition, stored.selection, alpha=described.alpha, draws=described.signature.draws
        )
    if isinstance(stored, SystemAnswers):
        return _answers(stored, results)
    if isinstance(stored, HeatmapStatement):
        return heatmap_statement(partition, stored.metric, stored.filter_name)
    if isinstance(stored, ProfilesStatement):
        selection = stored.points[0].selection
        return window_profiles(partition, selection.filter_name, selection.rung_set)
    return _drift(stored, partition, results)


def _answers(stored: SystemAnswers, results: Results) -> SystemAnswers:
    """From the answers; a score is the task's own, and is made again where it is the mean of its documents."""
    said = stored.statement
    rows = results.answers(results.places[stored.system], (said.task, said.filter_name))
    scores = {
        each.metric: {
            edit: _mean(rows, each.metric, edit, value)
            for edit, value in ((AGAIN, each.unedited), *each.by_edit)
        }
        for each in said.scores
    }
    answers = TaskAnswers(
        system=stored.system,
        task=said.task,
        wrapped=Wrapped(
            task=said.task,
            question="",
            edits=said.edits,
            metric=said.metric,
            scores={said.filter_name: scores},
        ),
        filter_name=said.filter_name,
        metric=said.metric,
        rows=tuple(rows),
        n_there=said.n_there,
    )
    return SystemAnswers(stored.system, answers_statement(answers))


def _mean(rows: Sequence[AnswerRow], metric: str, edit: str, stored: float) -> float:
    """The score under an edit; where the edit has no place in a document its unedited answer stands in."""
    asked = (row.edits.get(edit, row.unedited) if edit != AGAIN else row.unedited for row in rows)
    shown = (each if each.metrics else row.unedited for each, row in zip(asked, rows, strict=True))
    values = [each.metrics.get(metric) for each in shown]
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if metric in MEANS and len(known) == len(rows) else stored


def _drift(stored: DriftStatement, partition: TablePartition, results: Results) -> DriftStatement:
    """From the drift that the runs measured. What was measured at the export stays as it is: it took the samples."""
    assert results.manifest.reference is not None and stored.reference is not None
    reference = results.systems[results.manifest.reference]
    of_answers = stored.selection.metric == ANSWER_FLIP
    told = {each.name: {label.lower(): value for label, value in each.facts} for each in results.systems}
    drifts = {
        name: replace(
            drift_of_answers(partition.table, name, reference.name, stored.selection.filter_name)
            if of_answers
            else recorded_drift(partition.table, name, reference.fingerprint, stored.selection.filter_name),
            another=another_part(told[name], told[reference.name]),
        )
        for name in partition.systems
        if name != reference.name
    }
    found = drift_statement(
        partition, partition.systems, stored.selection, reference=reference.name, drifts=drifts
    )
    theirs = {row.system: row for row in stored.systems}
    return replace(
        found,
        systems=tuple(
            row
            if row.is_reference or row.drift_source == theirs[row.system].drift_source
            else replace(row, **{name: getattr(theirs[row.system], name) for name in _OF_DRIFT})
            for row in found.systems
        ),
    )


def differences(stored: Any, again: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Every field in which two statements differ.

    Args:
        stored: from the folder.
        again: computed now.
        path: of both.

    Returns:
        (path of the field, stored, again); NaN equals NaN, and numbers may differ by `ROUNDING`.

    Example:
        >>> from lm_eval_sensitivity.types import Note
        >>> list(differences(Note("remark", "a"), Note("remark", "b"), "x"))
        [('x.text', 'a', 'b')]
    """
    if is_dataclass(stored) and type(stored) is type(again):
        for each in fields(stored):
            yield from differences(
                getattr(stored, each.name), getattr(again, each.name), f"{path}.{each.name}"
            )
    elif isinstance(stored, tuple) and isinstance(again, tuple) and len(stored) == len(again):
        for at, (ours, theirs) in enumerate(zip(stored, again, strict=True)):
            yield from differences(ours, theirs, f"{path}[{at}]")
    elif isinstance(stored, float) and isinstance(again, float):
        same = math.isclose(stored, again, rel_tol=ROUNDING, abs_tol=ROUNDING)
        if not same and not (math.isnan(stored) and math.isnan(again)):
            yield path, stored, again
    elif stored != again:
        yield path, stored, again
