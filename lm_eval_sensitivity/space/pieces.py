"""Texts in pieces that are marked up: what an edit changed, what a step says, always with its invisible characters."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import replace

from lm_eval_sensitivity.space.texts import Piece, visible
from lm_eval_sensitivity.types import Replacement

EditedParts = tuple[tuple[tuple[Piece, ...], bool], ...]
"""(pieces, whether they were changed) of every part of a prompt."""


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


def edited(
    base: str, replacements: Sequence[Replacement], longest: int
) -> tuple[tuple[EditedParts, int], tuple[EditedParts, int]]:
    """A prompt before and after an edit, in parts that are equal or changed, so that the edit can be seen.

    Args:
        base: the prompt before the edit.
        replacements: what was done to it, sorted.
        longest: characters of the base, and of all that the edit put in, that are shown.

    Returns:
        Of the base and of the variant the parts, and how many characters are not shown.

    Example:
        >>> _, (after, _) = edited("one two", [Replacement(3, 4, chr(0xA0))], 100)
        >>> [(pieces[0].text, changed) for pieces, changed in after]
        [('one', False), ('U+00A0', True), ('two', False)]
    """
    shown = base[:longest]
    kept = [replace(each, end=min(each.end, len(shown))) for each in replacements if each.start <= len(shown)]
    cuts = [at for each in kept for at in (each.start, each.end)]
    gaps = visible_between(shown, cuts)[::2]
    before, after = [(gaps[0], False)], [(gaps[0], False)]
    room = longest
    for each, gap in zip(kept, gaps[1:], strict=True):
        put_in = each.replacement[:room]
        room -= len(put_in)
        before += [(visible_change(shown[each.start : each.end]), True), (gap, False)]
        after += [(visible_change(put_in), True), (gap, False)]
    taken_out = sum(each.end - each.start for each in kept)
    length_after = len(base) + sum(len(each.replacement) - (each.end - each.start) for each in replacements)
    n_cut_after = length_after - (len(shown) - taken_out + longest - room)
    return (
        (tuple(part for part in before if part[0]), len(base) - len(shown)),
        (tuple(part for part in after if part[0]), n_cut_after),
    )
