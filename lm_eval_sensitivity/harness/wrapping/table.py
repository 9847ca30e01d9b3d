"""The rows that a wrapped task adds to lm_eval's table."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lm_eval.api.metrics import mean

from lm_eval_sensitivity.records.answers import AGAIN, AnswerRow, EditOfTask
from lm_eval_sensitivity.report.wording.answers import (
    flips_in_words,
    no_answer_in_words,
    noise_in_words,
    reach_in_words,
    shift_in_words,
)
from lm_eval_sensitivity.statements.answers import AnswersStatement, answers_statement

Aggregation = Callable[[Sequence[Any]], Any]

EDITED, LOWEST, HIGHEST = "_edited", "_lowest", "_highest"
WORDS: dict[str, Callable[[AnswersStatement], str]] = {
    "flips": lambda found: flips_in_words(found.every, found.n_documents, found.n_documents_flipped),
    "shift": shift_in_words,
    "noise": lambda found: noise_in_words(found.noise),
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


@dataclass
class AnswersTable:
    """Rows of one task, made from its own aggregations.

    Args:
        task: the task that is wrapped.
        edits: that are made.
    """

    task: str
    edits: Sequence[EditOfTask]
    statements: dict[str, AnswersStatement] = field(default_factory=dict)
    """By filter; there once lm_eval has aggregated."""
    scores: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    """Filter -> metric -> edit -> value."""

    def items(self, found: OfDocument) -> dict[str, OfDocument]:
        """Row name to item of one document."""
        names = [f"{metric}{end}" for metric in found.unedited for end in (EDITED, LOWEST, HIGHEST)]
        return dict.fromkeys([*names, *WORDS], found)

    def aggregations(self, own: Mapping[str, Aggregation], metrics: Sequence[str]) -> dict[str, Aggregation]:
        """How the rows are made.

        Args:
            own: the task's aggregations; the mean where it has none for a metric.
            metrics: of the task.
        """
        rows: dict[str, Aggregation] = {}
        for name in metrics:
            for end, choose in ((EDITED, _mean), (LOWEST, min), (HIGHEST, max)):
                rows[f"{name}{end}"] = self._of_edits(name, own.get(name, mean), choose)
        return {**rows, **{name: self._in_words(words, own) for name, words in WORDS.items()}}

    def _of_edits(self, metric: str, aggregate: Aggregation, choose: Aggregation) -> Aggregation:
        def made(items: Sequence[OfDocument]) -> Any:
            values = list(_by_edit(items, metric, aggregate).values())
            return choose(values[1:] or values)

        return made

    def _in_words(
        self, words: Callable[[AnswersStatement], str], own: Mapping[str, Aggregation]
    ) -> Aggregation:
        return lambda items: words(self._statement(items, own))

    def _statement(self, items: Sequence[OfDocument], own: Mapping[str, Aggregation]) -> AnswersStatement:
        """Computed once per filter, where all processes' documents are together."""
        filter_name = items[0].row.filter
        if filter_name not in self.statements:
            found = {name: _by_edit(items, name, own.get(name, mean)) for name in items[0].unedited}
            numbers = {
                name: {edit: float(value) for edit, value in values.items()}
                for name, values in found.items()
                if all(isinstance(value, (int, float)) for value in values.values())
            }
            self.scores[filter_name] = numbers
            rows = [item.row for item in items]
            self.statements[filter_name] = answers_statement(self.task, rows, self.edits, numbers)
        return self.statements[filter_name]


def _by_edit(items: Sequence[OfDocument], metric: str, aggregate: Aggregation) -> dict[str, Any]:
    """The task's value of the unedited prompts, then of each edit that was asked anywhere."""
    edits = dict.fromkeys(edit for item in items for edit in item.edited)
    found = {AGAIN: aggregate([item.unedited[metric] for item in items])}
    for edit in edits:
        # Where an edit has no place the unedited prompt is what it leaves.
        found[edit] = aggregate([item.edited.get(edit, item.unedited)[metric] for item in items])
    return found


def _mean(values: Sequence[Any]) -> float:
    return math.fsum(values) / len(values)
