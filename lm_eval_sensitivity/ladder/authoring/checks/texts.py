"""The texts of a prompt, and the reasons beside them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence

from lm_eval_sensitivity.ladder.authoring.checks.violation import Violation, first_rows
from lm_eval_sensitivity.ladder.edits import protected_spans
from lm_eval_sensitivity.ladder.edits.positions import is_word_character
from lm_eval_sensitivity.ladder.edits.protected import blanked
from lm_eval_sensitivity.ladder.files import control_character
from lm_eval_sensitivity.text.escape import quoted
from lm_eval_sensitivity.types import Pair, Rung

Runs = Sequence[Pair]

LENGTH_RATIOS: dict[Rung, tuple[float, float]] = {
    "synonym": (0.8, 1.25),
    "paraphrase": (0.55, 1.8),
    "semantic_change": (0.6, 1.6),
    "positive_control": (0.4, 2.2),
}
"""Accepted length of an authored variant in characters, divided by that of its base. Models answer longer
prompts at greater length, so a variant of another length measures length. A synonym is one word; a paraphrase
may need a clause more; a control is another request, but still one of the same kind."""

_INNER_SPACES = re.compile(r"(?<=\S)[^\S\n]{2,}(?=\S)")
_SPACE_BEFORE_BREAK = re.compile(r"[^\S\n]\n")


def texts_differ(pairs: Runs) -> Iterator[Violation]:
    """No two variants of a prompt are equal: one of the rows would measure nothing of its own.

    Yields:
        One violation per row whose variant stands there before.
    """
    for row, known in _repeated(pairs, lambda pair: pair.variant):
        problem = f"equals that of the row {quoted(known)}; accepted are texts that all differ."
        yield Violation("texts", problem, row, "variant")


def white_space_is_clean(pairs: Runs) -> Iterator[Violation]:
    """Bases and authored variants have no white space of the kind that only a no-op edit may add.

    Yields:
        One violation per text, with its first problem.
    """
    for row, column, text in _authored(pairs):
        problem = _white_space_problem(text)
        if problem:
            yield Violation("white_space", f"{problem}; accepted are single spaces inside.", row, column)


def _authored(pairs: Runs) -> Iterator[tuple[str, str, str]]:
    """Row, column and text of a prompt's base, once, and of what somebody wrote of it."""
    yield pairs[0].pair_id, "base", pairs[0].base
    yield from ((pair.pair_id, "variant", pair.variant) for pair in pairs if pair.origin == "authored")


def _white_space_problem(text: str) -> str:
    if text != text.strip():
        return f"starts or ends with white space ({quoted(text)})"
    # Code keeps its indentation and its columns.
    text = blanked(text, [span for span in protected_spans(text) if span.kind == "code"], "x")
    # Spaces that open a line are the indentation of a list.
    found = _INNER_SPACES.search(text) or _SPACE_BEFORE_BREAK.search(text)
    if not found:
        return ""
    around = text[max(0, found.start() - 20) : found.end() + 20]
    return f"has superfluous white space outside code ({quoted(around)})"


def no_control_characters(pairs: Runs) -> Iterator[Violation]:
    """No text has a character that no prompt has, such as a NUL of a file that was read in another encoding.

    Yields:
        One violation per text, with its first one; of a base once, at the prompt's first row.
    """
    for row, column, text in _authored(pairs):
        problem = control_character(text)
        if problem:
            yield Violation("control_characters", f"{problem}; accepted is none.", row, column)


def lengths_are_similar(pairs: Runs) -> Iterator[Violation]:
    """An authored variant is about as long as its base.

    Yields:
        One violation per row whose ratio of characters is outside `LENGTH_RATIOS` of its rung.
    """
    for pair in pairs:
        if pair.origin == "authored" and pair.rung in LENGTH_RATIOS:
            lowest, highest = LENGTH_RATIOS[pair.rung]
            ratio = len(pair.variant) / len(pair.base)
            if not lowest <= ratio <= highest:
                problem = (
                    f"is {ratio:.2f} times as long as its base; accepted on the rung {pair.rung!r} is {lowest} to "
                    f"{highest}."
                )
                yield Violation("length", problem, pair.pair_id, "variant")


def authored_rows_have_a_reason(pairs: Runs) -> Iterator[Violation]:
    """In a published ladder an authored row says why it is on its rung; people's own may stay silent.

    Yields:
        One violation per authored row without.
    """
    for pair in pairs:
        if pair.origin == "authored" and not pair.reason.strip():
            problem = "is empty; accepted for an authored row is a sentence: why it is on its rung."
            yield Violation("reason", problem, pair.pair_id, "reason")


def rule_rows_have_no_reason(pairs: Runs) -> Iterator[Violation]:
    """A rule needs no reason: it is its own.

    Yields:
        One violation per rule row with a reason.
    """
    for pair in pairs:
        if pair.origin == "rule" and pair.reason:
            problem = f"is {quoted(pair.reason)}; accepted for a row that a rule builds is none."
            yield Violation("reason", problem, pair.pair_id, "reason")


def reasons_are_not_repeated(pairs: Runs) -> Iterator[Violation]:
    """A reason that fits two rows says nothing about either.

    Yields:
        One violation per authored row whose reason has the letters of one before it.
    """
    authored = [pair for pair in pairs if pair.origin == "authored"]
    for row, known in _repeated(authored, lambda pair: letters_of(pair.reason)):
        problem = f"repeats that of the row {quoted(known)}; accepted is a reason for exactly this row."
        yield Violation("reason", problem, row, "reason")


def bases_differ(pairs: Runs) -> Iterator[Violation]:
    """No two prompts are equal but for case, spaces and punctuation.

    Yields:
        One violation per prompt whose base has the letters of one before it, at its first row.
    """
    # Of `???` nothing is left, so it is compared as it stands.
    for row, known in _repeated(first_rows(pairs), lambda pair: letters_of(pair.base) or pair.base.strip()):
        problem = (
            f"equals that of the row {quoted(known)} but for case, spaces and punctuation; accepted are "
        )
        yield Violation("near_duplicates", problem + "different prompts.", row, "base")


def _repeated(pairs: Runs, text_of: Callable[[Pair], str]) -> Iterator[tuple[str, str]]:
    """Pair ids of the rows whose text stands in an earlier one, with that one's; an empty text is none."""
    first: dict[str, str] = {}
    for pair in pairs:
        text = text_of(pair)
        if text and first.setdefault(text, pair.pair_id) != pair.pair_id:
            yield pair.pair_id, first[text]


def letters_of(text: str) -> str:
    """The content of a text without case, spaces and punctuation.

    Returns:
        Letters and digits in NFKC, case folded; empty where there are none.

    Example:
        >>> letters_of("Tea, or Café-au-lait?")
        'teaorcaféaulait'
    """
    return "".join(filter(is_word_character, unicodedata.normalize("NFKC", text).casefold()))
