"""No-op edits: a reader sees the same prompt, a tokenizer may not.

Every edit takes a text and returns its replacements, or None where it is not applicable. A blank
text is never edited: leading and trailing white space are the same thing there.

The edits of a middle place take one in the request where there is one. Otherwise they take one in other
prose of the prompt, and none in a list, a table or a row of data; see `Request`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from lm_eval_sensitivity.ladder.edits.positions import CLOSERS, ends_sentence, middle_most, word_gaps
from lm_eval_sensitivity.ladder.edits.protected import Protection
from lm_eval_sensitivity.ladder.edits.registry import register
from lm_eval_sensitivity.ladder.edits.request_and_material import Request
from lm_eval_sensitivity.ladder.edits.words import CLAUSE_WORDS
from lm_eval_sensitivity.types import Replacement

NO_BREAK_SPACE = "\u00a0"
ZERO_WIDTH_SPACE = "\u200b"

_CLAUSE_ENDS = "?!;:"
_COMMAS = ",،"
_EAST_ASIAN_STOPS = "，。、；：！？"


@register("noop")
def leading_space(text: str) -> tuple[Replacement, ...] | None:
    """One space before the text.

    Returns:
        An insertion; None for a blank text, and before code without a fence, which it would indent.

    Example:
        >>> leading_space("Hello there.")
        (Replacement(start=0, end=0, replacement=' '),)
    """
    return None if Protection(text).opens_with_code else _insertion(text, 0, " ")


@register("noop")
def trailing_space(text: str) -> tuple[Replacement, ...] | None:
    """One space after the text.

    Returns:
        An insertion; None for a blank text.

    Example:
        >>> trailing_space("Hello there.")
        (Replacement(start=12, end=12, replacement=' '),)
    """
    return _insertion(text, len(text), " ")


@register("noop")
def leading_newline(text: str) -> tuple[Replacement, ...] | None:
    r"""One newline before the text.

    Returns:
        An insertion; None for a blank text.

    Example:
        >>> leading_newline("Hello there.")
        (Replacement(start=0, end=0, replacement='\n'),)
    """
    return _insertion(text, 0, "\n")


@register("noop")
def trailing_newline(text: str) -> tuple[Replacement, ...] | None:
    r"""One newline after the text.

    Returns:
        An insertion; None for a blank text.

    Example:
        >>> trailing_newline("Hello there.")
        (Replacement(start=12, end=12, replacement='\n'),)
    """
    return _insertion(text, len(text), "\n")


@register("noop")
def double_space(text: str) -> tuple[Replacement, ...] | None:
    """The middle-most unprotected space between two words is doubled.

    Returns:
        An insertion after the space; None where there is no such space.

    Example:
        >>> double_space("one two three")  # 'one two  three'
        (Replacement(start=8, end=8, replacement=' '),)
    """
    gap = _middle_gap(text)
    return None if gap is None else (Replacement(gap + 1, gap + 1, " "),)


@register("noop")
def mid_newline(text: str) -> tuple[Replacement, ...] | None:
    r"""The middle-most space at a sentence or clause boundary becomes a newline.

    A boundary is a mark that ends a sentence or introduces one (`. ? ! ; :`), or a comma before a
    word such as `and` or `which`. Only where there is none, any comma counts.

    Returns:
        One exchange; None where there is no boundary at all.

    Example:
        >>> mid_newline("Red, blue or green? Choose one.")  # 'Red, blue or green?\nChoose one.'
        (Replacement(start=19, end=20, replacement='\n'),)
    """
    protection = Protection(text)
    gaps = [
        position
        for position in range(1, len(text) - 1)
        if text[position] == " "
        and not text[position - 1].isspace()
        and not text[position + 1].isspace()
        and not protection.covers(position, position + 1)
    ]

    def choose(gaps: list[int]) -> int | None:
        boundaries = [gap for gap in gaps if _ends_clause(text, gap)]
        commas = [gap for gap in gaps if text[gap - 1] in _COMMAS]
        return middle_most(boundaries or commas, len(text))

    gap = Request(text, protection).prefer(gaps, choose)
    return None if gap is None else (Replacement(gap, gap + 1, "\n"),)


@register("noop")
def nbsp(text: str) -> tuple[Replacement, ...] | None:
    r"""The middle-most unprotected space between two words becomes a no-break space, U+00A0.

    Returns:
        One exchange; None where there is no such space.

    Example:
        >>> nbsp("one two three")  # 'one two\xa0three'
        (Replacement(start=7, end=8, replacement='\xa0'),)
    """
    gap = _middle_gap(text)
    return None if gap is None else (Replacement(gap, gap + 1, NO_BREAK_SPACE),)


@register("noop")
def zero_width_space(text: str) -> tuple[Replacement, ...] | None:
    r"""A zero-width space, U+200B, is inserted at the middle-most word boundary.

    The boundary is the end of a word before a space, or the place after East Asian punctuation.
    Between two letters it is never inserted: that would cut a word, or a letter from its accent.

    Returns:
        An insertion; None where there is no such boundary outside protected spans.

    Example:
        >>> zero_width_space("one two three")  # 'one two\u200b three'
        (Replacement(start=7, end=7, replacement='\u200b'),)
    """
    protection = Protection(text)
    places = word_gaps(text)
    places += [at for at in range(1, len(text)) if text[at - 1] in _EAST_ASIAN_STOPS and text[at].isalpha()]
    free = [at for at in places if not protection.covers(at, at)]
    place = Request(text, protection).prefer(free, lambda places: middle_most(places, len(text)))
    return None if place is None else (Replacement(place, place, ZERO_WIDTH_SPACE),)


@register("noop")
def nfd(text: str) -> tuple[Replacement, ...] | None:
    r"""Accented characters are decomposed into letter and accent (Unicode normalisation form NFD).

    Both spellings are canonically equivalent and look the same.

    Returns:
        One exchange per character that changes; None where none does.

    Example:
        >>> nfd("My café.") == (Replacement(6, 7, "e\u0301"),)
        True
        >>> nfd("My cafe.") is None
        True
    """
    protection = Protection(text)
    replacements = []
    for start, end in _character_clusters(text):
        decomposed = unicodedata.normalize("NFD", text[start:end])
        if decomposed != text[start:end] and not protection.covers(start, end):
            replacements.append(Replacement(start, end, decomposed))
    return tuple(replacements) or None


def _insertion(text: str, position: int, inserted: str) -> tuple[Replacement, ...] | None:
    return (Replacement(position, position, inserted),) if text.strip() else None


def _middle_gap(text: str) -> int | None:
    protection = Protection(text)
    gaps = [gap for gap in word_gaps(text) if not protection.covers(gap, gap + 1)]
    return Request(text, protection).prefer(gaps, lambda gaps: middle_most(gaps, len(text)))


def _ends_clause(text: str, gap: int) -> bool:
    before = gap - 1
    while before > 0 and text[before] in CLOSERS:
        before -= 1
    if before < gap - 1 and text[before] in _CLAUSE_ENDS + ".":
        # The mark belongs to a quotation or a bracket, after which the sentence can go on.
        return not text[gap + 1].islower()
    if text[before] in _CLAUSE_ENDS or (text[before] == "." and ends_sentence(text, before)):
        return True
    word = text[gap + 1 : gap + 12].split(maxsplit=1)[0]
    return text[gap - 1] in _COMMAS and word.lower() in CLAUSE_WORDS


def _character_clusters(text: str) -> Iterator[tuple[int, int]]:
    """Spans of one character and its combining marks: NFD reorders the marks, so they go together."""
    start = 0
    for position in range(1, len(text) + 1):
        if position == len(text) or not unicodedata.combining(text[position]):
            yield start, position
            start = position
