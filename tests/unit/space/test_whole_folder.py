"""Every view over a real results folder: its own links are understood, and no text of a stranger acts or grows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pytest

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.metrics import METRICS
from lm_eval_sensitivity.metrics.catalogue import OF_ANSWERS
from lm_eval_sensitivity.records.answers import AnswerRow, Status
from lm_eval_sensitivity.records.columns import AUDIT_STATUSES, FILTERS, FINISH_REASONS, SPAN_STATUSES
from lm_eval_sensitivity.results import Results, open_results
from lm_eval_sensitivity.results.answers import Of
from lm_eval_sensitivity.results.system_files import PairDetail
from lm_eval_sensitivity.space.page import VIEWS, render, views_of
from lm_eval_sensitivity.space.pages import compare
from lm_eval_sensitivity.space.query import CARRIED, parse
from lm_eval_sensitivity.space.texts import LONGEST, LONGEST_NAME
from lm_eval_sensitivity.statements.selection import RUNG_SETS
from lm_eval_sensitivity.stats.rules import AXES, MEANINGS, NOT_ASKED
from lm_eval_sensitivity.types import CATEGORIES, RUNGS, UNCATEGORIZED
from tests.unit.runs.made_answers import TASK
from tests.unit.space.known import known_results
from tests.unit.space.reading import Element, read_page

EVIL = "\u202e\x1b\u200b"
"""At the start of every text of a stranger: it turns what follows round, commands a terminal, and is not seen."""


# ---- links


def selections(results: Results, view: str) -> list[dict[str, str]]:
    """Addresses of a view: every value of every select, and two metrics with every window."""
    page = read_page(render(results, {"view": view}))
    choices = {
        select.attributes["name"]: [option.attributes["value"] for option in select.every("option")]
        for select in page.every("select")
        if select.attributes["name"] in CARRIED
    }
    found = [{}, *({name: value} for name, values in choices.items() for value in values)]
    found += [
        {"metric": metric, "window": window}
        for metric in choices.get("metric", ())[:2]
        for window in choices.get("window", ())
    ]
    return [{"view": view, **each} for each in found]


def part_of(html: str, tag: str) -> Element:
    """The first element of a kind; to read whole pages by the hundred takes long."""
    start = html.index(f"<{tag}")
    return read_page(html[start : html.index(f"</{tag}>", start) + len(f"</{tag}>")])


def links_to_views(results: Results, html: str) -> dict[str, str]:
    """View -> its address in the navigation."""
    addresses = [each.attributes["href"] for each in part_of(html, "nav").every("a")]
    return dict(zip(views_of(results), addresses, strict=True))


@pytest.fixture(params=["exported", "answered"])
def folder(request: pytest.FixtureRequest) -> Path:
    """Of the ladder, and of a wrapped task."""
    found: Path = request.getfixturevalue(request.param)
    return found


def test_the_pages_own_navigation_is_never_complained_of(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From every view to every other one; and what was chosen is not lost on the way back."""

    def not_now(*arguments: object) -> Any:
        raise InputError("A comparison takes long and has nothing to do with links.")

    monkeypatch.setattr(compare, "comparison", not_now)
    results = open_results(folder)
    pages: dict[str, str] = {}

    def at(address: str) -> str:
        if address not in pages:
            pages[address] = render(results, parse(address))
            assert 'class="complaints"' not in pages[address], address
        return pages[address]

    for view in views_of(results):
        for query in selections(results, view):
            footer = part_of(render(results, query), "footer")
            here = footer.one("a", css="address").attributes["href"]
            for there in links_to_views(results, at(here)).values():
                assert links_to_views(results, at(there))[view] == here


# ---- texts

OURS = {
    *(
        *METRICS,
        *OF_ANSWERS,
        *RUNG_SETS,
        *RUNGS,
        *FILTERS,
        *CATEGORIES,
        UNCATEGORIZED,
        *MEANINGS,
        NOT_ASKED,
        *(word for rules in AXES.values() for _, word in rules),
        *(
            "bootstrap-t",
            "student-t",
            "none",
            "two-sided",
            "one-sided",
            "exact",
            "draws",
            "yes",
            "no",
            "unclear",
            "+",
            "-",
        ),
        *("max_gen_toks", "until", "greedy", "name", "weights_sha256", "max_tokens"),
        *("caution", "finding", "reason", "remark", "left_out", "rule", "authored"),
        *get_args(Status),
    ),
    *(*AUDIT_STATUSES, *SPAN_STATUSES, *FINISH_REASONS),
}
"""Texts that reading compares with a list of ours; all others are a stranger's own."""
IDS = (
    "pair_id",
    "prompt_id",
    "edit",
    "edits",
    "cells",
    "ladder",
    "fingerprint",
    "task",
    "filter_name",
    "by_edit",
)
"""Fields that hold ids, which stand in addresses."""
Change = Callable[[str, str], str]
"""From the name of a field and a text in it to the text that stands there instead."""


