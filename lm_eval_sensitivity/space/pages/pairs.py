"""Pairs: the list behind a number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow.compute as pc

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.glossary import title_of
from lm_eval_sensitivity.metrics import METRICS
from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.space.choices import (
    Choice,
    address_of,
    choose_metric,
    choose_system,
    options,
    system_choice,
)
from lm_eval_sensitivity.space.pages.pair import show_pair
from lm_eval_sensitivity.space.query import Query
from lm_eval_sensitivity.space.view import View
from lm_eval_sensitivity.space.words import words_of
from lm_eval_sensitivity.statements.selection import RUNG_SETS
from lm_eval_sensitivity.text.escape import shown
from lm_eval_sensitivity.types import Pair

IN_THE_TABLE = tuple((metric, name) for metric in METRICS for name in METRICS[metric].filters)
"""(metric, filter) of every number that a pair can have."""
MOST_LINES = 500
"""Pairs of one list."""
ALL_EDITS = "all"


def show(results: Results, query: Query) -> View:
    """The view of pairs.

    Args:
        results: from `open_results`.
        query: the address.

    Returns:
        One pair where the address names one, else the list; a pair that cannot be shown is complained of.
    """
    asked = query.given("pair")
    if asked:
        try:
            return show_pair(results, query, _of_the_ladder(results, asked))
        except InputError as error:
            query.complaints.append(f"{error} Shown is the list of pairs.")
    return show_list(results, query)


def _of_the_ladder(results: Results, pair_id: str) -> Pair:
    if pair_id not in results.ladder:
        raise InputError(f"There is no pair {shown(pair_id)} in these results. Choose one of their pairs.")
    return results.ladder[pair_id]


# ---- the list


def show_list(results: Results, query: Query) -> View:
    """The pairs of one system.

    Args:
        results: from `open_results`.
        query: the address.

    Returns:
        At most `MOST_LINES` pairs, in the order of the ladder, and how many there are.

    Raises:
        InputError: a damaged file.
    """
    chosen = choose_metric(query, IN_THE_TABLE)
    system = choose_system(query, results)
    ladder = tuple(results.ladder.values())
    edits = tuple(dict.fromkeys(pair.edit for pair in ladder))
    edit = query.choice("edit", (ALL_EDITS, *edits), ALL_EDITS)
    rungs = query.choice("rungs", tuple(RUNG_SETS))
    prompt = query.optional("prompt", tuple(dict.fromkeys(pair.prompt_id for pair in ladder)))
    asked = [
        pair
        for pair in ladder
        if (pair.edit == edit or (edit == ALL_EDITS and pair.rung in RUNG_SETS[rungs]))
        and prompt in (None, pair.prompt_id)
    ]
    table = results.pairs(system)
    rows = table.filter(pc.equal(table["filter"], chosen.filter_name)).select(_cells_of(chosen.metric))
    found = {row["pair_id"]: row for row in rows.to_pylist()}
    lines = [(pair, found[pair.pair_id]) for pair in asked if pair.pair_id in found]
    rung_choice = Choice("rungs", "Rungs, if no edit is chosen", options(RUNG_SETS), rungs)
    edit_choice = Choice("edit", "Edit", ((ALL_EDITS, "all edits of the rungs"), *options(edits)), edit)
    return View(
        title_of("pairs"),
        "pairs.html",
        {
            "system": results.systems[system],
            "choices": (system_choice(results, system), edit_choice, rung_choice, *chosen.choices),
            "lines": lines[:MOST_LINES],
            "column": chosen.metric,
            "status_of": status_of,
            "link": lambda pair: query.link(
                system=address_of(results.systems[system]),
                pair=pair.pair_id,
                edit=None,
                prompt=None,
                step=None,
            ),
            "n_lines": len(lines),
            "n_not_given": len(asked) - len(lines),
            "metric": words_of(chosen.metric),
            "card": METRICS[chosen.metric],
            "filter_name": chosen.filter_name,
            "prompt": prompt,
            "all_prompts": query.link(prompt=None),
        },
    )


def _cells_of(metric: str) -> list[str]:
    """Columns of the pairs table that a line is made of."""
    names = ("pair_id", metric, f"missing_{metric}", "audit_status", "first_divergence")
    return list(dict.fromkeys(names))


def status_of(row: Mapping[str, Any], metric: str) -> str:
    """What became of a pair.

    Args:
        row: of the pairs table.
        metric: a column of it.

    Returns:
        `scored`, or `erased` or `unscored` with the reason.

    Example:
        >>> row = {"cosine_distance": None, "audit_status": "survived", "missing_cosine_distance": "empty: no output"}
        >>> status_of(row, "cosine_distance")
        'unscored: empty: no output'
    """
    if row[metric] is not None:
        return "scored"
    if row["audit_status"] == "erased":
        return "erased: the edit never reached the system"
    return f"unscored: {row[f'missing_{metric}'] or 'no reason was recorded'}"
