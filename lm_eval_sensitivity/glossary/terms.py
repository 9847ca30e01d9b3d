"""What a term is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "thing",
    "view",
    "rung",
    "rung set",
    "edit",
    "filter",
    "verdict",
    "label",
    "count",
    "column",
    "letter",
]


@dataclass(frozen=True)
class Term:
    """One word, and what it means."""

    name: str
    """As it is written everywhere; what can be typed, as it is typed."""
    meaning: str
    """One sentence or two."""
    title: str = ""
    """Heading of a view; what stands in a list of choices."""


def by_name(terms: Iterable[Term]) -> dict[str, Term]:
    """Terms by their names, in their order."""
    found = list(terms)
    made = {each.name: each for each in found}
    assert len(made) == len(found), "a name stands for one thing"
    return made
