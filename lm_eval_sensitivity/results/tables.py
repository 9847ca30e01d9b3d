"""Parquet tables of a results folder: written deterministically, and read with every limit checked first.

The order matters: size of the file, size of its footer, what the footer declares, and only then a column.
Texts are read as dictionaries, so that one long text that is repeated by an index is measured before it is
repeated in memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lm_eval_sensitivity.results.files import refuse
from lm_eval_sensitivity.results.lengths import SENTENCES, check_sentences, cut_sentence, cut_sentences
from lm_eval_sensitivity.results.schema import (
    COMPRESSION,
    DETAIL_ROWS,
    MAX_COLUMN_CHUNK_BYTES,
    MAX_EXPANDED_BYTES,
    MAX_FOOTER_BYTES,
    MOST_CLUSTERS,
    Column,
    TableSpec,
)
from lm_eval_sensitivity.text.escape import one_line, shown

_CODECS = (COMPRESSION, "UNCOMPRESSED")
_ENCODINGS = {"PLAIN", "RLE", "RLE_DICTIONARY", "PLAIN_DICTIONARY"}
_MAGIC = b"PAR1"
_BYTES_PER_CHARACTER = 4
_ERRORS = (pa.ArrowException, OSError, ValueError)


# ---- writing


def make_table(spec: TableSpec, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows as a table; tuples of texts become JSON lists, and sentences are cut to what is accepted.

    Args:
        spec: of the table.
        rows: a value for every column; other keys are left out.
    """
    given = list(rows)
    columns = []
    for column in spec.columns:
        values = [row[column.name] for row in given]
        if column.form == "texts":
            values = [json.dumps(cut_sentences(value)) for value in values]
        elif column.form == "names":
            values = [json.dumps(value) for value in values]
        elif column.form == "sentence":
            values = [None if value is None else cut_sentence(value) for value in values]
        columns.append(pa.array(values, column.kind))
    return pa.table(columns, schema=spec.schema)


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


# ---- reading


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
    _check_footer(stream, place)
    _check_columns(_opened(stream, place).schema_arrow, spec, place)
    found = _opened(stream, place, read_dictionary=_texts_of(spec))
    _check_sizes(found.metadata, spec, n_rows, place)
    return found


def reopen_parquet(
    stream: BinaryIO, spec: TableSpec, metadata: pq.FileMetaData, place: str
) -> pq.ParquetFile:
    """A file that was accepted before, without another look at its footer.

    Args:
        stream: the open file.
        spec: of its table.
        metadata: of the accepted file.
        place: the file's name, for messages.
    """
    return _opened(stream, place, read_dictionary=_texts_of(spec), metadata=metadata)


def _texts_of(spec: TableSpec) -> list[str]:
    return [each.name for each in spec.columns if each.kind in (pa.string(), pa.binary())]


def _opened(stream: BinaryIO, place: str, **options: Any) -> pq.ParquetFile:
    stream.seek(0)
    try:
        return pq.ParquetFile(
            stream,
            thrift_string_size_limit=MAX_FOOTER_BYTES,
            thrift_container_size_limit=MAX_FOOTER_BYTES // 16,
            page_checksum_verification=True,
            **options,
        )
    except _ERRORS as error:
        refuse(place, f"is no parquet file that can be read ({one_line(error)[:200]})")


def _check_footer(stream: BinaryIO, place: str) -> None:
    stream.seek(0)
    content = stream.read(4)
    size = stream.seek(0, 2)
    if size < 12 or content != _MAGIC:
        refuse(place, "is no parquet file: it does not begin with PAR1")
    stream.seek(-8, 2)
    end = stream.read(8)
    stream.seek(0)
    if end[4:] != _MAGIC:
        refuse(place, "is no whole parquet file: it does not end with PAR1")
    length = int.from_bytes(end[:4], "little")
    if length > min(size - 12, MAX_FOOTER_BYTES):
        refuse(place, f"declares a footer of {length} bytes; accepted are at most {MAX_FOOTER_BYTES}")


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


