"""Pairs and details of one system, read when they are first asked for."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Annotated, BinaryIO, Generic, Literal, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field, StringConstraints

from lm_eval_sensitivity.records.columns import FILTERS, SIDES
from lm_eval_sensitivity.records.file_codec import Codec
from lm_eval_sensitivity.records.limits import LONGEST_OUTPUT, MOST_STEPS
from lm_eval_sensitivity.records.sample import FinishReason, Name
from lm_eval_sensitivity.results.files import open_checked, open_file, refuse
from lm_eval_sensitivity.results.manifest import Manifest, SystemRecord, details_name, pairs_name
from lm_eval_sensitivity.results.tables import (
    DETAILS,
    PAIRS,
    PAIRS_OF_ANSWERS,
    TableSpec,
    open_parquet,
    read_table,
    reopen_parquet,
)
from lm_eval_sensitivity.text.escape import shown, shown_path
from lm_eval_sensitivity.types import Pair

_OF_THE_LADDER = ("prompt_id", "rung", "edit", "category", "meaning_preserving")
Record = TypeVar("Record")
Steps = Annotated[tuple[int, ...], Field(max_length=MOST_STEPS)]
"""A number of each token."""


@dataclass(frozen=True)
class SideDetail:
    """One output of a pair."""

    text: Annotated[str, StringConstraints(max_length=LONGEST_OUTPUT)]
    """With special tokens shown where the engine lets us see them."""
    cut_characters: int
    """Characters that were left out at the end of a very long text."""
    token_ends: Steps | None
    """[step] character of `text` at which each generated token ends, for tokens inside the text; None where it
    is not known."""
    margins: Annotated[tuple[Annotated[float, Field(ge=0)] | None, ...], Field(max_length=MOST_STEPS)] | None
    """[step] nats between the chosen token and the next best; an entry is None where no other token could be
    chosen at all; None for engines that return text only."""
    status: Literal["none", "closed", "unclosed", "empty_answer"] | None
    """Of the scaffold; None where it was not looked for."""
    scaffold: Name | None
    """Name of the reasoning scaffold, if there is one."""
    answer_start: int | None
    """First character of the answer in `text`; it may lie beyond the text where that was cut."""
    answer_end: int | None
    """One past the last."""
    finish_reason: FinishReason | None
    """What ended the output; None for engines that return text only."""


@dataclass(frozen=True)
class PairDetail:
    """Everything about one pair of one system."""

    base: SideDetail
    variant: SideDetail
    curves: Mapping[str, Steps | None]
    """By filter: [t - 1] edit distance of the first t tokens; None where there is no answer to compare."""
    first_divergence: Mapping[str, int | None]
    """By filter: 0-based step at which the outputs part; None where they do not, or where there is no curve."""
    censored: Mapping[str, bool | None]
    """By filter: the outputs are equal up to a token limit and may part later; None where there is no curve."""


CODEC = Codec(PairDetail, LONGEST_OUTPUT)


def read_pairs(
    folder: Path, manifest: Manifest, system: SystemRecord, ladder: Mapping[str, Pair]
) -> pa.Table:
    """The pairs table of one system.

    Args:
        folder: the results folder.
        manifest: of the folder.
        system: one of its systems.
        ladder: pairs by id.

    Returns:
        Two rows per pair, raw and answer; every cell agrees with manifest and ladder.

    Raises:
        InputError: naming file and field.
    """
    name = pairs_name(system.index)
    place, expected = shown_path(folder / name), manifest.files[name]
    spec = PAIRS_OF_ANSWERS if manifest.is_of_answers else PAIRS
    with open_checked(folder, name, spec.max_bytes, expected) as stream:
        content = BytesIO(stream.read(expected.bytes))
    table = read_table(open_parquet(content, spec, expected.rows, place), place)
    _check_constants(table, manifest, system, place)
    _check_pairs(table, ladder, place)
    return table


def _check_constants(table: pa.Table, manifest: Manifest, system: SystemRecord, place: str) -> None:
    for column, value in (
        ("system", system.fingerprint),
        ("name", system.name),
        ("ladder_version", manifest.signature.ladder_version),
        ("ladder_hash", manifest.signature.ladder_hash),
    ):
        other = next((each for each in table[column].unique().to_pylist() if each != value), None)
        if other is not None:
            refuse(f"{place}: `{column}`", f"is {shown(other)}, and the manifest says {shown(value)}")


def _check_pairs(table: pa.Table, ladder: Mapping[str, Pair], place: str) -> None:
    columns = [table[name].to_pylist() for name in ("pair_id", "filter", *_OF_THE_LADDER)]
    seen: set[tuple[str, str]] = set()
    for at, (pair_id, filter_name, *cells) in enumerate(zip(*columns, strict=True), 1):
        asked = ladder.get(pair_id)
        if asked is None:
            refuse(
                f"{place}: `pair_id`, row {at}", f"is {shown(pair_id)}, which `ladder.parquet` does not have"
            )
        if (pair_id, filter_name) in seen:
            refuse(f"{place}: `pair_id`, row {at}", f"is {shown(pair_id)}, which stands there twice")
        seen.add((pair_id, filter_name))
        for name, cell in zip(_OF_THE_LADDER, cells, strict=True):
            if getattr(asked, name) != cell:
                refuse(f"{place}: `{name}`, row {at}", f"is {shown(cell)}, and `ladder.parquet` has another")
    if len(seen) != len(FILTERS) * len({pair_id for pair_id, _ in seen}):
        refuse(f"{place}: `filter`", "lacks a row: every pair stands under raw and answer")


class RecordFile(Generic[Record]):
    """A checked file of records, JSON each, of which one is read without all others.

    Args:
        folder: the results folder.
        name: of the file; one of the fixed names.
        manifest: of the folder.
        spec: of its table, whose first column has the keys.
        parse: makes a record of its JSON; it is told the key, and the place for messages.

    Raises:
        InputError: naming file and field.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        manifest: Manifest,
        spec: TableSpec,
        parse: Callable[[str, str, str], Record],
    ) -> None:
        self._folder, self._name, self._spec, self._parse = folder, name, spec, parse
        self._place = shown_path(folder / name)
        key, expected = spec.schema.names[0], manifest.files[name]
        with open_checked(folder, name, spec.max_bytes, expected) as stream:
            self._identity = _identity(stream)
            file = open_parquet(stream, spec, expected.rows, self._place)
            self._metadata: pq.FileMetaData = file.metadata
            index = read_table(file, self._place, columns=[key])
        self.keys: list[str] = index[key].to_pylist()
        """In the order of letters."""
        if any(a >= b for a, b in zip(self.keys, self.keys[1:], strict=False)):
            refuse(f"{self._place}: `{key}`", "is not in the order of letters, or stands there twice")

    def every(self, beginning: str = "") -> Iterator[tuple[str, Record]]:
        """Every record with its key, in the order of letters; one row group is in memory at a time.

        Args:
            beginning: only of keys that begin so.

        Raises:
            InputError: a damaged record, or a file that is not the checked one any more.
        """
        size, group, rows = self._spec.row_group_rows, -1, list[str]()
        for at in range(bisect_left(self.keys, beginning), len(self.keys)):
            if not self.keys[at].startswith(beginning):
                return
            if at // size != group:
                group = at // size
                rows = self._row_group(group)
            yield self.keys[at], self._record(rows[at % size], at)

    def find(self, key: str) -> Record | None:
        """One record; only its row group is read.

        Args:
            key: of it.

        Returns:
            None where there is none.

        Raises:
            InputError: as `every`.
        """
        at = bisect_left(self.keys, key)
        if at == len(self.keys) or self.keys[at] != key:
            return None
        group, row = divmod(at, self._spec.row_group_rows)
        return self._record(self._row_group(group)[row], at)

    def _record(self, content: str, at: int) -> Record:
        return self._parse(content, self.keys[at], f"{self._place}, row {at + 1}")

    def _row_group(self, group: int) -> list[str]:
        with open_file(self._folder, self._name, self._spec.max_bytes) as stream:
            if _identity(stream) != self._identity:
                refuse(self._place, "has changed since it was checked")
            file = reopen_parquet(stream, self._metadata)
            rows: list[str] = read_table(file, self._place, row_groups=[group])["detail"].to_pylist()
        return rows


