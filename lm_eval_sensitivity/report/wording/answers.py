"""A wrapped task in whole sentences: the same in lm_eval's table, after a run and from `flips`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from lm_eval_sensitivity.records.answers import Status, TaskAnswers
from lm_eval_sensitivity.statements.answers import AnswersStatement, FlipCount
from lm_eval_sensitivity.text.format import in_print

DIGITS = 3
MOST_ONE_BY_ONE = 6
"""Tasks, each under each of its filters, of which a reader gets everything."""
STATUSES: dict[Status, str] = {
    "identical": "Nothing was edited: the same prompt was asked again, in another call.",
    "survived": "The edit reaches the token ids that the model reads.",
    "unknown": "The engine does not show token ids, so that it is not known whether the edit reaches the model.",
    "erased": "The edit was erased: the model would read the same token ids with and without it.",
    "erased by the task": "The edit was erased: the template of the task leaves the prompt as it was.",
    "end of prompt": "White space at the end of the prompt would be scored as a part of the choice.",
    "no place": "The edit has no place in this question, or not without changing target or choices.",
    "not constant": "The prompt is another one each time it is made, with or without an edit.",
}
"""What became of an edit."""


def flips_in_words(statement: AnswersStatement) -> str:
    """How many answers change, and by which metric they are judged, as in `3 of 74 edited prompts, ... (acc)`."""
    count, n = statement.every, statement.n_documents
    documents = f"{statement.n_documents_flipped} of {n} documents"
    return f"{count.n_flipped} of {count.n_asked} edited prompts, in {documents} ({statement.metric})"


def noise_in_words(statement: AnswersStatement) -> str:
    """How many answers change without an edit, as in `0 of 12 prompts asked again`."""
    return f"{statement.noise.n_flipped} of {statement.noise.n_asked} prompts asked again"


def reach_in_words(count: FlipCount) -> str:
    """What became of the edits.

    Example:
        >>> reach_in_words(FlipCount("all", 74, 3, 0, (("survived", 74), ("no place", 22))))
        '74 survived, 22 no place'
    """
    return ", ".join(f"{n} {status}" for status, n in count.statuses) or "no edit"


def no_answer_in_words(statement: AnswersStatement) -> str:
    """How many prompts have no answer that the task can take out.

    Returns:
        Counts of unedited documents, and of edited prompts whose unedited one has none either.
    """
    return (
        f"{statement.n_unanswered} of {statement.n_documents} documents, and {statement.every.n_without_answer} edited "
        "prompts beside them"
    )


def shift_in_words(statement: AnswersStatement) -> str:
    """How far the metric moves, with its interval over documents."""
    found = statement.shift
    if statement.score is None or math.isnan(found.estimate):
        return "-"
    bounds = "" if math.isnan(found.lower) else f" ({found.lower:+.{DIGITS}f} to {found.upper:+.{DIGITS}f})"
    return f"{statement.metric} {found.estimate:+.{DIGITS}f}{bounds}"


def closing_sentences(statement: AnswersStatement) -> Iterator[str]:
    """The task in a few sentences, the answer first.

    Args:
        statement: of one filter.

    Returns:
        Sentences.
    """
    if statement.score is None:
        return
    yield _sentence([statement])
    yield from _cautions(statement)


def closing_of_systems(found: Sequence[AnswersStatement]) -> str:
    """The first of these sentences, for several systems that ran one task.

    Args:
        found: of one task and filter, at least one.

    Returns:
        From the smallest to the largest number of any; what white space does is that of the system that it moves
        furthest. Empty where the task has no score.
    """
    return _sentence(found) if all(each.score is not None for each in found) else ""


def _sentence(found: Sequence[AnswersStatement]) -> str:
    scores = [each.score for each in found if each.score is not None]
    low, high = (
        in_print(value, DIGITS)
        for value in (min(each.lowest for each in scores), max(each.highest for each in scores))
    )
    n = max(each.n_documents for each in found)
    flipped = _span([each.n_documents_flipped for each in found], 0)
    change = "changes its answer" if flipped == "1" else "change their answer"
    systems = f" in {len(found)} systems" if len(found) > 1 else ""
    return (
        f"{name_in_words(found[0])} {scores[0].metric} {_span([each.unedited for each in scores], DIGITS)}{systems}; "
        f"under harmless edits {low} to {high}; {flipped} of {n} documents {change}; "
        f"{_within(max(found, key=lambda each: each.within))}"
    )


def _span(values: Sequence[float], digits: int) -> str:
    return " to ".join(dict.fromkeys(in_print(each, digits) for each in (min(values), max(values))))


def together_in_words(answers: Sequence[TaskAnswers]) -> str:
    """Many tasks in a sentence; `flips` has them one by one."""
    rows = [(row, [edit.name for edit in each.wrapped.edits]) for each in answers for row in each.rows]
    flipped = sum(any(row.flip(edit) for edit in edits) for row, edits in rows)
    return (
        f"{len(answers)} tasks under harmless edits: {flipped} of {len(rows)} documents change their answer; the "
        "command below prints them one by one."
    )


def name_in_words(statement: AnswersStatement) -> str:
    """The task, with its filter; lm_eval calls the filter of a task that has none `none`."""
    return statement.task + ("" if statement.filter_name == "none" else f" ({statement.filter_name})")


def _within(statement: AnswersStatement) -> str:
    what = "an extra space" if statement.white_space else "such an edit"
    what = "another format" if statement.only_format else what
    if not statement.every.n_asked:
        return "no edit was asked and answered, so that this says nothing of a difference between models."
    if statement.within > 0:
        return f"a difference between two models below {in_print(statement.within, DIGITS)} is within what {what} does."
    return f"{what} moves it by less than one document ({in_print(1 / statement.n_documents, DIGITS)})."


def _cautions(statement: AnswersStatement) -> Iterator[str]:
    if statement.n_documents < statement.n_there:
        yield (
            f"A part of the task was run, {statement.n_documents} of {statement.n_there} documents: the whole task may "
            "have another score, and another one under edits."
        )
    if statement.noise.n_flipped:
        yield f"Without any edit {noise_in_words(statement)} change their answer: that much is noise."
    if statement.n_unanswered or statement.every.n_without_answer:
        yield f"No answer: {no_answer_in_words(statement)}. These are not stable; there was nothing to change."
    statuses = dict(statement.every.statuses)
    if statuses.get("unknown"):
        yield f"Of {statuses['unknown']} edits it is not known whether they reach the model."
