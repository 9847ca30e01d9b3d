"""What builds read: JUnit XML that every parser takes, and a comment that is short and inert."""

from __future__ import annotations

import math
from typing import get_args
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from lm_eval_sensitivity.report.blocks import Case, Column, Document, Gate, Outcome, ResultTable
from lm_eval_sensitivity.report.render import render
from lm_eval_sensitivity.report.render.comment import MOST_NAMED
from lm_eval_sensitivity.types import Note

HOSTILE = "]]><script>\x00\x1b[31m\ud800\ufffe\u202e</testsuite> & \"'|`*_"
TEXTS = st.text(min_size=1, max_size=20) | st.just(HOSTILE)
CASES = st.builds(Case, TEXTS, TEXTS, st.sampled_from(get_args(Outcome)), TEXTS, TEXTS)
SHAPE = {
    "testsuites": ({"name", "tests", "failures", "skipped", "errors"}, {"testsuite"}),
    "testsuite": ({"name", "tests", "failures", "skipped", "errors"}, {"testcase"}),
    "testcase": ({"classname", "name"}, {"failure", "skipped", "system-out"}),
    "failure": ({"message"}, set()),
    "skipped": ({"message"}, set()),
    "system-out": (set(), set()),
}
"""Attributes and children of every element, as the schema of Jenkins and of Ant has them."""


def document(cases: tuple[Case, ...], n_rows: int = 2, name: str = "m") -> Document:
    table = ResultTable("n", "N", (Column("system"), Column("mean", 4)), ((name, math.nan),) * n_rows)
    failing = tuple(f"{case.name} ({case.message})" for case in cases if case.outcome == "failed")
    gate = Gate(f"{name}: STABLE", table, failing, (table, Note("caution", name), "Text."), cases)
    return Document(f"Of {name}", (), gate=gate)


@given(st.lists(CASES, max_size=6).map(tuple))
def test_junit_has_the_shape_that_builds_read_and_every_case_once(cases: tuple[Case, ...]) -> None:
    root = ElementTree.fromstring(render(document(cases), "junit"))  # noqa: S314 - our own
    assert root.tag == "testsuites"
    for element in root.iter():
        attributes, children = SHAPE[element.tag]
        assert set(element.attrib) == attributes and {child.tag for child in element} <= children
    found = root.findall("testsuite/testcase")
    assert len(found) == len(cases) == int(root.attrib["tests"])
    for element, outcome in (("failure", "failed"), ("skipped", "skipped")):
        counted = sum(case.outcome == outcome for case in cases)
        assert len(root.findall(f".//{element}")) == counted
        attribute = "failures" if element == "failure" else element
        assert int(root.attrib[attribute]) == counted
        assert sum(int(suite.attrib[attribute]) for suite in root) == counted
    for suite in root:
        assert int(suite.attrib["tests"]) == len(suite)


def test_what_is_no_xml_is_shown_as_its_number() -> None:
    text = render(document((Case("g", HOSTILE, "failed", HOSTILE),)), "junit")
    case = ElementTree.fromstring(text).find("testsuite/testcase")  # noqa: S314 - our own
    assert case is not None
    assert case.attrib["name"] == HOSTILE.replace("\x00", r"\u0000").replace("\x1b", r"\u001b").replace(
        "\ud800", r"\ud800"
    ).replace("\ufffe", r"\ufffe")
    text.encode("utf-8")


def test_a_comment_is_short_whatever_there_is() -> None:
    cases = tuple(Case("noop", f"edit_{index}", "failed", "0.5 is above 0.2") for index in range(40))
    text = render(document(cases, n_rows=40), "comment")
    assert text.count("edit_") == MOST_NAMED and f"and {40 - MOST_NAMED} more." in text
    assert "(32 more)" in text
    folded = text.index("<details>")
    assert text[:folded].count("\n") < 20, "what is read without a click"


@pytest.mark.parametrize(
    "name", ["<b>x</b>", "</details>", "| a |", "# x", "![x](http://x)", "`code`", "@user"]
)
def test_nothing_of_a_stranger_acts_in_a_comment(name: str) -> None:
    text = render(document((Case("g", name, "failed", "x"),), name=name), "comment")
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)
    kinds = [token.type for token in tokens]
    html = [token.content.strip() for token in tokens if token.type == "html_block"]
    assert html == ["<details><summary>Details</summary>", "</details>"]
    assert kinds.count("heading_open") == 1 and kinds.count("table_open") == 2
    inner = [child.type for token in tokens for child in token.children or ()]
    assert not {"html_inline", "link_open", "image", "code_inline"} & set(inner)
    assert "@user" not in text
