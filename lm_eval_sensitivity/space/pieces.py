"""Texts in pieces that are marked up: what an edit changed, what a step says, always with its invisible characters."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from lm_eval_sensitivity.space.differences import Kind, differences
from lm_eval_sensitivity.space.texts import Piece, visible

MarkedParts = tuple[tuple[Kind, tuple[Piece, ...]], ...]
"""(whether both texts have it, pieces) of every part of two texts in one row."""


def visible_between(text: str, cuts: Iterable[int]) -> list[tuple[Piece, ...]]:
    """A text made visible as a whole, then cut: a single space between two words stays one, also beside a cut.

    Args:
        text: a stranger's.
        cuts: characters at which to cut, sorted, from 0 to the length.

    Returns:
        One more than cuts.

    Example:
        >>> [[piece.text for piece in part] for part in visible_between("a b ", [1, 3])]
        [['a'], [' b'], ['·']]
    """
    parts: list[list[Piece]] = [[]]
    waiting = [*cuts]
    waiting.reverse()
    at = 0
    for piece in visible(text):
        end = at + (1 if piece.is_mark else len(piece.text))
        while waiting and waiting[-1] < end:
            cut = waiting.pop()
            if cut > at:
                parts[-1].append(Piece(piece.text[: cut - at]))
                piece, at = Piece(piece.text[cut - at :]), cut
            parts.append([])
        parts[-1].append(piece)
        at = end
    parts.extend([] for _ in waiting)
    return [tuple(part) for part in parts]


def visible_change(text: str) -> tuple[Piece, ...]:
    """What an edit put in or took out: every space and every accent by itself is a mark, too.

    Returns:
        Pieces in the order of the text; accents are marks of their own.

    Example:
        >>> [piece.text for piece in visible_change("i" + chr(0x301) + " a ")]
        ['i', 'U+0301', ' a', '·']
    """
    found: list[Piece] = []
    for piece in visible(text):
        if piece.is_mark:
            found.append(piece)
            continue
        start = 0
        for at, character in enumerate(piece.text):
            if unicodedata.category(character).startswith("M"):
                code = f"U+{ord(character):04X}"
                ordinary = [Piece(piece.text[start:at])] if at > start else []
                found += [*ordinary, Piece(code, unicodedata.name(character, code).lower())]
                start = at + 1
        if start < len(piece.text):
            found.append(Piece(piece.text[start:]))
    return tuple(found)


def marked(first: str, second: str, longest: int) -> tuple[MarkedParts, tuple[int, int]]:
    """Two texts in one row, with what the second lacks and what it has of its own, word by word.

    Args:
        first: before.
        second: after.
        longest: characters of each that are shown.

    Returns:
        Parts, and how many characters of each are not shown.

    Example:
        >>> parts, _ = marked("one two", "one" + chr(0xA0) + "two", 100)
        >>> [(kind, [piece.text for piece in pieces]) for kind, pieces in parts]
        [('same', ['one']), ('gone', ['·']), ('new', ['U+00A0']), ('same', ['two'])]
    """
    texts = first[:longest], second[:longest]
    stretches = differences(*texts)
    of_first = [each for each in stretches if each.kind != "new"]
    # Made visible as a whole, so that a blank beside a change is no blank at an end.
    cut = visible_between(texts[0], [each.start for each in of_first[1:]])
    shown = dict(zip(((each.kind, each.start) for each in of_first), cut, strict=False))
    parts = tuple(
        (each.kind, shown[each.kind, each.start])
        if each.kind == "same"
        else (each.kind, _change(texts[each.kind == "new"][each.start : each.end]))
        for each in stretches
    )
    return parts, (len(first) - len(texts[0]), len(second) - len(texts[1]))


def _change(text: str) -> tuple[Piece, ...]:
    """A blank between two words of a change and what follows it is no change of blanks."""
    words = text.strip(" ")
    before, after = len(text) - len(text.lstrip(" ")), len(text) - len(text.rstrip(" "))
    if not words or before > 1 or after > 1:
        return visible_change(text)
    return (*[Piece(" ")] * before, *visible_change(words), *[Piece(" ")] * after)
