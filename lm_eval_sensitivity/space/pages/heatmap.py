"""Edit by system: the mean distance of every single edit, and what became of the pairs without one."""

from __future__ import annotations

import math
from itertools import groupby
from operator import itemgetter

from lm_eval_sensitivity.glossary import title_of
from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.space.choices import address_of, choose_metric
from lm_eval_sensitivity.space.query import Query
from lm_eval_sensitivity.space.view import View, texts
from lm_eval_sensitivity.statements.records import HeatmapCell

SHADES = 6
"""Steps of the one color, from nearly none to full; the number stands in the cell in any case."""


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
    means = (cell.mean.estimate for cell in page.cells)
    most = max((mean for mean in means if not math.isnan(mean)), default=0.0)
    rows = [(rung, edit, results.in_order(page.row(edit))) for rung, edit in page.edits]
    return View(
        title_of("heatmap"),
        "heatmap.html",
        {
            "page": page,
            "cautions": texts(page.cautions),
            "choices": chosen.choices,
            "rows": rows,
            "rungs": [(rung, list(lines)) for rung, lines in groupby(rows, key=itemgetter(0))],
            "key": [(shade, most * shade / SHADES, most * (shade + 1) / SHADES) for shade in range(SHADES)],
            "kind_of": kind_of,
            "shade": lambda cell: shade_of(cell.mean.estimate, most),
            "counts_of": counts_of,
            "link": lambda cell: query.link(
                view="pairs",
                **chosen.address,
                system=address_of(results.systems[results.places[cell.system]]),
                edit=cell.edit,
            ),
            "most_given": max((cell.n_given for cell in page.cells), default=0),
        },
    )


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
