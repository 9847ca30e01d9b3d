"""axe-core on a page: names, roles, order of headings, contrast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

OURS = "#page"
"""Everything of ours. Around it stands Gradio's own page, of which nothing can be changed from here."""
MOST_ROWS = 3
PREPARE = """most => {
    for (const closed of document.querySelectorAll("#page details")) closed.open = true;
    for (const body of document.querySelectorAll("#page tbody"))
        while (body.rows.length > most) body.deleteRow(-1);
    for (const drawing of document.querySelectorAll("#page svg:is([role=img], [aria-hidden=true])"))
        drawing.replaceChildren();
}"""
"""Everything is opened. Long tables are cut: their rows are alike, and axe looks long at every cell; what is inside a
drawing that has one name is nothing to it."""
CONTRAST = "color-contrast"
"""The one rule that a dark page can break alone."""


def violations(page: Page, *, contrast_alone: bool = False) -> list[str]:
    """What axe finds wrong and where; changes the page."""
    from axe_playwright_python.sync_playwright import Axe

    page.evaluate(PREPARE, MOST_ROWS)
    options: dict[str, Any] = {"resultTypes": ["violations"], "preload": False}
    if contrast_alone:
        options["runOnly"] = [CONTRAST]
    found = Axe().run(page, context=OURS, options=options)
    return [in_words(each) for each in found.response["violations"]]


def in_words(violation: dict[str, Any]) -> str:
    """One rule and some of the places where it is broken."""
    places = [f"  {node['html'][:200]} {node['failureSummary'][:300]}" for node in violation["nodes"][:5]]
    return "\n".join([f"{violation['id']} ({len(violation['nodes'])}): {violation['help']}", *places])
