"""Strangers' text made inert and readable: what is invisible or active in it is replaced by something to see."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from lm_eval_sensitivity.types import Replacement

ELLIPSIS = "…"
CONTEXT = 16
"""Characters of the base that are shown beside a change."""
LONGEST_CHANGE = 40
MOST_CHANGES = 3

_SHOWN_AS = {"\n": "⏎", "\t": "⇥"}
_SPACES = re.compile(r"^ +| +$| {2,}")
_NEVER_AS_IS = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs")
"""Unicode categories of control, format (bidirectional), surrogate, private and unassigned characters, and of
every space but the ordinary one."""


def visible(text: str, *, changed: bool = False) -> str:
    """A text in which every invisible or active character is replaced by something to see.

    Args:
        text: anything at all.
        changed: the text is what an edit put in or took out: accents by themselves are shown too, and spaces
            other than single ones between words.

    Returns:
        Printable characters on one line.

    Example:
        >>> print(visible("a\\tb\\x1b[31m\\u202e"), visible("a word "), visible("a word ", changed=True))
        a⇥bU+001B[31mU+202E a word  a word·
    """
    if changed:
        text = _SPACES.sub(lambda spaces: "·" * len(spaces.group()), text)
    return "".join(_visible_character(character, changed) for character in text)


def _visible_character(character: str, changed: bool) -> str:
    if character == " ":
        return character
    if character in _SHOWN_AS:
        return _SHOWN_AS[character]
    category = unicodedata.category(character)
    if category in _NEVER_AS_IS or (changed and category.startswith("M")):
        return f"U+{ord(character):04X}"
    return character


def shown_change(base: str, replacements: Sequence[Replacement]) -> str:
    """What an edit did to the base, with a little of the text around it.

    An insertion is shown as `[+new]`, a deletion as `[-old]`, a replacement as `[old→new]`.

    Args:
        base: the text before the edit.
        replacements: in order, not overlapping; none for a prompt that is run again.

    Returns:
        Printable characters on one line; of many changes, the first ones and the number of the others.

    Example:
        >>> shown_change("Please recommend a book like Dune", [Replacement(23, 24, chr(0xA0))])
        '…a book[·→U+00A0]like Dune'
        >>> shown_change("Why?", [Replacement(3, 4, "")])
        'Why[-?]'
    """
    if not replacements:
        return "(the same prompt again)"
    pieces: list[str] = []
    end = 0
    for number, each in enumerate(replacements[:MOST_CHANGES]):
        gap = base[end : each.start]
        pieces += [_middle(gap, keep_start=number > 0, keep_end=True), _bracketed(base, each)]
        end = each.end
    pieces.append(_middle(base[end:], keep_start=True, keep_end=False))
    n_more = len(replacements) - MOST_CHANGES
    return "".join(pieces) + (f" (and {n_more} more changes)" if n_more > 0 else "")


def _bracketed(base: str, change: Replacement) -> str:
    old, new = (
        visible(shortened(text), changed=True)
        for text in (base[change.start : change.end], change.replacement)
    )
    if not old:
        return f"[+{new}]"
    return f"[{old}→{new}]" if new else f"[-{old}]"


def shortened(text: str, longest: int = LONGEST_CHANGE) -> str:
    """A text without its middle where it is too long.

    Args:
        text: any text.
        longest: characters from which on it is cut.

    Returns:
        The text, or its beginning, an ellipsis and its end.

    Example:
        >>> shortened("abcdefgh", 4)
        'ab…gh'
    """
    half = longest // 2
    return text if len(text) <= longest else text[:half] + ELLIPSIS + text[-half:]


def _middle(gap: str, *, keep_start: bool, keep_end: bool) -> str:
    """A piece of unchanged text, cut to the context of the changes beside it."""
    kept = CONTEXT * (keep_start + keep_end)
    if len(gap) <= kept:
        return visible(gap)
    start, end = gap[:CONTEXT] if keep_start else "", gap[-CONTEXT:] if keep_end else ""
    # Whole words where there are any.
    return visible(start.rpartition(" ")[0] or start) + ELLIPSIS + visible(end.partition(" ")[2] or end)
