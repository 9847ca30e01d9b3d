"""Write the pairs table: parquet, CSV or JSON lines, the same bytes for the same table."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.text.escape import shown_path

SUFFIXES = (".parquet", ".csv", ".jsonl")
_BATCH_ROWS = 5_000


def check_target(path: Path) -> None:
    """Refuse a file that cannot be written, before anything long is done.

    Raises:
        InputError: another ending, or no such folder.

    Example:
        >>> try:
        ...     check_target(Path("pairs.xlsx"))
        ... except ValueError as error:
        ...     print(error)
        `--output pairs.xlsx`: accepted are files ending in .parquet, .csv, .jsonl. Correct the name.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"`--output {shown_path(path)}`: accepted are files ending in {', '.join(SUFFIXES)}. Correct the name."
        )
    if path.is_dir() or not path.parent.is_dir():
        raise InputError(
            f"`--output {shown_path(path)}` cannot be written. Give a file in a folder that exists."
        )


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table; the ending of the name decides the form. A missing number is null, or an empty cell.

    The file appears under its name only when it is complete.

    Raises:
        InputError: another ending, or the file cannot be written.
    """
    check_target(path)
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        if path.suffix.lower() == ".parquet":
            pq.write_table(table, unfinished, compression="zstd", write_page_checksum=True)
        else:
            lines = _csv_lines(table) if path.suffix.lower() == ".csv" else _json_lines(table)
            with unfinished.open("w", encoding="utf-8", newline="") as stream:
                stream.writelines(lines)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise InputError(
            f"`--output {shown_path(path)}` cannot be written ({error.strerror or error})."
        ) from None


def _rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in table.to_batches(max_chunksize=_BATCH_ROWS):
        yield from batch.to_pylist()


def _json_lines(table: pa.Table) -> Iterator[str]:
    for row in _rows(table):
        yield json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"


def _csv_lines(table: pa.Table) -> Iterator[str]:
    line = io.StringIO()
    writer = csv.writer(line, lineterminator="\n")
    yield _line(writer, line, list(table.schema.names))
    for row in _rows(table):
        yield _line(writer, line, [_cell(value) for value in row.values()])


def _line(writer: Any, line: io.StringIO, values: list[Any]) -> str:
    line.seek(0)
    line.truncate()
    writer.writerow(values)
    return line.getvalue()


def _cell(value: Any) -> Any:
    """Numbers by their shortest exact form, true and false as in JSON."""
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else value
