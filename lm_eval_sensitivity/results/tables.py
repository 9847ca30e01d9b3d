"""Parquet tables of a results folder: written deterministically, and read with every cell checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lm_eval_sensitivity.results.columns import Column, TableSpec
from lm_eval_sensitivity.results.files import refuse
from lm_eval_sensitivity.results.limits import MAX_GROUP_BYTES
from lm_eval_sensitivity.text.escape import one_line, shown

COMPRESSION = "SNAPPY"
_ENCODINGS = {"PLAIN", "RLE", "RLE_DICTIONARY", "PLAIN_DICTIONARY"}
_ERRORS = (pa.ArrowException, OSError, ValueError)


def make_table(spec: TableSpec, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows as a table.

    Args:
        spec: of the table.
        rows: a value for every column; other keys are left out.
    """
    given = list(rows)
    return pa.table(
        [pa.array([row[column.name] for row in given], column.kind) for column in spec.columns],
        schema=spec.schema,
    )


def write_parquet(table: pa.Table, path: Path, spec: TableSpec) -> None:
    """Write a table with the columns of its spec; the same table gives the same bytes."""
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
    """A parquet file of which nothing but the footer has been read, and that was found acceptable.

    Args:
        stream: the open file.
        spec: of its table.
        n_rows: as the manifest declares.
        place: the file's name, for messages.

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
    """A file that was accepted before, without another look at its footer."""
    return pq.ParquetFile(stream, page_checksum_verification=True, metadata=metadata)


def _check_columns(found: pa.Schema, spec: TableSpec, place: str) -> None:
    names = [each.name for each in spec.columns]
    for name in names:
        if name not in found.names:
            refuse(place, f"has no column `{name}`")
    if found.names != names:
        other = next(name for at, name in enumerate(found.names) if at >= len(names) or name != names[at])
        refuse(place, f"has the column {shown(other)} where it should not be")
    for column, field in zip(spec.columns, found, strict=True):
        if field.type != column.kind:
            refuse(
                f"{place}: `{column.name}`", f"is of type {str(field.type)[:80]}; accepted is {column.kind}"
            )


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
        for at, column in enumerate(spec.columns):
            chunk, name = group.column(at), f"{place}: `{column.name}`"
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
    spec: TableSpec,
    place: str,
    *,
    row_groups: Sequence[int] | None = None,
    columns: Sequence[str] | None = None,
) -> pa.Table:
    """Rows of an accepted file, with every cell checked.

    Args:
        file: from `open_parquet`.
        spec: of its table.
        place: the file's name, for messages.
        row_groups: only these; None reads all.
        columns: only these; None reads all.

    Raises:
        InputError: damaged, or a cell that is not accepted; the message names column and row.
    """
    chosen = [each for each in spec.columns if columns is None or each.name in columns]
    groups = list(range(file.metadata.num_row_groups)) if row_groups is None else list(row_groups)
    try:
        table = file.read_row_groups(groups, columns=[each.name for each in chosen], use_threads=False)
        table.validate(full=True)
    except _ERRORS as error:
        refuse(place, f"is damaged ({one_line(error)[:200]})")
    expected = sum(file.metadata.row_group(group).num_rows for group in groups)
    if table.num_rows != expected:
        refuse(place, f"has {table.num_rows} rows, and its footer says {expected}")
    for each in chosen:
        _check_cells(table[each.name], each, place)
    return table


def _check_cells(values: Any, column: Column, place: str) -> None:
    name, kind = f"{place}: `{column.name}`", column.kind
    if not column.optional:
        _refuse_where(pc.is_null(values), values, name, "a value in every row")
    if pa.types.is_floating(kind):
        _refuse_where(pc.invert(pc.is_finite(values)), values, name, "a finite number")
    if pa.types.is_floating(kind) or pa.types.is_integer(kind):
        outside = pc.or_(pc.less(values, column.low), pc.greater(values, column.high))
        _refuse_where(outside, values, name, f"a number from {column.low:g} to {column.high:g}")
    if pa.types.is_string(kind):
        limit = f"a text of at most {column.longest} characters"
        _refuse_where(pc.greater(pc.utf8_length(values), column.longest), values, name, limit)
    if column.accepted is not None:
        known = pc.is_in(values, pa.array([*column.accepted, *([None] if column.optional else [])], kind))
        _refuse_where(pc.invert(known), values, name, f"one of {', '.join(column.accepted)}")
    if pa.types.is_binary(kind):
        lengths = pc.binary_length(values)
        whole = pc.equal(pc.bit_wise_and(lengths, 3), 0)
        fits = pc.and_(whole, pc.less_equal(lengths, column.longest))
        limit = f"an array of at most {column.longest // 4} values of 4 bytes"
        _refuse_where(pc.invert(fits), values, name, limit)


def _refuse_where(mask: Any, values: Any, name: str, accepted: str) -> None:
    row = pc.index(mask, True).as_py()
    if row >= 0:
        found = values[row].as_py()
        what = f"{len(found)} bytes" if isinstance(found, bytes) else shown(found)
        refuse(f"{name}, row {row + 1}", f"is {what}; accepted is {accepted}")
