"""Ways through the page: links, the history, forms, rows, downloads."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lm_eval_sensitivity.space.page import render
from lm_eval_sensitivity.space.view import VIEWS
from tests.browser.conftest import FIRST_PAGE, Real
from tests.browser.looking import Browsing, address_of, content, go_to, heading, settled
from tests.unit.space.known import KEYS, NAMES, clusters, known_results

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, Route


def groups(page: Page) -> list[str]:
    return page.locator("#systems td.groups").all_text_contents()


def test_from_a_cell_to_its_list_to_a_pair(served: str, browsing: Browsing) -> None:
    page = browsing.at(served, address_of("heatmap"))
    cell = page.locator(".heatmap td.number a", has_not_text="0.000").first
    mean = float(cell.locator(".mean").inner_text())
    cell.click()
    settled(page, "pairs")
    values = [float(each) for each in page.locator("#pairs tbody td:nth-child(2)").all_inner_texts()]
    assert sum(values) / len(values) == pytest.approx(mean, abs=0.001), (
        "the list is what the cell is the mean of"
    )
    wanted = page.locator("#pairs tbody a").first
    pair = wanted.inner_text()
    wanted.click()
    page.locator("h1", has_text="One pair").wait_for()
    assert pair.split("/")[-1] in content(page)


def test_back_and_forward(served: str, browsing: Browsing) -> None:
    page = browsing.open(served)
    seen = [heading(page)]
    for view in ("axes", "heatmap", "length"):
        page.locator(f"nav a[href*='view={view}']").click()
        settled(page, view)
        seen.append(heading(page))
    assert len(set(seen)) == 4
    for view, words in (("heatmap", seen[2]), ("axes", seen[1]), ("clusters", seen[0])):
        page.go_back()
        settled(page, view)
        assert heading(page) == words
    page.go_forward()
    settled(page, "axes")
    assert heading(page) == seen[1]


def test_what_nobody_waits_for_any_more_is_not_shown(served: str, browsing: Browsing) -> None:
    """Neither a late answer nor a late failure reaches the page that the reader has gone on to."""
    page = browsing.open(served)
    late: list[Route] = []

    def hold(route: Route) -> None:
        if "view=heatmap" in (route.request.post_data or "") or "view=axes" in (
            route.request.post_data or ""
        ):
            late.append(route)
        else:
            route.continue_()

    page.route("**/component_server/**", hold)
    for view in ("heatmap", "axes", "method"):
        page.locator(f"nav a[href*='view={view}']").click()
    page.locator("h1", has_text=VIEWS["method"]).wait_for()
    while len(late) < 2:
        page.wait_for_timeout(50)
    failing, answered = late
    answered.continue_()
    failing.abort()
    page.wait_for_timeout(1500)  # three times the pause before a second try
    assert len(late) == 2, "and it is not asked for again"
    assert heading(page).startswith(VIEWS["method"]) and not page.locator(".failed").count()
    assert page.url.endswith("view=method")
    assert [each for each in browsing.problems if "console" not in each] == []
    browsing.problems.clear()  # the browser itself tells of the request that failed


def test_an_answer_that_never_comes_is_said(served: str, browsing: Browsing) -> None:
    page = browsing.open(served)
    page.route("**/component_server/**", lambda route: route.abort())
    page.locator("nav a[href*='view=heatmap']").click()
    page.locator(".failed").wait_for()
    assert "The server did not answer." in page.locator(".failed").inner_text()
    assert heading(page).startswith(VIEWS["clusters"])
    page.unroute("**/component_server/**")
    page.locator("nav a[href*='view=heatmap']").click()
    settled(page, "heatmap")
    assert not page.locator(".failed").count()
    browsing.problems.clear()


def test_a_changed_form_changes_address_and_content(real: Real, served: str, browsing: Browsing) -> None:
    page = browsing.at(served)
    before = content(page)
    page.locator("select[name=filter]").select_option("raw")
    page.wait_for_url("**filter=raw*")
    settled(page, "clusters")
    assert content(page) != before and "filter raw" in content(page)
    assert page.evaluate("document.activeElement.name") == "filter", "who is choosing goes on choosing"
    assert content(browsing.open(page.url)) == content(page)


def test_hiding_rows_changes_no_group(browsing: Browsing) -> None:
    """Over known results, of more systems than were run."""
    known = clusters(KEYS[1], NAMES)
    many = replace(known, systems=(known.systems * 3)[:9])
    page = browsing.static(render(known_results(clusters=(many,)), {}))
    rows, before = page.locator("#systems tbody tr"), groups(page)
    page.locator("input[data-rows=systems]").fill("INT4")
    assert [row.locator("th").inner_text() for row in rows.all() if row.is_visible()] == ["delta-4b-int4"] * 2
    assert groups(page) == before
    assert "2 of 9 rows are shown." in content(page)


def test_a_list_is_sorted_searched_and_shared(served: str, browsing: Browsing) -> None:
    page = browsing.at(served, "?view=pairs&system=demo")
    values = page.locator("#pairs tbody td.number:nth-child(2)")
    furthest = values.first.inner_text()
    page.locator("#pairs thead a", has_text="cosine_distance").click()
    page.wait_for_url("**sort=nearest*")
    settled(page)
    assert float(values.first.inner_text()) <= float(furthest)
    page.locator("input[name=search]").fill("sky")
    page.keyboard.press("Enter")
    page.wait_for_url("**search=sky*")
    settled(page)
    rows = page.locator("#pairs tbody tr")
    assert rows.count() > 0 and all("sky" in row.inner_text().lower() for row in rows.all())
    assert content(browsing.open(page.url)) == content(page)


def test_a_table_is_copied_as_it_is_seen(served: str, browsing: Browsing) -> None:
    page = browsing.open(served, permissions=["clipboard-read", "clipboard-write"])
    page.locator("[data-copy-table=systems]").click()
    page.locator(".tools .copied", has_text="Copied.").wait_for()
    lines = page.evaluate("navigator.clipboard.readText()").split("\n")
    assert [line.split("\t")[0] for line in lines[1:]] == ["coarse", "demo", "rounded"]
    assert lines[0].split("\t")[2] == "mean, 95 % interval"
    words = page.locator("#systems tbody td.mean").first.inner_text().split()
    assert lines[1].split("\t")[2].split() == words, "what stands on two lines stays two words"


def test_prompts_of_two_systems_are_sorted_by_who_reads(served: str, browsing: Browsing) -> None:
    page = browsing.at(served, address_of("compare"))
    table = page.locator("details table.names").first
    page.locator("details > summary", has_text="The same in numbers").click()
    table.locator("[data-sort]", has_text="second − first").click()
    found = [float(each) for each in table.locator("tbody td:nth-child(4)").all_inner_texts()]
    assert found == sorted(found, reverse=True) and len(set(found)) > 1
    table.locator("[data-sort]", has_text="second − first").click()
    turned = [float(each) for each in table.locator("tbody td:nth-child(4)").all_inner_texts()]
    assert turned == sorted(found)
    assert table.locator("th[aria-sort=ascending]").inner_text().startswith("second − first")
    table.locator("[data-sort]", has_text="prompt").click()
    names = table.locator("tbody th").all_inner_texts()
    assert names == sorted(names)


def test_a_download_has_the_numbers_of_the_command_line(
    real: Real, served: str, browsing: Browsing, tmp_path: Path
) -> None:
    """To the last digit, which no table on the page shows."""
    page = browsing.at(served)
    found = downloaded(page.locator("[data-download=systems]"), "clusters_systems.csv", tmp_path)
    systems = {row["system"]: row for row in found[f"systems {FIRST_PAGE}"]}
    assert systems.keys() == {known["system"] for known in real.systems()}
    for known in real.systems():
        row = systems[known["system"]]
        for name in ("mean", "lower", "noise floor", "prompts", "pairs", "erased", "unscored"):
            assert in_csv(row[name]) == known[name]
        assert row["clusters"] == (known["clusters"] or "")
    go_to(page, address_of("method"))
    found = downloaded(page.get_by_role("button", name="clusters.csv", exact=True), "clusters.csv", tmp_path)
    contrasts = {(row["first"], row["second"]): row for row in found[f"contrasts {FIRST_PAGE}"]}
    assert len(contrasts) == len(real.contrasts())
    for known in real.contrasts():
        row = contrasts[known["first"], known["second"]]
        assert in_csv(row["difference"]) == known["difference"]
        assert in_csv(row["p adjusted"]) == known["p adjusted"]
        assert row["finding"] == known["finding"]


def downloaded(button: Locator, name: str, folder: Path) -> dict[str, list[dict[str, str]]]:
    """The rows of every table of a file."""
    with button.page.expect_download() as loading:
        button.click()
    assert loading.value.suggested_filename == name
    loading.value.save_as(folder / name)
    found: dict[str, list[dict[str, str]]] = {}
    for text in (folder / name).read_text(encoding="utf-8-sig").split("\n\n"):
        for row in csv.DictReader(io.StringIO(text)):
            found.setdefault(row["table"], []).append(row)
    return found


def in_csv(cell: str) -> float | None:
    return float(cell) if cell else None
