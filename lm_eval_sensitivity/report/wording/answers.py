"""A wrapped task in whole sentences: the same in lm_eval's table, after a run and from `flips`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from lm_eval_sensitivity.statements.answers import AnswersStatement, FlipCount
from lm_eval_sensitivity.text.format import in_print

DIGITS = 3


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
    score = statement.scores[0]
    values = [in_print(each, DIGITS) for each in (score.unedited, score.lowest, score.highest)]
    flipped, n = statement.n_documents_flipped, statement.n_documents
    yield (
        f"{_name(statement)} {score.metric} {values[0]}; under harmless edits {values[1]} to {values[2]}; {flipped} of "
        f"{n} documents change{'s' * (flipped == 1)} {'its' if flipped == 1 else 'their'} answer; "
        f"{_within(statement)}"
    )
    yield from _cautions(statement)


def together_in_words(statements: Sequence[AnswersStatement]) -> str:
    """Many tasks in a sentence; `flips` has them one by one."""
    flipped, n = (
        sum(getattr(each, name) for each in statements) for name in ("n_documents_flipped", "n_documents")
    )
    return (
        f"{len(statements)} tasks under harmless edits: {flipped} of {n} documents change their answer; the command "
        "below prints them one by one."
    )


def _name(statement: AnswersStatement) -> str:
    """lm_eval calls the filter of a task that has none `none`."""
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
