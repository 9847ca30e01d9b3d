"""Two systems side by side: one paired difference by prompt, what it rests on, and what drives it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import pyarrow as pa

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.glossary import title_of
from lm_eval_sensitivity.metrics import METRICS
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
from lm_eval_sensitivity.space.pages.pairs import IN_THE_TABLE
from lm_eval_sensitivity.space.query import Query
from lm_eval_sensitivity.space.svg import SMALLEST, Scale
from lm_eval_sensitivity.space.view import View
from lm_eval_sensitivity.space.words import words_of
from lm_eval_sensitivity.statements import TablePartition
from lm_eval_sensitivity.statements.compare import comparison_statement
from lm_eval_sensitivity.statements.records import ComparisonStatement
from lm_eval_sensitivity.statements.selection import RUNG_SETS, Selection

WIDTH, LEFT, RIGHT = 420, 152, 408
LINE = 16
"""Pixels of one prompt."""
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
    chosen = choose_metric(query, IN_THE_TABLE)
    rungs = query.choice("rungs", tuple(RUNG_SETS))
    first = choose_system(query, results, "a")
    second = choose_system(query, results, "b", default=min(int(first == 0), len(results.systems) - 1))
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
        "x": scale_around_0([line[3] for line in lines]),
        "line_height": LINE,
        # To the pairs of a prompt or an edit, in the first and in the second system.
        "links": lambda **of: [query.link(view="pairs", system=each, **of) for each in named],
        "width": WIDTH,
    }
    return View(title_of("compare"), "compare.html", context)


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


def scale_around_0(differences: Sequence[float]) -> Scale:
    """A scale for differences.

    Returns:
        0 stands in its middle, so that both directions look alike; -1 to 1 where all are 0.

    Example:
        >>> scale = scale_around_0([0.1, -0.2])
        >>> round(scale.high, 2), scale.low == -scale.high
        (0.21, True)
    """
    furthest = max(map(abs, differences), default=0.0)
    reach = 1.05 * furthest if furthest >= SMALLEST else 1.0
    return Scale(-reach, reach, LEFT, RIGHT)
