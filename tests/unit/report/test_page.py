from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.report import Column, Document, ResultTable
from lm_eval_sensitivity.report.blocks import Card, CardNumber, Folded, Section
from lm_eval_sensitivity.report.documents.report import FIGURES, PAGE
from lm_eval_sensitivity.report.figures import NotDrawn
from lm_eval_sensitivity.report.render.html import as_html, as_page
from lm_eval_sensitivity.report.wording import NOT_TO_CONCLUDE
from lm_eval_sensitivity.types import Note
from tests.unit.report.conftest import HOSTILE, PLAIN, Reported, make_report

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


class Read(HTMLParser):
    """What a browser would make of a page: elements with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="session")
def page(reported: Reported) -> str:
    return (reported.folder / PAGE).read_text(encoding="utf-8")


def test_the_page_needs_nothing_but_itself(page: str) -> None:
    read = Read(page)
    tags = {tag for tag, _ in read.elements}
    active = {"script", "link", "img", "image", "iframe", "object", "embed", "form", "base", "foreignobject"}
    assert not tags & active
    for _, attributes in read.elements:
        assert not [
            name for name in attributes if name.startswith("on") or name in ("src", "action", "srcset")
        ]
        assert attributes.get("href", "#").startswith("#")
        assert attributes.get("xlink:href") is None
        assert re.findall(r"url\((?!#)", attributes.get("style", "")) == []
    assert set(re.findall(r"https?:[^\"'\s<]*", page)) == {"http://www.w3.org/2000/svg"}
    assert "@import" not in page and "@font-face" not in page


def test_a_policy_forbids_everything_else(page: str) -> None:
    policies = [
        attributes["content"]
        for tag, attributes in Read(page).elements
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policies == [POLICY]
    assert page.index("Content-Security-Policy") < page.index("<style>")


def test_every_reference_inside_the_page_has_its_target(page: str) -> None:
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    wanted = {*re.findall(r'href="#([^"]+)"', page), *re.findall(r"url\(#([^)]+)\)", page)}
    assert wanted and wanted <= set(ids)


def test_strangers_names_are_shown_and_do_nothing(page: str) -> None:
    read = Read(page)
    assert HOSTILE in read.text
    assert "b" not in {tag for tag, _ in read.elements}
    assert "<b onload" not in page


def test_the_page_says_what_it_must(page: str, reported: Reported) -> None:
    text = Read(page).text
    assert all(sentence in text for sentence in NOT_TO_CONCLUDE)
    n_drawn = len(list(reported.folder.glob("*.svg")))
    assert n_drawn == len(FIGURES) - 1 and "Every length gives the number of the whole outputs" in text
    # Each figure says what could fake it, and its n; what all were computed from stands at the foot.
    assert text.count("What could fake it:") == page.count("<strong>n:</strong>") == n_drawn
    assert text.count("Signature: ladder ") == 1
    assert page.index("What was left out") < page.index(NOT_TO_CONCLUDE[0][:20]), "results come first"
    for words in (
        "Adjusted p of every two systems",
        "which systems can be told apart",
        "What was left out, and remarks",
        *PLAIN,
    ):
        assert words in text


def test_the_method_does_not_promise_one_kind_of_interval(page: str) -> None:
    assert (
        "by half points where the metric has a largest value" in page[page.index('<details id="method">') :]
    )


def test_the_page_can_be_read_in_the_dark_on_paper_and_on_a_phone(page: str) -> None:
    assert "prefers-color-scheme: dark" in page and "@media print" in page
    assert 'name="viewport" content="width=device-width, initial-scale=1"' in page
    read = Read(page)
    wide = [attributes for tag, attributes in read.elements if attributes.get("class") == "wide"]
    n_wide = sum(tag in ("svg", "table") for tag, _ in read.elements)
    assert len(wide) == n_wide  # whatever is wider than a phone scrolls by itself
    assert all(each["tabindex"] == "0" and each["aria-label"] for each in wide)


def test_figures_stand_beside_the_page(reported: Reported) -> None:
    for name in set(FIGURES) - {"windows"}:  # these outputs are shorter than every window
        ElementTree.parse(reported.folder / f"{name}.svg")  # noqa: S314 - our own
        assert (reported.folder / f"{name}.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_the_order_of_runs_changes_no_byte(reported: Reported, tmp_path: Path) -> None:
    runs = reported.folders
    make_report([*runs[::-1], "--reference", runs[0], "-o", tmp_path])
    first, second = (
        {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
        for folder in (reported.folder, tmp_path)
    )
    assert first == second


def test_without_a_reference_a_sentence_stands_where_the_figure_was(
    reported: Reported, tmp_path: Path
) -> None:
    for name in ("two_axes.svg", "mine.svg"):
        (tmp_path / name).write_text("from an earlier report", encoding="utf-8")
    make_report([reported.folders[1], "-o", tmp_path])
    text = Read((tmp_path / PAGE).read_text(encoding="utf-8")).text
    assert "none was given" in text and "One system alone" in text
    assert not (tmp_path / "two_axes.svg").exists() and (tmp_path / "mine.svg").exists()


def test_a_report_is_replaced_only_when_it_is_said(reported: Reported, tmp_path: Path) -> None:
    (tmp_path / PAGE).write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match=r"holds a report.*--overwrite"):
        make_report([reported.folders[0], "-o", tmp_path])
    assert (tmp_path / PAGE).read_text(encoding="utf-8") == "mine"


def test_the_folder_must_be_a_folder_and_the_reference_not_alone(reported: Reported, tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="is a file"):
        make_report([reported.folders[0], "-o", target])
    assert target.read_text(encoding="utf-8") == "mine"
    run = reported.folders[0]
    with pytest.raises(InputError, match="only system"):
        make_report([run, "--reference", run, "-o", tmp_path / "new"])


def test_tables_escape_every_cell_and_mark_missing_numbers() -> None:
    table = ResultTable(
        "t", "<i>", (Column("<u>"), Column("mean", 2)), (("<s>", None), ("$title", 0.5)), "<a>"
    )
    missing = NotDrawn("m", "<h1>", "<p>.")
    page = as_page(
        "$style",
        ["<q>"],
        Card("<h4>", "<h5>", (CardNumber("<dfn>", "<var>", "<kbd>"),), ("<samp>",), ("<ins>",)),
        [Section("<em>", (table, missing, Folded("<b>", ("<tt>",))))],
        ["<del>"],
        "<sub>",
    )
    read = Read(page)
    inert = {
        "i",
        "u",
        "s",
        "em",
        "b",
        "tt",
        "sub",
        "q",
        "h4",
        "h5",
        "dfn",
        "var",
        "kbd",
        "samp",
        "ins",
        "del",
    }
    assert not {tag for tag, _ in read.elements} & inert
    assert all(text in read.text for text in ("$title", "$style", *(f"<{tag}>" for tag in inert)))
    assert '<td class="number">-</td>' in page and '<td class="number">0.50</td>' in page


def test_any_document_can_be_part_of_a_page() -> None:
    table = ResultTable("t", "<i>", (Column("mean", 2),), ((None,),), only=("markdown",))
    hidden = ResultTable("h", "hidden", (Column("mean", 2),), ((1.0,),), only=("csv", "json"))
    found = as_html(Document("<u>", (table, hidden, Note("caution", "<s>."))))
    assert found.startswith("<h2>&lt;u&gt;</h2>") and "hidden" not in found
    assert "<p>Caution: &lt;s&gt;.</p>" in found and "<td" not in found.split("</thead>")[0]
