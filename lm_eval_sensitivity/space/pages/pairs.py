"""Pairs: the list behind a number."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow.compute as pc

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.glossary import title_of
from lm_eval_sensitivity.metrics import METRICS
from lm_eval_sensitivity.metrics.catalogue import ANSWER_FLIP
from lm_eval_sensitivity.report.blocks import Column, Document, table_of
from lm_eval_sensitivity.report.documents.parts import closing
from lm_eval_sensitivity.report.windows import telling_windows
from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.space.choices import (
    Choice,
    Chosen,
    address_of,
    choose_metric,
    choose_system,
    options,
    system_choice,
)
from lm_eval_sensitivity.space.downloads import runs_of
from lm_eval_sensitivity.space.pages.answers import show_answer
from lm_eval_sensitivity.space.pages.pair import show_pair
from lm_eval_sensitivity.space.query import Query
from lm_eval_sensitivity.space.search import Found, search, wanted
from lm_eval_sensitivity.space.view import View
from lm_eval_sensitivity.space.words import words_of
from lm_eval_sensitivity.statements.selection import PRIMARY_FILTER, RUNG_SETS, Selection, number_in_words
from lm_eval_sensitivity.text.escape import shown
from lm_eval_sensitivity.types import Pair

IN_THE_TABLE = tuple((metric, name) for metric in METRICS for name in METRICS[metric].filters)
"""(metric, filter) of every number that a pair can have."""
MOST_LINES = 100
"""Pairs of one page; the others are a click away."""
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
            pair = _of_the_ladder(results, asked)
            return (
                _answer(results, query, pair)
                if results.manifest.is_of_answers
                else show_pair(results, query, pair)
            )
        except InputError as error:
            query.complaints.append(f"{error} Shown is the list of pairs.")
    return show_list(results, query)


def _answer(results: Results, query: Query, pair: Pair) -> View:
    system = choose_system(query, results)
    said = results.behind_the_pairs(system)
    return show_answer(results, query, system, (said.task, said.filter_name), pair.pair_id)


def _of_the_ladder(results: Results, pair_id: str) -> Pair:
    if pair_id not in results.ladder:
        raise InputError(f"There is no pair {shown(pair_id)} in these results. Choose one of their pairs.")
    return results.ladder[pair_id]


def in_the_table(results: Results) -> tuple[tuple[str, str], ...]:
    """What can be chosen of pairs.

    Args:
        results: from `open_results`.

    Returns:
        (metric, filter) of `IN_THE_TABLE`, without windows that are longer than every output.
    """
    if results.manifest.is_of_answers:
        exported = tuple(dict.fromkeys((key.metric, key.filter_name) for key in results.clusters))
        return exported or ((ANSWER_FLIP, PRIMARY_FILTER),)
    if not results.windows:
        return IN_THE_TABLE
    told = {window for rows in results.windows.values() for window in telling_windows(rows)}
    return tuple(each for each in IN_THE_TABLE if Selection(*each).window in told)


# ---- the list


@dataclass(frozen=True)
class Line:
    """One pair of the list."""

    pair: Pair
    value: float | None
    status: str
    """In words; empty where there is a number."""
    parts_at: int | None
    """Tokens that both outputs begin with."""
    found: Found | None = None
    """What was searched for."""

    @property
    def mark(self) -> str:
        """The status in a word."""
        return self.status.split(":")[0]


SORTS: dict[str, Callable[[Line], Any]] = {
    "furthest": lambda line: (line.value is None, -(line.value or 0.0)),
    "nearest": lambda line: (line.value is None, line.value),
    "ladder": lambda line: 0,
    "pair": lambda line: line.pair.pair_id,
    "parting": lambda line: (line.parts_at is None, line.parts_at),
    "status": lambda line: line.status,
}
"""How a list of pairs may stand; those alike stay in the order of the ladder."""
_ORDERS = {
    "furthest": "furthest apart first",
    "nearest": "nearest first",
    "ladder": "mildest edits first",
    "pair": "by name",
    "parting": "earliest parting first",
    "status": "by status",
}
assert list(_ORDERS) == list(SORTS)
_HEADS = {"pair": "pair", "value": "furthest", "parting": "parting", "status": "status", "rung": "ladder"}
"""What a click on a heading asks for."""
_DESCENDING = "furthest"
_FILE = (
    Column("pair", path="pair.pair_id"),
    Column("value", 6),
    Column("status"),
    Column("parts at", 0, "parts_at"),
    *(Column(name, path=f"pair.{name}") for name in ("rung", "edit", "prompt_id", "base", "variant")),
)


def show_list(results: Results, query: Query) -> View:
    """The pairs of one system.

    Args:
        results: from `open_results`.
        query: the address.

    Returns:
        At most `MOST_LINES` pairs, in the order that was asked for, and how many there are.

    Raises:
        InputError: a damaged file.
    """
    chosen = choose_metric(query, in_the_table(results))
    system = choose_system(query, results)
    ladder = tuple(results.ladder.values())
    of_edits, asked = _asked(ladder, query)
    prompt = query.optional("prompt", tuple(dict.fromkeys(pair.prompt_id for pair in ladder)))
    asked = [pair for pair in asked if prompt in (None, pair.prompt_id)]
    sort = query.choice("sort", tuple(SORTS))
    text = wanted(query.given("search"))
    given = lines_of(results, system, asked, chosen)
    lines = sorted(_with_text(results, system, given, text), key=SORTS[sort])
    start = query.index("start", max(1, len(lines))) or 0
    named = results.systems[system]
    order = Choice("sort", "Order", tuple(_ORDERS.items()), sort)
    return View(
        title_of("pairs"),
        "pairs.html",
        {
            "system": named,
            "choices": [system_choice(results, system), *of_edits, *chosen.choices, order],
            "lines": lines[start : start + MOST_LINES],
            "start": start,
            "before": query.link(start=max(0, start - MOST_LINES) or None) if start else None,
            "after": query.link(start=start + MOST_LINES) if start + MOST_LINES < len(lines) else None,
            "most": max((line.value or 0.0 for line in lines), default=0.0),
            "link": lambda pair: query.link(
                system=address_of(named),
                pair=pair.pair_id,
                **dict.fromkeys(("edit", "prompt", "step", "search", "sort", "start")),
            ),
            "order": _ORDERS[sort],
            "sorting": {head: _sorting(query, sort, head) for head in _HEADS},
            "text": text,
            "n_lines": len(lines),
            "n_without": sum(line.value is None for line in lines),
            "n_not_given": len(asked) - len(given),
            "n_pairs": len(given),
            "metric": words_of(chosen.metric),
            "card": METRICS[chosen.metric],
            "filter_name": chosen.filter_name,
            "about": number_in_words(chosen.metric, chosen.filter_name),
            "prompt": prompt,
            "all_prompts": query.link(prompt=None, start=None),
            "everything": query.link(search=None, start=None),
        },
        lambda: _document(results, named.name, chosen, lines),
    )


def _asked(ladder: Sequence[Pair], query: Query) -> tuple[list[Choice], list[Pair]]:
    """What the address says of edits: its choices, with one of rungs where no edit is chosen, and their pairs."""
    edits = tuple(dict.fromkeys(pair.edit for pair in ladder))
    edit = query.choice("edit", (ALL_EDITS, *edits), ALL_EDITS)
    rungs = query.choice("rungs", tuple(RUNG_SETS))
    choices = [Choice("edit", "Edit", ((ALL_EDITS, "all edits of the rungs"), *options(edits)), edit)]
    if edit != ALL_EDITS:
        return choices, [pair for pair in ladder if pair.edit == edit]
    choices.append(Choice("rungs", "Rungs", options(RUNG_SETS), rungs))
    return choices, [pair for pair in ladder if pair.rung in RUNG_SETS[rungs]]


def _with_text(results: Results, system: int, lines: Sequence[Line], text: str) -> list[Line]:
    """The lines whose prompts or outputs hold a text, with where; all of them where none is wanted."""
    if not text:
        return [*lines]
    found = search(results, system, (line.pair for line in lines), text)
    return [replace(line, found=found[line.pair.pair_id]) for line in lines if line.pair.pair_id in found]


def _sorting(query: Query, sort: str, head: str) -> tuple[str, str]:
    """Where a click on a heading leads, and its `aria-sort`; a second click on the distance turns the order."""
    by = _HEADS[head]
    turned = head == "value" and sort == _DESCENDING
    return query.link(sort="nearest" if turned else by, start=None), _standing(sort, by)


def _standing(sort: str, by: str) -> str:
    """`aria-sort` of a heading."""
    if sort == by:
        return "descending" if by == _DESCENDING else "ascending"
    return "ascending" if (sort, by) == ("nearest", "furthest") else "none"


def lines_of(results: Results, system: int, pairs: Sequence[Pair], chosen: Chosen) -> list[Line]:
    """The pairs that a system was given, with their numbers.

    Args:
        results: from `open_results`.
        system: its index.
        pairs: of the ladder.
        chosen: metric and filter.

    Returns:
        In the order of `pairs`.

    Raises:
        InputError: a damaged file.
    """
    table = results.pairs(system)
    rows = table.filter(pc.equal(table["filter"], chosen.filter_name)).select(_cells_of(chosen.metric))
    found = {row["pair_id"]: row for row in rows.to_pylist()}
    lines = ((pair, found[pair.pair_id]) for pair in pairs if pair.pair_id in found)
    return [
        Line(pair, row[chosen.metric], status_of(row, chosen.metric), row["first_divergence"])
        for pair, row in lines
    ]


def _document(results: Results, system: str, chosen: Chosen, lines: Sequence[Line]) -> Document:
    """The whole list, for a file."""
    title = f"Pairs of {system}: {chosen.metric}, filter {chosen.filter_name}"
    table = table_of("pairs", title, _FILE, lines)
    return Document(title, (table, *closing(runs_of(results), results.manifest.signature)))


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
        Empty where it has a number; else `erased` or `unscored` with the reason.

    Example:
        >>> row = {"cosine_distance": None, "audit_status": "survived", "missing_cosine_distance": "empty: no output"}
        >>> status_of(row, "cosine_distance")
        'unscored: empty: no output'
    """
    if row[metric] is not None:
        return ""
    if row["audit_status"] == "erased":
        return "erased: the edit never reached the system"
    return f"unscored: {row[f'missing_{metric}'] or 'no reason was recorded'}"
