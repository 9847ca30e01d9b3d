"""Distance by window: is a low distance of long outputs a fact about the answers, or about what stands before them?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lm_eval_sensitivity.glossary import title_of
from lm_eval_sensitivity.records.columns import FILTERS
from lm_eval_sensitivity.report.plane import reach
from lm_eval_sensitivity.report.windows import is_flat, telling_windows
from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.space.choices import Choice, options
from lm_eval_sensitivity.space.downloads import documents
from lm_eval_sensitivity.space.query import Query
from lm_eval_sensitivity.space.svg import Scale
from lm_eval_sensitivity.space.view import View
from lm_eval_sensitivity.statements.records import ProfilePoint
from lm_eval_sensitivity.stats import Interval, mean_interval

WIDTH, HEIGHT = 300, 190
LEFT, RIGHT, TOP, BOTTOM = 40, 12, 12, 40
APART = 3
"""Pixels by which the two filters stand beside each other, so that intervals do not hide each other."""
UNKNOWN = mean_interval([])
"""A noise floor that these results do not have."""


def show(results: Results, query: Query) -> View:
    """The view by length.

    Args:
        results: from `open_results`.
        query: the address.

    Returns:
        A panel per system, or a page that says that there are no such numbers.
    """
    if not results.windows:
        return View(title_of("length"), "nothing.html", {"what": "distances by length"})
    rung_set = query.choice("rungs", tuple(results.windows))
    rows = results.windows[rung_set]
    # From the clusters of whatever rungs: a noise floor is of the identical rung and the same for all of them.
    floors = {
        (row.system, each.metric, each.filter_name): row.noise
        for each, found in results.clusters.items()
        for row in found.systems
    }

    def floor_of(row: ProfilePoint) -> Interval:
        return floors.get((row.system, row.selection.metric, row.selection.filter_name), UNKNOWN)

    windows = telling_windows(rows)
    told = [row for row in rows if row.selection.window in windows]
    lines = [(name, own) for name in results.places if (own := [row for row in told if row.system == name])]
    # A panel of a level line, or of none, tells nothing.
    flat = [(name, own) for name, own in lines if is_flat([row for row in rows if row.system == name])]
    drawn = [line for line in lines if line not in flat]
    means = [each for _, own in drawn for row in own for each in (row.mean, floor_of(row))]
    upwards = Scale(
        0.0, reach((each.estimate for each in means), (each.upper for each in means)), HEIGHT - BOTTOM, TOP
    )
    scale = Scale(-0.5, len(windows) - 0.5, LEFT, WIDTH - RIGHT)
    columns = {window: scale(at) for at, window in enumerate(windows)}
    return View(
        title_of("length"),
        "length.html",
        {
            "lines": lines,
            "choices": (Choice("rungs", "Edits that count", options(results.windows), rung_set),),
            "panels": [(name, panel_of(own, columns)) for name, own in drawn],
            "flat": [(name, {row.selection.filter_name: row.mean for row in own}) for name, own in flat],
            "shortest": min(row.selection.window for row in rows if row.selection.window is not None),
            "columns": columns,
            "floor_of": floor_of,
            "upwards": upwards,
            "size": (WIDTH, HEIGHT),
            "margins": (LEFT, RIGHT, TOP, BOTTOM),
            "max_tokens": results.manifest.signature.decoding["max_gen_toks"],
            "has_floors": any(not math.isnan(floor_of(row).estimate) for row in rows),
        },
        documents(results).get("windows"),
    )


def panel_of(rows: Sequence[ProfilePoint], columns: Mapping[int | None, float]) -> dict[str, Any]:
    """What is drawn of one system.

    Args:
        rows: its means by filter and window.
        columns: pixels from the left by window; None is the whole output.

    Returns:
        `dots` by filter, (pixels, row) of windows with a number, of `raw` alone where `is_alike`: both filters have the
        same numbers; `n_prompts` and `n_pairs` of these as spans; `dominated`, windows of mostly scaffold.
    """
    own = sorted(rows, key=lambda row: columns[row.selection.window])
    drawn = [row for row in own if not math.isnan(row.mean.estimate)]
    numbers = [
        [(row.selection.window, row.mean, row.counts) for row in drawn if row.selection.filter_name == name]
        for name in FILTERS
    ]
    is_alike = numbers[0] == numbers[1]
    shifts = {FILTERS[0]: 0} if is_alike else dict(zip(FILTERS, (-APART, APART), strict=True))
    return {
        "is_alike": is_alike,
        "dots": {
            name: [
                (round(columns[row.selection.window] + shift, 1), row)
                for row in drawn
                if row.selection.filter_name == name
            ]
            for name, shift in shifts.items()
        },
        "n_prompts": _from_to(row.counts.n_prompts for row in drawn),
        "n_pairs": _from_to(row.counts.n_pairs for row in drawn),
        "dominated": [row.selection.window for row in own if row.scaffold_dominates],
    }


def _from_to(counts: Iterable[int]) -> str:
    """The least and the most of counts, as one number where they are the same."""
    ordered = sorted(counts)
    return " to ".join(str(each) for each in dict.fromkeys([*ordered[:1], *ordered[-1:]]))
