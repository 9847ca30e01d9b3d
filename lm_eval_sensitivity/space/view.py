"""What a view gives to the page: its heading, its template, and the values that the template shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from lm_eval_sensitivity.report.blocks import Document
from lm_eval_sensitivity.results.limits import LONGEST_SENTENCES
from lm_eval_sensitivity.space.texts import LONGEST
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
    document: Callable[[], Document] | None = None
    """Makes the document of the command with the tables of the view, for files of single tables."""


def texts(notes: Iterable[Note]) -> list[str]:
    """The sentences of notes, as many as a page has room for.

    Returns:
        Whole texts in their order; where some are left out, a sentence that says how many.

    Example:
        >>> texts([Note("remark", "one"), Note("remark", "two")])
        ['one', 'two']
        >>> texts([Note("remark", "a" * 4_000)] * 30)[-1]
        '5 more sentences are left out here.'
    """
    found = [note.text for note in notes]
    lengths = accumulate(min(len(text), LONGEST) for text in found)
    n = sum(total <= LONGEST_SENTENCES for total in lengths)
    left_out = [f"{len(found) - n} more sentences are left out here."] if n < len(found) else []
    return [*found[:n], *left_out]
