"""axe-core on a page: names, roles, order of headings, contrast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

OURS = "#page"
"""Everything of ours. Around it stands Gradio's own page, of which nothing can be changed from here."""
MOST_ROWS = 6
PREPARE = """most => {
    for (const closed of document.querySelectorAll("#page details")) closed.open = true;
    for (const body of document.querySelectorAll("#page tbody"))
        while (body.rows.length > most) body.deleteRow(-1);
}"""
"""Everything is opened. Long tables are cut: their rows are alike, and axe looks long at every cell."""


def violations(page: Page) -> list[str]:
    """What axe finds wrong and where; changes the page."""
    from axe_playwright_python.sync_playwright import Axe

    page.evaluate(PREPARE, MOST_ROWS)
    found = Axe().run(page, context=OURS, options={"resultTypes": ["violations"], "preload": False})
    return [in_words(each) for each in found.response["violations"]]


def in_words(violation: dict[str, Any]) -> str:
    """One rule and some of the places where it is broken."""
    places = [f"  {node['html'][:200]} {node['failureSummary'][:300]}" for node in violation["nodes"][:5]]
    return "\n".join([f"{violation['id']} ({len(violation['nodes'])}): {violation['help']}", *places])