def open_details(
    folder: Path, manifest: Manifest, system: SystemRecord, pair_ids: set[str]
) -> RecordFile[PairDetail]:
    """The details of one system.

    Args:
        folder: the results folder.
        manifest: of the folder.
        system: one of its systems.
        pair_ids: of its pairs table.

    Raises:
        InputError: naming file and field.
    """
    name = details_name(system.index)
    found = RecordFile(folder, name, manifest, DETAILS, _detail)
    if set(found.keys) != pair_ids:
        refuse(
            f"{shown_path(folder / name)}: `pair_id`", f"has other pairs than `{pairs_name(system.index)}`"
        )
    return found


def _identity(stream: BinaryIO) -> tuple[int, ...]:
    """What a file changes when it is replaced or written to; reading its checksum again would take too long."""
    found = os.fstat(stream.fileno())
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _detail(content: str, key: str, place: str) -> PairDetail:
    found = CODEC.load(content.encode(), place)
    for name in ("curves", "first_divergence", "censored"):
        if getattr(found, name).keys() != {*FILTERS}:
            refuse(f"{place}: `{name}`", f"is not of {' and '.join(FILTERS)}")
    for side in SIDES:
        output: SideDetail = getattr(found, side)
        start, end, ends = output.answer_start, output.answer_end, output.token_ends or ()
        if list(ends) != sorted(ends) or max(ends, default=0) > len(output.text):
            accepted = f"are not numbers from 0 to {len(output.text)} that never fall"
            refuse(f"{place}: `{side}.token_ends`", accepted)
        if (start is None) != (end is None) or (start is not None and end is not None and start > end):
            refuse(f"{place}: `{side}.answer_end`", "is no end of an answer that begins at `answer_start`")
    return found
