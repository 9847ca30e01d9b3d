"""Downloads: only what the page offers, the documents of the commands, and no cell that a spreadsheet would run."""

from __future__ import annotations

import base64
import csv
import io
import json
from typing import Any

import pytest

from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.space.downloads import documents, make_download, make_table
from lm_eval_sensitivity.space.page import view_of
from tests.unit.space.known import NAMES, known_results

FORMULA = '=HYPERLINK("http://x")'
FILES = ("clusters", "drift_answer", "drift_raw", "heatmap", "windows")


@pytest.fixture(scope="module")
def results() -> Results:
    return known_results((FORMULA, *NAMES[1:]))


def content(results: Results, name: str) -> str:
    file = make_download(results, name)
    assert file is not None
    return base64.b64decode(file["base64"]).decode("utf-8-sig")


@pytest.mark.parametrize(
    "name",
    ["", "manifest.json", "../known.py", "clusters", "clusters.csv ", "CLUSTERS.CSV", "x.csv", None, []],
)
def test_nothing_but_what_the_page_offers(results: Results, name: Any) -> None:
    assert make_download(results, name) is None


def test_there_is_a_document_for_what_was_exported(results: Results) -> None:
    assert tuple(documents(results)) == FILES
    assert not [name for name in documents(known_results(reference=None)) if name.startswith("drift")]
    assert documents(known_results(clusters=(), drift=(), heatmaps=(), windows=())) == {}


@pytest.mark.parametrize("name", FILES)
def test_no_cell_is_run_by_a_spreadsheet_and_both_forms_name_the_systems(results: Results, name: str) -> None:
    rows = list(csv.reader(io.StringIO(content(results, f"{name}.csv"))))
    assert f"'{FORMULA}" in [cell for row in rows for cell in row]
    for cell in (cell for row in rows for cell in row):
        assert cell[:1] not in tuple("=+@\t\r")
        assert not cell.startswith("-") or float(cell) < 0
    data = json.loads(content(results, f"{name}.json"))
    assert FORMULA in data["signature"]["systems"] and data["tables"]


def test_numbers_are_whole_and_missing_ones_are_empty(results: Results) -> None:
    tables = content(results, "clusters.csv").split("\n\n")
    rows = [row for each in tables for row in csv.DictReader(io.StringIO(each))]
    primary = [row for row in rows if row["table"] == "systems cosine_distance answer meaning_preserving"]
    assert [row["mean"] for row in primary] == ["0.412", "0.134", "0.271", ""]
    assert [row["clusters"] for row in primary] == ["a", "b", "a, b", ""]


@pytest.mark.parametrize(
    ("address", "table", "first"),
    [
        ({}, "systems", "system"),
        ({}, "contrasts", "first"),
        ({"view": "heatmap", "metric": "js_divergence"}, "heatmap", "rung"),
        ({"view": "axes"}, "sweep", "system"),
        ({"view": "length"}, "windows", "system"),
    ],
)
def test_every_view_gives_its_own_tables(
    results: Results, address: dict[str, str], table: str, first: str
) -> None:
    file = make_table(view_of(results, address), address, table)
    assert file and file["name"] == f"{address.get('view', 'clusters')}_{table}.csv"
    text = base64.b64decode(file["base64"]).decode("utf-8-sig")
    head, *rows = csv.reader(io.StringIO(text.split("\n\n")[0]))
    assert head[:2] == ["table", first]
    assert rows and {row[0].split()[0] for row in rows} == {table}
    if "metric" in address:
        assert {row[0] for row in rows} == {f"heatmap {address['metric']} raw"}
