"""Strangers' texts made visible: what cannot be seen, or would act on what stands around it, becomes a mark.

Edits of this project are about such characters, so a reader must see them: a no-break space is no space.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

LONGEST = 4000
"""Characters of one text that a page shows."""
LONGEST_NAME = 200
"""Characters of a name that a page shows: it may stand in a hundred places of one page."""
MARK_COUNTS = 8
"""Characters that a mark counts as: about what it takes on the screen, and a tenth of what it takes in HTML."""

_SHOWN_AS = {"\n": "⏎", "\t": "⇥", "\r": "U+000D"}
_NAMES = {"\n": "line break", "\t": "tabulator", "\r": "carriage return"}
_SPACES = re.compile(r"^ +| +$| {2,}", re.MULTILINE)
_CATEGORIES = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs")
"""Control, format (bidirectional), surrogate, private and unassigned characters, and every space but the ordinary."""
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U00016fe4\U0001d159\U000e0100-\U000e01ef]"
)
"""What other categories have without a shape of its own: joiners, blank fillers, variation selectors. Unicode calls
most of them default ignorable, which Python's tables do not know."""


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
    r"""A text as pieces that can be shown.

    Spaces at the ends of a line and several in a row are marks; single ones between words are not.

    Returns:
        Pieces in the order of the text; the ordinary ones hold no active character.

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


@lru_cache(maxsize=4_096)  # a page asks a million times, of few characters
def _mark(character: str, dotted: bool) -> Piece | None:
    if character == " ":
        return Piece("·", "space") if dotted else None
    if character in _SHOWN_AS:
        return Piece(_SHOWN_AS[character], _NAMES[character], ends_line=character == "\n")
    if unicodedata.category(character) in _CATEGORIES or _UNSEEN.match(character):
        code = f"U+{ord(character):04X}"
        return Piece(code, unicodedata.name(character, code).lower())
    return None


def shown(text: str, longest: int = LONGEST) -> tuple[tuple[Piece, ...], int]:
    r"""A text as pieces, cut where it is long. A mark counts as `MARK_COUNTS` characters.

    Args:
        text: of a stranger.
        longest: characters that are shown.

    Returns:
        The pieces, and how many characters after them are not shown.

    Example:
        >>> pieces, n_cut = shown("ab\u00a0cdef", 11)
        >>> [piece.text for piece in pieces], n_cut
        (['ab', 'U+00A0', 'c'], 3)
    """
    pieces: list[Piece] = []
    room, n_shown = longest, 0
    # One character more, so that a single space before the cut is not taken for one at the end of a line.
    for piece in visible(text[: longest + 1]):
        fitting = piece if piece.is_mark else Piece(piece.text[:room])
        room -= MARK_COUNTS if piece.is_mark else len(piece.text)
        if fitting.text and (room >= 0 or not piece.is_mark):
            pieces.append(fitting)
            n_shown += 1 if piece.is_mark else len(fitting.text)
        if room <= 0:
            break
    return tuple(pieces), len(text) - n_shown


def in_plain_text(text: str, longest: int = LONGEST_NAME) -> str:
    r"""A text for where no element can stand, such as an option or a label: marks are words in brackets.

    Args:
        text: of a stranger.
        longest: characters that are shown.

    Returns:
        The text without active characters; an ellipsis at its end where it was cut.

    Example:
        >>> in_plain_text("a\u202eb"), in_plain_text("abcdef", 4)
        ('a[U+202E]b', 'abcd…')
    """
    pieces, n_cut = shown(text, longest)
    words = "".join(
        f"[{piece.text}]" if piece.is_mark and piece.name != "space" else piece.text for piece in pieces
    )
    return f"{words}…" if n_cut else words


def ends(text: str, letters: int) -> str:
    """A name for a drawing: where it is long, its middle is left out, because names of a family differ at their ends.

    Args:
        text: of a stranger.
        letters: that are shown, at least 3.

    Returns:
        The text as `in_plain_text` has it, with an ellipsis in its middle where it was longer.

    Example:
        >>> ends("a-model-7b-int4", 9), ends("short", 9)
        ('a-m…-int4', 'short')
    """
    whole = in_plain_text(text)
    first = (letters - 1) * 2 // 5
    return (
        whole if len(whole) <= letters else f"{whole[:first]}…{whole[len(whole) - (letters - 1 - first) :]}"
    )
