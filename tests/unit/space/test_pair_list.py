"""The list of pairs: every pair once, in the order that was asked for, and found by what stands in it."""

from __future__ import annotations

import base64
import csv
import io

import pytest

from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.space.downloads import make_table
from lm_eval_sensitivity.space.page import render, view_of
from lm_eval_sensitivity.space.pages.pairs import IN_THE_TABLE, MOST_LINES, SORTS, in_the_table
from lm_eval_sensitivity.space.query import parse
from lm_eval_sensitivity.space.search import LONGEST_SEARCH
from lm_eval_sensitivity.statements.selection import RUNG_SETS, Selection
from lm_eval_sensitivity.types import Pair
from tests.unit.space.known import known_results
from tests.unit.space.reading import Element, Stand, assert_inert, system
from tests.unit.space.test_pairs_view import detail


@pytest.fixture(scope="module")
def pair(results: Results) -> Pair:
    """Of the rung noop; its edit has more than one pair."""
    return next(each for each in results.ladder.values() if each.edit == "nbsp")


def listed(results: Results, **query: str) -> list[Element]:
    found = assert_inert(render(results, {"view": "pairs", **query}))
    return found.one("table", id="pairs").one("tbody").every("tr")


def ids(rows: list[Element]) -> list[str]:
    return [row.one("th").text() for row in rows]


def test_the_list_has_the_pairs_of_the_cell_in_the_order_of_the_ladder(results: Results) -> None:
    rows = listed(results, system=system(results, 1), filter="raw", sort="ladder")
    asked = [pair for pair in results.ladder.values() if pair.rung in RUNG_SETS["meaning_preserving"]]
    assert ids(rows) == [pair.pair_id for pair in asked][:MOST_LINES]
    table = {row["pair_id"]: row for row in results.pairs(1).to_pylist() if row["filter"] == "raw"}
    statuses = set()
    for row, pair in zip(rows, asked, strict=False):
        truth = table[pair.pair_id]
        value, status = (row.every("td")[index] for index in (0, 1))
        said = [each.attributes["title"] for each in status.every("span")]
        statuses.add(status.text())
        assert value.text().strip() == (
            "–" if truth["cosine_distance"] is None else f"{truth['cosine_distance']:.3f}"
        )
        if truth["audit_status"] == "erased":
            assert said == ["erased: the edit never reached the system"]
        elif truth["cosine_distance"] is None:
            assert said == [f"unscored: {truth['missing_cosine_distance']}"]
        else:
            assert status.text() == ""
        assert f"pair={pair.prompt_id}%2F{pair.edit}" in row.one("a").attributes["href"]
    assert "" in statuses


def test_the_furthest_pair_comes_first_and_a_click_turns_the_list_round(results: Results) -> None:
    query = {"system": system(results, 1), "filter": "raw"}
    table = results.pairs(1).to_pylist()
    known = {row["pair_id"]: row["cosine_distance"] for row in table if row["filter"] == "raw"}
    page = assert_inert(render(results, {"view": "pairs", **query}))
    values = [known[pair] for pair in ids(page.one("table", id="pairs").one("tbody").every("tr"))]
    numbers = [value for value in values if value is not None]
    assert numbers == sorted(numbers, reverse=True) and values[: len(numbers)] == numbers, (
        "no number comes last"
    )
    without = values.count(None)
    said = f", {without} of them without a number;" if without else f"pairs of {results.systems[1].name};"
    assert said in page.one("p", css="finding").text()
    (head,) = page.every("th", aria_sort="descending")
    turned = listed(results, **parse(head.one("a").attributes["href"]))
    assert [known[pair] for pair in ids(turned)][: len(numbers)] == sorted(numbers)


@pytest.mark.parametrize("sort", [*SORTS])
def test_every_order_has_the_same_pairs(results: Results, sort: str) -> None:
    rows = [ids(listed(results, sort=sort, edit=each.edit)) for each in list(results.ladder.values())[:1]]
    assert [sorted(each) for each in rows] == [
        sorted(ids(listed(results, edit=next(iter(results.ladder.values())).edit)))
    ]


