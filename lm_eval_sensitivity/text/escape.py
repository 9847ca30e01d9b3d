"""Strangers' texts inside messages: on one line, and with nothing in them that a terminal would obey.

For messages only. Where a reader must see white space (a card, a table of edits) it gets visible marks instead.
"""

from __future__ import annotations

import reprlib
from pathlib import Path
from typing import Any

_QUOTED = reprlib.Repr()
_QUOTED.maxstring = 80
_LONGEST = 80
_LONGEST_PATH = 600
_LONGEST_MESSAGE = 2_000


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


def is_text(text: str) -> bool:
    """Whether a text can be written as UTF-8.

    Args:
        text: a path from the command line holds half surrogates where its bytes were no text.

    Returns:
        False where a half surrogate stands in it.

    Example:
        >>> is_text("café"), is_text("caf" + chr(0xDCE9))
        (True, False)
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def quoted(text: str) -> str:
    r"""A text in quotes, escaped, and cut in its middle where it is longer than 80 characters.

    Args:
        text: anything at all.

    Returns:
        A printable text on one line, at most about 80 characters.

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

    Returns:
        A printable text on one line, at most `longest` characters and a mark that it was cut.

    Example:
        >>> brief("Not found.\n\nCheck the name."), brief("one two three", 9)
        ('Not found. Check the name', 'one two [...]')
    """
    text = inert(" ".join(problem.split()))
    if len(text) <= longest:
        return text.rstrip(".: ")
    return (text[: longest + 1].rpartition(" ")[0] or text[:longest]).rstrip(".,;: ") + " [...]"


def shown(value: Any) -> str:
    """A value from a stranger's file, for a message: quoted, escaped, and cut.

    Args:
        value: what a JSON file can hold.

    Returns:
        A printable text on one line; lists and objects are named, not shown.

    Example:
        >>> print(shown("a\\x1b[31m"), shown([1] * 1000), shown(None), shown(7.0))
        'a\\x1b[31m' a list null 7.0
    """
    if value is None:
        return "null"
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    if isinstance(value, str):
        # repr escapes what is not printable: control characters, direction marks, half surrogates.
        return repr(value) if len(value) <= _LONGEST else f"{value[:_LONGEST]!r}..."
    text = repr(value)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."


def shown_path(path: Path) -> str:
    """A path whose unprintable characters are escaped: file names may come from strangers, too.

    Args:
        path: need not exist.

    Returns:
        A printable text on one line; of a long path, the end.

    Example:
        >>> print(shown_path(Path("runs/a\\x1b[31m.json")))
        runs/a\\x1b[31m.json
    """
    text = str(path)
    # The end holds the file's name.
    return inert(text if len(text) <= _LONGEST_PATH else "..." + text[-_LONGEST_PATH:])


def one_line(error: Exception) -> str:
    """An error's message, inert and of limited length: it may quote a stranger's file.

    Args:
        error: any exception.

    Returns:
        A printable text on one line.

    Example:
        >>> print(one_line(ValueError("a\\x1b[31m" + "b" * 10_000))[:12])
        a\\x1b[31mbbb
    """
    text = str(error)
    return inert(text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + "...")
