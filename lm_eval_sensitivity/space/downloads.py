"""The summary tables of a page as files: fixed names, made from the records that the views show."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lm_eval_sensitivity.report.document import csv_cell
from lm_eval_sensitivity.results import Results

Row = Mapping[str, Any]

MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}


@dataclass(frozen=True)
class Download:
    """One file."""

    name: str
    media_type: str
    content: bytes


def make_download(results: Results, name: str) -> Download | None:
    """A file by its name, such as `clusters.csv`; None for any other name than those of `file_names`.

    Args:
        results: from `open_results`.
        name: as a browser sent it; it is compared, and never used as a path.
    """
    if name not in file_names():
        return None
    table, _, ending = name.partition(".")
    rows = list(TABLES[table](results))
    content = _csv(rows) if ending == "csv" else _parquet(rows)
    return Download(name, MEDIA_TYPES[ending], content)


def file_names() -> tuple[str, ...]:
    """Every file that there is."""
    return tuple(f"{table}.{ending}" for table in TABLES for ending in MEDIA_TYPES)


def _systems(results: Results) -> Iterable[Row]:
    for each in results.systems:
        facts = "; ".join(f"{label}: {value}" for label, value in each.facts)
        yield {
            "system": each.index,
            "name": each.name,
            "fingerprint": each.fingerprint,
            "series": each.series or "",
            "is_reference": each.is_reference,
            "facts": facts,
        }


def _clusters(results: Results) -> Iterable[Row]:
    for key in results.selections():
        for row in results.clusters(key).rows:
            yield {**asdict(key), "name": results.systems[row.system].name, **asdict(row)}


def _contrasts(results: Results) -> Iterable[Row]:
    for key in results.selections():
        for row in results.clusters(key).contrasts:
            names = (results.systems[index].name for index in (row.first, row.second))
            yield {
                **asdict(key),
                **dict(zip(("first_name", "second_name"), names, strict=True)),
                **asdict(row),
            }


def _axes(results: Results) -> Iterable[Row]:
    for metric, filter_name in results.axes_keys():
        page = results.axes(metric, filter_name)
        for row in page.rows if page else ():
            name = results.systems[row.system].name
            yield {"metric": metric, "filter_name": filter_name, "name": name, **asdict(row)}


def _axes_contrasts(results: Results) -> Iterable[Row]:
    for metric, filter_name in results.axes_keys():
        page = results.axes(metric, filter_name)
        for row in page.contrasts if page else ():
            # The contrasts of the probe are the reference's; "name" is the contrast's own.
            system = row.system if row.system is not None or page is None else page.reference
            of = {"system_name": results.systems[system].name} if system is not None else {}
            yield {"metric": metric, "filter_name": filter_name, **of, **asdict(row)}


def _heatmap(results: Results) -> Iterable[Row]:
    for metric, filter_name in results.heatmap_keys():
        for row in results.heatmap(metric, filter_name).cells.values():
            name = results.systems[row.system].name
            yield {"metric": metric, "filter_name": filter_name, "name": name, **asdict(row)}


def _windows(results: Results) -> Iterable[Row]:
    for rung_set in results.window_rung_sets():
        for row in results.windows(rung_set):
            yield {"rung_set": rung_set, "name": results.systems[row.system].name, **asdict(row)}


TABLES: dict[str, Callable[[Results], Iterable[Row]]] = {
    "systems": _systems,
    "clusters": _clusters,
    "contrasts": _contrasts,
    "axes": _axes,
    "axes_contrasts": _axes_contrasts,
    "heatmap": _heatmap,
    "windows": _windows,
}
"""What each table is made of."""


def _csv(rows: list[Row]) -> bytes:
    """With a byte order mark, without which spreadsheets read UTF-8 as something else."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    if rows:
        writer.writerow([csv_cell(name) for name in rows[0]])
    for row in rows:
        texts = (" ".join(cell) if isinstance(cell, tuple) else cell for cell in row.values())
        writer.writerow([csv_cell(cell) for cell in texts])
    return stream.getvalue().encode("utf-8-sig", errors="backslashreplace")


def _parquet(rows: list[Row]) -> bytes:
    stream = io.BytesIO()
    cells = [
        {name: list(cell) if isinstance(cell, tuple) else cell for name, cell in row.items()} for row in rows
    ]
    pq.write_table(pa.Table.from_pylist(cells), stream)
    return stream.getvalue()
