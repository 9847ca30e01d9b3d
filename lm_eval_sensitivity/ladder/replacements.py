"""Replacements: the exact character spans in which a variant differs from its base."""

from __future__ import annotations

from collections.abc import Iterable

from lm_eval_sensitivity.types import Replacement


def apply_replacements(base: str, replacements: Iterable[Replacement]) -> str:
    """The variant that `replacements` make of `base`.

    Args:
        base: the text that the offsets refer to.
        replacements: sorted by `start`, not overlapping, inside `base`.

    Returns:
        The edited text; the base itself where there is nothing to replace.

    Raises:
        ValueError: they are not sorted, overlap, or leave the text.

    Example:
        >>> apply_replacements("one two", [Replacement(0, 3, "1"), Replacement(7, 7, ".")])
        '1 two.'
        >>> apply_replacements("one", [Replacement(2, 9, "")])
        Traceback (most recent call last):
            ...
        ValueError: the replacement of characters 2 to 9 does not fit a text of 3 characters
    """
    pieces: list[str] = []
    position = 0
    for each in replacements:
        if not 0 <= each.start <= each.end <= len(base):
            raise ValueError(
                f"the replacement of characters {each.start} to {each.end} does not fit a text of "
                f"{len(base)} characters"
            )
        if each.start < position:
            raise ValueError(
                f"the replacement at character {each.start} starts before the end of the one before it, "
                f"{position}"
            )
        pieces += [base[position : each.start], each.replacement]
        position = each.end
    pieces.append(base[position:])
    return "".join(pieces)


def minimal_replacement(base: str, variant: str) -> tuple[Replacement, ...]:
    """The one replacement that turns `base` into `variant`, without their common start and end.

    The start is trimmed first, so a doubled character is recorded as an insertion after the first
    one. Equal texts need no replacement.

    Returns:
        One replacement, or none for equal texts.

    Example:
        >>> minimal_replacement("a small step", "a tiny step")
        (Replacement(start=2, end=7, replacement='tiny'),)
        >>> minimal_replacement("same", "same")
        ()
    """
    if base == variant:
        return ()
    shorter = min(len(base), len(variant))
    start = 0
    while start < shorter and base[start] == variant[start]:
        start += 1
    kept = 0  # characters of the common end that the common start does not already use
    while kept < shorter - start and base[-1 - kept] == variant[-1 - kept]:
        kept += 1
    return (Replacement(start, len(base) - kept, variant[start : len(variant) - kept]),)
