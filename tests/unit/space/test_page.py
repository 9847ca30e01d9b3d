"""The frame of every page: navigation, complaints, links, and texts of strangers that stay texts."""

from __future__ import annotations

from itertools import pairwise

import pytest

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.glossary import title_of
from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.space.page import VIEWS, render, render_message, views_of
from lm_eval_sensitivity.space.query import Query, parse
from tests.unit.space.known import HOSTILE, NAMES, known_results
from tests.unit.space.reading import assert_inert, read_page

OWN_VIEWS = ("clusters", "axes", "heatmap", "length", "method")
"""Those that need no pairs; the others are tested beside their views."""


@pytest.fixture(scope="module")
def results() -> Results:
    return known_results()


@pytest.mark.parametrize("view", OWN_VIEWS)
def test_hostile_names_stay_texts(results: Results, view: str) -> None:
    page = assert_inert(render(results, {"view": view}))
    # All of it is there to be read; the invisible character as a mark.
    assert HOSTILE.replace("\u202e", "U+202E") in page.text()


@pytest.mark.parametrize("view", OWN_VIEWS)
def test_a_page_has_one_heading_of_first_order_and_no_step_is_left_out(results: Results, view: str) -> None:
    page = read_page(render(results, {"view": view}))
    levels = [int(element.tag[1]) for element in page.walk() if element.tag in ("h1", "h2", "h3")]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("view", OWN_VIEWS)
def test_every_table_has_a_caption_and_scopes_and_scrolls_with_the_keyboard(
    results: Results, view: str
) -> None:
    page = read_page(render(results, {"view": view}))
    tables = page.every("table")
    assert tables
    assert len(
        [table for box in page.every("div", css="scroll", tabindex="0") for table in box.every("table")]
    ) == len(tables)
    for table in tables:
        assert table.one("caption").text().strip()
        assert all(cell.attributes.get("scope") for cell in table.every("th"))


@pytest.mark.parametrize("view", OWN_VIEWS)
def test_ids_are_there_once(results: Results, view: str) -> None:
    ids = [
        element.attributes["id"]
        for element in read_page(render(results, {"view": view})).walk()
        if "id" in element.attributes
    ]
    assert len(ids) == len(set(ids))


def test_the_navigation_names_every_view_and_where_we_are(results: Results) -> None:
    page = read_page(render(results, {"view": "heatmap"}))
    links = page.one("nav").every("a")
    assert [link.text() for link in links] == list(views_of(results).values())
    assert [link.text() for link in links if link.attributes.get("aria-current") == "page"] == [
        VIEWS["heatmap"]
    ]
    assert [parse(link.attributes["href"]).get("view", "clusters") for link in links] == list(
        views_of(results)
    )


def test_the_link_of_the_footer_shows_the_same_page(results: Results) -> None:
    html = render(results, {"view": "heatmap", "filter": "raw", "rungs": "meaning_preserving"})
    address = read_page(html).one("a", css="address").attributes["href"]
    assert address == "?view=heatmap&filter=raw"
    assert render(results, parse(address)) == html.replace("&rungs=meaning_preserving", "")


def test_wrong_values_are_said_and_the_default_is_shown(results: Results) -> None:
    page = assert_inert(render(results, {"view": "scores", "metric": "<b>bleu</b>", "order": "mean"}))
    complaints = page.one("div", css="complaints").text()
    for piece in ("`view` is 'scores'", "'<b>bleu</b>'", "'order' is no name", "Shown is 'cosine_distance'"):
        assert piece in complaints
    assert page.one("h1").text() == title_of("clusters")


def test_a_right_address_is_not_complained_of(results: Results) -> None:
    assert not read_page(render(results, {"view": "clusters", "filter": "raw"})).every(
        "div", css="complaints"
    )


def test_a_form_keeps_what_other_views_look_at(results: Results) -> None:
    page = read_page(render(results, {"view": "length", "metric": "js_divergence", "filter": "raw"}))
    form = page.one("form", css="choices")
    hidden = {each.attributes["name"]: each.attributes["value"] for each in form.every("input")}
    assert hidden == {"view": "length", "metric": "js_divergence", "filter": "raw"}


def test_systems_have_no_rank_and_no_page_offers_one(results: Results) -> None:
    """Pairs, edits and contrasts may be sorted by a number; what lists systems is sorted by name."""
    allowed = ("system", "first", "second", "finding", "adjusted p")
    for view in (each for each in OWN_VIEWS if each != "heatmap"):
        page = read_page(render(results, {"view": view}))
        sorting = [each.text() for each in page.walk() if "aria-sort" in each.attributes]
        assert not [words for words in sorting if not words.startswith(allowed)]
        assert not {"order", "rank"} & {each.attributes.get("name") for each in page.walk()}


def test_results_that_cannot_be_read_are_explained_and_never_replaced() -> None:
    problem = "`x/manifest.json`: `format_version` is <b>7</b>; accepted: 1."
    page = assert_inert(render_message(problem))
    assert problem in page.text()
    assert "lm-eval-sensitivity export" in page.text()
    assert not page.every("table")
    assert not page.every("nav")


def test_a_file_that_is_damaged_is_found_when_it_is_asked_for(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(*arguments: object) -> object:
        raise InputError("`pairs/000.parquet` has 3 bytes.")

    monkeypatch.setattr(Results, "pairs", damaged)
    page = assert_inert(render(results, {"view": "pairs"}))
    assert "`pairs/000.parquet` has 3 bytes." in page.text()
    assert page.every("nav")


def test_the_same_address_gives_the_same_page(results: Results) -> None:
    assert render(results, {"view": "axes"}) == render(known_results(), {"view": "axes"})


def test_every_name_of_the_default_address_is_valid() -> None:
    assert tuple(system.name for system in known_results().systems) == NAMES
    assert Query({}).complaints == []


@pytest.mark.parametrize("view", ["clusters", "axes", "heatmap", "length"])
def test_a_view_that_was_not_exported_says_so(view: str) -> None:
    bare = known_results(clusters=(), drift=(), heatmaps=(), windows=())
    page = assert_inert(render(bare, {"view": view}))
    assert page.every("p", css="missing")
    assert not page.every("table")
