"""The summary tables of a page as files: fixed names, made from the records that the views show."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lm_eval_sensitivity.report.render.csv import csv_cell
from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.results.schema import (
    AXES,
    AXES_CONTRASTS,
    CLUSTERS,
    CONTRASTS,
    HEATMAP,
    MAX_SYSTEMS,
    WINDOWS,
    Column,
    TableSpec,
)

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
    write = _csv if ending == "csv" else _parquet
    return Download(name, MEDIA_TYPES[ending], write(TABLES[table], results))


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
            name = None if system is None else results.systems[system].name
            yield {"metric": metric, "filter_name": filter_name, "system_name": name, **asdict(row)}


def _heatmap(results: Results) -> Iterable[Row]:
    for metric, filter_name in results.heatmap_keys():
        for row in results.heatmap(metric, filter_name).cells.values():
            name = results.systems[row.system].name
            yield {"metric": metric, "filter_name": filter_name, "name": name, **asdict(row)}


def _windows(results: Results) -> Iterable[Row]:
    for rung_set in results.window_rung_sets():
        for row in results.windows(rung_set):
            yield {"rung_set": rung_set, "name": results.systems[row.system].name, **asdict(row)}


def _schema(spec: TableSpec, n_keys: int, *names: Column) -> pa.Schema:
    """Columns of a table of the results folder; names of systems stand behind the first ones, which say what it is
    of."""
    columns = (*spec.columns[:n_keys], *names, *spec.columns[n_keys:])
    return pa.schema(
        pa.field(
            each.name,
            pa.list_(pa.string()) if each.form in ("texts", "names") else each.kind,
            metadata={"description": each.description},
        )
        for each in columns
    )


def _name(name: str = "name", description: str = "Name of the system.") -> Column:
    return Column(name, pa.string(), description)


@dataclass(frozen=True)
class DownloadTable:
    """What one table is made of."""

    rows: Callable[[Results], Iterable[Row]]
    schema: pa.Schema
    """Columns, which are there without rows, too."""


_SYSTEMS = TableSpec(
    (
        Column("system", pa.int32(), "Index of the system."),
        _name(),
        Column("fingerprint", pa.string(), "Equal fingerprints, equal systems."),
        Column("series", pa.string(), "That it is a level of; may be empty."),
        Column("is_reference", pa.bool_(), "Whether drift is measured from it."),
        Column("facts", pa.string(), "What is known of it."),
    ),
    max_rows=MAX_SYSTEMS,
)
_BOTH = (_name("first_name", "Name of the first."), _name("second_name", "Name of the second."))

TABLES = {
    "systems": DownloadTable(_systems, _schema(_SYSTEMS, 0)),
    "clusters": DownloadTable(_clusters, _schema(CLUSTERS, 3, _name())),
    "contrasts": DownloadTable(_contrasts, _schema(CONTRASTS, 3, *_BOTH)),
    "axes": DownloadTable(_axes, _schema(AXES, 2, _name())),
    "axes_contrasts": DownloadTable(_axes_contrasts, _schema(AXES_CONTRASTS, 2, _name("system_name"))),
    "heatmap": DownloadTable(_heatmap, _schema(HEATMAP, 2, _name())),
    "windows": DownloadTable(_windows, _schema(WINDOWS, 1, _name())),
}
"""Every table, by its name."""


def _csv(table: DownloadTable, results: Results) -> bytes:
    """With a byte order mark, without which spreadsheets read UTF-8 as something else."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(table.schema.names)
    for row in table.rows(results):
        cells = (row[name] for name in table.schema.names)
        texts = (" ".join(cell) if isinstance(cell, tuple) else cell for cell in cells)
        writer.writerow([csv_cell(cell) for cell in texts])
    return stream.getvalue().encode("utf-8-sig", errors="backslashreplace")


def _parquet(table: DownloadTable, results: Results) -> bytes:
    """With the types of the results folder: a column without a number is one of numbers, too."""
    stream = io.BytesIO()
    columns: dict[str, list[Any]] = {name: [] for name in table.schema.names}
    for row in table.rows(results):
        for name, cells in columns.items():
            cells.append(row[name])
    pq.write_table(pa.table(columns, schema=table.schema), stream)
    return stream.getvalue()
