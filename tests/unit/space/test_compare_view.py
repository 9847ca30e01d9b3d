"""Two systems: the page says what the analysis says, and equal systems differ by nothing."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import pyarrow as pa
import pytest

from lm_eval_sensitivity.report.wording.compare import (
    comparison_in_words,
    shared_in_words,
)
from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.space.downloads import make_table
from lm_eval_sensitivity.space.page import number, render, view_of
from lm_eval_sensitivity.space.pages.compare import against, comparison, dumbbells_of, prompt_lines, show
from lm_eval_sensitivity.space.query import Query, parse
from lm_eval_sensitivity.space.texts import visible
from lm_eval_sensitivity.statements import TablePartition
from lm_eval_sensitivity.statements.compare import comparison_statement
from lm_eval_sensitivity.statements.selection import RUNG_SETS, Selection
from tests.unit.space.reading import Stand, assert_inert, read_page, system


def shown_as(sentence: str) -> str:
    """As a reader sees it."""
    return "".join(piece.text for piece in visible(sentence))


def twins(results: Results) -> Any:
    """System 1 has the numbers of system 0, and keeps its name."""

    def pairs(system: int) -> pa.Table:
        table = results.pairs(0)
        at = table.schema.get_field_index("name")
        names = pa.array([results.systems[system].name] * table.num_rows, pa.string())
        return table.set_column(at, table.schema.field(at), names)

    return Stand(results, pairs=pairs)


@pytest.mark.parametrize(
    "selection",
    [
        Selection("cosine_distance", "answer", "meaning_preserving"),
        Selection("token_edit_distance", "raw", "noop"),
        Selection("js_divergence", "raw", "positive_control"),
    ],
)
def test_the_page_says_what_the_analysis_says(results: Results, selection: Selection) -> None:
    settings = results.manifest.signature
    table = pa.concat_tables([results.pairs(2), results.pairs(0)])
    found = comparison_statement(
        TablePartition(table, settings.resamples, settings.seed),
        results.systems[2].name,
        results.systems[0].name,
        selection,
        draws=settings.draws,
    )
    address = {"metric": selection.metric, "filter": selection.filter_name, "rungs": selection.rung_set}
    page = assert_inert(
        render(results, {"view": "compare", "a": system(results, 2), "b": system(results, 0), **address})
    )
    text = page.text()
    for sentence in (
        *comparison_in_words(found),
        shared_in_words(found.counts),
        *found.cautions,
    ):
        assert shown_as(sentence.text) in text, sentence
    drivers = [table for table in page.every("table") if table.one("caption").text() == "Prompts"]
    names = [row.one("th").text() for table in drivers for row in table.one("tbody").every("tr")]
    assert names == [each.name for each in found.prompts]


def test_the_difference_of_every_prompt_is_that_of_its_shared_pairs(results: Results) -> None:
    selection = Selection("cosine_distance", "raw", "meaning_preserving")
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for each in (0, 1):
        for row in results.pairs(each).to_pylist():
            if (
                row["filter"] == "raw"
                and row["rung"] in selection.rungs
                and row["cosine_distance"] is not None
            ):
                values[row["prompt_id"]][row["edit"]].append(row["cosine_distance"])
    truth = {}
    for prompt, edits in values.items():
        both = [numbers for numbers in edits.values() if len(numbers) == 2]
        truth[prompt] = math.fsum(second - first for first, second in both) / len(both)
    lines = prompt_lines(results, 0, 1, selection)
    assert {prompt: difference for prompt, _, _, difference in lines} == pytest.approx(truth)
    in_order = dict.fromkeys(pair.prompt_id for pair in results.ladder.values())
    assert [prompt for prompt, *_ in lines] == [prompt for prompt in in_order if prompt in truth]
    for drawing in dumbbells_of(lines):
        assert all(
            (drawing.x(other) - drawing.x(one)) * difference >= 0 for _, one, other, difference in lines
        )


def test_a_row_of_the_drawing_is_a_prompt_the_largest_difference_first(results: Results) -> None:
    query = {"view": "compare", "a": system(results, 0), "b": system(results, 1)}
    lines = prompt_lines(results, 0, 1, Selection())
    lines.sort(key=lambda line: -line[3])
    for sheet in ("wide", "narrow"):
        rows = assert_inert(render(results, query)).one("svg", css=sheet).every("a")
        links = [parse(row.attributes["href"]) for row in rows]
        assert [(each["prompt"], each["system"]) for each in links] == [
            (prompt, system(results, 1)) for prompt, *_ in lines
        ]
        said = f"first {number(lines[0][1])}, second {number(lines[0][2])}. To its pairs."
        assert rows[0].attributes["aria-label"].endswith(said)


def test_the_reference_beside_every_other_system_is_what_the_clusters_say(results: Results) -> None:
    reference = results.manifest.reference
    assert reference is not None
    name = results.systems[reference].name
    contrasts = {
        frozenset((each.first, each.second)): each for each in results.clusters[Selection()].contrasts
    }
    rows = against(results, Query({"view": "compare"}), Selection())
    assert [row.system for row in rows] == [each.name for each in results.systems if each.name != name]
    for row in rows:
        contrast = contrasts[frozenset((row.system, name))]
        sign = 1 if contrast.first == row.system else -1
        assert row.difference.estimate == sign * contrast.difference.estimate
        assert row.difference.lower <= row.difference.estimate <= row.difference.upper
        link = parse(row.address)
        assert link["a"] == system(results, reference) and link["b"] != link["a"]
    view = show(results, Query({"view": "compare"}))
    assert view.context["first"].name == name, "the reference stands first where the address is silent"


def test_equal_systems_differ_by_nothing(results: Results) -> None:
    view = show(twins(results), Query({"view": "compare"}))
    assert view.context["found"].difference.estimate == 0
    assert all(line[3] == 0 for line in view.context["lines"])
    assert not view.context["found"].prompts
    text = read_page(render(twins(results), {"view": "compare"})).text()
    assert "No prompt differs." in text
    assert "No edit differs." in text
    assert "The means are the same" in text


def test_turned_round_the_difference_has_the_other_sign(results: Results) -> None:
    selection = Selection("cosine_distance", "raw", "meaning_preserving")
    one, other = comparison(results, 0, 1, selection), comparison(results, 1, 0, selection)
    assert one.difference.estimate == -other.difference.estimate != 0
    assert one.test.p_value == other.test.p_value
    page = read_page(render(results, {"view": "compare", "a": system(results, 0), "b": system(results, 1)}))
    turned = next(each for each in page.every("a") if each.text() == "Turn them round")
    assert parse(turned.attributes["href"]) == {
        "view": "compare",
        "a": system(results, 1),
        "b": system(results, 0),
    }


def test_a_comparison_is_computed_once(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    address = {"view": "compare", "a": system(results, 1), "b": system(results, 3)}
    first = render(results, address)
    monkeypatch.setattr("lm_eval_sensitivity.space.pages.compare.comparison_statement", None)
    assert render(results, address) == first


def test_a_system_beside_itself_is_refused_in_words(results: Results) -> None:
    text = assert_inert(
        render(results, {"view": "compare", "a": system(results, 1), "b": system(results, 1)})
    ).text()
    assert "Choose two different ones." in text


def test_rungs_that_nobody_ran_are_said(results: Results) -> None:
    ran = {pair.rung for pair in results.ladder.values()}
    missing = next(rung for rung in RUNG_SETS if rung not in ran and rung != "meaning_preserving")
    found = assert_inert(render(results, {"view": "compare", "rungs": missing}))
    assert "no pair of" in found.one(css="missing").text()


@pytest.mark.parametrize(
    ("name", "value"), [("a", "9"), ("b", "-1"), ("a", "x"), ("rungs", "<b>"), ("metric", "nope")]
)
def test_wrong_values_are_complained_of(results: Results, name: str, value: str) -> None:
    found = assert_inert(render(results, {"view": "compare", name: value}))
    assert f"`{name}`" in found.one(css="complaints").text()
    assert "Both systems" in found.text()


def test_a_prompt_leads_to_its_pairs(results: Results) -> None:
    prompt = prompt_lines(results, 0, 1, Selection())[0][0]
    links = read_page(
        render(results, {"view": "compare", "a": system(results, 0), "b": system(results, 1)})
    ).every("a")
    assert Query({"view": "pairs", "system": system(results, 1), "prompt": prompt}).link() in [
        each.attributes["href"] for each in links
    ]
    listed = read_page(render(results, {"view": "pairs", "system": system(results, 1), "prompt": prompt}))
    rows = listed.one("table", id="pairs").one("tbody").every("tr")
    assert rows
    assert all(row.one("th").text().startswith(f"{prompt}/") for row in rows)


def test_its_tables_are_those_of_the_command(results: Results) -> None:
    query = {"view": "compare", "a": system(results, 0), "b": system(results, 1)}
    view = view_of(results, query)
    page = read_page(render(results, query))
    offered = [each.attributes["data-download"] for each in page.every("button", data_of_view="")]
    assert offered and all(make_table(view, query, each) for each in offered)
    assert make_table(view, query, "contrasts") is None
