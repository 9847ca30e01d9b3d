"""Pages read as a browser would: elements, attributes, texts. A page that is no tree fails."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from lm_eval_sensitivity.space.choices import address_of

VOID = ("br", "input", "line", "circle", "polyline")
"""Elements of our pages without an end tag; those of drawings close themselves."""


@dataclass
class Element:
    """One element; `children` are elements and texts in their order."""

    tag: str
    attributes: dict[str, str]
    children: list[Element | str] = field(default_factory=list)

    def every(self, tag: str = "", **attributes: str) -> list[Element]:
        """Elements below, by tag, by class (`css=`) and by other attributes."""
        return [each for each in self.walk() if each._is(tag, attributes)]

    def one(self, tag: str = "", **attributes: str) -> Element:
        """The only one."""
        (found,) = self.every(tag, **attributes)
        return found

    def walk(self) -> Iterator[Element]:
        """All elements below, in their order."""
        for child in self.children:
            if isinstance(child, Element):
                yield child
                yield from child.walk()

    def text(self, without: Callable[[Element], bool] = lambda element: False) -> str:
        """All text below, apart from elements that are left out."""
        return "".join(
            child if isinstance(child, str) else "" if without(child) else child.text(without)
            for child in self.children
        )

    def has_class(self, name: str) -> bool:
        return name in self.attributes.get("class", "").split()

    def _is(self, tag: str, attributes: dict[str, str]) -> bool:
        css = attributes.get("css")
        others = {name.replace("_", "-"): value for name, value in attributes.items() if name != "css"}
        return (
            (not tag or self.tag == tag)
            and (css is None or self.has_class(css))
            and all(self.attributes.get(name) == value for name, value in others.items())
        )


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.path = [Element("document", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.path[-1].children.append(element)
        if tag not in VOID:
            self.path.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.path[-1].children.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.path[-1].tag == tag, f"</{tag}> closes <{self.path[-1].tag}>"
        self.path.pop()

    def handle_data(self, data: str) -> None:
        self.path[-1].children.append(data)


def read_page(html: str) -> Element:
    """A page as a tree."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert len(reader.path) == 1, f"<{reader.path[-1].tag}> is never closed"
    return reader.path[0]


_TAGS = """
div header p nav ul ol li a main h1 h2 h3 strong b small br bdi span section form label select option input button
table caption thead tbody tr th td dl dt dd del ins details summary figure figcaption svg line circle polyline text
footer code pre g path rect blockquote kbd tspan title
"""
_ATTRIBUTES = """
class href aria-label aria-current aria-valuetext aria-hidden tabindex role scope colspan hidden disabled type name
value selected min max step method title id viewbox width height x x1 x2 y y1 y2 cx cy r points text-anchor data-copy
data-step data-branch data-branching data-at data-from data-to data-say data-download data-rows aria-describedby
d transform style preserveaspectratio data-mark data-key aria-keyshortcuts data-copy-table data-copy-text data-of-view
data-label data-sort aria-sort maxlength rel
"""
TAGS, ATTRIBUTES = frozenset(_TAGS.split()), frozenset(_ATTRIBUTES.split())
"""Of our pages; neither has a way to run anything or to load anything."""
_STYLE = re.compile(r"(--[a-z]+: (#[0-9a-f]{6}|-?[0-9.]+%?);? ?)*")
"""Values for our style sheets: colors of marks and places in per cent, which load nothing."""


def assert_inert(html: str) -> Element:
    """Nothing in the page can act: only our elements and attributes, links to views, no active character."""
    page = read_page(html)
    for element in page.walk():
        assert element.tag in TAGS, element.tag
        assert set(element.attributes) <= ATTRIBUTES, element.attributes
        assert _STYLE.fullmatch(element.attributes.get("style", "")), element.attributes
        assert element.attributes.get("href", "?").startswith("?")
    active = [character for character in html if ord(character) < 32 and character != "\n"]
    assert not active
    assert not set(html) & set("\x7f\u200b\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029")
    return page


def system(results: Any, index: int) -> str:
    """What an address calls a system."""
    return address_of(results.systems[index])


class Stand:
    """Results of which some answers are replaced; the others are those of the real ones."""

    def __init__(self, real: Any, **replaced: Any) -> None:
        self._real = real
        self._replaced = replaced

    def __getattr__(self, name: str) -> Any:
        return self._replaced[name] if name in self._replaced else getattr(self._real, name)
