"""The tables of a page as files: the statements that the views show, a row for each of their records.

A column is a field of a record, or of a record inside it: `mean_lower` is the field `lower` of the field `mean`, and
`mean` its estimate.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import pyarrow as pa
import pyarrow.parquet as pq

from lm_eval_sensitivity.report.render.csv import csv_cell
from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.results.manifest import SystemRecord
from lm_eval_sensitivity.statements import Selection
from lm_eval_sensitivity.statements.records import (
    HeatmapCell,
    ProfilePoint,
    SystemDrift,
    SystemRow,
    TestedContrast,
)
from lm_eval_sensitivity.stats import AxisContrast
from lm_eval_sensitivity.types import Note

MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}
_PLAIN = {str: pa.string(), bool: pa.bool_(), int: pa.int64(), float: pa.float64()}
_WITHOUT_PREFIX = ("selection", "counts")
_SETTINGS = ("level", "sides", "resamples", "seed", "constants")
"""Fields that are the same in every row; the manifest has them."""


@dataclass(frozen=True)
class Download:
    """One file."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True)
class DownloadTable:
    """What one table is made of: records side by side, whose fields are its columns."""

    kinds: tuple[type, ...]
    rows: Callable[[Results], Iterable[tuple[Any, ...]]]
    properties: Mapping[str, type] = field(default_factory=dict)
    """Of the last record, beside its fields."""

    @property
    def schema(self) -> pa.Schema:
        """Columns, which are there without rows, too."""
        found = {name: kind for each in self.kinds for name, kind in columns_of(each).items()}
        return pa.schema({**found, **{name: _PLAIN[kind] for name, kind in self.properties.items()}})

    def records(self, results: Results) -> Iterator[dict[str, Any]]:
        """A value for every column."""
        for row in self.rows(results):
            cells = (cells_of(kind, each) for kind, each in zip(self.kinds, row, strict=True))
            found = {name: value for each in cells for name, value in each.items()}
            yield {**found, **{name: getattr(row[-1], name) for name in self.properties}}


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


@cache
def columns_of(kind: type) -> dict[str, pa.DataType]:
    """Columns of a record and the records inside it; what is neither a value nor a list of texts has none.

    Example:
        >>> list(columns_of(Selection))
        ['metric', 'filter_name', 'rung_set']
    """
    found: dict[str, pa.DataType] = {}
    for name, inner in _fields(kind):
        if inner is Note:
            found[name] = pa.string()
        elif isinstance(inner, type) and is_dataclass(inner):
            found |= {_joined(name, other): column for other, column in _inside(columns_of(inner))}
        elif _is_texts(inner):
            found[name] = pa.list_(pa.string())
        elif _is_named(inner):
            found[name] = pa.string()
        elif inner in _PLAIN:
            found[name] = _PLAIN[inner]
    return found


def cells_of(kind: type, record: Any) -> dict[str, Any]:
    """The values of `columns_of`; None in all of a record that is missing."""
    found: dict[str, Any] = {}
    for name, inner in _fields(kind):
        value = getattr(record, name, None)
        if inner is Note:
            found[name] = value and value.text
        elif isinstance(inner, type) and is_dataclass(inner):
            found |= {_joined(name, other): cell for other, cell in _inside(cells_of(inner, value))}
        elif _is_named(inner):
            found[name] = "; ".join(f"{label}: {each}" for label, each in value or ())
        elif _is_texts(inner) or inner in _PLAIN:
            found[name] = value
    return found


@cache
def _fields(kind: type) -> tuple[tuple[str, Any], ...]:
    """Fields with their types: without None, and a text for a literal."""
    hints = get_type_hints(kind)
    found = []
    for each in fields(kind):
        hint = hints[each.name]
        options = [option for option in get_args(hint) if option is not NoneType]
        if NoneType in get_args(hint) and len(options) == 1:
            (hint,) = options
        if all(isinstance(option, str) for option in get_args(hint)) and get_args(hint):
            hint = str
        if each.name not in _SETTINGS:
            found.append((each.name, hint))
    return tuple(found)


def _is_texts(kind: Any) -> bool:
    return get_origin(kind) is tuple and get_args(kind) == (str, ...)


def _is_named(kind: Any) -> bool:
    """Whether it is a tuple of values with names."""
    items = get_args(kind)
    return get_origin(kind) is tuple and len(items) == 2 and get_args(items[0])[:1] == (str,)


def _inside(columns: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Columns of a record inside another one, which says already whose it is."""
    return ((name, each) for name, each in columns.items() if name not in ("system", "reference"))


def _joined(name: str, inner: str) -> str:
    if inner == "estimate":
        return name
    return inner if name in _WITHOUT_PREFIX else f"{name}_{inner}"


def _contrasts(results: Results) -> Iterator[tuple[Any, ...]]:
    """Those of the probe, which are the reference's, and those of every system."""
    for each in results.statements.drift:
        systems = results.in_order(each.systems)
        reference = next(row for row in systems if row.is_reference)
        yield from ((each.selection, reference, contrast) for contrast in each.probe)
        yield from ((each.selection, row, contrast) for row in systems for contrast in row.contrasts)


@dataclass(frozen=True)
class _System:
    """Whose a contrast is."""

    system: str


TABLES: Mapping[str, DownloadTable] = {
    "systems": DownloadTable((SystemRecord,), lambda results: ((each,) for each in results.systems)),
    "clusters": DownloadTable(
        (Selection, SystemRow),
        lambda results: (
            (each.selection, row)
            for each in results.statements.clusters
            for row in results.in_order(each.systems)
        ),
    ),
    "contrasts": DownloadTable(
        (Selection, TestedContrast),
        lambda results: (
            (each.selection, row) for each in results.statements.clusters for row in each.contrasts
        ),
        {"finding": str, "n_pairs_lost": int},
    ),
    "axes": DownloadTable(
        (Selection, SystemDrift),
        lambda results: (
            (each.selection, row)
            for each in results.statements.drift
            for row in results.in_order(each.systems)
        ),
        {"label": str},
    ),
    "axes_contrasts": DownloadTable((Selection, _System, AxisContrast), _contrasts),
    "heatmap": DownloadTable(
        (Selection, HeatmapCell),
        lambda results: (
            (Selection(each.metric, each.filter_name, cell.rung), cell)
            for each in results.statements.heatmaps
            for _, edit in each.edits
            for cell in results.in_order(each.row(edit))
        ),
        {"n_given": int},
    ),
    "windows": DownloadTable(
        (ProfilePoint,),
        lambda results: ((row,) for points in results.windows.values() for row in points),
    ),
}
"""Every table, by its name."""


def _csv(table: DownloadTable, results: Results) -> bytes:
    """With a byte order mark, without which spreadsheets read UTF-8 as something else."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(table.schema.names)
    for row in table.records(results):
        texts = (" ".join(cell) if isinstance(cell, tuple) else cell for cell in row.values())
        writer.writerow([csv_cell(cell) for cell in texts])
    return stream.getvalue().encode("utf-8-sig", errors="backslashreplace")


def _parquet(table: DownloadTable, results: Results) -> bytes:
    """With the types of the records: a column without a number is one of numbers, too."""
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(table.records(results)), schema=table.schema), stream)
    return stream.getvalue()
