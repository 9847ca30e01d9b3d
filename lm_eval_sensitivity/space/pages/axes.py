"""Two axes beside a reference: how far harmless edits move a system, and how far it drifted from the reference."""

from __future__ import annotations

from collections.abc import Sequence

from lm_eval_sensitivity.glossary import title_of
from lm_eval_sensitivity.report.documents.drift import drift_document
from lm_eval_sensitivity.report.marks import MARKS, mark_of
from lm_eval_sensitivity.report.plane import axes_in_words
from lm_eval_sensitivity.report.wording.drift import (
    SIGNS,
    constants_in_words,
    contrast_in_words,
    harmless_over_control,
    symbols_in_words,
    verdict_in_words,
)
from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.space.axes_drawing import Mark, drawings_of
from lm_eval_sensitivity.space.choices import Chosen, address_of, choose_metric
from lm_eval_sensitivity.space.downloads import runs_of
from lm_eval_sensitivity.space.query import Query
from lm_eval_sensitivity.space.view import View, texts
from lm_eval_sensitivity.statements.records import DriftStatement, SystemDrift
from lm_eval_sensitivity.statements.selection import PRIMARY_METRIC, PRIMARY_RUNGS
from lm_eval_sensitivity.stats.rules import MEANINGS, Constants

NO_REFERENCE = "No reference was given when these results were exported, so that drift is not defined."


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
    return _beside(results, query, results.drift[chosen.metric, chosen.filter_name], chosen)


def _beside(results: Results, query: Query, page: DriftStatement, chosen: Chosen) -> View:
    rows = results.in_order(page.systems)
    drawings = drawings_of(page, rows)
    placed = {mark.row.system for mark in drawings[0].marks}
    return View(
        title_of("drift"),
        "axes.html",
        {
            "page": page,
            "about": page.selection.number_in_words,
            "cautions": texts(page.cautions),
            "symbols": symbols_in_words(page).text,
            "constants": constants_in_words(page).text,
            "choices": chosen.choices,
            "axes": axes_in_words(page),
            "drawings": [(each, series_lines(results, each.marks)) for each in drawings],
            "rows": [
                (row, harmless_over_control(row, page), verdict_in_words(row, page.constants)) for row in rows
            ],
            "verdicts": by_label(rows),
            "pairs_of": lambda row: query.link(
                view="pairs", **chosen.address, system=address_of(results.systems[results.places[row.system]])
            ),
            "unplaced": [row for row in rows if row.system not in placed],
            "mark_of": mark_of,
            "meanings": {label: Constants().in_words(words) for label, words in MEANINGS.items()},
            "probe": [(page.reference, each) for each in page.probe],
            "contrasts": [(row.system, each) for row in rows for each in row.contrasts],
            "signs": SIGNS,
            "words": lambda contrast: contrast_in_words(contrast, page.constants),
        },
        lambda: drift_document(page, runs_of(results), results.manifest.signature),
    )


def by_label(rows: Sequence[SystemDrift]) -> dict[str, list[str]]:
    """Systems by their verdict.

    Args:
        rows: in the order of names.

    Returns:
        By label, names in their order; the reference first, the others in the order of their marks.
    """
    found = {label: [row.system for row in rows if row.label == label] for label in MARKS}
    others = {row.label: [each.system for each in rows if each.label == row.label] for row in rows}
    return {label: names for label, names in (found | others).items() if names}


def series_lines(results: Results, marks: Sequence[Mark]) -> list[tuple[str, str]]:
    """Lines through the systems of a series, in the order of its levels.

    Args:
        results: from `open_results`.
        marks: of a drawing.

    Returns:
        (name, `points` of an SVG polyline); a series with fewer than two marks has none.
    """
    at = {results.places[mark.row.system]: f"{mark.at.x},{mark.at.y}" for mark in marks}
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
