"""Strangers' texts made visible: what cannot be seen, or would act on what stands around it, becomes a mark.

Edits of this project are about such characters, so a reader must see them: a no-break space is no space.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

LONGEST = 4000
"""Characters of one text that a page shows."""

_SHOWN_AS = {"\n": "⏎", "\t": "⇥", "\r": "␍"}
_NAMES = {"\n": "line break", "\t": "tabulator", "\r": "carriage return"}
_SPACES = re.compile(r"^ +| +$| {2,}", re.MULTILINE)
_CATEGORIES = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs")
"""Control, format (bidirectional), surrogate, private and unassigned characters, and every space but the ordinary."""


@dataclass(frozen=True)
class Piece:
    """A run of ordinary characters, or one mark."""

    text: str
    """What is shown."""
    name: str = ""
    """Of the character that a mark stands for; empty for ordinary text."""
    ends_line: bool = False
    """The mark stands for a line break, which is made as well."""

    @property
    def is_mark(self) -> bool:
        """Whether it stands for something else."""
        return bool(self.name)


def visible(text: str) -> tuple[Piece, ...]:
    r"""A text as pieces that can be shown; put together, the ordinary pieces hold no active character.

    Spaces at the ends of a line and several in a row are marks; single ones between words are not.

    Example:
        >>> [piece.text for piece in visible("a b\u00a0c ")]
        ['a b', 'U+00A0', 'c', '·']
        >>> visible("\u202e")[0].name
        'right-to-left override'
    """
    dotted = {at for match in _SPACES.finditer(text) for at in range(*match.span())}
    pieces: list[Piece] = []
    start = 0
    for at, character in enumerate(text):
        mark = _mark(character, at in dotted)
        if mark:
            if start < at:
                pieces.append(Piece(text[start:at]))
            pieces.append(mark)
            start = at + 1
    return (*pieces, Piece(text[start:])) if start < len(text) else tuple(pieces)


def _mark(character: str, dotted: bool) -> Piece | None:
    if character == " ":
        return Piece("·", "space") if dotted else None
    if character in _SHOWN_AS:
        return Piece(_SHOWN_AS[character], _NAMES[character], ends_line=character == "\n")
    if unicodedata.category(character) in _CATEGORIES:
        code = f"U+{ord(character):04X}"
        return Piece(code, unicodedata.name(character, code).lower())
    return None


@dataclass(frozen=True)
class Cut:
    """The start of a text, and how much is not shown."""

    text: str
    n_cut: int
    """Characters after it."""


def cut(text: str, longest: int = LONGEST) -> Cut:
    """The first characters of a text.

    Example:
        >>> cut("abcdef", 4)
        Cut(text='abcd', n_cut=2)
    """
    return Cut(text[:longest], max(0, len(text) - longest))
