"""Pages of a browser that may ask nobody but its own server, and that remembers what went wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from lm_eval_sensitivity.space.view import VIEWS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
LOCAL_HOST, LOCAL_SCHEMES = "127.0.0.1", ("data", "blob", "about")
BLIND = ("--no-sandbox", f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {LOCAL_HOST}")
"""Options of a browser that finds no host but this one. Chromium's sandbox does not start for root."""
PATIENCE_SECONDS = 60
"""Until a page is given up, on a busy machine."""


class Browsing:
    """Opens pages, and notes what goes wrong on any of them.

    Readers of the same kind share a context, so that the server's scripts are loaded once for each.
    """

    def __init__(self, browser: Browser) -> None:
        self.problems: list[str] = []
        self._browser = browser
        self._contexts: dict[str, BrowserContext] = {}
        self._standing: dict[str, Page] = {}

    def open(self, address: str, *, dark: bool = False, phone: bool = False, **options: Any) -> Page:
        """Load an address and wait until its own content stands there.

        Args:
            address: of a server, with the query.
            dark: what the reader's device prefers.
            phone: a narrow screen.
            **options: of playwright's `new_context`.
        """
        page = self.blank(dark=dark, phone=phone, **options)
        page.goto(address)
        settled(page)
        return page

    def at(self, server: str, query: str = "?") -> Page:
        """The same where it is no matter that a page stood there: everything is loaded once for each server.

        Args:
            server: its address.
            query: of what is to be seen.
        """
        if server not in self._standing:
            self._standing[server] = self.open(server + query)
        else:
            go_to(self._standing[server], query)
        return self._standing[server]

    def blank(self, *, dark: bool = False, phone: bool = False, **options: Any) -> Page:
        """An empty page of such a reader."""
        reader = {
            "viewport": PHONE if phone else DESK,
            "color_scheme": "dark" if dark else "light",
            "reduced_motion": "reduce",
            **options,
        }
        return self._context(reader).new_page()

    def static(self, html: str, **options: Any) -> Page:
        """A page of ours with its style and its script, and without a server that would answer it.

        Args:
            html: from `render`.
            **options: as for `open`.
        """
        from lm_eval_sensitivity.space.app import SCRIPTS, STYLES, read

        page = self.blank(**options)
        style, script = "\n".join(map(read, STYLES)), "\n".join(map(read, SCRIPTS))
        body = f'<body class="{"dark" if options.get("dark") else ""}"><div id="page">{html}</div>'
        page.set_content(f"<!doctype html><style>{style}</style>{body}")
        page.evaluate(f"((element, server) => {{{script}}})(document.getElementById('page'), {{}})")
        return page

    def close_pages(self) -> list[str]:
        """Close what is open, and tell what went wrong since the last time."""
        if self.problems:
            self._standing.clear()
        for context in self._contexts.values():
            for page in context.pages:
                if page not in self._standing.values():
                    page.close()
        told, self.problems = self.problems, []
        return told

    def _context(self, reader: dict[str, Any]) -> BrowserContext:
        kind = repr(reader)
        if kind not in self._contexts:
            context = self._browser.new_context(**reader)
            context.set_default_timeout(PATIENCE_SECONDS * 1000)
            context.on("request", self._look_at_request)
            context.on("console", self._listen)
            context.on("weberror", lambda failed: self.problems.append(f"error: {failed.error}"))
            self._contexts[kind] = context
        return self._contexts[kind]

    def _look_at_request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in LOCAL_SCHEMES and parts.hostname != LOCAL_HOST:
            self.problems.append(f"asked elsewhere: {request.url}")

    def _listen(self, said: ConsoleMessage) -> None:
        if said.type == "error":
            self.problems.append(f"console: {said.text}")


SETTLED = """([view, pair]) => {
    const main = document.querySelector(".sensitivity");
    if (!main || main.hasAttribute("aria-busy")) return false;
    const shown = main.querySelector(".address");
    if (!shown) return true;
    const own = new URL(shown.getAttribute("href"), location.href).searchParams;
    return (own.get("view") ?? "clusters") === view && (pair === undefined || own.get("pair") === pair);
}"""


def settled(page: Page, view: str | None = None) -> None:
    """Wait until a view stands on the page.

    Args:
        page: that is loading or was clicked on.
        view: None is that of the page's address.
    """
    asked = parse_qs(urlsplit(page.url).query)
    wanted = [view] if view else [asked.get("view", ["clusters"])[0], asked.get("pair", [None])[0]]
    page.wait_for_function(SETTLED, arg=wanted)


def go_to(page: Page, query: str) -> None:
    """Show another address without loading everything again, as a step back in the history does."""
    page.evaluate(
        "query => { history.pushState({}, '', query); dispatchEvent(new PopStateEvent('popstate')); }", query
    )
    settled(page)


def heading(page: Page) -> str:
    """The view's heading."""
    return page.locator("h1.heading").inner_text()


def content(page: Page) -> str:
    """What a reader reads, apart from words that only an action brings."""
    return page.locator(".sensitivity .content").inner_text()


SIDEWAYS = """() => {
    const scrolls = (each) => ["auto", "scroll"].includes(getComputedStyle(each).overflowX);
    const hidden = (each) => {
        for (let above = each.parentElement; above && above.id !== "page"; above = above.parentElement)
            if (above.localName === "svg" || scrolls(above)) return true;
        return false;
    };
    const ends = [...document.querySelectorAll("#page *")]
        .filter((each) => !hidden(each))
        .map((each) => each.getBoundingClientRect().right);
    return Math.max(document.documentElement.scrollWidth, ...ends) - window.innerWidth;
}"""
"""Gradio hides what is too wide instead of letting it scroll, so every element is looked at. What stands in a
region that scrolls by itself may be wider."""


def sideways(page: Page) -> int:
    """Pixels by which something of the page is wider than the screen."""
    wider: float = page.evaluate(SIDEWAYS)
    return max(round(wider), 0)


def address_of(view: str) -> str:
    """The address of a view, below its server's."""
    assert view in VIEWS
    return f"?view={view}"


def keep_picture(page: Page, name: str) -> None:
    """Of the whole page, for somebody to look at: where LM_EVAL_SENSITIVITY_SCREENSHOTS names a folder."""
    if folder := os.environ.get("LM_EVAL_SENSITIVITY_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
