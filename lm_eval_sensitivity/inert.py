"""Strangers' texts inside messages: on one line, and with nothing in them that a terminal would obey.

For messages only. Where a reader must see white space (a card, a table of edits) it gets visible marks instead.
"""

from __future__ import annotations

import reprlib

_QUOTED = reprlib.Repr()
_QUOTED.maxstring = 80


def inert(text: str) -> str:
    r"""A text in which every character that cannot be printed is escaped, line breaks included.

    Args:
        text: anything at all, half surrogates included.

    Returns:
        A printable text on one line; a text that was one already is returned as it is.

    Example:
        >>> print(inert("two\nlines\x1b[31m"), inert("café"))
        two\nlines\x1b[31m café
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def quoted(text: str) -> str:
    r"""A text in quotes, escaped, and cut in its middle where it is longer than 80 characters.

    Example:
        >>> print(quoted("a\x1b[31m"))
        'a\x1b[31m'
    """
    return _QUOTED.repr(text)


def brief(problem: str, longest: int = 300) -> str:
    r"""What somebody else's error says, to stand inside a sentence: one line, inert, and no full stop at its end.

    Args:
        problem: the message, of any length and with any characters.
        longest: most characters of it that are taken; it is cut between words.

    Example:
        >>> brief("Not found.\n\nCheck the name."), brief("one two three", 9)
        ('Not found. Check the name', 'one two [...]')
    """
    text = inert(" ".join(problem.split()))
    if len(text) <= longest:
        return text.rstrip(".: ")
    return (text[: longest + 1].rpartition(" ")[0] or text[:longest]).rstrip(".,;: ") + " [...]"