def test_pages_of_a_long_list_have_every_pair_once(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    every = ids(listed(results))
    monkeypatch.setattr("lm_eval_sensitivity.space.pages.pairs.MOST_LINES", 7)
    seen, query = [], {"view": "pairs"}
    while query:
        page = assert_inert(render(results, query))
        seen += ids(page.one("table", id="pairs").one("tbody").every("tr"))
        query = next((parse(each.attributes["href"]) for each in page.every("a", rel="next")), {})
    assert seen == every and len(seen) > 14


def test_a_text_is_found_in_prompts_and_outputs_whatever_its_case(results: Results, pair: Pair) -> None:
    made = detail(["The Rainbow", " is here"], ["nothing"])
    outputs = {
        each: (made.base.text, made.variant.text) if each == pair.pair_id else ("", "")
        for each in results.ladder
    }
    shown = Stand(results, outputs=lambda system, longest: outputs)
    query = {"rungs": pair.rung, "search": "rainbow IS"}
    (row,) = listed(shown, **query)
    assert ids([row]) == [pair.pair_id]
    assert row.every("td")[-1].text() == "output: The Rainbow is here"
    assert row.one("b").text() == "Rainbow is"
    prompts = {
        each.pair_id
        for each in results.ladder.values()
        if each.rung == pair.rung and pair.base[:20] in each.base
    }
    assert set(ids(listed(shown, rungs=pair.rung, search=pair.base[:20]))) >= prompts
    page = assert_inert(render(shown, {"view": "pairs", "search": "no such text anywhere"}))
    assert page.one("p", css="missing") and "0 pairs" in page.one("p", css="finding").text()


@pytest.mark.parametrize("text", ["<b>x</b>", "\u202e\x00", "(?P<a", "a" * 4000, ".*", "%00"])
def test_whatever_is_searched_for_is_a_text(results: Results, text: str) -> None:
    page = assert_inert(render(results, {"view": "pairs", "search": text}))
    shown = page.one("input", type="search").attributes["value"]
    assert len(shown) <= LONGEST_SEARCH and shown.isprintable() and shown in text


def test_a_list_is_saved_as_it_is_shown_with_its_prompts(results: Results, pair: Pair) -> None:
    query = {"view": "pairs", "edit": pair.edit, "sort": "nearest"}
    file = make_table(view_of(results, query), query, "pairs")
    assert file and file["name"] == "pairs_pairs.csv"
    rows = list(
        csv.DictReader(io.StringIO(base64.b64decode(file["base64"]).decode("utf-8-sig").split("\n\n")[0]))
    )
    assert [row["pair"] for row in rows] == ids(listed(results, edit=pair.edit, sort="nearest"))
    assert {row["variant"] for row in rows} == {
        each.variant for each in results.ladder.values() if each.edit == pair.edit
    }


def test_an_edit_or_a_prompt_narrows_the_list(results: Results, pair: Pair) -> None:
    for query, of in (({"edit": pair.edit}, "edit"), ({"prompt": pair.prompt_id}, "prompt_id")):
        found = assert_inert(render(results, {"view": "pairs", **query}))
        shown = {row.one("th").text() for row in found.one("table", id="pairs").one("tbody").every("tr")}
        assert shown == {
            each.pair_id
            for each in results.ladder.values()
            if getattr(each, of) == getattr(pair, of) and each.rung in RUNG_SETS["meaning_preserving"]
        }


@pytest.mark.parametrize(
    "name", ["system", "edit", "rungs", "prompt", "pair", "metric", "filter", "sort", "start"]
)
def test_a_wrong_value_is_complained_of_and_a_list_is_shown(results: Results, name: str) -> None:
    found = assert_inert(render(results, {"view": "pairs", name: "<b>no\u202e such</b>"}))
    assert f"`{name}`" in found.one(css="complaints").text() or "no" in found.one(css="complaints").text()
    assert found.every("table", id="pairs")


def test_no_window_longer_than_every_output_can_be_chosen(results: Results) -> None:
    """The made outputs are short; with known ones, 64 to 256 tokens give other numbers than the whole."""
    assert {Selection(*each).window for each in in_the_table(results)} == {None}
    assert {Selection(*each).window for each in in_the_table(known_results())} == {None, 64, 128, 256}
    assert in_the_table(known_results(windows=())) == IN_THE_TABLE
