"""Everything without a pointer: navigation, a cell, a pair and its steps, the knob and the grids."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from tests.browser.conftest import Real
from tests.browser.looking import Browsing, address_of, settled

if TYPE_CHECKING:
    from playwright.sync_api import Page

FOCUSED = "selector => document.activeElement.matches(selector)"
BEFORE = """selector => {
    const all = [...document.querySelectorAll("#page :is(a[href], button, input, select, summary, [tabindex='0'])")]
        .filter((each) => !each.disabled && each.checkVisibility());
    const at = all.findIndex((each) => each.matches(selector));
    if (at > 0) all[at - 1].focus();
    return at;
}"""
"""Puts the focus on what stands before an element in the order of the document."""


def tab_to(page: Page, selector: str) -> None:
    """Press Tab where it leads to an element."""
    assert page.evaluate(BEFORE, selector) > 0, f"nothing before {selector} takes the focus"
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUSED, selector), f"Tab never reaches {selector}"


def test_tab_goes_through_the_whole_page_and_is_never_held(served: str, browsing: Browsing) -> None:
    page = browsing.at(served)
    page.locator(".heading").focus()
    seen: list[int] = []
    while not page.evaluate(FOCUSED, "[data-copy]"):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate("[...document.querySelectorAll('#page *')].indexOf(document.activeElement)")
        )
        assert len(seen) < 80
    assert seen == sorted(set(seen)), "in the order of the document, each once"
    wanted = ["select", "#systems thead a", ".chip > summary", ".scroll", "[data-copy-table]", "a.address"]
    every = "all => all.map((each) => [...document.querySelectorAll('#page *')].indexOf(each))"
    for selector in wanted:
        assert set(page.locator(selector).evaluate_all(every)) & {*seen}, selector


def test_a_caution_opens(hostile_served: str, browsing: Browsing) -> None:
    page = browsing.at(hostile_served)
    assert not page.locator(".chip li").first.is_visible()
    tab_to(page, ".chip > summary")
    page.keyboard.press("Enter")
    assert page.locator(".chip li").first.is_visible()


def test_from_the_first_page_into_a_pair(served: str, browsing: Browsing) -> None:
    page = browsing.at(served)
    page.locator(".heading").focus()
    page.keyboard.press("Shift+Tab")
    assert page.evaluate(FOCUSED, "nav a"), "the navigation comes right before"
    tab_to(page, "nav a[href*='view=heatmap']")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    settled(page, "heatmap")
    assert page.evaluate(FOCUSED, "h1.heading"), "the reader goes on at the heading of what is new"
    tab_to(page, ".heatmap td a")
    page.keyboard.press("Enter")
    settled(page, "pairs")
    tab_to(page, "#pairs tbody a")
    page.keyboard.press("Enter")
    page.locator("h1", has_text="One pair").wait_for()
    assert page.locator(".pair").is_visible()


def said(page: Page, what: str) -> str:
    return page.locator(f"[data-say={what}]").inner_text()


def test_the_steps_of_a_pair(real: Real, served: str, browsing: Browsing) -> None:
    page = browsing.at(served, real.parting_pair())
    slider = page.locator("[data-branching] input[type=range]")
    last = int(slider.get_attribute("max"))
    parted = int(page.locator("[data-branch=first]").get_attribute("data-at"))
    assert said(page, "step") == str(parted), "it opens where the outputs part"
    tab_to(page, "[data-branch=back]")
    page.keyboard.press("Enter")
    assert said(page, "step") == str(parted - 1)
    tab_to(page, "[data-branching] input[type=range]")
    page.keyboard.press("Home")
    assert said(page, "step") == said(page, "curve") == "0"
    page.keyboard.press("ArrowRight")
    assert said(page, "step") == "1"
    assert "later" in (page.locator(f"[data-step='{last}']").first.get_attribute("class") or "later")
    page.locator("[data-branch=first]").focus()
    page.keyboard.press("Enter")
    assert said(page, "step") == str(parted) and said(page, "curve") != "0"
    assert page.locator("[data-branch=play]").is_disabled(), "nothing plays where motion is not wanted"
    link = page.locator("a.steplink").get_attribute("href")
    other = browsing.open(served + link)
    assert said(other, "step") == str(parted), "the link leads to the step"


def test_one_key_leads_to_the_next_pair_and_another_back(real: Real, served: str, browsing: Browsing) -> None:
    page = browsing.at(served, real.parting_pair())
    for key in ("n", "p"):
        link = page.locator(f"a[data-key={key}]").get_attribute("href")
        page.keyboard.press(key)
        page.wait_for_function(
            "link => document.querySelector('a.address').getAttribute('href') === link", arg=link
        )
        assert parse_qs(urlsplit(page.url).query)["pair"] == parse_qs(urlsplit(link).query)["pair"]


def steps_named(page: Page) -> set[str]:
    """The step of everything that a reader could copy: the address, the link of the footer, and its button."""
    copied = page.locator("[data-copy]").get_attribute("data-copy")
    link = page.locator("a.address")
    addresses = (page.url, copied, link.get_attribute("href"), link.inner_text())
    return {parse_qs(urlsplit(each or "").query).get("step", ["none"])[0] for each in addresses}


def test_whoever_copies_the_link_copies_the_step(real: Real, served: str, browsing: Browsing) -> None:
    page = browsing.open(served + real.parting_pair(), reduced_motion="no-preference")
    assert steps_named(page) == {"none"}
    page.locator("[data-branch=back]").click()
    assert steps_named(page) == {said(page, "step")}
    page.locator("[data-branching] input[type=range]").focus()
    page.keyboard.press("Home")
    assert steps_named(page) == {"0"}
    page.locator("[data-branch=play]").click()
    waits(page, lambda: int(said(page, "step")) >= 2)
    assert steps_named(page) == {"0"}, "it waits until it rests: browsers allow few changes"
    page.locator("[data-branch=pause]").click()
    assert steps_named(page) == {said(page, "step")} != {"0"}
    page.reload()
    page.locator("h1", has_text="One pair").wait_for()
    assert steps_named(page) == {said(page, "step")}


def test_playing_and_pausing(real: Real, served: str, browsing: Browsing) -> None:
    page = browsing.open(served + real.parting_pair(), reduced_motion="no-preference")
    tab_to(page, "[data-branch=play]")
    page.keyboard.press("Enter")
    waits(page, lambda: int(said(page, "step")) >= 3)
    assert page.evaluate(FOCUSED, "[data-branch=pause]"), "the focus goes where the next key is wanted"
    page.keyboard.press("Enter")
    halted = said(page, "step")
    page.wait_for_timeout(700)
    assert said(page, "step") == halted and page.evaluate(FOCUSED, "[data-branch=play]")
    page.keyboard.press("Enter")
    waits(page, lambda: int(said(page, "step")) > int(halted))
    page.locator("nav a").first.click()
    settled(page, "clusters")


def waits(page: Page, until: Callable[[], bool]) -> None:
    for _ in range(200):
        if until():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it never comes")


def test_the_knob(served: str, browsing: Browsing) -> None:
    page = browsing.at(served, address_of("learn"))
    tab_to(page, "#learn-r")
    before = page.locator("[data-part=first]").get_attribute("points")
    page.keyboard.press("Home")
    low = page.locator("#learn-r").get_attribute("min")
    assert float(page.locator("[data-part=knob-value]").first.inner_text()) == float(low)
    assert page.locator("[data-part=first]").get_attribute("points") != before
    assert f"r={low}" in page.url
    calm = page.locator("[data-logistic] [data-part=result]").inner_text()
    page.keyboard.press("End")
    assert page.locator("[data-logistic] [data-part=result]").inner_text() != calm


def test_the_ripple(served: str, browsing: Browsing) -> None:
    page = browsing.at(served, address_of("learn"))
    tab_to(page, "[data-ripple] [role=gridcell]")
    begun = page.evaluate("document.activeElement.getAttribute('aria-label')")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    moved = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert moved != begun
    page.keyboard.press("Enter")
    shades = page.locator("[role=grid]").first.locator("[data-shade='0']").count()
    assert (
        moved.removeprefix("row ").split(",")[0]
        in page.locator("[data-ripple] [data-part=result]").inner_text()
    )
    assert shades, "the left grid swallows it"
