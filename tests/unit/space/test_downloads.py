"""Downloads: fixed names only, the numbers of the views, and no cell that a spreadsheet would run."""

from __future__ import annotations

import csv
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.space.downloads import file_names, make_download
from tests.unit.space.known import NAMES, known_results

FORMULA = '=HYPERLINK("http://x")'


@pytest.fixture(scope="module")
def results() -> Results:
    return known_results((FORMULA, *NAMES[1:]))


def rows(results: Results, name: str) -> list[dict[str, str]]:
    file = make_download(results, name)
    assert file is not None
    return list(csv.DictReader(io.StringIO(file.content.decode("utf-8-sig"))))


@pytest.mark.parametrize(
    "name", ["", "manifest.json", "../known.py", "clusters", "clusters.csv ", "CLUSTERS.CSV", "x.csv"]
)
def test_nothing_but_the_fixed_names(results: Results, name: str) -> None:
    assert make_download(results, name) is None


@pytest.mark.parametrize("name", file_names())
def test_every_file_has_rows_and_names_its_systems(results: Results, name: str) -> None:
    file = make_download(results, name)
    assert file is not None
    if name.endswith("parquet"):
        table = pq.read_table(io.BytesIO(file.content))
        assert table.num_rows > 0
        assert any(FORMULA in column.to_pylist() for column in table.columns)
    else:
        assert f"'{FORMULA}" in [cell for row in rows(results, name) for cell in row.values()]


@pytest.mark.parametrize("name", [name for name in file_names() if name.endswith("csv")])
def test_no_cell_is_run_by_a_spreadsheet(results: Results, name: str) -> None:
    for row in rows(results, name):
        for cell in row.values():
            assert cell[:1] not in tuple("=+@\t\r")
            assert not cell.startswith("-") or float(cell) < 0


def test_numbers_are_whole_and_missing_ones_are_empty(results: Results) -> None:
    of_primary = [
        row
        for row in rows(results, "clusters.csv")
        if (row["metric"], row["filter_name"], row["rung_set"])
        == ("cosine_distance", "answer", "meaning_preserving")
    ]
    assert [row["mean"] for row in of_primary] == ["0.412", "0.134", "0.271", ""]
    assert [row["letters"] for row in of_primary] == ["a", "b", "a b", ""]


@pytest.mark.parametrize("table", sorted({name.partition(".")[0] for name in file_names()}))
def test_a_table_without_rows_has_its_columns(table: str, results: Results) -> None:
    """Without a reference there are no axes; the types are those of the table with rows."""
    empty = known_results(reference=None)
    csv_file, parquet = make_download(empty, f"{table}.csv"), make_download(empty, f"{table}.parquet")
    full = make_download(results, f"{table}.parquet")
    assert csv_file is not None and parquet is not None and full is not None
    found, expected = (pq.read_table(io.BytesIO(each.content)) for each in (parquet, full))
    assert found.schema == expected.schema and not any(map(pa.types.is_null, found.schema.types))
    (header, *_) = csv.reader(io.StringIO(csv_file.content.decode("utf-8-sig")))
    assert header == found.column_names
    assert (found.num_rows == 0) == table.startswith("axes")


def test_csv_and_parquet_hold_the_same_rows(results: Results) -> None:
    for table in {name.partition(".")[0] for name in file_names()}:
        parquet = make_download(results, f"{table}.parquet")
        assert parquet is not None
        assert pq.read_table(io.BytesIO(parquet.content)).column_names == list(
            rows(results, f"{table}.csv")[0]
        )
        assert pq.read_table(io.BytesIO(parquet.content)).num_rows == len(rows(results, f"{table}.csv"))
