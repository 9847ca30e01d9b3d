"""One broken promise of a ladder, with its place; and the rows of a ladder prompt by prompt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lm_eval_sensitivity.text.escape import inert, quoted
from lm_eval_sensitivity.types import Pair


@dataclass(frozen=True)
class Violation:
    """What one check found at one place; as a text one line that no terminal obeys, whatever file and row hold.

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
        row = f", row {quoted(self.row)}" if self.row else ""
        column = f"`{self.column}` " if self.column else ""
        return inert(f"`{self.file}`{row}: {column}{self.problem} [{self.check}]")


def rows_by_prompt(pairs: Iterable[Pair]) -> dict[str, tuple[Pair, ...]]:
    """The pairs of each prompt.

    Returns:
        Prompt id to pairs, both in ladder order.

    Example:
        >>> rows_by_prompt([])
        {}
    """
    rows: dict[str, list[Pair]] = {}
    for pair in pairs:
        rows.setdefault(pair.prompt_id, []).append(pair)
    return {prompt: tuple(found) for prompt, found in rows.items()}


def first_rows(pairs: Iterable[Pair]) -> list[Pair]:
    """One row of each prompt: violations of a base are named by it.

    Returns:
        The first row of each, in ladder order.
    """
    return [rows[0] for rows in rows_by_prompt(pairs).values()]
