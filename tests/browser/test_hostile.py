"""Results from strangers: their names and outputs are read, and never run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.space.view import VIEWS
from tests.browser.looking import Browsing, address_of, go_to, keep_picture, settled, sideways

if TYPE_CHECKING:
    from playwright.sync_api import Page

LOUD = "script, img, iframe, object, embed, [onerror], [onload], [onmouseover], [onfocus], [autofocus]"
"""What the texts try to become; a page of ours has none of it."""


def assert_inert(page: Page) -> None:
    """Nothing has run, and every text of a stranger holds our own marks at most."""
    page.mouse.move(200, 400)
    assert page.evaluate("window.owned") is None
    assert page.locator(".theirs").count(), "there are strangers' texts"
    assert page.locator("#page").locator(LOUD).count() == 0
    inside = page.locator(".theirs *").evaluate_all("all => [...new Set(all.map(each => each.localName))]")
    assert set(inside) <= {"span", "br", "b", "del", "ins"}
    seen = page.locator("#page").inner_text()
    assert not set(seen) & set("\x00\x07\x1b\u200b\u202c\u202e\u2066")


def test_names_are_only_read(hostile_served: str, browsing: Browsing) -> None:
    page = browsing.at(hostile_served)
    for view in (each for each in VIEWS if each != "answers"):
        page.locator(f".masthead a[href='{address_of(view) if view != 'clusters' else '?'}']").click()
        settled(page, view)
        keep_picture(page, f"hostile-{view}-light")
        if view not in ("learn", "method"):  # of which the first names no system
            assert "onerror=" in page.locator(".content").text_content()
        assert_inert(page)


def test_outputs_are_only_read(hostile_results: Results, hostile_served: str, browsing: Browsing) -> None:
    scored = next(line for line in hostile_results.ladder.values() if line.rung == "positive_control")
    page = browsing.at(hostile_served, f"?view=pairs&pair={scored.pair_id}")
    text = page.locator(".output .text").first.text_content()
    for loud in ("<script>window.owned='script'</script>", "${1+1}", "{{7*7}}", "</bdi></div></div><style>"):
        assert loud in text, "it is shown as it is"
    assert page.locator(".output .mark").count() > 4, "what cannot be seen is marked"
    assert_inert(page)
    keep_picture(page, "hostile-pair-light")


def test_addresses_and_what_is_searched_for_are_only_read(hostile_served: str, browsing: Browsing) -> None:
    wanted = "%3Cimg+src%3Dx+onerror%3Dwindow.owned%3D1%3E"
    page = browsing.open(f"{hostile_served}?view=pairs&system={wanted}&edit=%22%3E%3Cb%3E")
    assert "<img src=x" in page.get_by_role("alert").inner_text()
    assert_inert(page)
    go_to(page, "?view=pairs&rungs=positive_control&search=%3Cimg+src%3Dx")
    assert page.locator("#pairs tbody tr").count(), "the outputs hold it"
    assert "<img src=x" in page.locator(".finding").inner_text()
    assert_inert(page)


def test_names_on_a_phone(hostile_served: str, browsing: Browsing) -> None:
    page = browsing.open(hostile_served, phone=True)
    assert sideways(page) == 0
    go_to(page, address_of("compare"))
    assert sideways(page) == 0
    assert_inert(page)
