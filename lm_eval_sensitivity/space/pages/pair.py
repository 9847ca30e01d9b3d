"""One pair: what was asked, both outputs side by side, and where and how they part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lm_eval_sensitivity.ladder.schema import IDENTICAL_EDIT
from lm_eval_sensitivity.metrics import METRICS
from lm_eval_sensitivity.records.columns import FILTERS
from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.runs.table import WHOLE_OUTPUT_ONLY
from lm_eval_sensitivity.space.branching import LONGEST_OUTPUT, Path, path_of
from lm_eval_sensitivity.space.branching_charts import charts_of, numbers_of
from lm_eval_sensitivity.space.choices import Choice, address_of, choose_system, options, system_choice
from lm_eval_sensitivity.space.pieces import marked
from lm_eval_sensitivity.space.query import Query
from lm_eval_sensitivity.space.texts import LONGEST
from lm_eval_sensitivity.space.view import View
from lm_eval_sensitivity.statements.selection import PRIMARY_METRIC, RUNG_SETS
from lm_eval_sensitivity.types import Pair

SHOWN_METRICS = (
    PRIMARY_METRIC,
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
    "stop": "The system ended it, or a stop string did.",
    "not_finite": "It is not to be used: the system computed infinite or undefined numbers.",
}


def show_pair(results: Results, query: Query, pair: Pair) -> View:
    """One pair: prompts, outputs and their parting, numbers.

    Args:
        results: from `open_results`.
        query: the address.
        pair: of the ladder.

    Returns:
        The view; an erased pair has no steps. It stands at the step at which the outputs part.

    Raises:
        InputError: the system was not given the pair.
    """
    system = choose_system(query, results)
    filter_name = query.choice("filter", FILTERS)
    detail = results.detail(system, pair.pair_id)
    rows = rows_of_pair(results, system, pair)
    is_erased = rows[FILTERS[0]].get("audit_status") == "erased"
    parts, n_cut = marked(pair.base, pair.variant, LONGEST)
    around = neighbors(results, system, pair, filter_name, query.choice("rungs", tuple(RUNG_SETS)))
    context = {
        "system": results.systems[system],
        "choices": (
            system_choice(results, system),
            Choice("filter", "Steps are counted in", options(FILTERS), filter_name),
        ),
        "pair": pair,
        "asked": parts,
        "n_cut": n_cut,
        "audit": audit_in_words(rows[FILTERS[0]]),
        "numbers": number_lines(results, system, pair, rows),
        "first_number": FILTERS.index(filter_name),
        "filter_name": filter_name,
        "has_noise_floor": has_noise_floor(pair),
        "detail": detail,
        "is_erased": is_erased,
        "around": around,
        "pair_link": lambda pair_id: query.link(
            system=address_of(results.systems[system]), pair=pair_id, step=None
        ),
        "list_link": query.link(pair=None, step=None, edit=pair.edit),
        "prompt_link": query.link(pair=None, step=None, edit=None, prompt=pair.prompt_id),
        "finished": FINISHED,
        "longest": LONGEST_OUTPUT,
    }
    if not is_erased:
        context |= _steps(query, path_of(detail, filter_name))
    return View("One pair", "pair.html", context)


def _steps(query: Query, path: Path) -> dict[str, Any]:
    asked = query.index("step", path.n_steps + 1)
    parting = path.n_steps if path.parts_after is None else min(path.parts_after + 1, path.n_steps)
    step = parting if asked is None else asked
    return {
        "path": path,
        "step": step,
        "parting": parting,
        # Until a step is chosen, all that was said can be read.
        "is_walked": asked is not None,
        "here": numbers_of(path, step),
        "at_parting": numbers_of(path, parting),
        "charts": charts_of(path),
    }


@dataclass(frozen=True)
class Around:
    """Where a pair stands among others of the system, the largest distance first."""

    place: int | None
    """From 1; None where it has no distance, or is no part of them."""
    n: int
    larger: str | None
    """Pair before it; None where there is none."""
    smaller: str | None
    """Pair after it."""


def neighbors(results: Results, system: int, pair: Pair, filter_name: str, rung_set: str) -> Around:
    """The pairs before and after one, by their distance.

    Args:
        results: from `open_results`.
        system: its index.
        pair: of the ladder.
        filter_name: `raw` or `answer`.
        rung_set: whose pairs are gone through, if it is one of them; else those of its own rung.

    Returns:
        Its place among the pairs that have a number; pairs of equal distance stand in the order of the ladder.

    Raises:
        InputError: a damaged file.
    """
    rungs = RUNG_SETS[rung_set] if pair.rung in RUNG_SETS[rung_set] else (pair.rung,)
    table = results.pairs(system)
    asked = pc.and_(pc.equal(table["filter"], filter_name), pc.is_in(table["rung"], pa.array(rungs)))
    rows = table.filter(pc.and_(asked, pc.is_valid(table[PRIMARY_METRIC])))
    distances = dict(zip(rows["pair_id"].to_pylist(), rows[PRIMARY_METRIC].to_pylist(), strict=True))
    order = {pair_id: at for at, pair_id in enumerate(results.ladder)}
    ordered = sorted(
        (each for each in distances if each in order), key=lambda each: (-distances[each], order[each])
    )
    if pair.pair_id not in distances:
        return Around(None, len(ordered), None, ordered[0] if ordered else None)
    at = ordered.index(pair.pair_id)
    after = ordered[at + 1] if at + 1 < len(ordered) else None
    return Around(at + 1, len(ordered), ordered[at - 1] if at else None, after)


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
