"""Pairs: the list behind a number, and one pair with its two outputs, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow.compute as pc

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.glossary import title_of
from lm_eval_sensitivity.ladder.schema import IDENTICAL_EDIT
from lm_eval_sensitivity.metrics import METRICS
from lm_eval_sensitivity.records.columns import FILTERS
from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.runs.table import WHOLE_OUTPUT_ONLY
from lm_eval_sensitivity.space.branching import LONGEST_OUTPUT, path_of
from lm_eval_sensitivity.space.branching_charts import charts_of, numbers_of
from lm_eval_sensitivity.space.choices import (
    Choice,
    address_of,
    choose_metric,
    choose_system,
    options,
    system_choice,
)
from lm_eval_sensitivity.space.pieces import edited
from lm_eval_sensitivity.space.query import Query
from lm_eval_sensitivity.space.texts import LONGEST
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
SHOWN_METRICS = (
    "cosine_distance",
    "token_edit_distance",
    "first_divergence",
    "js_divergence",
    "hidden_distance",
)
"""Numbers of a pair; the whole table has more."""
FINISHED = {
    "end_token": "The system ended it by itself.",
    "stop_string": "A stop string ended it.",
    "length": "The token limit cut it.",
    "not_finite": "It is not to be used: the system computed infinite or undefined numbers.",
}


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


# ---- one pair


def show_pair(results: Results, query: Query, pair: Pair) -> View:
    """One pair: prompts, numbers, outputs and their parting.

    Args:
        results: from `open_results`.
        query: the address.
        pair: of the ladder.

    Returns:
        The view; an erased pair has no steps.

    Raises:
        InputError: the system was not given the pair.
    """
    system = choose_system(query, results)
    filter_name = query.choice("filter", FILTERS)
    detail = results.detail(system, pair.pair_id)
    rows = rows_of_pair(results, system, pair)
    status = rows[FILTERS[0]].get("audit_status")
    context = {
        "system": results.systems[system],
        "choices": (
            system_choice(results, system),
            Choice("filter", "Steps are counted in", options(FILTERS), filter_name),
        ),
        "pair": pair,
        "prompts": edited(pair.base, pair.replacements, LONGEST),
        "audit": audit_in_words(rows[FILTERS[0]]),
        "numbers": number_lines(results, system, pair, rows),
        "has_noise_floor": has_noise_floor(pair),
        "detail": detail,
        "is_erased": status == "erased",
        "list_link": query.link(pair=None, step=None, edit=pair.edit),
        "prompt_link": query.link(pair=None, step=None, edit=None, prompt=pair.prompt_id),
        "finished": FINISHED,
        "longest": LONGEST_OUTPUT,
    }
    if status != "erased":
        path = path_of(detail, filter_name)
        asked = query.index("step", path.n_steps + 1)
        step = path.n_steps if asked is None else asked
        context |= {
            "path": path,
            "step": step,
            "here": numbers_of(path, step),
            "charts": charts_of(path),
        }
    return View("One pair", "pair.html", context)


Row = Mapping[str, object]


def rows_of_pair(results: Results, system: int, pair: Pair) -> dict[str, Row]:
    """The rows of one pair in the pairs table.

    Args:
        results: from `open_results`.
        system: its index.
        pair: of the ladder.

    Returns:
        By filter, the row; an empty one where the system was not given the pair.

    Raises:
        InputError: a damaged file.
    """
    table = results.pairs(system)
    rows = table.filter(pc.equal(table["pair_id"], pair.pair_id)).to_pylist()
    return {name: next((row for row in rows if row["filter"] == name), {}) for name in FILTERS}


def number_lines(
    results: Results, system: int, pair: Pair, rows: Mapping[str, Row]
) -> list[tuple[str, str, list[tuple[float | None, str | None]]]]:
    """The numbers of a pair beside what mere repetition of its prompt gives.

    Args:
        results: from `open_results`.
        system: its index.
        pair: of the ladder.
        rows: from `rows_of_pair`.

    Returns:
        (metric, direction, cells): (value, reason) under each of `FILTERS`, then the same of the repetition where
        `has_noise_floor`.

    Raises:
        InputError: a damaged file.
    """
    sources = [rows]
    if has_noise_floor(pair):
        table = results.pairs(system)
        of_prompt = pc.and_(
            pc.equal(table["prompt_id"], pair.prompt_id), pc.equal(table["edit"], IDENTICAL_EDIT)
        )
        floor: dict[str, Row] = {name: {} for name in FILTERS}
        sources.append(floor | {str(row["filter"]): row for row in table.filter(of_prompt).to_pylist()})
    return [
        (
            metric,
            METRICS[metric].direction,
            [_cell(source[name], metric) for source in sources for name in FILTERS],
        )
        for metric in SHOWN_METRICS
    ]


def has_noise_floor(pair: Pair) -> bool:
    """Whether its distance can be compared with that of mere repetition: a repetition is the noise itself."""
    return pair.edit != IDENTICAL_EDIT


def _cell(row: Row, metric: str) -> tuple[float | None, str | None]:
    value, reason = row.get(metric), row.get(f"missing_{metric}")
    if isinstance(value, (int, float)):
        return float(value), None
    if reason == WHOLE_OUTPUT_ONLY:
        return None, "whole output only"
    return None, str(reason) if reason else "not measured"


def audit_in_words(row: Row) -> str:
    """Whether the edit reached the system, and where.

    Args:
        row: of the pairs table, or an empty one.

    Returns:
        Whole sentences; an engine that does not show its tokens has one that says so.

    Example:
        >>> audit_in_words({"audit_status": "survived", "audit_first_difference": 7, "audit_length_change": 1,
        ...                 "audit_inside_user_text": True})
        'The edit reached the system at token 7 of the prompt; the prompt became 1 token longer.'
    """
    status = row.get("audit_status")
    if status == "erased":
        return (
            "The edit was erased: after the chat template and the tokenizer, the system got the same tokens with and "
            "without it. It says nothing about the system."
        )
    if status == "identical":
        return "Nothing was edited: the same prompt was run twice, and what differs is noise."
    if status != "survived":
        return "Whether the edit reached the system is not known: this engine does not show its tokens."
    position, change = row.get("audit_first_difference"), row.get("audit_length_change")
    words = "The edit reached the system"
    words += f" at token {position} of the prompt" if position is not None else ""
    if isinstance(change, int):
        size = f"{abs(change)} token{'s' if abs(change) != 1 else ''}"
        became = (
            "kept its number of tokens"
            if change == 0
            else f"became {size} {'longer' if change > 0 else 'shorter'}"
        )
        words += f"; the prompt {became}"
    if row.get("audit_inside_user_text") is False:
        words += "; the first difference lies outside the user's text, where the template stands"
    return f"{words}."
