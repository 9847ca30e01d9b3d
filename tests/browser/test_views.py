"""Every view over real results: it loads, says its name, and shows the numbers of the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lm_eval_sensitivity.metrics import METRICS
from lm_eval_sensitivity.space.page import number
from lm_eval_sensitivity.space.view import VIEWS
from tests.browser.axe import violations
from tests.browser.conftest import Real
from tests.browser.looking import Browsing, address_of, content, heading, screenshots, settled, sideways

if TYPE_CHECKING:
    from playwright.sync_api import Page

LOOKS = {"light": {}, "dark": {"dark": True}, "phone": {"phone": True}}
CASES = (*VIEWS, "pair")
"""The views, and one pair of the list."""


@pytest.fixture
def address(real: Real, served: str) -> dict[str, str]:
    """The address of every case."""
    return {view: served + address_of(view) for view in VIEWS} | {"pair": served + real.parting_pair()}


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("case", CASES)
def test_a_view_stands_in_every_look(
    case: str, look: str, address: dict[str, str], browsing: Browsing
) -> None:
    page = browsing.open(address[case], **LOOKS[look])
    assert page.locator("body.dark").count() == ("dark" in look), "it follows the reader's device"
    assert page.locator("h1").count() == 1
    assert page.locator("nav [aria-current=page]").inner_text() == VIEWS["pairs" if case == "pair" else case]
    assert page.title() == f"{heading(page)} - Prompt sensitivity"
    assert not page.locator(".complaints").all_inner_texts()
    page.screenshot(path=screenshots() / f"{case}-{look}.png", full_page=True)
    assert sideways(page) == 0, "the page itself never scrolls sideways"
    if "phone" not in look:
        found = violations(page)
        assert not found, "\n".join(found)


def test_the_numbers_are_those_of_the_command_line(real: Real, served: str, browsing: Browsing) -> None:
    page = browsing.open(served)
    rows = {row["system"]: row for row in real.systems()}
    shown = page.locator("#systems tbody tr").all()
    assert [row.locator("th").inner_text() for row in shown] == sorted(rows), "no order but the alphabet's"
    assert len(shown) >= 6
    for row in shown:
        known = rows[row.locator("th").inner_text()]
        cells = row.locator("td").all_inner_texts()
        assert cells[1] == number(known["mean"])
        assert cells[3:7] == [str(known[name]) for name in ("prompts", "pairs", "erased", "unscored")]
        assert cells[-1] == (", ".join(letters_of(known)) or "none")


def letters_of(row: dict[str, Any]) -> list[str]:
    return (row["clusters"] or "").split()


def test_groups_are_named_without_any_order_of_merit(real: Real, served: str, browsing: Browsing) -> None:
    letters = {row["system"]: set(letters_of(row)) for row in real.systems()}
    assert_groups(browsing.open(served), letters)


def test_who_could_be_in_another_group_too_is_said_to(real: Real, served: str, browsing: Browsing) -> None:
    pages = [page for key, page in real.results.clusters.items() if key.metric in METRICS]
    shared = next(page for page in pages if any(len(row.letters) > 1 for row in page.systems))
    key = shared.selection
    page = browsing.open(f"{served}?metric={key.metric}&filter={key.filter_name}&rungs={key.rung_set}")
    assert_groups(page, {row.system: set(row.letters) for row in shared.systems})
    assert "(could also be in " in content(page)


def assert_groups(page: Page, letters: dict[str, set[str]]) -> None:
    """Every group has its members, by the alphabet, each with the other groups that it shares; no word of merit."""
    groups = page.locator(".groups dt").all_inner_texts()
    assert groups == [f"Group {letter}" for letter in sorted(set().union(*letters.values()))]
    for group, members in zip(groups, page.locator(".groups dd").all(), strict=True):
        letter = group.removeprefix("Group ")
        names = members.locator("li > bdi").all_inner_texts()
        assert names == sorted(name for name in letters if letter in letters[name])
        for name, line in zip(names, members.locator("li").all_inner_texts(), strict=True):
            also = ", ".join(sorted(letters[name] - {letter}))
            assert line == (f"{name} (could also be in {also})" if also else name)
    words = content(page).lower()
    assert not [word for word in ("rank", "best", "worst", "winner", "1st", "#1") if word in words.split()]


def test_what_collapsed_is_said_to_be_so(real: Real, served: str, browsing: Browsing) -> None:
    """The one thing that nobody may overlook, on the first page and beside the reference."""
    page = browsing.open(served)
    assert "2-bit_attention: COLLAPSED OR INDISCRIMINATE" in content(page)
    beside = browsing.open(served + address_of("axes")).locator(".shapes li", has_text="COLLAPSED")
    assert "2-bit_attention" in beside.inner_text()


LOOKS_LIKE = (
    "each => { const style = getComputedStyle(each); return [style.backgroundImage, style.backgroundColor]; }"
)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_an_erased_cell_is_hatched_and_never_a_small_number(
    dark: bool, real: Real, served: str, browsing: Browsing
) -> None:
    page = browsing.open(f"{served}?view=heatmap&filter=raw", dark=dark)
    cells_of = real.results.heatmaps["cosine_distance", "raw"].cells
    wholly = [cell for cell in cells_of if cell.n_given and cell.counts.n_erased == cell.n_given]
    cells = page.locator(".heatmap td.erased")
    assert cells.count() == len(wholly) > 0
    for cell in cells.all():
        image, color = cell.evaluate(LOOKS_LIKE)
        assert "repeating-linear-gradient" in image and color == "rgba(0, 0, 0, 0)"
        assert cell.inner_text().startswith("erased") and "0.0" not in cell.inner_text()
    for said in page.locator(".heatmap td").evaluate_all(f"all => all.map({LOOKS_LIKE})"):
        assert not is_green(said[1])


def is_green(color: str) -> bool:
    red, green, blue, *_ = (float(each) for each in color.strip("rgba()").split(","))
    return green > max(red, blue)


def test_clicking_leads_where_the_addresses_lead(
    address: dict[str, str], served: str, browsing: Browsing
) -> None:
    page = browsing.open(served)
    for view in ("axes", "heatmap", "pairs", "length", "compare", "learn", "method", "clusters"):
        page.locator("nav").get_by_role("link", name=VIEWS[view], exact=True).click()
        settled(page, view)
        other = browsing.open(page.url)
        assert other.url == page.url and content(other) == content(page)
        assert other.title() == page.title()
        other.close()


def test_a_wrong_address_is_answered(served: str, browsing: Browsing) -> None:
    page = browsing.open(f"{served}?view=heatmap&filter=row&system=99")
    said = page.get_by_role("alert").inner_text()
    assert "Did you mean 'raw'?" in said
    assert page.locator(".heatmap").is_visible()


def test_a_folder_without_results_is_explained(nothing_served: str, browsing: Browsing) -> None:
    page = browsing.open(nothing_served)
    assert "does not exist" in page.get_by_role("alert").inner_text()
    assert "lm-eval-sensitivity export" in content(page)
    assert not page.locator("table").count(), "no example data"
    assert not violations(page)
    page.screenshot(path=screenshots() / "nothing-light.png", full_page=True)
