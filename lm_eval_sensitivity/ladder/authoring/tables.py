"""Own prompts as they stand in text and CSV files: lines and cells with their places, before anything is checked."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.errors import InputError

PROMPT_FIELD = "prompt"

Row = tuple[str, Mapping[str, Any]]
"""One prompt or pair as it was read, before it is checked: its place, which opens every message, and its fields."""


def is_blank(value: object) -> bool:
    """Whether an optional field is left empty: null, no characters, or the NaN that pandas writes.

    Example:
        >>> is_blank(None), is_blank(float("nan")), is_blank(" ")
        (True, True, False)
    """
    return value is None or value == "" or value != value


_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_LONE_RETURN = re.compile(r"\r(?!\n)")
_QUOTED = re.compile(r'"[^"]*"')


def text_rows(text: str, path: Path) -> list[Row]:
    """One prompt per line that is not blank.

    Returns:
        [line] place, and the line as the field `prompt`.

    Raises:
        InputError: a carriage return stands alone in a line.
    """
    _refuse_lone_returns(text, path)
    # Not splitlines: it also cuts at U+2028 and form feeds, which may stand inside a prompt.
    lines = enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1)
    return [(f"`{path}`, line {number}", {PROMPT_FIELD: line}) for number, line in lines if line.strip()]


def csv_rows(
    text: str, path: Path, is_header: Callable[[Sequence[str]], bool]
) -> tuple[list[Row], tuple[str, ...]]:
    """The rows of a table with a header; its separator is recognized.

    Args:
        text: of the file.
        path: for messages.
        is_header: whether these names are those of a table that is wanted.

    Returns:
        [row] place, and cell by name, empty rows left out; and a sentence where the separator is no comma.

    Raises:
        InputError: no readable CSV, a name that stands there twice, or a row with another number of cells.
    """
    _refuse_lone_returns(_QUOTED.sub('""', text), path)
    declared = re.match('sep=([^"\r])\r?\n', text)  # what Excel takes for itself
    separator = declared[1] if declared else _separator(text, is_header)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[Row] = []
    try:
        if declared:
            next(reader)
        names = [name.strip() for name in next(reader, [])]
        twice = next((name for name in names if name and names.count(name) > 1), None)
        if twice is not None:
            raise InputError(f"`{path}`: the column `{twice[:80]}` stands there twice. Rename one.")
        for cells in reader:
            if any(cells):
                place = f"`{path}`, row {len(rows) + 1} (line {reader.line_num})"
                rows.append((place, _fields(names, cells, separator, place)))
    except csv.Error as error:
        raise InputError(
            f"`{path}` is no readable CSV at line {reader.line_num}: {error}. Save it as CSV with a header, commas "
            "and double quotes."
        ) from None
    if separator == ",":
        return rows, ()
    return rows, (f"Cells were read as separated by {_SEPARATORS.get(separator, repr(separator))}.",)


def _fields(names: Sequence[str], cells: Sequence[str], separator: str, place: str) -> dict[str, str]:
    if len(cells) != len(names):
        marks = _SEPARATORS.get(separator, repr(separator))
        raise InputError(
            f"{place} has another number of cells than the header's {len(names)}. Put texts with {marks} or line "
            "breaks in double quotes."
        )
    # A column without a name that holds nothing is what a spreadsheet leaves behind.
    return {name: cell for name, cell in zip(names, cells, strict=True) if name or cell.strip()}


def _separator(text: str, is_header: Callable[[Sequence[str]], bool]) -> str:
    """The separator under which the first line is a header that is wanted; a comma where none is better."""
    headers = {each: _header(text, each) for each in _SEPARATORS}
    several = [each for each, names in headers.items() if len(names) > 1]
    return next((each for each in several if is_header(headers[each])), (several or [","])[0])


def _header(text: str, separator: str) -> list[str]:
    try:
        cells = next(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True), [])
    except csv.Error:
        return []
    return [cell.strip() for cell in cells]


def _refuse_lone_returns(text: str, path: Path) -> None:
    """In a file of old Macs all lines end so; beside other line ends it may be an end, or part of a prompt."""
    found = _LONE_RETURN.search(text)
    if found and "\n" in text:
        line = text.count("\n", 0, found.start()) + 1
        raise InputError(
            f"`{path}`, line {line}: a carriage return stands there alone, and other lines end otherwise. Put a line "
            "break in its place, or nothing."
        )
