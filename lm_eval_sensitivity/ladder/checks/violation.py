"""One broken promise of a ladder, with its place."""

from __future__ import annotations

import reprlib
from dataclasses import dataclass

_REPR = reprlib.Repr()
_REPR.maxstring = 80


@dataclass(frozen=True)
class Violation:
    """What one check found at one place.

    Example:
        >>> print(Violation("length", "is empty; accepted is a text.", "tea/identical", "base", "a.jsonl"))
        `a.jsonl`, row 'tea/identical': `base` is empty; accepted is a text. [length]
    """

    check: str
    """Name of the check."""
    problem: str
    """What stands there and what is accepted: the rest of a sentence whose subject is the column, or a whole
    sentence where no column is to blame."""
    row: str = ""
    """Pair id; empty where the whole table is meant."""
    column: str = ""
    file: str = ""

    def __str__(self) -> str:
        row = f", row {shown(self.row)}" if self.row else ""
        column = f"`{self.column}` " if self.column else ""
        return f"`{self.file}`{row}: {column}{self.problem} [{self.check}]"


def shown(text: str) -> str:
    r"""A stranger's text in quotes, cut in its middle, with nothing in it that a terminal would obey.

    Example:
        >>> shown("a\x1b[31m")
        "'a\\x1b[31m'"
    """
    return _REPR.repr(text)
