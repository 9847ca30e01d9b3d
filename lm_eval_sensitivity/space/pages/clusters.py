"""Which systems can be told apart, and which cannot: means with intervals, and groups that overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

from lm_eval_sensitivity.glossary import title_of
from lm_eval_sensitivity.report.documents.clusters import clusters_document
from lm_eval_sensitivity.report.wording import disagreement
from lm_eval_sensitivity.report.wording.clusters import (
    clusters_in_words,
    detectable_in_words,
    family_in_words,
    reasons_in_words,
)
from lm_eval_sensitivity.report.wording.finding import finding_in_words
from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.space.choices import Choice, address_of, choose_metric, options
from lm_eval_sensitivity.space.downloads import runs_of
from lm_eval_sensitivity.space.pages.answers import by_task, closing
from lm_eval_sensitivity.space.query import Query
from lm_eval_sensitivity.space.svg import Scale, scale_of
from lm_eval_sensitivity.space.view import View, texts
from lm_eval_sensitivity.statements import Selection
from lm_eval_sensitivity.statements.records import ClustersStatement, SystemRow
from lm_eval_sensitivity.stats import MIN_PROMPTS
from lm_eval_sensitivity.stats.alive import LIFELESS
from lm_eval_sensitivity.types import Note

BAR_WIDTH = 300
"""Pixels of an interval's drawing; all rows share one scale."""
COLORS = 6
"""Of groups."""
MOST_LETTERS = 12
"""Letters that a row names: hundreds of groups that overlap would fill the page with letters."""
RESPONDS = {"yes": "responds", "unclear": "response unclear", None: "not judged"}
"""What another request does, in a word; a system that does not respond gets the word of its verdict."""
CONTROL = "positive_control"
SORTS = ("name", "name_reversed")
"""Systems stand by name, and by nothing else: no order of merit is stated."""


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
    sort = query.choice("sort", SORTS)
    rows = results.in_order(page.systems)
    control = results.clusters.get(replace(selection, rung_set=CONTROL))
    yardstick = control if control is not page else None
    notes = beside_the_numbers(page)
    return View(
        title_of("clusters"),
        "clusters.html",
        {
            "page": page,
            "rows": rows[::-1] if sort == SORTS[1] else rows,
            "findings": texts(finding_in_words(page, yardstick)),
            "of_tasks": [] if results.manifest.is_of_answers else closing(by_task(results)),
            "to_answers": query.link(view="answers"),
            "controls": {row.system: row.mean for row in yardstick.systems} if yardstick else {},
            "cautions_of": {
                row.system: texts(each for each in notes if each.about == (row.system,)) for row in rows
            },
            "cautions": texts(each for each in notes if len(each.about) != 1),
            "pairs_of": lambda row: query.link(
                view="pairs", system=address_of(results.systems[results.places[row.system]])
            ),
            "is_reversed": sort == SORTS[1],
            "turned": query.link(sort=SORTS[0] if sort == SORTS[1] else SORTS[1]),
            "contrasts": sorted(
                page.contrasts,
                key=lambda each: sorted((results.places[each.first], results.places[each.second])),
            ),
            "sentences": texts(clusters_in_words(page)),
            "tests": texts((*family_in_words(page), *detectable_in_words(page))),
            "choices": choices,
            "scale": bar_scale(rows, yardstick),
            "bar_width": BAR_WIDTH,
            "lifeless": LIFELESS,
            "responds": RESPONDS,
            "colors": colors_of(rows),
            "most_letters": MOST_LETTERS,
            "alpha": results.manifest.alpha,
            "disagreement": disagreement,
            "left_out": results.manifest.selections_left_out,
            "remarks": results.manifest.remarks,
        },
        lambda: clusters_document((page,), runs_of(results), results.manifest.signature, pairwise=False),
    )


def beside_the_numbers(page: ClustersStatement) -> tuple[Note, ...]:
    """What must not be missed: cautions, and why a number is not there or was made in another way.

    Args:
        page: one selection.

    Returns:
        Cautions, then reasons system by system; that a system has too few prompts for a mean is a caution already.
    """
    said = (
        replace(row, mean=replace(row.mean, reason=None)) if row.mean.n < MIN_PROMPTS else row
        for row in page.systems
    )
    return (*page.cautions, *(note for row in said for note in reasons_in_words((row,))))


def colors_of(rows: Sequence[SystemRow]) -> dict[str, int]:
    """Colors of the letters of groups; after `COLORS` letters they begin anew, for a letter is read, not seen.

    Args:
        rows: all rows of the page.

    Returns:
        By letter, the number of its color.
    """
    letters = {letter for row in rows for letter in row.letters}
    in_order = sorted(letters, key=lambda each: (len(each), each))  # z, then aa
    return {letter: at % COLORS for at, letter in enumerate(in_order)}


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


def bar_scale(rows: Sequence[SystemRow], control: ClustersStatement | None = None) -> Scale:
    """One scale for the bars of all rows.

    Args:
        rows: all rows of the page.
        control: what another request moves, if that stands beside them.

    Returns:
        It holds means, bounds, noise floors, and the means of the control.
    """
    means = ((row.mean.estimate, row.mean.lower, row.mean.upper, row.noise.estimate) for row in rows)
    others = (row.mean.estimate for row in control.systems) if control else ()
    return scale_of(chain(chain.from_iterable(means), others), 6, BAR_WIDTH - 6)
