"""What harmless edits do to the answers of a task: flips, noise, and the task's own score under each edit."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lm_eval_sensitivity.records.answers import AGAIN, AnswerRow, EditOfTask, TaskAnswers
from lm_eval_sensitivity.stats import Interval, mean_interval
from lm_eval_sensitivity.stats.intervals import difference_interval

Scores = Mapping[str, Mapping[str, float]]
"""Metric -> edit -> the task's value over all documents; of the unedited prompts under `AGAIN`."""


@dataclass(frozen=True)
class ScoreStatement:
    """One metric of the task, unedited and under each edit that has a place in some document."""

    metric: str
    unedited: float
    by_edit: tuple[tuple[str, float], ...]
    """(edit, value); where an edit has no place in a document the unedited answer stands in."""

    @property
    def edited(self) -> float:
        """Mean over edits; the unedited value where there is none."""
        values = [value for _, value in self.by_edit]
        return math.fsum(values) / len(values) if values else self.unedited

    @property
    def lowest(self) -> float:
        """Smallest value under an edit."""
        return min((value for _, value in self.by_edit), default=self.unedited)

    @property
    def highest(self) -> float:
        """Largest value under an edit."""
        return max((value for _, value in self.by_edit), default=self.unedited)

    def spread(self, edits: Sequence[str]) -> float:
        """How far the value moves under these edits: largest minus smallest, the unedited one among them."""
        values = [self.unedited, *(value for edit, value in self.by_edit if edit in edits)]
        return max(values) - min(values)


@dataclass(frozen=True)
class FlipCount:
    """What one edit, or all together, did to answers."""

    name: str
    n_asked: int
    """Prompts that reach the model and have an answer, edited or not."""
    n_flipped: int
    n_without_answer: int
    """Prompts that reach the model, and neither they nor the unedited ones have an answer."""
    statuses: tuple[tuple[str, int], ...]
    """(status, documents), most frequent first."""


@dataclass(frozen=True)
class AnswersStatement:
    """A wrapped task under one of its filters."""

    task: str
    n_tasks: int
    """Above 1 where `task` is a group of them."""
    filter_name: str
    metric: str
    """That answers are judged by; the first of `scores` where it is a number."""
    n_documents: int
    n_there: int
    """Documents of the task, of which a run with `--limit` asks some."""
    n_documents_flipped: int
    """Documents of which some edit changes the answer."""
    n_unanswered: int
    """Unedited prompts without an answer."""
    scores: tuple[ScoreStatement, ...]
    every: FlipCount
    by_edit: tuple[FlipCount, ...]
    noise: FlipCount
    """Unedited prompts that were asked again."""
    share: Interval
    """Flipped among the edits of a document, mean over documents."""
    shift: Interval
    """Edited minus unedited in the metric, mean over documents; NaN where it is no number for each."""
    edits: tuple[EditOfTask, ...]
    """That were made."""

    @property
    def white_space(self) -> tuple[str, ...]:
        """Edits of the rung noop: those that no reader sees."""
        return tuple(edit.name for edit in self.edits if edit.rung == "noop")

    @property
    def only_format(self) -> bool:
        """Whether nothing but the format around the question was edited."""
        return all(edit.family == "format" for edit in self.edits)

    @property
    def score(self) -> ScoreStatement | None:
        """Of the metric that answers are judged by; None where it is no number."""
        return next((each for each in self.scores if each.metric == self.metric), None)

    @property
    def within(self) -> float:
        """A difference in the metric that white space alone makes; all edits where none is of white space."""
        if self.score is None:
            return math.nan
        return self.score.spread(self.white_space or [name for name, _ in self.score.by_edit])


def answers_statement(answers: TaskAnswers) -> AnswersStatement:
    """Count what edits did to answers.

    Args:
        answers: to all documents under one filter.

    Returns:
        Counts, and intervals in which the document is the unit.
    """
    rows, edits = sorted(answers.rows, key=lambda row: row.doc_id), answers.wrapped.edits
    names = [edit.name for edit in edits]
    flips = [[flip for name in names if (flip := row.flip(name)) is not None] for row in rows]
    shares = [sum(each) / len(each) if each else math.nan for each in flips]
    return AnswersStatement(
        task=answers.wrapped.task,
        n_tasks=answers.n_tasks,
        filter_name=answers.filter_name,
        metric=answers.metric,
        n_documents=len(rows),
        n_there=answers.n_there,
        n_documents_flipped=sum(map(any, flips)),
        n_unanswered=sum(row.unedited.answer is None for row in rows),
        scores=tuple(_score(metric, values, names) for metric, values in answers.scores.items()),
        every=_count("all", rows, names),
        by_edit=tuple(_count(name, rows, [name]) for name in names),
        noise=_count(AGAIN, rows, [AGAIN]),
        share=mean_interval(shares, largest=1.0),
        shift=_shift(rows, names, answers.metric),
        edits=edits,
    )


def _score(metric: str, values: Mapping[str, float], names: Sequence[str]) -> ScoreStatement:
    return ScoreStatement(
        metric, values[AGAIN], tuple((name, values[name]) for name in names if name in values)
    )


def _count(name: str, rows: Sequence[AnswerRow], edits: Sequence[str]) -> FlipCount:
    there = [(row, edit, row.edits[edit]) for row in rows for edit in edits if edit in row.edits]
    flips = [row.flip(edit) for row, edit, _ in there]
    asked = sum(found.scored or edit == AGAIN for _, edit, found in there)
    n_known = sum(flip is not None for flip in flips)
    statuses = Counter(found.status for _, _, found in there)
    return FlipCount(name, n_known, sum(map(bool, flips)), asked - n_known, tuple(statuses.most_common()))


def _shift(rows: Sequence[AnswerRow], names: Sequence[str], metric: str) -> Interval:
    changes = []
    for row in rows:
        before = row.unedited.metrics.get(metric)
        found = (row.edits[name] for name in names if name in row.edits and row.edits[name].scored)
        after = [value for each in found if (value := each.metrics.get(metric)) is not None]
        changes.append(math.nan if before is None or not after else math.fsum(after) / len(after) - before)
    there = [abs(each) for each in changes if not math.isnan(each)]
    return difference_interval(changes, largest=1.0 if there and max(there) <= 1 else None)
