"""Every view over real results: it loads, says its name, and shows the numbers of the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.space.page import number, render, views_of
from lm_eval_sensitivity.space.view import VIEWS
from tests.browser.axe import violations
from tests.browser.conftest import Real
from tests.browser.looking import (
    Browsing,
    address_of,
    content,
    go_to,
    heading,
    keep_picture,
    settled,
    sideways,
)
from tests.browser.test_hostile import assert_inert
from tests.unit.space.known import known_results

if TYPE_CHECKING:
    from playwright.sync_api import Page

LOOKS = {"light": {}, "dark": {"dark": True}, "phone": {"phone": True}}


@pytest.mark.parametrize("look", LOOKS)
def test_every_view_stands_in_every_look(look: str, real: Real, served: str, browsing: Browsing) -> None:
    page = browsing.open(served, **LOOKS[look])
    assert_first_screen(page)
    for case in (*views_of(real.results), "pair"):
        go_to(page, real.parting_pair() if case == "pair" else address_of(case))
        assert page.locator("body.dark").count() == ("dark" in look), "it follows the reader's device"
        assert page.locator("h1").count() == 1, case
        here = page.locator(".masthead [aria-current=page]").inner_text()
        assert here == VIEWS["pairs" if case == "pair" else case]
        assert page.title() == f"{heading(page)} - Prompt sensitivity"
        assert not page.locator(".complaints").all_inner_texts(), case
        keep_picture(page, f"{case}-{look}")
        assert sideways(page) == 0, f"{case}: the page itself never scrolls sideways"
        if "phone" not in look:
            found = violations(page, contrast_alone="dark" in look)
            assert not found, "\n".join([case, *found])


def assert_first_screen(page: Page) -> None:
    """It shows the finding and the systems."""
    finding, table = page.locator(".finding").bounding_box(), page.locator("#systems").bounding_box()
    first = page.locator("#systems tbody tr").first.bounding_box()
    screen = page.viewport_size
    assert finding and table and first and screen
    assert finding["y"] < table["y"] < 400 and first["y"] + first["height"] < screen["height"]
    backgrounds = page.evaluate(
        "['body', '.sensitivity'].map((each) => getComputedStyle(document.querySelector(each)).backgroundColor)"
    )
    assert len(set(backgrounds)) == 1, "no bands beside the page"


@pytest.mark.parametrize("look", LOOKS)
def test_answers_stand_in_every_look(look: str, answers: tuple[Results, Results], browsing: Browsing) -> None:
    """Of a wrapped task alone and beside the ladder: the sentence and a row of the table are on the first screen."""
    alone, beside = answers
    for results, said in ((alone, ".finding"), (beside, ".of-tasks")):
        page = browsing.static(render(results, {}), **LOOKS[look])
        words, first = page.locator(said), page.locator("#systems tbody tr").first.bounding_box()
        assert "is within what an extra space does." in words.inner_text()
        place, screen = words.bounding_box(), page.viewport_size
        assert place and first and screen
        assert place["y"] < first["y"] and first["y"] + first["height"] < screen["height"]
    pair = {"pair": "science/0/double_space"}
    queries = (
        {},
        {"view": "answers", **pair},
        {"view": "pairs", **pair},
        *({"view": each} for each in views_of(alone)),
    )
    for at, (results, query) in enumerate(
        [*((alone, each) for each in queries), (beside, {"view": "answers"})]
    ):
        page = browsing.static(render(results, query), **LOOKS[look])
        keep_picture(page, f"answers-{at}-{look}")
        assert sideways(page) == 0, query
        if query.get("view") not in ("learn", "method"):
            assert_inert(page)
        if "phone" not in look:
            found = violations(page, contrast_alone="dark" in look)
            assert not found, "\n".join([str(query), *found])


def test_the_numbers_are_those_of_the_command_line(real: Real, served: str, browsing: Browsing) -> None:
    page = browsing.at(served)
    rows = {row["system"]: row for row in real.systems()}
    shown = page.locator("#systems tbody tr").all()
    assert [row.locator("th").inner_text() for row in shown] == sorted(rows), "no order but the alphabet's"
    for row in shown:
        known = rows[row.locator("th").inner_text()]
        assert row.locator(".mean strong").inner_text() == number(known["mean"])
        counts = row.locator(".counts small").first.inner_text()
        prompts, pairs, erased, unscored = (
            known[name] for name in ("prompts", "pairs", "erased", "unscored")
        )
        lost = [f"; {n} {kind}" for kind, n in (("erased", erased), ("unscored", unscored)) if n]
        assert counts == f"{prompts} prompts, {pairs} pairs{''.join(lost)}"
        assert row.locator(".letter").all_inner_texts() == (known["clusters"] or "").split(", ")
    words = content(page).lower().split()
    assert not {"rank", "best", "worst", "winner", "1st", "#1"} & set(words), "no order of merit"


LOOKS_LIKE = (
    "each => { const style = getComputedStyle(each); return [style.backgroundImage, style.backgroundColor]; }"
)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_an_erased_cell_is_hatched_and_never_a_small_number(dark: bool, browsing: Browsing) -> None:
    """Over known results, in which some are: the style alone is looked at."""
    page = browsing.static(render(known_results(), {"view": "heatmap"}), dark=dark)
    cells = page.locator(".heatmap td.erased")
    assert cells.count() == 1
    image, color = cells.evaluate(LOOKS_LIKE)
    assert "repeating-linear-gradient" in image and color == "rgba(0, 0, 0, 0)"
    assert cells.inner_text() == "erased"
    for said in page.locator(".heatmap td").evaluate_all(f"all => all.map({LOOKS_LIKE})"):
        assert not is_green(said[1])


def is_green(color: str) -> bool:
    red, green, blue, *_ = (float(each) for each in color.strip("rgba()").split(","))
    return green > max(red, blue)


def test_clicking_leads_where_the_addresses_lead(served: str, browsing: Browsing) -> None:
    page = browsing.open(served)
    for view in ("pairs", "learn"):
        page.locator(".masthead").get_by_role("link", name=VIEWS[view], exact=True).click()
        settled(page, view)
        other = browsing.open(page.url)
        assert other.url == page.url and content(other) == content(page)
        assert other.title() == page.title()
        other.close()


def test_a_wrong_address_is_answered(served: str, browsing: Browsing) -> None:
    page = browsing.at(served, "?view=heatmap&filter=row&system=99")
    said = page.get_by_role("alert").inner_text()
    assert "Did you mean 'raw'?" in said
    assert page.locator(".heatmap").is_visible()


def test_a_folder_without_results_is_explained(nothing_served: str, browsing: Browsing) -> None:
    page = browsing.open(nothing_served)
    assert "does not exist" in page.get_by_role("alert").inner_text()
    assert "lm-eval-sensitivity export" in content(page)
    assert not page.locator("table").count(), "no example data"
    assert not violations(page)
    keep_picture(page, "nothing-light")
