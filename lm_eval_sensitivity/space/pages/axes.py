"""Two axes beside a reference: how far harmless edits move a system, and how far it drifted from the reference."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lm_eval_sensitivity.glossary import title_of
from lm_eval_sensitivity.report.wording.drift import (
    SIGNS,
    constants_in_words,
    contrast_in_words,
    harmless_over_control,
    symbols_in_words,
    verdict_in_words,
)
from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.space.choices import Chosen, choose_metric
from lm_eval_sensitivity.space.query import Query
from lm_eval_sensitivity.space.svg import Point, Scale, label_places, scale_of
from lm_eval_sensitivity.space.view import View, texts
from lm_eval_sensitivity.statements.records import DriftStatement, SystemDrift, SystemMean
from lm_eval_sensitivity.statements.selection import PRIMARY_METRIC, PRIMARY_RUNGS
from lm_eval_sensitivity.stats.rules import MEANINGS, Constants

WIDTH, HEIGHT = 640, 440
"""Of the drawing, in its own pixels."""
LEFT, RIGHT, TOP, BOTTOM = 64, 20, 16, 52
INSET = 14
"""Pixels between the axis and 0, where the reference's mark stands."""
REFERENCE = "reference"
NO_REFERENCE = "No reference was given when these results were exported, so that drift is not defined."

_ROUND = "M-6,0a6,6 0 1,0 12,0a6,6 0 1,0 -12,0Z"
SHAPES = {
    "STABLE": _ROUND,
    "RESPONSIVE": "M0,-7L7,6H-7Z",
    "DRIFTED": "M-5.5,-5.5H5.5V5.5H-5.5Z",
    "COLLAPSED": "M-6,-6L6,6M6,-6L-6,6",
    "INDISCRIMINATE": "M0,-8L7,0L0,8L-7,0Z",
    "INVALID PROBE": "M0,-7V7M-7,0H7",
    "UNDETERMINED": _ROUND,
    REFERENCE: "M0,-9L2.2,-3L8.6,-2.8L3.5,1.2L5.3,7.3L0,3.7L-5.3,7.3L-3.5,1.2L-8.6,-2.8L-2.2,-3Z",
}
"""Path of every verdict's mark, around 0, 0. UNDETERMINED is drawn hollow; the word stands in the table, too."""


def show(results: Results, query: Query) -> View:
    """The view of two axes.

    Args:
        results: from `open_results`.
        query: the address.

    Returns:
        Systems beside their reference; without one, what can be said then.
    """
    if not results.drift:
        return _without_reference(results, query)
    chosen = choose_metric(query, tuple(results.drift))
    return _beside(results, results.drift[chosen.metric, chosen.filter_name], chosen)


def _beside(results: Results, page: DriftStatement, chosen: Chosen) -> View:
    rows = results.in_order(page.systems)
    across = scale_of(
        [each for row in rows if row.drift for each in ends(row.drift)], LEFT + INSET, WIDTH - RIGHT
    )
    upwards = scale_of([each for row in rows for each in ends(row.preserving)], HEIGHT - BOTTOM, TOP)
    marks = marks_of(rows, across, upwards)
    placed = {row.system for row, *_ in marks}
    return View(
        title_of("drift"),
        "axes.html",
        {
            "page": page,
            "about": f"{page.selection.metric}, filter {page.selection.filter_name}",
            "cautions": texts(page.cautions),
            "symbols": symbols_in_words(page).text,
            "constants": constants_in_words(page).text,
            "choices": chosen.choices,
            "across": across,
            "upwards": upwards,
            "size": (WIDTH, HEIGHT),
            "margins": (LEFT, RIGHT, TOP, BOTTOM),
            "marks": marks,
            "lines": series_lines(results, marks),
            "rows": [(row, harmless_over_control(row, page)) for row in rows],
            "places": results.places,
            "unplaced": [row for row in rows if row.system not in placed],
            "verdicts": [
                (row, verdict_in_words(row, page.constants)) for row in rows if not row.is_reference
            ],
            "shapes": SHAPES,
            "meanings": {label: Constants().in_words(words) for label, words in MEANINGS.items()},
            "probe": [(page.reference, each) for each in page.probe],
            "contrasts": [(row.system, each) for row in rows for each in row.contrasts],
            "signs": SIGNS,
            "words": lambda contrast: contrast_in_words(contrast, page.constants),
        },
    )


def ends(found: SystemMean) -> tuple[float, ...]:
    """What a scale must hold of a mean.

    Args:
        found: a mean.

    Returns:
        (estimate, lower, upper); NaN where there is none.
    """
    return (found.mean.estimate, found.mean.lower, found.mean.upper)


def marks_of(
    rows: Sequence[SystemDrift], across: Scale, upwards: Scale
) -> list[tuple[SystemDrift, Point, Point]]:
    """Where systems and their labels stand.

    Args:
        rows: systems.
        across: scale of drift.
        upwards: scale of the distance under harmless edits.

    Returns:
        (system, its mark, middle of its label) in pixels, of those that have both numbers; the reference stands at
        drift 0.
    """
    placed = []
    for row in rows:
        drift = 0.0 if row.is_reference else math.nan if row.drift is None else row.drift.mean.estimate
        if not math.isnan(drift) and not math.isnan(row.preserving.mean.estimate):
            placed.append((row, Point(across(drift), upwards(row.preserving.mean.estimate))))
    labels = label_places([point for _, point in placed], width=WIDTH, height=HEIGHT - BOTTOM)
    return [(row, point, label) for (row, point), label in zip(placed, labels, strict=True)]


def series_lines(
    results: Results, marks: Sequence[tuple[SystemDrift, Point, Point]]
) -> list[tuple[str, str]]:
    """Lines through the systems of a series, in the order of its levels.

    Args:
        results: from `open_results`.
        marks: from `marks_of`.

    Returns:
        (name, `points` of an SVG polyline); a series with fewer than two marks has none.
    """
    at = {results.places[row.system]: f"{point.x},{point.y}" for row, point, _ in marks}
    lines = {name: [at[each] for each in own if each in at] for name, own in results.manifest.series.items()}
    return [(name, " ".join(points)) for name, points in lines.items() if len(points) > 1]


def _without_reference(results: Results, query: Query) -> View:
    filters = [
        (key.metric, key.filter_name)
        for key in results.clusters
        if (key.metric, key.rung_set) == (PRIMARY_METRIC, PRIMARY_RUNGS)
    ]
    chosen = choose_metric(query, filters) if filters else None
    return View(
        title_of("drift"),
        "axes_missing.html",
        {
            "reason": NO_REFERENCE if results.manifest.reference is None else None,
            "choices": chosen.choices if chosen else (),
            "rows": chosen and results.in_order(results.clusters[chosen.selection(PRIMARY_RUNGS)].systems),
            "constants": Constants(),
        },
    )
