"""Ladder files in JSON lines: one row per line, with the same fields as the parquet columns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder.files import decode_text, read_limited
from lm_eval_sensitivity.ladder.schema import check_columns


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """Rows of a ladder file. Fields are checked by name only.

    Returns:
        One dictionary per line that is not blank, in the order of the file.

    Raises:
        InputError: not UTF-8, or a line is no JSON object with exactly the ladder's columns.
    """
    rows = []
    for where, row in json_objects(decode_text(read_limited(path), path), path):
        check_columns(list(row), where)
        rows.append(row)
    return rows


def json_objects(text: str, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The place and the content of every line that is not blank.

    Returns:
        (place, content) in the order of the file; the place opens messages.

    Raises:
        InputError: a line is no JSON object, or names a field twice.
    """
    # Not splitlines: it also cuts at U+2028, which JSON allows inside a text.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"`{path}`, line {number}"
        try:
            content = json.loads(line, object_pairs_hook=_unique_fields)
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{where} is not a JSON object: {str(error)[:200]}. Write one object per line."
            ) from None
        if not isinstance(content, dict):
            raise InputError(
                f"{where} holds a {type(content).__name__}, not a JSON object. Write one object per line."
            )
        yield where, content


def _unique_fields(items: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object as a dictionary; a repeated key is an error instead of a silent last one wins."""
    names = dict(items)
    if len(names) < len(items):
        raise ValueError("a field stands there twice")
    return names
