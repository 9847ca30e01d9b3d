"""The document of `lm-eval-sensitivity flips`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from lm_eval_sensitivity.records.answers import TaskAnswers
from lm_eval_sensitivity.report.blocks import Cell, Column, Document, ResultTable
from lm_eval_sensitivity.report.wording.answers import MOST_ONE_BY_ONE, closing_sentences, reach_in_words
from lm_eval_sensitivity.statements.answers import AnswersStatement, FlipCount, answers_statement
from lm_eval_sensitivity.text.format import in_print
from lm_eval_sensitivity.types import Note

LEGEND = (
    "An answer is the choice that the metric takes, by log-likelihood, or what the filter of the task finds in the "
    "text; where it takes nothing out, what the metric says of the text. flips: answers that are others than the "
    "unedited one, of the edited prompts that reach the model and have an answer. identical: the unedited prompts, "
    "asked again."
)

_SCORES = (
    Column("system"),
    Column("task"),
    Column("filter"),
    Column("metric"),
    *(Column(name, 3) for name in ("unedited", "edited", "lowest", "highest")),
)
_EDITS = (
    Column("system"),
    Column("task"),
    Column("filter"),
    Column("metric"),
    Column("edit"),
    Column("flips", 0),
    Column("of", 0),
    Column("no answer", 0),
    Column("value", 3),
    Column("reach"),
)


@dataclass(frozen=True)
class SystemAnswers:
    """A statement, and whose it is."""

    system: str
    statement: AnswersStatement


def statements_of(answers: Sequence[TaskAnswers]) -> list[SystemAnswers]:
    """What is said of each system, task and filter."""
    return [SystemAnswers(each.system, answers_statement(each)) for each in answers]


def flips_document(found: Sequence[SystemAnswers]) -> Document:
    """The document of some wrapped tasks.

    Args:
        found: one per system, task and filter.

    Returns:
        Scores, flips of every edit, and sentences; of many tasks for a reader only their groups in sentences, and all
        edits together.
    """
    is_long = len(found) > MOST_ONE_BY_ONE
    every = _edits(found)
    parts: list[ResultTable | Note | str] = [_scores(found), every]
    if is_long:
        parts[1:] = [
            replace(_edits(found, together=True), only=("table", "markdown")),
            replace(every, only=("csv", "json")),
        ]
    for each in found:
        if not is_long or each.statement.n_tasks > 1:
            parts += [f"{each.system}: {sentence}" for sentence in _sentences(each.statement)]
    return Document("Answers under harmless edits", (*parts, LEGEND), {"answers": found})


def _sentences(found: AnswersStatement) -> Iterator[str]:
    yield from closing_sentences(found)
    share = found.share
    if found.every.n_asked:
        bounds = (
            f" (95 % interval over documents {in_print(share.lower, 3)} to {in_print(share.upper, 3)})"
            if share.reason is None
            else f" ({share.reason})"
        )
        yield f"Of the edits of a document, {in_print(share.estimate, 3)} change its answer{bounds}."


def _scores(found: Sequence[SystemAnswers]) -> ResultTable:
    rows: list[tuple[Cell, ...]] = [
        (*_whose(each, score.metric), score.unedited, score.edited, score.lowest, score.highest)
        for each in found
        for score in each.statement.scores
    ]
    note = "edited: mean over edits. Where an edit has no place in a document, its unedited answer stands in."
    return ResultTable("scores", "The task's own metrics", _SCORES, tuple(rows), note)


def _edits(found: Sequence[SystemAnswers], *, together: bool = False) -> ResultTable:
    rows = [
        _edit_row(each, count)
        for each in found
        for count in (
            *(() if together else each.statement.by_edit),
            each.statement.every,
            each.statement.noise,
        )
    ]
    return ResultTable("flips", "Answers that an edit changes", _EDITS, tuple(rows))


def _edit_row(each: SystemAnswers, count: FlipCount) -> tuple[Cell, ...]:
    score = each.statement.score
    values = {} if score is None else {**dict(score.by_edit), "all": score.edited}
    return (
        *(*_whose(each, each.statement.metric), count.name),
        *(count.n_flipped, count.n_asked, count.n_without_answer, values.get(count.name)),
        reach_in_words(count),
    )


def _whose(each: SystemAnswers, metric: str) -> tuple[Cell, ...]:
    return each.system, each.statement.task, each.statement.filter_name, metric
