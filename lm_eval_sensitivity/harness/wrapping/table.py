"""The rows that a wrapped task adds to lm_eval's table: one beside its own, or all."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lm_eval.api.metrics import mean

from lm_eval_sensitivity.records.answers import AGAIN, AnswerRow
from lm_eval_sensitivity.report.wording.answers import (
    flips_in_words,
    no_answer_in_words,
    noise_in_words,
    reach_in_words,
    shift_in_words,
)
from lm_eval_sensitivity.statements.answers import AnswersStatement

Aggregation = Callable[[Sequence[Any]], Any]

EDITED, LOWEST, HIGHEST = "_edited", "_lowest", "_highest"
WORDS: dict[str, Callable[[AnswersStatement], str]] = {
    "flips": flips_in_words,
    "shift": shift_in_words,
    "noise": noise_in_words,
    "reach": lambda found: reach_in_words(found.every),
    "no_answer": no_answer_in_words,
}


@dataclass(frozen=True)
class OfDocument:
    """What one document gives every row; lm_eval gathers these from several processes."""

    row: AnswerRow
    unedited: Mapping[str, Any]
    """Metric -> what the task's aggregation takes."""
    edited: Mapping[str, Mapping[str, Any]]
    """Edit -> the same; only of edits that were asked."""


@dataclass(frozen=True)
class OfFilter:
    """What all documents give under one filter of the task."""

    values: Mapping[str, Mapping[str, Any]]
    """Metric -> edit -> what the task's aggregation makes; of the unedited prompts under `AGAIN`."""
    statement: AnswersStatement


def values_of(items: Sequence[OfDocument], own: Mapping[str, Aggregation]) -> dict[str, dict[str, Any]]:
    """The task's values of the unedited prompts, then of each edit that was asked anywhere.

    Args:
        items: of all documents under one filter.
        own: the task's aggregations; the mean where it has none for a metric.

    Returns:
        As `OfFilter` has them.
    """
    return {metric: _by_edit(items, metric, own.get(metric, mean)) for metric in items[0].unedited}


def _by_edit(items: Sequence[OfDocument], metric: str, aggregate: Aggregation) -> dict[str, Any]:
    edits = dict.fromkeys(edit for item in items for edit in item.edited)
    found: dict[str, Any] = {AGAIN: aggregate([item.unedited[metric] for item in items])}
    for edit in edits:
        # Where an edit has no place the unedited prompt is what it leaves.
        found[edit] = aggregate([item.edited.get(edit, item.unedited)[metric] for item in items])
    return found


def numbers_of(values: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Those of the metrics that are a number."""
    return {
        metric: {edit: float(value) for edit, value in of_edits.items()}
        for metric, of_edits in values.items()
        if all(isinstance(value, (int, float)) for value in of_edits.values())
    }


class AnswersTable:
    """Rows of one task, made from its own aggregations.

    Args:
        take_in: makes of a filter's documents what is said of them; called once for each filter, where the documents
            of all processes are together.
        full: all rows stand in the table; else the results file has the others.
    """

    def __init__(
        self, take_in: Callable[[Sequence[OfDocument], Mapping[str, Aggregation]], OfFilter], *, full: bool
    ) -> None:
        self._take_in, self._full = take_in, full
        self._found: dict[str, OfFilter] = {}
        self._shown: Sequence[str] = ()

    def items(self, found: OfDocument, judged_by: str) -> dict[str, OfDocument]:
        """Row name to item of one document, of the rows that stand in the table."""
        self._shown = list(_rows(found.unedited)) if self._full else [f"{judged_by}{EDITED}"]
        return dict.fromkeys(self._shown, found)

    def aggregations(self, own: Mapping[str, Aggregation], metrics: Sequence[str]) -> dict[str, Aggregation]:
        """How the rows are made.

        Args:
            own: the task's aggregations.
            metrics: of the task.
        """

        def made(row: Callable[[OfFilter], Any]) -> Aggregation:
            return lambda items: row(self._of_filter(items, own))

        return {name: made(row) for name, row in _rows(metrics).items()}

    def _of_filter(self, items: Sequence[OfDocument], own: Mapping[str, Aggregation]) -> OfFilter:
        name = items[0].row.filter
        if name not in self._found:
            self._found[name] = self._take_in(items, own)
        return self._found[name]

    def left_out(self) -> dict[str, Any] | None:
        """The rows that the table does not have, as lm_eval names them; None where it has all."""
        if self._full:
            return None
        rows = {
            f"{name},{filter_name}": row(found)
            for filter_name, found in self._found.items()
            for name, row in _rows(found.values).items()
            if name not in self._shown
        }
        return {name: value if isinstance(value, (int, float, str)) else None for name, value in rows.items()}


def _rows(metrics: Sequence[str] | Mapping[str, Any]) -> dict[str, Callable[[OfFilter], Any]]:
    """Name of every row, and what it has of a filter."""
    rows: dict[str, Callable[[OfFilter], Any]] = {}
    for name in metrics:
        for end, choose in ((EDITED, _mean), (LOWEST, min), (HIGHEST, max)):
            rows[f"{name}{end}"] = _of_edits(name, choose)
    return rows | {name: _in_words(words) for name, words in WORDS.items()}


def _of_edits(metric: str, choose: Aggregation) -> Callable[[OfFilter], Any]:
    def row(found: OfFilter) -> Any:
        values = list(found.values[metric].values())
        return choose(values[1:] or values)

    return row


def _in_words(words: Callable[[AnswersStatement], str]) -> Callable[[OfFilter], str]:
    return lambda found: words(found.statement)


def _mean(values: Sequence[Any]) -> float:
    return math.fsum(values) / len(values)
