"""What a view gives to the page: its heading, its template, and the values that the template shows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from lm_eval_sensitivity import glossary
from lm_eval_sensitivity.records.limits import LONGEST_SENTENCES
from lm_eval_sensitivity.report.blocks import Document, ResultTable, shown
from lm_eval_sensitivity.space.texts import LONGEST
from lm_eval_sensitivity.types import Note

IN_THE_GLOSSARY = {"axes": "drift"}
"""What a view of an address is called there, where that is another name: links stay as they were."""
VIEWS = {
    view: glossary.VIEWS[IN_THE_GLOSSARY.get(view, view)].title
    for view in (
        *("clusters", "answers", "axes", "heatmap", "pairs", "length", "compare", "probes"),
        *("learn", "method"),
    )
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


def plain_table(table: ResultTable, without: Collection[str] = ()) -> dict[str, Any]:
    """A table of a document as plain values for a template.

    Args:
        table: of the document.
        without: columns that would say the same in every row.

    Returns:
        `title`, `head` and `rows` of (text, whether it is a number), `note`, and whether it is a detail.
    """
    kept = [(at, column) for at, column in enumerate(table.columns) if column.name not in without]
    rows = [[(shown(row[at], column), column.is_number) for at, column in kept] for row in table.rows]
    head = [(column.name, column.is_number) for _, column in kept]
    return {
        "title": table.title,
        "head": head,
        "rows": rows,
        "note": table.note,
        "is_detail": table.is_detail,
    }
