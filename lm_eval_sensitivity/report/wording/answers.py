"""A wrapped task in whole sentences: the same in lm_eval's table, after a run and from `flips`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from lm_eval_sensitivity.records.answers import Status
from lm_eval_sensitivity.statements.answers import AnswersStatement, FlipCount
from lm_eval_sensitivity.text.format import in_print

DIGITS = 3
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


def flips_in_words(count: FlipCount, n_documents: int, n_flipped: int) -> str:
    """How many answers change.

    Example:
        >>> flips_in_words(FlipCount("all", 74, 3, 0, ()), 12, 1)
        '3 of 74 edited prompts, in 1 of 12 documents'
    """
    return f"{count.n_flipped} of {count.n_asked} edited prompts, in {n_flipped} of {n_documents} documents"


def noise_in_words(count: FlipCount) -> str:
    """How many answers change without an edit.

    Example:
        >>> noise_in_words(FlipCount("identical", 12, 0, 0, ()))
        '0 of 12 prompts asked again'
    """
    return f"{count.n_flipped} of {count.n_asked} prompts asked again"


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
    """How far the first metric moves, with its interval over documents."""
    found = statement.shift
    if not statement.scores or math.isnan(found.estimate):
        return "-"
    bounds = "" if math.isnan(found.lower) else f" ({found.lower:+.{DIGITS}f} to {found.upper:+.{DIGITS}f})"
    return f"{statement.scores[0].metric} {found.estimate:+.{DIGITS}f}{bounds}"


def closing_sentences(statement: AnswersStatement) -> Iterator[str]:
    """The task in a few sentences, the answer first.

    Args:
        statement: of one filter.

    Returns:
        Sentences.
    """
    if not statement.scores:
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
    return _sentence(found) if all(each.scores for each in found) else ""


def _sentence(found: Sequence[AnswersStatement]) -> str:
    scores = [each.scores[0] for each in found]
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


def together_in_words(statements: Sequence[AnswersStatement]) -> str:
    """Many tasks in a sentence; `flips` has them one by one."""
    flipped, n = (
        sum(getattr(each, name) for each in statements) for name in ("n_documents_flipped", "n_documents")
    )
    return (
        f"{len(statements)} tasks under harmless edits: {flipped} of {n} documents change their answer; the command "
        "below prints them one by one."
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
    if statement.noise.n_flipped:
        yield f"Without any edit {noise_in_words(statement.noise)} change their answer: that much is noise."
    if statement.n_unanswered or statement.every.n_without_answer:
        yield f"No answer: {no_answer_in_words(statement)}. These are not stable; there was nothing to change."
    statuses = dict(statement.every.statuses)
    if statuses.get("unknown"):
        yield f"Of {statuses['unknown']} edits it is not known whether they reach the model."
