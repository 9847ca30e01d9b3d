"""The parquet tables of one system: pairs, and details as a record each; read with every cell checked.

Files are compressed with snappy, which expands bytes about 21 times at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lm_eval_sensitivity.metrics.catalogue import in_a_table
from lm_eval_sensitivity.records.columns import (
    AUDIT_STATUSES,
    FILTERS,
    FINISH_REASONS,
    SCHEMA,
    SIDES,
    SPAN_STATUSES,
)
from lm_eval_sensitivity.records.limits import (
    LONGEST_DETAIL,
    LONGEST_ID,
    LONGEST_NAME,
    LONGEST_OUTPUT,
    MAX_DETAILS_BYTES,
    MAX_GROUP_BYTES,
    MAX_PAIRS,
    MAX_TABLE_BYTES,
)
from lm_eval_sensitivity.results.files import refuse
from lm_eval_sensitivity.runs.answers_table import ANSWERS_SCHEMA
from lm_eval_sensitivity.runs.checked_rows import metric_range
from lm_eval_sensitivity.text.escape import one_line, shown
from lm_eval_sensitivity.types import CATEGORIES, RUNGS, UNCATEGORIZED

COMPRESSION = "SNAPPY"
_ENCODINGS = {"PLAIN", "RLE", "RLE_DICTIONARY", "PLAIN_DICTIONARY"}
_ERRORS = (pa.ArrowException, OSError, ValueError)
_ROUNDING, _LARGEST = 1e-6, 2.0**31
"""Metrics without an upper end count tokens or nats."""
_ENUMS: dict[str, Sequence[str]] = {
    "rung": RUNGS,
    "filter": FILTERS,
    "audit_status": AUDIT_STATUSES,
    "category": (*CATEGORIES, UNCATEGORIZED),
    **{f"{side}_scaffold_status": SPAN_STATUSES for side in SIDES},
    **{f"{side}_finish_reason": FINISH_REASONS for side in SIDES},
}
_ALWAYS = (
    *("system", "name", "ladder_version", "ladder_hash", "task", "rung", "rung_index", "edit", "category"),
    *("prompt_id", "pair_id", "row_hash", "meaning_preserving", "filter", "audit_status"),
    *("document_id", "detail"),
)
"""Columns without a missing cell."""
_LONGEST = {
    **dict.fromkeys(("pair_id", "prompt_id", "edit"), LONGEST_ID),
    "name": LONGEST_NAME,
    **dict.fromkeys(("base_answer", "variant_answer"), LONGEST_OUTPUT),
    "detail": LONGEST_DETAIL,
}
"""Characters of a text; others have 2,000."""


@dataclass(frozen=True)
class TableSpec:
    """One kind of table."""

    schema: pa.Schema
    max_rows: int
    row_group_rows: int
    max_bytes: int


PAIRS = TableSpec(SCHEMA, len(FILTERS) * MAX_PAIRS, 65_536, MAX_TABLE_BYTES)
PAIRS_OF_ANSWERS = replace(PAIRS, schema=pa.schema([*SCHEMA, *ANSWERS_SCHEMA]))


def _records(key: str, kind: str) -> TableSpec:
    """A table of records: each has a key, and is JSON."""
    columns = ((key, "Sorted."), ("detail", f"JSON of {kind}."))
    return TableSpec(
        pa.schema(
            pa.field(name, pa.string(), metadata={"description": description})
            for name, description in columns
        ),
        max_rows=MAX_PAIRS,
        row_group_rows=16,  # one is read without all others
        max_bytes=MAX_DETAILS_BYTES,
    )


DETAILS = _records("pair_id", "a `PairDetail`")
ANSWERS = _records("document_id", "an `AnswerRow`")


@cache
def value_range(metric: str) -> tuple[float, float]:
    """Smallest and largest value of a metric, or of a mean of it, that is read.

    Args:
        metric: column of the pairs table.

    Returns:
        (low, high), both finite: the range of the metric's card, widened by rounding.

    Example:
        >>> value_range("cosine_distance"), value_range("first_divergence")
        ((-1e-06, 2.000001), (-1e-06, 2147483648.0))
    """
    low, high = metric_range(metric)
    return low - _ROUNDING, min(high + _ROUNDING, _LARGEST)


def write_parquet(table: pa.Table, path: Path, spec: TableSpec) -> None:
    """Write a table with the columns of its spec; the same table gives the same bytes.

    Args:
        table: its columns are those of the spec.
        path: of a new file.
        spec: of the table.
    """
    pq.write_table(
        table,
        path,
        compression=COMPRESSION.lower(),
        row_group_size=spec.row_group_rows,
        # Statistics of long texts would fill the footer.
        write_statistics=False,
        write_page_checksum=True,
    )


def open_parquet(stream: BinaryIO, spec: TableSpec, n_rows: int, place: str) -> pq.ParquetFile:
    """A parquet file of which nothing but the footer has been read.

    Args:
        stream: the open file.
        spec: of its table.
        n_rows: as the manifest declares.
        place: the file's name, for messages.

    Returns:
        The file; its columns, row groups and sizes are acceptable, its cells were not looked at.

    Raises:
        InputError: no parquet file, other columns, or more than the limits allow.
    """
    try:
        file = pq.ParquetFile(stream, page_checksum_verification=True)
        found, metadata = file.schema_arrow, file.metadata
    except _ERRORS as error:
        refuse(place, f"is no parquet file that can be read ({one_line(error)[:200]})")
    _check_columns(found, spec, place)
    _check_groups(metadata, spec, n_rows, place)
    return file


def reopen_parquet(stream: BinaryIO, metadata: pq.FileMetaData) -> pq.ParquetFile:
    """A file that was accepted before, without another look at its footer.

    Args:
        stream: the same file, open again.
        metadata: of `open_parquet`.

    Returns:
        The file, as `open_parquet` returned it.
    """
    return pq.ParquetFile(stream, page_checksum_verification=True, metadata=metadata)


def _check_columns(found: pa.Schema, spec: TableSpec, place: str) -> None:
    names = spec.schema.names
    for name in names:
        if name not in found.names:
            refuse(place, f"has no column `{name}`: another version of lm-eval-sensitivity wrote it")
    if found.names != names:
        other = next(name for at, name in enumerate(found.names) if at >= len(names) or name != names[at])
        refuse(
            place,
            f"has the column {shown(other)} where it should not be: another version of lm-eval-sensitivity wrote it",
        )
    for field, expected in zip(found, spec.schema, strict=True):
        if field.type != expected.type:
            received = str(field.type)[:80]
            refuse(f"{place}: `{field.name}`", f"is of type {received}; accepted is {expected.type}")


def _check_groups(metadata: pq.FileMetaData, spec: TableSpec, n_rows: int, place: str) -> None:
    """What the footer declares of the row groups, before one of them is read."""
    if metadata.num_rows != n_rows:
        refuse(place, f"has {metadata.num_rows} rows, and `files` of the manifest says {n_rows}")
    if n_rows > spec.max_rows:
        refuse(place, f"has {n_rows} rows; accepted are at most {spec.max_rows}")
    groups = [metadata.row_group(at) for at in range(metadata.num_row_groups)]
    starts = range(0, n_rows, spec.row_group_rows)
    if [each.num_rows for each in groups] != [min(spec.row_group_rows, n_rows - start) for start in starts]:
        refuse(place, f"has other row groups than {spec.row_group_rows} rows in each")
    for group in groups:
        if not 0 <= group.total_byte_size <= MAX_GROUP_BYTES:
            refuse(
                place,
                f"declares {group.total_byte_size} bytes in one row group; at most {MAX_GROUP_BYTES} are read",
            )
        for at, column in enumerate(spec.schema.names):
            chunk, name = group.column(at), f"{place}: `{column}`"
            if chunk.compression not in (COMPRESSION, "UNCOMPRESSED"):
                refuse(name, f"is compressed with {shown(chunk.compression)}; accepted is {COMPRESSION}")
            if chunk.file_path or set(chunk.encodings) - _ENCODINGS:
                refuse(
                    name,
                    f"is encoded as {', '.join(chunk.encodings)}, or in another file; accepted are "
                    f"{', '.join(sorted(_ENCODINGS))}",
                )


def read_table(
    file: pq.ParquetFile,
    place: str,
    *,
    row_groups: Sequence[int] | None = None,
    columns: list[str] | None = None,
) -> pa.Table:
    """Rows of an accepted file.

    Args:
        file: from `open_parquet`.
        place: the file's name, for messages.
        row_groups: only these; None reads all.
        columns: only these; None reads all.

    Returns:
        The rows in the order of the file; every cell is accepted.

    Raises:
        InputError: damaged, or a cell that is not accepted; the message names column and row.
    """
    groups = list(range(file.metadata.num_row_groups)) if row_groups is None else list(row_groups)
    try:
        table = file.read_row_groups(groups, columns=columns, use_threads=False)
        table.validate(full=True)
    except _ERRORS as error:
        refuse(place, f"is damaged ({one_line(error)[:200]})")
    expected = sum(file.metadata.row_group(group).num_rows for group in groups)
    if table.num_rows != expected:
        refuse(place, f"has {table.num_rows} rows, and its footer says {expected}")
    for field, column in zip(table.schema, table.columns, strict=True):
        _check_cells(field, column, f"{place}: `{field.name}`")
    return table


def _check_cells(field: pa.Field, values: Any, name: str) -> None:
    """What the cells of a column may hold follows from its name."""
    kind, always = field.type, field.name in _ALWAYS
    if always:
        _refuse_where(pc.is_null(values), values, name, "a value in every row")
    if pa.types.is_floating(kind):
        _refuse_where(pc.invert(pc.is_finite(values)), values, name, "a finite number")
    if in_a_table(field.name):
        low, high = value_range(field.name)
        outside = pc.or_(pc.less(values, low), pc.greater(values, high))
        _refuse_where(outside, values, name, f"a number from {low:g} to {high:g}")
    if pa.types.is_string(kind):
        longest = _LONGEST.get(field.name, 2_000)
        too_long = pc.greater(pc.utf8_length(values), longest)
        _refuse_where(too_long, values, name, f"a text of at most {longest} characters")
    if field.name in _ENUMS:
        accepted = _ENUMS[field.name]
        known = pc.is_in(values, pa.array([*accepted, *([] if always else [None])], kind))
        _refuse_where(pc.invert(known), values, name, f"one of {', '.join(accepted)}")


def _refuse_where(mask: Any, values: Any, name: str, accepted: str) -> None:
    row = pc.index(mask, True).as_py()
    if row >= 0:
        refuse(f"{name}, row {row + 1}", f"is {shown(values[row].as_py())}; accepted is {accepted}")
