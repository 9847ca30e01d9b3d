"""The four forms of a document: the same numbers, nothing lost, nothing missing shown as 0, nothing run."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from lm_eval_sensitivity.report import FORMATS, Column, Document, ResultTable, render
from lm_eval_sensitivity.report.blocks import Cell, shown
from lm_eval_sensitivity.report.render.terminal import column_widths
from lm_eval_sensitivity.text.escape import inert

HOSTILE = (
    *(
        "<script>alert(1)</script>",
        "[bold red]m[/]",
        "[x](http://evil.example)",
        "![x](http://evil.example/p.png)",
    ),
    *(
        "http://evil.example",
        "www.evil.example",
        "a|b",
        "a\\|b",
        "`code`",
        "**bold** _x_ ~~gone~~",
        "# heading",
    ),
    *(
        "- item",
        "1. item",
        "+ item",
        "===",
        "---",
        "&lt;b&gt; &amp;",
        "$x$ @someone :smile:",
        "=HYPERLINK(1)",
    ),
    *(
        "+1",
        "-1",
        "@SUM(1)",
        "'quoted'",
        "a,b;c",
        '"quoted"',
        "名前 模型",
        "​".encode("unicode_escape").decode(),
    ),
)
"""Names of systems that somebody else gave; unprintable characters were escaped before they come here."""

NUMBERS = st.none() | st.floats(allow_infinity=False) | st.integers(-(10**6), 10**6)
TEXTS = st.sampled_from(HOSTILE) | st.text(max_size=12).map(lambda text: inert(text).strip())


def one_table(rows: list[tuple[Cell, ...]], *, digits: int = 4, note: str = "") -> Document:
    columns = (Column("name"), Column("value", digits))
    return Document("Title", (ResultTable("values", "Values", columns, tuple(rows), note),))


def csv_tables(text: str) -> dict[str, list[dict[str, str]]]:
    """Rows by name of the table: a header names its columns, an empty line ends the table."""
    tables: dict[str, list[dict[str, str]]] = {}
    header: list[str] = []
    for row in csv.reader(io.StringIO(text, newline="")):
        if not row:
            header = []
        elif not header:
            header = row
        else:
            tables.setdefault(row[0], []).append(dict(zip(header, row, strict=True)))
    return tables


def markdown_cells(text: str) -> list[list[str]]:
    """Cells of the body of the first table as a reader sees them, by a real parser."""
    tokens = MarkdownIt("commonmark").enable("table").enable("strikethrough").parse(text)
    rows: list[list[str]] = []
    for index, token in enumerate(tokens):
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and tokens[index - 1].type in ("td_open", "th_open"):
            kinds = {child.type for child in token.children or []}
            assert kinds <= {"text", "text_special"}, (token.content, kinds)
            rows[-1].append("".join(child.content for child in token.children or []))
    return rows[1:]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(TEXTS, NUMBERS), min_size=1, max_size=5), st.integers(0, 6))
def test_all_four_forms_say_the_same_numbers(rows: list[tuple[str, float | None]], digits: int) -> None:
    document = one_table(list(rows), digits=digits)
    column = Column("value", digits)
    expected = [shown(value, column) for _, value in rows]
    terminal = render(document, "table").split("─\n", 1)[1].split("\n")
    assert [line.split(" ")[-1] for line in terminal[: len(rows)]] == expected
    assert [row[-1] for row in markdown_cells(render(document, "markdown"))] == expected
    found = csv_tables(render(document, "csv"))["values"]
    read = json.loads(render(document, "json"))["tables"]["values"]
    for (_, value), from_csv, from_json in zip(rows, found, read, strict=True):
        if value is None or math.isnan(value):
            assert (from_csv["value"], from_json["value"]) == ("", None)
        else:
            assert float(from_csv["value"]) == from_json["value"] == value


@pytest.mark.parametrize("missing", [None, math.nan])
def test_missing_is_a_dash_and_never_zero(missing: float | None) -> None:
    document = one_table([("m", missing), ("n", 0.0)])
    assert re.search(r"m +-\n", render(document, "table"))
    assert "| m | - |" in render(document, "markdown")
    assert csv_tables(render(document, "csv"))["values"][0]["value"] == ""
    assert [row["value"] for row in json.loads(render(document, "json"))["tables"]["values"]] == [None, 0.0]


@given(st.floats(min_value=1e-300, max_value=1.0), st.integers(1, 6))
def test_a_positive_number_is_never_shown_as_zero(value: float, digits: int) -> None:
    for signed in (value, -value):
        text = shown(signed, Column("p", digits))
        assert text[0] in "<>" or float(text) != 0
    assert shown(-0.0, Column("p", digits)) == shown(0.0, Column("p", digits))


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_shown_as_they_are(name: str) -> None:
    document = one_table([(name, 0.5)], note=name)
    document = Document(name, (*document.parts, name), {"systems": [name]})
    for width in (None, 200):
        assert render(document, "table", width=width).count(name) == 4
    assert "\x1b" not in render(document, "table")
    markdown = render(document, "markdown")
    assert markdown_cells(markdown) == [[name, "0.5000"]]
    tokens = MarkdownIt("commonmark").enable("table").enable("strikethrough").parse(markdown)
    blocks = {token.type for token in tokens if token.nesting == 1}
    assert blocks <= {
        "heading_open",
        "paragraph_open",
        *(f"{x}_open" for x in ("table", "thead", "tbody", "tr", "th", "td")),
    }
    inline = ["".join(child.content for child in token.children or []) for token in tokens if token.children]
    assert inline.count(name) == 4
    content = json.loads(render(document, "json"))
    assert content["systems"] == [name]
    assert content["tables"]["values"][0]["name"] == name


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(1)", "\tx", "\rx"])
def test_a_spreadsheet_runs_nothing(name: str) -> None:
    table = ResultTable("values", "Values", (Column("name"), Column(name, 1)), ((name, 1.0),))
    for row in csv.reader(io.StringIO(render(Document(name, (table, name)), "csv"), newline="")):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row), row


@pytest.mark.parametrize("form", ["csv", "json"])
def test_words_beside_the_numbers_are_in_every_form(form: str) -> None:
    document = one_table([("m", 0.5)], note="What must be known.")
    document = Document("Title", (*document.parts, "Signature: x."))
    text = render(document, form)
    assert "What must be known." in text and "Signature: x." in text


def test_a_table_stands_only_in_its_forms() -> None:
    wide = ResultTable("wide", "Wide", (Column("name"),), (("for readers",),), only=("table", "markdown"))
    long = ResultTable(
        "long", "Long", (Column("name"),), (("for programs",),), note="n", only=("csv", "json")
    )
    document = Document("Title", (wide, long))
    for form in FORMATS:
        text = render(document, form)
        assert ("for readers" in text) == (form in wide.only)
        assert ("for programs" in text) == (form in long.only)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS, NUMBERS), min_size=1, max_size=4), st.integers(20, 120))
def test_a_narrow_terminal_loses_no_character(rows: list[tuple[str, str, float | None]], width: int) -> None:
    columns = (Column("first"), Column("second"), Column("some number", 3))
    document = Document("Title", (ResultTable("t", "T", columns, tuple(rows)),))

    def letters(text: str) -> Counter[str]:
        return Counter("".join(text.replace("─", "").split()))

    # What is split has its first column again.
    assert letters(render(document, "table", width=width)) >= letters(render(document, "table"))


def test_many_columns_on_a_narrow_terminal_lose_nothing() -> None:
    numbers = tuple(0.125 + i for i in range(12))
    table = ResultTable("t", "T", tuple(Column(f"heading{i}", 3) for i in range(12)), (numbers,))
    words = render(Document("A title", (table,)), "table", width=20).split()
    assert {f"{number:.3f}" for number in numbers} <= set(words)


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_a_table_that_is_too_wide_goes_on_below_with_its_names(width: int) -> None:
    columns = (Column("system"), *(Column(f"number_of_{i:02}", 3) for i in range(14)))
    rows = tuple((name, *(0.5,) * 14) for name in ("first", "a-longer-name"))
    text = render(Document("A title", (ResultTable("t", "T", columns, rows),)), "table", width=width)
    assert max(map(len, text.splitlines())) <= width
    assert all(text.count(column.name) == 1 for column in columns[1:]), "no heading is broken"
    assert text.count("a-longer-name") == text.count("system") > 1


def test_lines_fit_the_terminal_and_break_between_words() -> None:
    names = tuple(f"heading number {index}" for index in range(8))
    table = ResultTable("t", "T", tuple(Column(name, 3) for name in names), ((0.123,) * 8,))
    text = render(Document("A title", (table, "words " * 60)), "table", width=80)
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("heading") == text.count("number") == 8


@given(st.lists(st.lists(TEXTS, min_size=3, max_size=3), min_size=1, max_size=4), st.integers(1, 200))
def test_widths_are_the_natural_ones_where_these_fit(rows: list[list[str]], width: int) -> None:
    natural = column_widths(rows, None)
    found = column_widths(rows, width)
    assert all(1 <= own <= most for own, most in zip(found, natural, strict=True))
    if sum(natural) + 2 * 3 + 1 <= width:
        assert found == natural


def test_documents_end_with_one_newline_and_are_repeatable() -> None:
    document = one_table([("m", 0.5)], note="n")
    for form in FORMATS:
        text = render(document, form)
        assert text == render(document, form)
        assert text.endswith("\n") and not text.endswith("\n\n")


def test_json_holds_no_nan_and_reads_arrays() -> None:
    import numpy as np

    data = {"x": np.array([1.0, math.nan]), "y": (math.inf, {"z": np.float64(math.nan)}), "n": np.int64(3)}
    content = json.loads(render(Document("Title", (), data), "json"), parse_constant=pytest.fail)
    assert content["x"] == [1.0, None]
    assert content["y"] == [None, {"z": None}]
    assert content["n"] == 3


def test_a_split_table_repeats_as_many_columns_as_name_a_row() -> None:
    rows = tuple((name, layer, *[0.5] * 6) for name in ("a", "b") for layer in (1, 2))
    columns = (Column("prompt"), Column("layer", 0), *(Column(f"long number {n}", 4) for n in range(6)))
    text = render(Document("t", (ResultTable("x", "X", columns, rows),)), "table", width=40)
    heads = [line for line in text.splitlines() if line.lstrip().startswith("prompt")]
    assert len(heads) > 1 and all("layer" in each for each in heads)
