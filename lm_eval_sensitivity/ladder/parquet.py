"""Ladder files in parquet: written from pairs, read back as plain rows with the stored metadata."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder.files import MAX_CELL_CHARACTERS, MAX_ROWS, read_limited
from lm_eval_sensitivity.ladder.schema import (
    COLUMNS,
    check_columns,
    column_hashes,
    content_hash,
    rows_from_pairs,
)
from lm_eval_sensitivity.ladder.sources import Design
from lm_eval_sensitivity.text.escape import brief
from lm_eval_sensitivity.types import Pair

METADATA_PREFIX = "lm_eval_sensitivity."
"""Keys of the file metadata: `ladder_version`, `content_hash`, `column_hashes` (JSON), `design` unless it is full."""

_REPLACEMENTS = pa.list_(
    pa.struct([("start", pa.int32()), ("end", pa.int32()), ("replacement", pa.string())])
)
_TYPES = {"rung_index": pa.int8(), "meaning_preserving": pa.bool_(), "replacements": _REPLACEMENTS}
SCHEMA = pa.schema([(column, _TYPES.get(column, pa.string())) for column in COLUMNS])
"""Arrow schema of a ladder file, without metadata."""

# Compression can hide gigabytes in a small file; row batches keep the check of a cell's length cheap.
_MAX_UNCOMPRESSED_BYTES = 2 * 2**30
_BATCH_ROWS = 1_000


def write_parquet(pairs: Iterable[Pair], path: Path, design: Design = "full") -> None:
    """Write a ladder file; the same pairs give the same bytes with the same pyarrow.

    The file metadata carries the ladder version, the content hash and the hash of each column. The
    file appears under its name only when it is complete.

    Args:
        pairs: at least one, in ladder order.
        path: the file; missing folders above it are made.
        design: which of a prompt's edits are there; it is written where it is not `full`.

    Raises:
        OSError: it cannot be written.

    Example:
        >>> import tempfile
        >>> from lm_eval_sensitivity.ladder import load_ladder
        >>> path = Path(tempfile.mkdtemp()) / "mine" / "test.parquet"
        >>> write_parquet(load_ladder(subset="mini").pairs, path)
        >>> load_ladder(path).content_hash == load_ladder(subset="mini").content_hash
        True
    """
    pairs = list(pairs)
    metadata = {
        METADATA_PREFIX + "ladder_version": pairs[0].ladder_version,
        METADATA_PREFIX + "content_hash": content_hash(pairs),
        METADATA_PREFIX + "column_hashes": json.dumps(column_hashes(pairs)),
    }
    if design != "full":
        metadata[METADATA_PREFIX + "design"] = design
    table = pa.Table.from_pylist(rows_from_pairs(pairs), schema=SCHEMA.with_metadata(metadata))
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".unfinished")
    pq.write_table(table, unfinished, compression="zstd", write_page_checksum=True)
    unfinished.replace(path)


def read_parquet(path: Path) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Rows and our metadata of a ladder file. Types and cells are checked, their meaning is not.

    Returns:
        The rows, and the metadata without its prefix: `ladder_version`, `content_hash`, `column_hashes`,
        `design`.

    Raises:
        InputError: no readable parquet, other columns or types, a missing value, invalid UTF-8, or
            beyond the size limits.
    """
    content = read_limited(path)
    try:
        file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
        _check_size(file.metadata, path)
        _check_schema(file.schema_arrow, path)
        rows: list[dict[str, Any]] = []
        for batch in file.iter_batches(batch_size=_BATCH_ROWS):
            rows += _rows(batch, len(rows), path)
    except InputError:
        raise
    except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        problem = brief(str(error)) or type(error).__name__
        raise InputError(
            f"`{path}` is not a readable parquet file: {problem}. Download or build it again."
        ) from None
    stored = file.schema_arrow.metadata or {}
    return rows, {
        key.decode("utf-8", "replace").removeprefix(METADATA_PREFIX): value.decode("utf-8", "replace")
        for key, value in stored.items()
        if key.startswith(METADATA_PREFIX.encode())
    }


def stated_hash(path: Path) -> str | None:
    """The content hash that a ladder file states of itself, without a look at its rows; None where it states none."""
    try:
        stored = pq.read_schema(path).metadata or {}
    except (pa.ArrowException, OSError):
        return None
    found = stored.get(f"{METADATA_PREFIX}content_hash".encode())
    return None if found is None else found.decode("utf-8", "replace")


def _check_size(metadata: Any, path: Path) -> None:
    if metadata.num_rows > MAX_ROWS:
        raise InputError(
            f"`{path}` has {metadata.num_rows} rows, more than the accepted {MAX_ROWS}. Split it."
        )
    size = sum(metadata.row_group(index).total_byte_size for index in range(metadata.num_row_groups))
    if size > _MAX_UNCOMPRESSED_BYTES:
        raise InputError(
            f"`{path}` holds {size} bytes when unpacked, more than the accepted {_MAX_UNCOMPRESSED_BYTES}. "
            "Split it."
        )


def _check_schema(schema: Any, path: Path) -> None:
    check_columns(schema.names, f"`{path}`")
    for column in COLUMNS:
        positions = schema.get_all_field_indices(column)
        if len(positions) > 1:
            raise InputError(
                f"`{path}`: the column `{column}` stands there {len(positions)} times. Keep one."
            )
        received, wanted = schema.field(positions[0]).type, SCHEMA.field(column).type
        if not received.equals(wanted):
            raise InputError(
                f"`{path}`: the column `{column}` has the type {received}; accepted is {wanted}. Build the "
                "file from its sources."
            )


def _rows(batch: Any, first_row: int, path: Path) -> list[dict[str, Any]]:
    """The rows of a batch as dictionaries; refuses a cell that is missing, too long or invalid UTF-8."""
    names = batch.schema.names
    columns = [_cells(batch, name, first_row, path) for name in names]
    return [dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True)]


def _cells(batch: Any, column: str, first_row: int, path: Path) -> list[Any]:
    values = batch.column(column)
    # Plain lists instead of comparisons by pyarrow: a constant would make it import pandas, if present.
    if values.null_count:
        row = values.is_null().to_pylist().index(True)
        _refuse(batch, row, column, "is missing", first_row, path)
    if pa.types.is_string(values.type):
        lengths = pc.binary_length(values).to_pylist()
        # A character takes at most four bytes, so this also bounds what decoding costs.
        if max(lengths, default=0) > 4 * MAX_CELL_CHARACTERS:
            row = lengths.index(max(lengths))
            _refuse(batch, row, column, f"is longer than {MAX_CELL_CHARACTERS} characters", first_row, path)
    cells = []
    for row, value in enumerate(values):
        try:
            cells.append(value.as_py())
        except UnicodeDecodeError as error:
            _refuse(batch, row, column, f"is not valid UTF-8 at byte {error.start}", first_row, path)
    return cells


def _refuse(batch: Any, row: int, column: str, problem: str, first_row: int, path: Path) -> NoReturn:
    pair_id = batch.column("pair_id").cast(pa.binary())[row].as_py()
    name = repr(pair_id[:200].decode("utf-8", "replace")) if pair_id else f"number {first_row + row + 1}"
    raise InputError(
        f"`{path}`, row {name}: `{column}` {problem}. Correct the cell, or build the file again."
    )
