"""The site of docs/ builds strictly, and none of its pages asks another host for anything."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from docs.pages import sources, with_links, write
from tests.conftest import REPOSITORY

LOADS = {"src", "srcset", "data", "poster"}
"""Attributes that load what they name, on whatever element."""
ON_DEMAND = ('class="mermaid', "glightbox", "pyodide", 'data-md-component="source"')
"""What the theme's script would fetch something for from another host."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    write(folder / "build" / "docs")
    shutil.copyfile(REPOSITORY / "mkdocs.yml", folder / "mkdocs.yml")  # paths in it are from where it lies
    for name in ("docs", "lm_eval_sensitivity"):
        (folder / name).symlink_to(REPOSITORY / name)
    built = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"], cwd=folder, capture_output=True, text=True
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder / "site"


class Loaded(HTMLParser):
    """What a browser loads with a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [
            value or "" for name, value in attrs if name in LOADS or (tag == "link" and name == "href")
        ]
        self.links += [value or "" for name, value in attrs if tag == "a" and name == "href"]


def test_no_page_asks_another_host(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 10
    for page in pages:
        text = page.read_text(encoding="utf-8")
        reader = Loaded()
        reader.feed(text)
        assert len(reader.addresses) > 3, page
        assert not [each for each in reader.addresses if "//" in each], page
        assert not [word for word in ON_DEMAND if word in text], page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import\s+)['\"]?(?:https?:)?//", sheet.read_text(encoding="utf-8"))


def test_every_link_leads_somewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        reader = Loaded()
        reader.feed(page.read_text(encoding="utf-8"))
        for link in reader.links:
            path = link.partition("#")[0]
            if path and ":" not in path and page.name != "404.html":
                assert (page.parent / path).exists(), f"{page.name} links to {link}"


def test_every_page_can_be_reached(site: Path) -> None:
    def leaves(entry: object) -> list[str]:
        below = (
            entry if isinstance(entry, list) else list(entry.values()) if isinstance(entry, dict) else None
        )
        return [str(entry)] if below is None else [leaf for each in below for leaf in leaves(each)]

    settings = (REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8")
    menu = leaves(yaml.safe_load(settings)["nav"])
    pages = {name for name in sources() if name.endswith(".md")} | {"commands.md"}
    assert sorted(menu) == sorted(pages)
    assert all((site / name).with_suffix(".html").is_file() for name in menu)


def test_every_public_name_is_in_the_reference(site: Path) -> None:
    import lm_eval_sensitivity as les

    text = (site / "api.html").read_text(encoding="utf-8")
    for name in set(les.__all__) - {"__version__"}:
        assert f'id="lm_eval_sensitivity.notebook.{name}"' in text


def test_links_fit_the_site() -> None:
    broken: list[str] = []
    page = with_links(
        "[`a`](../README.md) [b](../tests/running.py) [c](nothing.md) `[d](x)` [e](#f) [g](https://h)",
        "docs/traps.md",
        broken.append,
    )
    assert page == "[`a`](index.md) b [c](nothing.md) `[d](x)` [e](#f) [g](https://h)"
    assert broken == ["docs/traps.md: there is no nothing.md"]
