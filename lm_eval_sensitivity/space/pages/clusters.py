"""Which systems can be told apart, and which cannot: means with intervals, and groups that overlap."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from lm_eval_sensitivity.glossary import title_of
from lm_eval_sensitivity.report.wording import disagreement
from lm_eval_sensitivity.report.wording.clusters import (
    clusters_in_words,
    detectable_in_words,
    family_in_words,
    reasons_in_words,
)
from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.space.choices import Choice, choose_metric, options
from lm_eval_sensitivity.space.query import Query
from lm_eval_sensitivity.space.svg import Scale, scale_of
from lm_eval_sensitivity.space.view import View, texts
from lm_eval_sensitivity.statements import Selection
from lm_eval_sensitivity.statements.records import SystemRow

BAR_WIDTH = 160
"""Pixels of an interval's drawing; all rows share one scale."""
MOST_ALSO = 12
"""Letters of other groups that a member names: hundreds of groups that overlap would fill the page with letters."""


def show(results: Results, query: Query) -> View:
    """The view of clusters.

    Args:
        results: from `open_results`.
        query: the address.

    Returns:
        The selection that was asked for, or a page that says that there are no clusters.
    """
    if not results.clusters:
        return View(title_of("clusters"), "nothing.html", {"what": "clusters"})
    selection, choices = choose_selection(results, query)
    page = results.clusters[selection]
    rows = results.in_order(page.systems)
    return View(
        title_of("clusters"),
        "clusters.html",
        {
            "page": page,
            "rows": rows,
            "contrasts": sorted(
                page.contrasts,
                key=lambda each: sorted((results.places[each.first], results.places[each.second])),
            ),
            "cautions": texts(page.cautions),
            "sentences": texts(clusters_in_words(page)),
            "reasons": texts(reasons_in_words(page.systems)),
            "tests": texts((*family_in_words(page), *detectable_in_words(page))),
            "choices": choices,
            "scale": bar_scale(rows),
            "bar_width": BAR_WIDTH,
            "groups": groups_of(rows),
            "without": [row for row in rows if not row.letters],
            "alpha": results.manifest.alpha,
            "disagreement": disagreement,
            "left_out": results.manifest.selections_left_out,
            "remarks": results.manifest.remarks,
        },
    )


def choose_selection(results: Results, query: Query) -> tuple[Selection, tuple[Choice, ...]]:
    """The selection of an address, among those that were exported.

    Args:
        results: with at least one selection.
        query: the address.

    Returns:
        The selection, and the selects of the form.
    """
    rung_sets = tuple(dict.fromkeys(key.rung_set for key in results.clusters))
    rung_set = query.choice("rungs", rung_sets)
    chosen = choose_metric(
        query, [(key.metric, key.filter_name) for key in results.clusters if key.rung_set == rung_set]
    )
    rungs = Choice("rungs", "Edits that count", options(rung_sets), rung_set)
    return chosen.selection(rung_set), (*chosen.choices, rungs)


def groups_of(rows: Sequence[SystemRow]) -> dict[str, list[tuple[str, str]]]:
    """Clusters as they are listed.

    Returns:
        By letter, (system, its other letters) in the order of the rows; a, ..., z, then aa.
    """
    letters = {letter for row in rows for letter in row.letters}
    return {
        letter: [(row.system, also_in(row.letters, letter)) for row in rows if letter in row.letters]
        for letter in sorted(letters, key=lambda each: (len(each), each))  # z, then aa
    }


def also_in(letters: Sequence[str], own: str) -> str:
    """The letters beside a group's own.

    Args:
        letters: of all groups that a system is in.
        own: one of them.

    Returns:
        Letters with commas between, `MOST_ALSO` at most, and how many more there are; empty without others.

    Example:
        >>> also_in(["a", "b", "c"], "b")
        'a, c'
    """
    others = [letter for letter in letters[: MOST_ALSO + 1] if letter != own][:MOST_ALSO]
    more = len(letters) - (own in letters) - len(others)
    return ", ".join(others) + (f" and {more} more" if more else "")


def bar_scale(rows: Sequence[SystemRow]) -> Scale:
    """One scale for the bars of all rows.

    Args:
        rows: all rows of the page.

    Returns:
        It holds means, bounds and noise floors.
    """
    means = ((row.mean.estimate, row.mean.lower, row.mean.upper, row.noise.estimate) for row in rows)
    return scale_of(chain.from_iterable(means), 6, BAR_WIDTH - 6)
