"""Finding the place of an edit: word gaps, brackets, and the middle-most of several candidates.

Edits take the middle-most place instead of a random one. The choice then depends on the text alone,
so neither the order of the edits nor the number of workers can change the ladder.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from lm_eval_sensitivity.ladder.edits.words import ABBREVIATIONS

PERIODS = ".。।۔"
FINAL_MARKS = PERIODS + "?!？！؟"
"""Marks that end a sentence, in Latin, East Asian, Indic and Arabic writing."""

# The dot that ends an item number (`1. Item`, `b. Item`) does not end a sentence.
_LINE_MARKER = re.compile(r"[ \t]*(?:[-*+>•#]+|(?:\d{1,3}|[A-Za-z])[.)])")
_INITIALS = re.compile(r"[^\W\d_](?:\.[^\W\d_])*")  # `J`, `e.g`, `u.s`
_LAST_WORD = re.compile(r"[^\s()\[\]]+\Z")
_BRACKETS = {")": "(", "]": "[", "}": "{", "）": "（"}


def middle_most(positions: Iterable[int], length: int) -> int | None:
    """The position nearest to the middle of a text of `length` characters; the earlier of two.

    Example:
        >>> middle_most([1, 4, 6, 9], 10)
        4
        >>> middle_most([], 10) is None
        True
    """
    return min(positions, key=lambda position: (abs(2 * position - length), position), default=None)


def is_word_character(character: str) -> bool:
    """True for letters, digits and the marks that combine with them, in any script.

    The pattern `\\w` leaves out combining marks, which end many words in Hindi or Thai.
    """
    return unicodedata.category(character)[0] in "LMN"


def word_gaps(text: str) -> list[int]:
    """Positions of single spaces between two words of one line, in any script.

    A space after a list or heading marker is left out: there it is markup.

    Example:
        >>> word_gaps("One, two  three\\n- four five")
        [4, 22]
    """
    return [
        position
        for position in range(1, len(text) - 1)
        if text[position] == " "
        and is_word_character(text[position + 1])
        and (is_word_character(text[position - 1]) or text[position - 1] in ".,;:?!")
        and not ends_line_marker(text, position)
    ]


def ends_line_marker(text: str, position: int) -> bool:
    """True when the line up to `position` is nothing but a list or heading marker."""
    line_start = text.rfind("\n", 0, position) + 1
    # A marker is short; a bound keeps long lines from being copied at every space.
    return position - line_start <= 12 and _LINE_MARKER.fullmatch(text, line_start, position) is not None


def bracketed(text: str) -> bytearray:
    """One byte per character: 1 inside matched brackets, the brackets included.

    Example:
        >>> list(bracketed("a (b) :("))
        [0, 0, 1, 1, 1, 0, 0, 0]
    """
    inside = bytearray(len(text))
    opened: list[int] = []
    for position, character in enumerate(text):
        if character in _BRACKETS.values():
            opened.append(position)
        elif opened and _BRACKETS.get(character) == text[opened[-1]]:
            start = opened.pop()
            inside[start : position + 1] = b"\1" * (position + 1 - start)
    return inside


def ends_sentence(text: str, period: int) -> bool:
    """True when the period at this position ends a sentence that another one follows.

    A lower-case word after it, an abbreviation or initial before it, an item number or a run of marks
    speak against it.

    Example:
        >>> text = "Ask Dr. Low. Then go."
        >>> [at for at, mark in enumerate(text) if mark == "." and ends_sentence(text, at)]
        [11]
    """
    following = _next_visible(text, period + 1)
    if (
        not following
        or following in FINAL_MARKS
        or following.islower()
        or text[period - 1 : period] in FINAL_MARKS
    ):
        return False
    if text[period] != ".":
        return True  # the periods of other scripts do nothing else
    match = _LAST_WORD.search(text, max(0, period - 20), period)
    word = match.group().lower().strip("\"'“”‘’") if match else ""
    is_abbreviation = word in ABBREVIATIONS or _INITIALS.fullmatch(word) is not None
    return text[period + 1].isspace() and not is_abbreviation and not ends_line_marker(text, period + 1)


def _next_visible(text: str, position: int) -> str:
    while position < len(text) and text[position].isspace():
        position += 1
    return text[position : position + 1]