def _check_sizes(metadata: pq.FileMetaData, spec: TableSpec, n_rows: int, place: str) -> None:
    """What the footer declares. Codec and compressed sizes are what a reader obeys, so they cannot lie."""
    if metadata.num_rows != n_rows:
        refuse(place, f"has {metadata.num_rows} rows, and `files` of the manifest says {n_rows}")
    if n_rows > spec.max_rows:
        refuse(place, f"has {n_rows} rows; accepted are at most {spec.max_rows}")
    # A table without a row is written with an empty row group, or with none.
    expected = (-(-n_rows // spec.row_group_rows),) if n_rows else (0, 1)
    if metadata.num_row_groups not in expected:
        refuse(
            place,
            f"has {metadata.num_row_groups} row groups; expected are {spec.row_group_rows} rows in each",
        )
    left, expanded = n_rows, 0
    for index in range(metadata.num_row_groups):
        group = metadata.row_group(index)
        if group.num_rows != min(left, spec.row_group_rows):
            refuse(place, f"has {group.num_rows} rows in row group {index}")
        left -= group.num_rows
        size = sum(
            _expanded(group.column(at), f"{place}: `{column.name}`") for at, column in enumerate(spec.columns)
        )
        expanded += size
        if size > MAX_EXPANDED_BYTES:
            refuse(
                place, f"declares {size} bytes in row group {index}; at most {MAX_EXPANDED_BYTES} are read"
            )
    # Details are read one row group at a time.
    if spec.row_group_rows != DETAIL_ROWS and expanded > MAX_EXPANDED_BYTES:
        refuse(place, f"declares {expanded} bytes; at most {MAX_EXPANDED_BYTES} are read")


def _expanded(chunk: Any, place: str) -> int:
    """Bytes of a column chunk as declared, if everything else that it declares is accepted."""
    if chunk.compression not in _CODECS:
        refuse(place, f"is compressed with {shown(chunk.compression)}; accepted is {COMPRESSION}")
    if chunk.file_path:
        refuse(place, f"stands in another file, {shown(chunk.file_path)}")
    unknown = set(chunk.encodings) - _ENCODINGS
    if unknown:
        refuse(
            place, f"is encoded as {', '.join(sorted(unknown))}; accepted are {', '.join(sorted(_ENCODINGS))}"
        )
    if not 0 <= chunk.total_compressed_size <= MAX_COLUMN_CHUNK_BYTES:
        refuse(
            place,
            f"has {chunk.total_compressed_size} bytes; at most {MAX_COLUMN_CHUNK_BYTES} are read at once",
        )
    if not 0 <= chunk.total_uncompressed_size <= MAX_EXPANDED_BYTES:
        refuse(
            place, f"declares {chunk.total_uncompressed_size} bytes; at most {MAX_EXPANDED_BYTES} are read"
        )
    return int(chunk.total_uncompressed_size)


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
        InputError: damaged, too large, or a cell that is not accepted; the message names column and row.
    """
    chosen = [each for each in spec.columns if columns is None or each.name in columns]
    names = [each.name for each in chosen]
    groups = list(range(file.metadata.num_row_groups)) if row_groups is None else list(row_groups)
    try:
        table = file.read_row_groups(groups, columns=names, use_threads=False)
    except _ERRORS as error:
        refuse(place, f"is damaged ({one_line(error)[:200]})")
    expected = sum(file.metadata.row_group(group).num_rows for group in groups)
    if table.num_rows != expected:
        refuse(place, f"has {table.num_rows} rows, and its footer says {expected}")
    result = _written_out(table, chosen, place)
    try:
        result.validate(full=True)
    except _ERRORS as error:
        refuse(place, f"is damaged ({one_line(error)[:200]})")
    for each in chosen:
        _check_cells(result[each.name], each, place)
    return result


def _written_out(table: pa.Table, columns: Sequence[Column], place: str) -> pa.Table:
    """Dictionaries as plain texts, after a look at how long all of them together would be."""
    texts = [each for each in columns if each.kind in (pa.string(), pa.binary())]
    total = sum(_length(table[each.name], each, f"{place}: `{each.name}`") for each in texts)
    if total > MAX_EXPANDED_BYTES:
        refuse(place, f"holds texts of {total} bytes; at most {MAX_EXPANDED_BYTES} are read")
    plain = [
        pa.chunked_array([chunk.dictionary_decode() for chunk in table[each.name].chunks], each.kind)
        if each in texts
        else table[each.name]
        for each in columns
    ]
    return pa.table(plain, schema=pa.schema(pa.field(each.name, each.kind) for each in columns))


def _length(values: Any, column: Column, place: str) -> int:
    """Bytes of all cells of a column of dictionaries."""
    total = 0
    for chunk in values.chunks:
        lengths = pc.binary_length(chunk.dictionary)
        longest = pc.max(lengths).as_py() or 0
        if longest > _BYTES_PER_CHARACTER * column.longest:
            refuse(place, f"holds {longest} bytes in one cell; accepted are at most {column.longest}")
        total += pc.sum(pc.take(lengths, chunk.indices)).as_py() or 0
    return total


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


def rows_of(table: pa.Table, spec: TableSpec, place: str) -> list[dict[str, Any]]:
    """The rows of a checked table as dictionaries; JSON lists of texts become tuples.

    Raises:
        InputError: a text that is no such list.
    """
    columns = {
        each.name: [
            _texts(value, each, f"{place}: `{each.name}`, row {row}") for row, value in enumerate(values, 1)
        ]
        if each.form in ("texts", "names")
        else values
        for each in spec.columns
        for values in [table[each.name].to_pylist()]
    }
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def _texts(value: str, column: Column, place: str) -> tuple[str, ...]:
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or not all(map(is_text, found)):
        refuse(place, f"is {shown(value)}; accepted is a JSON list of texts")
    if column.form == "names" and len(found) > MOST_CLUSTERS:
        refuse(place, f"is {shown(value)}; accepted are at most {MOST_CLUSTERS} names")
    if column.form == "texts" and not check_sentences(found):
        refuse(place, f"is {shown(value)}; accepted are {SENTENCES}")
    return tuple(found)


def is_text(value: object) -> bool:
    """Whether a value from JSON is a text without halves of surrogate pairs.

    Example:
        >>> is_text("a"), is_text(chr(0xD800)), is_text(1)
        (True, False, False)
    """
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
