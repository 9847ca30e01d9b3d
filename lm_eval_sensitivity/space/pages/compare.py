"""Two systems side by side: one paired difference by prompt, what it rests on, and what drives it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import pyarrow as pa

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.glossary import title_of
from lm_eval_sensitivity.metrics import METRICS
from lm_eval_sensitivity.report.documents.compare import compare_document
from lm_eval_sensitivity.report.wording.compare import (
    comparison_in_words,
    rung_disagreement,
    shared_in_words,
)
from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.space.choices import (
    Choice,
    address_of,
    choose_metric,
    choose_system,
    options,
    system_choice,
)
from lm_eval_sensitivity.space.downloads import runs_of
from lm_eval_sensitivity.space.pages.pairs import in_the_table
from lm_eval_sensitivity.space.query import Query
from lm_eval_sensitivity.space.svg import Scale, scale_of
from lm_eval_sensitivity.space.view import View
from lm_eval_sensitivity.space.words import words_of
from lm_eval_sensitivity.statements import TablePartition
from lm_eval_sensitivity.statements.compare import comparison_statement
from lm_eval_sensitivity.statements.records import ComparisonStatement
from lm_eval_sensitivity.statements.selection import RUNG_SETS, Selection
from lm_eval_sensitivity.stats import Interval

CACHED = 128
"""Comparisons that are kept: one takes about a second."""


def show(results: Results, query: Query) -> View:
    """The view of two systems.

    Args:
        results: from `open_results`.
        query: the address.

    Returns:
        The comparison, or the form with the reason why there is none.
    """
    chosen = choose_metric(query, in_the_table(results))
    rungs = query.choice("rungs", tuple(RUNG_SETS))
    reference = results.manifest.reference or 0
    first = choose_system(query, results, "a", default=reference)
    others = [each.index for each in results.systems if each.index != first]
    second = choose_system(query, results, "b", default=(others or [first])[0])
    named = [address_of(results.systems[each]) for each in (first, second)]
    context = {
        "choices": (
            system_choice(results, first, "a", "First system"),
            system_choice(results, second, "b", "Second system"),
            Choice("rungs", "Rungs", options(RUNG_SETS), rungs),
            *chosen.choices,
        ),
        "first": results.systems[first],
        "second": results.systems[second],
        "metric": words_of(chosen.metric),
        "card": METRICS[chosen.metric],
        "turned": query.link(a=named[1], b=named[0]),
        "problem": None,
    }
    try:
        if first == second:
            raise InputError("Both are the same system. Choose two different ones.")
        found = comparison(results, first, second, chosen.selection(rungs))
    except InputError as error:
        return View(title_of("compare"), "compare.html", context | {"problem": str(error)})
    lines = prompt_lines(results, first, second, found.selection)
    # Of equals the order of the ladder stays.
    lines.sort(key=lambda line: -line[3])
    context |= {
        "found": found,
        "sentences": comparison_in_words(found),
        "shared": shared_in_words(found.counts),
        "disagreement": rung_disagreement,
        "noise_reasons": [
            f"{side.system}: {side.noise.reason}"
            for side in (found.first, found.second)
            if math.isnan(side.noise.estimate)
        ],
        "lines": lines,
        "drawings": dumbbells_of(lines),
        "against": against(results, query, chosen.selection(rungs)),
        # To the pairs of a prompt or an edit, in the first and in the second system.
        "links": lambda **of: [query.link(view="pairs", system=each, **of) for each in named],
        "to_prompt": lambda prompt: query.link(
            view="pairs", **chosen.address, system=named[1], prompt=prompt
        ),
    }
    return View(
        title_of("compare"),
        "compare.html",
        context,
        lambda: compare_document(found, runs_of(results), results.manifest.signature),
    )


@lru_cache(maxsize=CACHED)
def comparison(results: Results, first: int, second: int, selection: Selection) -> ComparisonStatement:
    """What `lm-eval-sensitivity compare` says of these runs, with the settings of the export.

    Args:
        results: from `open_results`.
        first: index of a system.
        second: index of another one.
        selection: metric, filter and rungs.

    Returns:
        The statement; differences are second minus first.

    Raises:
        InputError: a system has no pair in the selection.
    """
    settings = results.manifest.signature
    return comparison_statement(
        TablePartition(
            both_tables(results, first, second), settings.resamples, settings.seed, settings.weights
        ),
        results.systems[first].name,
        results.systems[second].name,
        selection,
        draws=settings.draws,
    )


def both_tables(results: Results, first: int, second: int) -> pa.Table:
    """The pairs of two systems."""
    return pa.concat_tables([results.pairs(first), results.pairs(second)])


def prompt_lines(
    results: Results, first: int, second: int, selection: Selection
) -> list[tuple[str, float, float, float]]:
    """Two systems by prompt, over the edits that are scored in both.

    Args:
        results: from `open_results`.
        first: index of a system.
        second: index of another one.
        selection: metric, filter and rungs.

    Returns:
        (prompt, mean of the first, mean of the second, second minus first), every prompt with a shared pair, in the
        order of the ladder.

    Raises:
        InputError: a damaged file.
    """
    names = (results.systems[first].name, results.systems[second].name)
    pairs = TablePartition(both_tables(results, first, second)).pairs(selection, names)
    contrast = pairs.contrast(names[1], names[0])
    order = {prompt: at for at, prompt in enumerate(pair.prompt_id for pair in results.ladder.values())}
    columns = (each.tolist() for each in (contrast.second_means, contrast.first_means, contrast.differences))
    rows = zip(contrast.prompts, *columns, strict=True)
    return sorted((row for row in rows if not math.isnan(row[3])), key=lambda row: order[row[0]])


@dataclass(frozen=True)
class Against:
    """One system beside the reference."""

    system: str
    difference: Interval
    """Its mean minus the reference's."""
    word: str
    address: str


