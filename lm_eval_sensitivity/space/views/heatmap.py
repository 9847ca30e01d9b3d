"""Edit by system: the mean distance of every single edit, and what became of the pairs without one."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.results.records import HeatmapCellRow
from lm_eval_sensitivity.space.choices import choose_metric
from lm_eval_sensitivity.space.query import Query
from lm_eval_sensitivity.space.view import View

SHADES = 6
"""Steps of the one colour, from nearly none to full; the number stands in the cell in any case."""


@dataclass(frozen=True)
class Shown:
    """One cell as it is drawn."""

    record: HeatmapCellRow
    shade: int | None
    """0 to SHADES - 1; None where there is no number, which is never coloured as a small one."""
    kind: str
    """`number`, `erased`, `unscored` or `empty`."""
    counts: str
    """What became of pairs without a number, in words; empty where all have one."""
    link: str


def show(results: Results, query: Query) -> View:
    """The view."""
    if not results.heatmap_keys():
        return View("Every edit", "nothing.html", {"what": "distances by edit"})
    chosen = choose_metric(query, results.heatmap_keys())
    page = results.heatmap(chosen.metric, chosen.filter_name)
    most = max((cell.mean for cell in page.cells.values() if cell.mean is not None), default=0.0)
    rows = [
        (rung, edit, [shown_cell(page.cells[edit, system.index], most, query) for system in results.systems])
        for rung, edit in page.edits
    ]
    return View(
        "Every edit",
        "heatmap.html",
        {
            "page": page,
            "choices": chosen.choices,
            "rows": rows,
            "rungs": [(rung, list(lines)) for rung, lines in groupby(rows, key=itemgetter(0))],
            "key": key_of(most),
        },
    )


def shown_cell(cell: HeatmapCellRow, most: float, query: Query) -> Shown:
    """A cell, with its link to the pairs behind it."""
    kind = kind_of(cell)
    shade = shade_of(cell.mean, most) if kind == "number" and cell.mean is not None else None
    return Shown(
        cell, shade, kind, counts_of(cell), query.link(view="pairs", system=cell.system, edit=cell.edit)
    )


def kind_of(cell: HeatmapCellRow) -> str:
    """What a cell shows."""
    if cell.mean is not None:
        return "number"
    if cell.n_given == 0:
        return "empty"
    return "erased" if cell.n_erased == cell.n_given else "unscored"


def shade_of(value: float, most: float) -> int:
    """Step of the colour, in equal parts from 0 to the largest mean of the table.

    Example:
        >>> [shade_of(value, 0.6) for value in (0.0, 0.09, 0.31, 0.6)]
        [0, 0, 3, 5]
    """
    return min(SHADES - 1, max(0, int(SHADES * value / most))) if most > 0 else 0


def counts_of(cell: HeatmapCellRow) -> str:
    """What became of the pairs without a number.

    Example:
        See `tests/unit/space/test_heatmap_view.py`.
    """
    said = [
        f"{count} of {cell.n_given} {word}"
        for count, word in ((cell.n_erased, "erased"), (cell.n_unscored, "unscored"))
        if count
    ]
    return ", ".join(said)


def key_of(most: float) -> list[tuple[int, float, float]]:
    """(shade, from, to) of every step of the colour."""
    return [(shade, most * shade / SHADES, most * (shade + 1) / SHADES) for shade in range(SHADES)]