def spoil(record: Any, change: Change, field: str = "") -> Any:
    """A record, or records in whatever, with every text of a stranger changed."""
    if isinstance(record, str):
        return record if record in OURS else change(field, record)
    if isinstance(record, tuple | list):
        return type(record)(spoil(each, change, field) for each in record)
    if isinstance(record, Mapping):
        return {spoil(key, change, field): spoil(each, change, field) for key, each in record.items()}
    if is_dataclass(record) and not isinstance(record, type):
        names = [each.name for each in fields(record)]
        return replace(record, **{name: spoil(getattr(record, name), change, name) for name in names})
    return record


def spoil_table(table: pa.Table, change: Change) -> pa.Table:
    for at, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            cells = [spoil(cell, change, field.name) for cell in table[field.name].to_pylist()]
            table = table.set_column(at, field, pa.array(cells, pa.string()))
    return table


class Spoiled(Results):
    """Results as they would be if nothing were checked on reading."""

    def __init__(self, folder: Path, change: Change) -> None:
        self.honest, self.change = open_results(folder), change
        statements, ladder = (
            spoil(self.honest.statements, change),
            spoil(self.honest.ladder, change, "pair_id"),
        )
        super().__init__(folder, spoil(self.honest.manifest, change), statements, ladder)

    def pairs(self, system: int) -> pa.Table:
        return spoil_table(self.honest.pairs(system), self.change)

    def detail(self, system: int, pair_id: str) -> PairDetail:
        own = {self.change("pair_id", pair): pair for pair in self.honest.ladder}
        found: PairDetail = spoil(self.honest.detail(system, own[pair_id]), self.change)
        return found

    def answers(self, system: int, of: Of) -> list[AnswerRow]:
        found: list[AnswerRow] = spoil(self.honest.answers(system, (TASK, "none")), self.change)
        return found

    def answer(self, system: int, of: Of, doc_id: int) -> AnswerRow | None:
        return self.answers(system, of)[doc_id]

    def queries(self) -> Iterator[dict[str, str]]:
        """Every view, and a pair that reached its system."""
        yield from ({"view": view} for view in VIEWS)
        if self.manifest.is_of_answers:
            task, edit = self.change("task", TASK), self.change("edits", "double_space")
            yield {"view": "answers", "pair": f"{task}/0/{edit}"}
            return
        line = next(each for each in self.honest.ladder.values() if each.rung == "synonym")
        yield {"view": "pairs", "pair": self.change("pair_id", line.pair_id)}


def test_no_text_of_a_stranger_is_there_as_it_is(folder: Path) -> None:
    results = Spoiled(folder, lambda field, text: EVIL + text)
    for query in results.queries():
        html = render(results, query)
        # What a form sends back must be what came; nobody sees it.
        shown = re.sub(r' value="[^"]*"', "", html)
        assert not set(EVIL) & set(shown), query
        assert "U+202E" in shown, query
        assert not read_page(html).every("div", css="complaints"), query


@pytest.mark.parametrize("tail", ["\x7f", "a"])
def test_a_page_is_no_larger_for_what_it_does_not_show(folder: Path, tail: str) -> None:
    """Texts beyond every limit, and much longer ones, give the same page but for how much is not shown."""

    def longer(by: int) -> Spoiled:
        return Spoiled(folder, lambda field, text: text if field in IDS else text + tail * by)

    small, large = longer(7_000), longer(9_000)
    for query in small.queries():
        pages = [re.sub(r"\d+ more characters", "", render(each, query)) for each in (small, large)]
        assert pages[0] == pages[1], query
        assert "not shown" in pages[0], query


def test_a_long_name_is_cut_and_the_page_says_so() -> None:
    page = read_page(render(known_results(("n" * 5000, "o", "p", "q")), {}))
    (name, *_) = page.one("table", id="systems").every("th", scope="row")
    assert name.one("bdi").text() == "n" * LONGEST_NAME
    assert name.one("span", css="cut").text() == f"[{5000 - LONGEST_NAME} more characters are not shown]"


def test_a_long_sentence_is_cut_and_the_page_says_so() -> None:
    results = known_results()
    manifest = replace(results.manifest, remarks=("r" * 990_000,))
    html = render(known_results(manifest=manifest), {})
    assert html.count("r" * LONGEST) == 1
    assert f"[{990_000 - LONGEST} more characters are not shown]" in html
