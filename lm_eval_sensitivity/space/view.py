"""What a view gives to the page: its heading, its template, and the values that the template shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lm_eval_sensitivity.results.codec import cut
from lm_eval_sensitivity.types import Note

VIEWS = {
    "clusters": "Who can be told apart",
    "axes": "Two axes",
    "heatmap": "Every edit",
    "pairs": "One pair",
    "length": "By length",
    "compare": "Two systems",
    "learn": "Learn",
    "method": "Method and downloads",
}
"""Words of the navigation by view, in its order."""


@dataclass(frozen=True)
class View:
    """One page, before it is HTML."""

    title: str
    """The one heading of first order; ours, never a stranger's text."""
    template: str
    """File name in `space/templates`, such as `clusters.html`."""
    context: Mapping[str, Any] = field(default_factory=dict)
    """Plain values for the template. `query` and `title` are there in any case."""


def texts(notes: Iterable[Note]) -> list[str]:
    """Their sentences, as many as a page shows: a folder may hold records of which many can be made."""
    found: list[str] = cut([note.text for note in notes])
    return found
