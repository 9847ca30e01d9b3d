"""Edit by system: the mean distance of every single edit, and what became of the pairs without one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from operator import itemgetter

from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.space.choices import choose_metric
from lm_eval_sensitivity.space.query import Query
from lm_eval_sensitivity.space.view import View, texts
from lm_eval_sensitivity.statements.records import HeatmapCell

SHADES = 6
"""Steps of the one color, from nearly none to full; the number stands in the cell in any case."""


@dataclass(frozen=True)
class Shown:
    """One cell as it is drawn."""

    record: HeatmapCell
    shade: int | None
    """0 to SHADES - 1; None where there is no number, which is never colored as a small one."""
    kind: str
    """`number`, `erased`, `unscored`, `few` (prompts, for a mean) or `empty`."""
    is_partly_erased: bool
    """Some pairs never reached the system, and the number is of the others."""
    counts: str
    """What became of pairs without a number, in words; empty where all have one."""
    link: str


def show(results: Results, query: Query) -> View:
    """The view."""
    if not results.heatmaps:
        return View("Every edit", "nothing.html", {"what": "distances by edit"})
    chosen = choose_metric(query, tuple(results.heatmaps))
    page = results.heatmaps[chosen.metric, chosen.filter_name]
    means = (cell.mean.estimate for cell in page.cells)
    most = max((mean for mean in means if not math.isnan(mean)), default=0.0)
    link = partial(query.link, view="pairs", **chosen.address)
    cells = {
        (cell.edit, cell.system): shown_cell(cell, most, partial(link, system=results.places[cell.system]))
        for cell in page.cells
    }
    rows = [
        (rung, edit, [cells[edit, system.name] for system in results.systems]) for rung, edit in page.edits
    ]
    return View(
        "Every edit",
        "heatmap.html",
        {
            "page": page,
            "cautions": texts(page.cautions),
            "choices": chosen.choices,
            "rows": rows,
            "rungs": [(rung, list(lines)) for rung, lines in groupby(rows, key=itemgetter(0))],
            "key": key_of(most),
            "most_given": max((cell.n_given for cell in page.cells), default=0),
        },
    )


def shown_cell(cell: HeatmapCell, most: float, link: Callable[..., str]) -> Shown:
    """A cell, with its link to the pairs behind it.

    Args:
        cell: as it was exported.
        most: largest mean of the table.
        link: makes the address of the system's pairs from `edit`.
    """
    kind = kind_of(cell)
    shade = shade_of(cell.mean.estimate, most) if kind == "number" else None
    return Shown(
        record=cell,
        shade=shade,
        kind=kind,
        is_partly_erased=kind == "number" and cell.counts.n_erased > 0,
        counts=counts_of(cell),
        link=link(edit=cell.edit),
    )


def kind_of(cell: HeatmapCell) -> str:
    """What a cell shows. What was erased is no number, whatever else the cell says."""
    if cell.n_given == 0:
        return "empty"
    if cell.counts.n_erased == cell.n_given:
        return "erased"
    if not math.isnan(cell.mean.estimate):
        return "number"
    return "few" if cell.counts.n_pairs else "unscored"


def shade_of(value: float, most: float) -> int:
    """Step of the color, in equal parts from 0 to the largest mean of the table.

    Example:
        >>> [shade_of(value, 0.6) for value in (0.0, 0.09, 0.31, 0.6)]
        [0, 0, 3, 5]
    """
    return min(SHADES - 1, max(0, int(value / most * SHADES))) if most > 0 else 0


def counts_of(cell: HeatmapCell) -> str:
    """What became of the pairs without a number."""
    said = [
        f"{count} of {cell.n_given} {word}"
        for count, word in ((cell.counts.n_erased, "erased"), (cell.counts.n_unscored, "unscored"))
        if count
    ]
    return ", ".join(said)


def key_of(most: float) -> list[tuple[int, float, float]]:
    """(shade, from, to) of every step of the color."""
    return [(shade, most * shade / SHADES, most * (shade + 1) / SHADES) for shade in range(SHADES)]