def against(results: Results, query: Query, selection: Selection) -> list[Against]:
    """Every other system beside the reference, as the clusters of the same selection have it.

    Args:
        results: from `open_results`.
        query: the address, for links to the comparisons.
        selection: metric, filter and rungs.

    Returns:
        In the order of names; empty without a reference, or where the selection was not exported.
    """
    found = results.clusters.get(selection)
    if results.manifest.reference is None or found is None:
        return []
    reference = results.systems[results.manifest.reference]
    rows = []
    for each in found.contrasts:
        if reference.name not in (each.first, each.second):
            continue
        is_first = each.second == reference.name
        other = results.systems[results.places[each.first if is_first else each.second]]
        word = each.reason or ("told apart" if each.distinguishable else "not told apart")
        link = query.link(a=address_of(reference), b=address_of(other))
        rows.append(Against(other.name, each.difference if is_first else turned(each.difference), word, link))
    return sorted(rows, key=lambda row: results.places[row.system])


def turned(difference: Interval) -> Interval:
    """The same the other way round."""
    return replace(
        difference, estimate=-difference.estimate, lower=-difference.upper, upper=-difference.lower
    )


@dataclass(frozen=True)
class Dumbbells:
    """A row per prompt, with both means on one scale."""

    name: str
    """`wide` or `narrow`, the class that shows it."""
    width: int
    left: int
    """Room for the names of prompts."""
    letters: int
    row: int
    """Pixels of a row."""
    x: Scale


MANY = 40
"""Prompts from which rows are low and names are shown for the row that is looked at alone."""


def dumbbells_of(lines: Sequence[tuple[str, float, float, float]]) -> tuple[Dumbbells, ...]:
    """The drawing of all prompts at every size.

    Args:
        lines: from `prompt_lines`.

    Returns:
        For wide and for narrow screens.
    """
    are_named = len(lines) <= MANY
    row = 16 if are_named else 9
    means = [mean for line in lines for mean in line[1:3]]
    sizes = (("wide", 960, 210, 30), ("narrow", 350, 100, 13))
    return tuple(
        Dumbbells(
            name, width, left, letters, row, scale_of(means, (left if are_named else 0) + 8, width - 16)
        )
        for name, width, left, letters in sizes
    )
