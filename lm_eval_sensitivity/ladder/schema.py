"""What a ladder's rows must look like, and their content hash.

`pairs_from_rows` is the one place where rows from outside (parquet, JSON lines) become `Pair`
records. Every message names the file, the row and the column, so that the row can be found.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from lm_eval_sensitivity.errors import InputError, did_you_mean, unknown_name
from lm_eval_sensitivity.ladder.files import MAX_CELL_CHARACTERS, MAX_ROWS
from lm_eval_sensitivity.ladder.replacements import apply_replacements
from lm_eval_sensitivity.text.escape import shown
from lm_eval_sensitivity.types import (
    CATEGORIES,
    MEANING_PRESERVING_RUNGS,
    RUNGS,
    UNCATEGORIZED,
    Pair,
    Replacement,
    Rung,
)

PAIR_COLUMNS: tuple[str, ...] = tuple(field.name for field in fields(Pair))
ROW_HASH = "row_hash"
COLUMNS: tuple[str, ...] = (*PAIR_COLUMNS, ROW_HASH)
"""The columns of a ladder file, in order: the fields of `Pair`, then the hash of the row they make."""

ORIGINS = ("rule", "authored")
IDENTICAL_EDIT = "identical"
"""The edit of the rung `identical`, whose variant is the base."""

_TYPES: dict[str, type] = {"rung_index": int, "meaning_preserving": bool, "replacements": list}
_ACCEPTED = {"category": (*CATEGORIES, UNCATEGORIZED), "rung": RUNGS, "origin": ORIGINS}
_MAY_BE_EMPTY = ("reason",)

Row = Mapping[str, Any]


def is_meaning_preserving(rung: Rung) -> bool:
    """Whether the variants of a rung ask for the same answer as their bases.

    Returns:
        True also for `identical`, which `MEANING_PRESERVING_RUNGS` does not hold.

    Example:
        >>> is_meaning_preserving("identical"), is_meaning_preserving("positive_control")
        (True, False)
    """
    return rung == "identical" or rung in MEANING_PRESERVING_RUNGS


def rows_from_pairs(pairs: Iterable[Pair]) -> list[dict[str, Any]]:
    """Pairs as plain rows: a dictionary of `COLUMNS` each, replacements as a list of dictionaries.

    Returns:
        One dictionary per pair, in order, its `row_hash` last.
    """
    rows = []
    for pair in pairs:
        # Not asdict, which copies every text and takes half of the time of loading.
        row = {**vars(pair), "replacements": [dict(vars(each)) for each in pair.replacements]}
        rows.append({**row, ROW_HASH: row_hash(row)})
    return rows


def row_hash(row: Row) -> str:
    """Sixteen hexadecimal digits of the SHA-256 of a row's canonical JSON, without the hash itself.

    It travels with the row, so an edited or mixed-up row is found wherever rows go: files, tables,
    the samples of a run. It guards against accidents, not against forgery.

    Returns:
        Sixteen lower-case hexadecimal digits.

    Example:
        >>> row_hash({"base": "a", "row_hash": "ignored"}) == row_hash({"base": "a"})
        True
    """
    return _digest({column: value for column, value in row.items() if column != ROW_HASH})[:16]


def content_hash(pairs: Iterable[Pair]) -> str:
    """SHA-256 of the canonical JSON of all rows, every column included, as 64 hexadecimal digits.

    Canonical: a list of rows in ladder order, keys sorted, no white space, UTF-8.

    Returns:
        64 lower-case hexadecimal digits; another order of the rows gives another hash.

    Example:
        >>> content_hash([])[:16]
        '4f53cda18c2baa0c'
    """
    return _digest(rows_from_pairs(pairs))


def column_hashes(pairs: Iterable[Pair]) -> dict[str, str]:
    """SHA-256 of each column alone: they tell which column of a changed file differs.

    Returns:
        64 hexadecimal digits by column, in the order of `COLUMNS`.
    """
    rows = rows_from_pairs(pairs)
    return {column: _digest([row[column] for row in rows]) for column in COLUMNS}


def check_columns(received: Sequence[str], where: str) -> None:
    """Refuse columns that are not exactly those of a ladder.

    Args:
        received: column names.
        where: the file and, for JSON lines, the row; opens the message.

    Raises:
        InputError: the first column that is missing or unknown.
    """
    missing = [column for column in COLUMNS if column not in received]
    unknown = [column for column in received if column not in COLUMNS]
    if missing:
        suggestion = did_you_mean(missing[0], unknown)
        raise InputError(
            f"{where}: the column `{missing[0]}` is missing.{suggestion} A ladder has the columns "
            f"{', '.join(COLUMNS)}. Add it, or build the file from its sources."
        )
    if unknown:
        raise InputError(
            f"{where}: the column `{unknown[0]}` is not part of a ladder.{did_you_mean(unknown[0], COLUMNS)} "
            "Remove it."
        )


def pairs_from_rows(rows: Sequence[Row], file: str) -> tuple[Pair, ...]:
    """Validated pairs.

    Args:
        rows: one mapping per row with exactly the columns `COLUMNS`.
        file: named in every message.

    Returns:
        One pair per row, in order.

    Raises:
        InputError: a row or the table breaks a rule of the ladder.
    """
    if not rows:
        raise InputError(f"`{file}` has no rows. A ladder needs at least one pair.")
    if len(rows) > MAX_ROWS:
        raise InputError(
            f"`{file}` has {len(rows)} rows, more than the accepted {MAX_ROWS}. Split it into subsets."
        )
    pairs = tuple(
        pair_from_row(row, f"`{file}`, row {_row_name(row, number)}") for number, row in enumerate(rows)
    )
    _check_table(pairs, file)
    return pairs


def pair_from_row(row: Row, where: str) -> Pair:
    """Make a validated pair from a row.

    Checked: types, lengths and known names; `rung_index` and `meaning_preserving` follow from the
    rung; `pair_id` is `<prompt_id>/<edit>`; the variant differs from the base, except on the rung
    `identical`, and is what the replacements make of it.

    Args:
        row: column to cell, every column there.
        where: its place, which opens the message.

    Returns:
        The pair; its row hash has been compared and is not kept.

    Raises:
        InputError: the first rule that is broken, or the row hash is another.
    """
    for column in COLUMNS:
        _check_cell(row[column], column, where)
    replacements = tuple(_replacement(each, where) for each in row["replacements"])
    fields_of_pair = {column: row[column] for column in PAIR_COLUMNS}
    pair = Pair(**{**fields_of_pair, "replacements": replacements})
    expected = {
        "rung_index": RUNGS.index(pair.rung),
        "meaning_preserving": is_meaning_preserving(pair.rung),
        "pair_id": f"{pair.prompt_id}/{pair.edit}",
    }
    for column, value in expected.items():
        if row[column] != value:
            raise InputError(
                f"{where}: `{column}` is {shown(row[column])}, but its rung {pair.rung!r} and ids ask for "
                f"{value!r}. Correct one of them."
            )
    _check_texts(pair, where)
    if row[ROW_HASH] != row_hash(row):
        # Last, so that a cell that breaks a rule of its own is named by that rule.
        raise InputError(
            f"{where}: `{ROW_HASH}` is {shown(row[ROW_HASH])}, but the row's cells give {row_hash(row)!r}. A cell "
            "was changed after the row was built. Download the file again, or build it from its sources."
        )
    return pair


def _check_cell(value: object, column: str, where: str) -> None:
    wanted = _TYPES.get(column, str)
    if type(value) is not wanted:  # not isinstance: a bool is an int in Python
        raise InputError(
            f"{where}: `{column}` is {shown(value)} of type {type(value).__name__}; accepted is "
            f"{wanted.__name__}."
        )
    if isinstance(value, str):
        _check_string(value, column, where)
        accepted = _ACCEPTED.get(column)
        if accepted and value not in accepted:
            raise unknown_name(f"{where}: `{column}`", value, accepted)


def _check_string(value: str, column: str, where: str) -> None:
    if len(value) > MAX_CELL_CHARACTERS:
        raise InputError(
            f"{where}: `{column}` has {len(value)} characters; accepted are at most {MAX_CELL_CHARACTERS}. "
            "Shorten it."
        )
    if not value.strip() and column not in _MAY_BE_EMPTY:
        raise InputError(f"{where}: `{column}` is blank. Give it a text.")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            f"{where}: `{column}` has half of a surrogate pair at character {error.start}, which is no text. "
            "Save the file as UTF-8."
        ) from None


def _replacement(value: object, where: str) -> Replacement:
    wanted = {"start": int, "end": int, "replacement": str}
    if not isinstance(value, Mapping) or {key: type(each) for key, each in value.items()} != wanted:
        raise InputError(
            f"{where}: `replacements` holds {shown(value)}; accepted are objects with the integers `start` "
            "and `end` and the text `replacement`."
        )
    _check_string("." + value["replacement"], "replacements", where)  # the dot: a deletion may be blank
    return Replacement(**value)


def _check_texts(pair: Pair, where: str) -> None:
    if (pair.base == pair.variant) != (pair.rung == "identical"):
        raise InputError(
            f"{where}: `variant` {'equals' if pair.base == pair.variant else 'differs from'} `base` on the "
            f"rung {pair.rung!r}. They are equal on the rung 'identical' and on no other. Correct the text "
            "or the rung."
        )
    try:
        edited = apply_replacements(pair.base, pair.replacements)
    except ValueError as error:
        raise InputError(
            f"{where}: `replacements` cannot be applied to `base`: {error}. Build the row again."
        ) from None
    if edited != pair.variant:
        raise InputError(
            f"{where}: `replacements` applied to `base` give {shown(edited)}, but `variant` is "
            f"{shown(pair.variant)}. Build the row again."
        )


def _check_table(pairs: Sequence[Pair], file: str) -> None:
    """Rules that take more than one row: each key keeps one value, and pair ids are unique."""
    seen: set[str] = set()
    for pair in pairs:
        if pair.pair_id in seen:
            raise InputError(f"`{file}`: the `pair_id` {pair.pair_id!r} stands in two rows. Remove one.")
        seen.add(pair.pair_id)
    _check_constant(pairs, file, "prompt_id", "base", lambda pair: (pair.prompt_id, pair.base))
    _check_constant(pairs, file, "prompt_id", "category", lambda pair: (pair.prompt_id, pair.category))
    _check_constant(pairs, file, "edit", "rung", lambda pair: (pair.edit, pair.rung))
    _check_constant(pairs, file, "ladder", "ladder_version", lambda pair: ("", pair.ladder_version))


def _check_constant(
    pairs: Sequence[Pair], file: str, key: str, column: str, get: Callable[[Pair], tuple[str, str]]
) -> None:
    first: dict[str, tuple[str, str]] = {}
    for pair in pairs:
        name, value = get(pair)
        known, known_row = first.setdefault(name, (value, pair.pair_id))
        if known != value:
            raise InputError(
                f"`{file}`, row {pair.pair_id!r}: `{column}` is {shown(value)}, but {shown(known)} in row "
                f"{known_row!r}. One {key} has one {column}. Correct one of the rows."
            )


def _row_name(row: Row, number: int) -> str:
    pair_id = row.get("pair_id")
    return repr(pair_id[:200]) if isinstance(pair_id, str) and pair_id.strip() else f"number {number + 1}"


def _digest(value: object) -> str:
    canonical = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    # Half a surrogate pair is refused by name when rows are checked; rows are hashed before that.
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
