"""Edit by system: the mean distance of every single edit, and what became of the pairs without one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lm_eval_sensitivity.glossary import title_of
from lm_eval_sensitivity.report.documents.heatmap import heatmap_document
from lm_eval_sensitivity.report.wording.finding import edits_in_words
from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.space.choices import address_of, choose_metric
from lm_eval_sensitivity.space.downloads import runs_of
from lm_eval_sensitivity.space.query import Query
from lm_eval_sensitivity.space.view import View, texts
from lm_eval_sensitivity.statements.records import HeatmapCell, HeatmapStatement
from lm_eval_sensitivity.statements.selection import number_in_words
from lm_eval_sensitivity.types import Rung

SHADES = 6
"""Steps of the one color, from nearly none to full; the number stands in the cell in any case."""
LADDER, EDIT = "ladder", "edit"
"""How edits may stand, beside by the distance of a system: mildest first, or by name."""


@dataclass(frozen=True)
class Row:
    """One edit of every system."""

    rung: Rung
    edit: str
    cells: list[HeatmapCell]
    """By the name of the system."""


def show(results: Results, query: Query) -> View:
    """The view of every edit.

    Args:
        results: from `open_results`.
        query: the address.

    Returns:
        Edits by systems, or a page that says that there are none.
    """
    if not results.heatmaps:
        return View(title_of("heatmap"), "nothing.html", {"what": "distances by edit"})
    chosen = choose_metric(query, tuple(results.heatmaps))
    page = results.heatmaps[chosen.metric, chosen.filter_name]
    named = [address_of(results.systems[results.places[each]]) for each in sorted_names(results, page)]
    sort = query.choice("sort", (LADDER, EDIT, *named), LADDER)
    means = (cell.mean.estimate for cell in page.cells)
    most = max((mean for mean in means if not math.isnan(mean)), default=0.0)
    rows = [Row(rung, edit, results.in_order(page.row(edit))) for rung, edit in page.edits]
    ran = {rung: systems_on(rows, rung) for rung in dict.fromkeys(row.rung for row in rows)}
    rare = {rung for rung, n in ran.items() if 2 * n <= len(page.systems)}
    stand = sorted(rows, key=_key(sort, named))
    return View(
        title_of("heatmap"),
        "heatmap.html",
        {
            "page": page,
            "about": number_in_words(page.metric, page.filter_name),
            "findings": texts(edits_in_words(page)),
            "cautions": texts(page.cautions),
            "choices": chosen.choices,
            "rows": [row for row in stand if row.rung not in rare],
            "rare_rows": [row for row in stand if row.rung in rare],
            "rare": {rung: n for rung, n in ran.items() if rung in rare},
            "systems": list(zip(named, sorted_names(results, page), strict=True)),
            "sort": sort,
            "sorting": lambda by: (query.link(sort=by), _standing(sort, by)),
            "key": [(shade, most * shade / SHADES, most * (shade + 1) / SHADES) for shade in range(SHADES)],
            "kinds": {kind_of(cell) for cell in page.cells}
            | {"partly" for cell in page.cells if kind_of(cell) == "number" and cell.counts.n_erased},
            "kind_of": kind_of,
            "shade": lambda cell: shade_of(cell.mean.estimate, most),
            "marks_of": marks_of,
            "counts_of": counts_of,
            "link": lambda cell: query.link(
                view="pairs",
                **chosen.address,
                system=address_of(results.systems[results.places[cell.system]]),
                edit=cell.edit,
            ),
            "most_given": max((cell.n_given for cell in page.cells), default=0),
        },
        lambda: heatmap_document((page,), runs_of(results), results.manifest.signature),
    )


def sorted_names(results: Results, page: HeatmapStatement) -> list[str]:
    """The systems of a heatmap in the order of the page."""
    return sorted(page.systems, key=results.places.__getitem__)


def _standing(sort: str, by: str) -> str:
    """`aria-sort` of a heading: distances stand with the furthest first."""
    return "none" if sort != by else "ascending" if by in (LADDER, EDIT) else "descending"


def _key(sort: str, named: Sequence[str]) -> Callable[[Row], Any]:
    """Those alike stay in the order of the ladder."""
    if sort == LADDER:
        return lambda row: 0
    if sort == EDIT:
        return lambda row: row.edit
    at = named.index(sort)

    def distance(row: Row) -> tuple[bool, float]:
        mean = row.cells[at].mean.estimate
        return math.isnan(mean), 0.0 if math.isnan(mean) else -mean

    return distance


def systems_on(rows: Sequence[Row], rung: Rung) -> int:
    """How many systems were run on any edit of a rung."""
    of_rung = [row.cells for row in rows if row.rung == rung]
    return sum(any(cell.n_given for cell in cells) for cells in zip(*of_rung, strict=True))


def marks_of(cell: HeatmapCell) -> str:
    """The same as `counts_of`, short.

    Returns:
        `2e 1u`, or empty.
    """
    counts = cell.counts
    return " ".join(f"{n}{mark}" for n, mark in ((counts.n_erased, "e"), (counts.n_unscored, "u")) if n)


def kind_of(cell: HeatmapCell) -> str:
    """What a cell shows.

    What was erased is no number, whatever else the cell says.

    Returns:
        `number`, `erased`, `unscored`, `few` (prompts, for a mean) or `empty`.
    """
    if cell.n_given == 0:
        return "empty"
    if cell.counts.n_erased == cell.n_given:
        return "erased"
    if not math.isnan(cell.mean.estimate):
        return "number"
    return "few" if cell.counts.n_pairs else "unscored"


def shade_of(value: float, most: float) -> int:
    """Step of the color.

    Args:
        value: a mean.
        most: the largest mean of the table.

    Returns:
        0 to `SHADES` - 1, in equal parts of 0 to `most`; 0 where that is not above 0.

    Example:
        >>> [shade_of(value, 0.6) for value in (0.0, 0.09, 0.31, 0.6)]
        [0, 0, 3, 5]
    """
    return min(SHADES - 1, max(0, int(value / most * SHADES))) if most > 0 else 0


def counts_of(cell: HeatmapCell) -> str:
    """What became of the pairs without a number.

    Returns:
        `2 of 9 erased, 1 of 9 unscored`, or empty.
    """
    said = [
        f"{count} of {cell.n_given} {word}"
        for count, word in ((cell.counts.n_erased, "erased"), (cell.counts.n_unscored, "unscored"))
        if count
    ]
    return ", ".join(said)
