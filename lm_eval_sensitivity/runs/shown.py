"""Strangers' values inside one-line messages: short, and inert on a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lm_eval_sensitivity.inert import inert

_LONGEST = 80
_LONGEST_PATH = 600
_LONGEST_MESSAGE = 2_000


def shown(value: Any) -> str:
    """A value from a stranger's file, for a message: quoted, escaped, and cut.

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

    Example:
        >>> print(shown_path(Path("runs/a\\x1b[31m.json")))
        runs/a\\x1b[31m.json
    """
    text = str(path)
    # The end holds the file's name.
    return inert(text if len(text) <= _LONGEST_PATH else "..." + text[-_LONGEST_PATH:])


def one_line(error: Exception) -> str:
    """An error's message, inert and of limited length: it may quote a stranger's file.

    Example:
        >>> print(one_line(ValueError("a\\x1b[31m" + "b" * 10_000))[:12])
        a\\x1b[31mbbb
    """
    text = str(error)
    return inert(text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + "...")
