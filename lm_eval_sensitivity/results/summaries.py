"""The small tables of a results folder as records, checked against each other and the manifest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

from lm_eval_sensitivity.results.agreement import check_clusters, check_rows
from lm_eval_sensitivity.results.files import check_digest, open_file, refuse
from lm_eval_sensitivity.results.records import (
    AxesContrastRow,
    AxesPage,
    AxesRow,
    ClusterPage,
    ClusterRow,
    ClusterWords,
    ContrastRow,
    HeatmapCellRow,
    HeatmapPage,
    LadderPair,
    Manifest,
    SelectionKey,
    WindowRow,
)
from lm_eval_sensitivity.results.schema import SUMMARIES
from lm_eval_sensitivity.results.tables import is_text, open_parquet, read_table, rows_of
from lm_eval_sensitivity.text.escape import shown, shown_path
from lm_eval_sensitivity.types import Replacement

Row = dict[str, Any]
ViewKey = tuple[str, str]
"""Metric and filter."""
Record = TypeVar("Record")


@dataclass(frozen=True)
class Summaries:
    """Everything but pairs and details."""

    clusters: Mapping[SelectionKey, ClusterPage]
    axes: Mapping[ViewKey, AxesPage]
    heatmaps: Mapping[ViewKey, HeatmapPage]
    windows: Mapping[str, tuple[WindowRow, ...]]
    """By rung set."""
    ladder: Mapping[str, LadderPair]
    """By pair id."""


@dataclass(frozen=True)
class _Tables:
    """Rows by file, every cell accepted."""

    folder: Path
    rows: Mapping[str, list[Row]]

    def place(self, name: str) -> str:
        return shown_path(self.folder / name)

    def groups(self, name: str, keys: Sequence[str]) -> dict[Any, list[Row]]:
        """Rows of one table by some of its columns."""
        found: dict[Any, list[Row]] = {}
        for row in self.rows[name]:
            found.setdefault(tuple(row[key] for key in keys), []).append(row)
        return found


def read_summaries(folder: Path, manifest: Manifest) -> Summaries:
    """Read and check all small tables.

    Raises:
        InputError: naming file and field.
    """
    tables = _Tables(folder, {name: _read(folder, name, manifest) for name in SUMMARIES})
    _check_systems(tables, len(manifest.systems))
    return Summaries(
        clusters=_clusters(tables),
        axes=_axes(tables, manifest),
        heatmaps=_heatmaps(tables, len(manifest.systems)),
        windows=_windows(tables),
        ladder=_ladder(tables, manifest),
    )


def _read(folder: Path, name: str, manifest: Manifest) -> list[Row]:
    spec, place, expected = SUMMARIES[name], shown_path(folder / name), manifest.files[name]
    with open_file(folder, name, spec.max_bytes) as stream:
        check_digest(stream, expected, place)
        content = stream.read(expected.bytes)
    # From memory: what was checked is what is read.
    file = open_parquet(BytesIO(content), spec, expected.rows, place)
    rows = rows_of(read_table(file, spec, place), spec, place)
    check_rows(name, rows, place)
    return rows


def _check_systems(tables: _Tables, n_systems: int) -> None:
    for name, rows in tables.rows.items():
        for column in ("system", "first", "second"):
            for at, row in enumerate(rows, 1):
                if (row.get(column) or 0) >= n_systems:
                    refuse(
                        f"{tables.place(name)}: `{column}`, row {at}",
                        f"is {row[column]}; the manifest has systems 0 to {n_systems - 1}",
                    )


def _record(kind: Callable[..., Record], row: Row) -> Record:
    """The fields of a record from a row that may have more columns."""
    return kind(**{each.name: row[each.name] for each in fields(kind)})  # type: ignore[arg-type]


def _pages(tables: _Tables, view: str) -> list[Row]:
    pages = [row for row in tables.rows["pages.parquet"] if row["view"] == view]
    keys = [(row["metric"], row["filter_name"], row["rung_set"]) for row in pages]
    if len(set(keys)) != len(keys):
        refuse(f"{tables.place('pages.parquet')}: `metric`", f"holds a page of {view} twice")
    return pages


def _no_strays(tables: _Tables, name: str, groups: Mapping[Any, object], known: Iterable[Any]) -> None:
    strays = sorted(set(groups) - set(known))
    if strays:
        refuse(
            f"{tables.place(name)}: `metric`",
            f"has rows of {strays[0]}, and `pages.parquet` has no such page",
        )


def _each_once(tables: _Tables, name: str, column: str, values: Sequence[Any], expected: set[Any]) -> None:
    if len(set(values)) != len(values):
        refuse(f"{tables.place(name)}: `{column}`", "holds a value twice for one selection")
    if set(values) != expected:
        refuse(
            f"{tables.place(name)}: `{column}`",
            f"has {sorted(set(values))} for one selection; expected are {sorted(expected)}",
        )


# ---- one kind of page each


def _clusters(tables: _Tables) -> dict[SelectionKey, ClusterPage]:
    keys = ("metric", "filter_name", "rung_set")
    rows, contrasts = tables.groups("clusters.parquet", keys), tables.groups("contrasts.parquet", keys)
    found = {}
    for page in _pages(tables, "clusters"):
        if page["rung_set"] is None:
            refuse(f"{tables.place('pages.parquet')}: `rung_set`", "is missing for a page of clusters")
        key = SelectionKey(page["metric"], page["filter_name"], page["rung_set"])
        at = (key.metric, key.filter_name, key.rung_set)
        systems = [row["system"] for row in rows.get(at, [])]
        if systems != sorted(set(systems)) or not systems:
            refuse(
                f"{tables.place('clusters.parquet')}: `system`", "is not in order, twice there, or missing"
            )
        check_clusters(rows[at], tables.place("clusters.parquet"))
        pairs = [tuple(sorted((row["first"], row["second"]))) for row in contrasts.get(at, [])]
        expected = {(a, b) for a in systems for b in systems if a < b}
        _each_once(tables, "contrasts.parquet", "second", pairs, expected)
        words = ClusterWords(page["reasons"], page["clusters"], page["family"], page["detectable"])
        found[key] = ClusterPage(
            key=key,
            title=page["title"],
            rows=tuple(_record(ClusterRow, row) for row in rows[at]),
            contrasts=tuple(_record(ContrastRow, row) for row in contrasts.get(at, [])),
            cautions=page["cautions"],
            words=words,
        )
    known = {(key.metric, key.filter_name, key.rung_set) for key in found}
    _no_strays(tables, "clusters.parquet", rows, known)
    _no_strays(tables, "contrasts.parquet", contrasts, known)
    return found


def _axes(tables: _Tables, manifest: Manifest) -> dict[ViewKey, AxesPage]:
    keys = ("metric", "filter_name")
    rows, contrasts = tables.groups("axes.parquet", keys), tables.groups("axes_contrasts.parquet", keys)
    found = {}
    everyone = {each.index for each in manifest.systems}
    for page in _pages(tables, "axes"):
        key = (page["metric"], page["filter_name"])
        if manifest.reference is None or page["symbols"] is None or page["constants"] is None:
            refuse(
                f"{tables.place('pages.parquet')}: `symbols`", "of axes without a reference, or without words"
            )
        own = rows.get(key, [])
        _each_once(tables, "axes.parquet", "system", [row["system"] for row in own], everyone)
        marked = [row["system"] for row in own if row["is_reference"]]
        if marked != [manifest.reference]:
            refuse(
                f"{tables.place('axes.parquet')}: `is_reference`", "marks another system than the manifest"
            )
        found[key] = AxesPage(
            *key,
            reference=manifest.reference,
            title=page["title"],
            rows=tuple(_record(AxesRow, row) for row in own),
            contrasts=tuple(_record(AxesContrastRow, row) for row in contrasts.get(key, [])),
            cautions=page["cautions"],
            symbols=page["symbols"],
            constants=page["constants"],
        )
    _no_strays(tables, "axes.parquet", rows, found)
    _no_strays(tables, "axes_contrasts.parquet", contrasts, found)
    return found


def _heatmaps(tables: _Tables, n_systems: int) -> dict[ViewKey, HeatmapPage]:
    rows = tables.groups("heatmap.parquet", ("metric", "filter_name"))
    found = {}
    for page in _pages(tables, "heatmap"):
        key = (page["metric"], page["filter_name"])
        cells = [_record(HeatmapCellRow, row) for row in rows.get(key, [])]
        edits = tuple(dict.fromkeys((each.rung, each.edit) for each in cells))
        expected = {(edit, system) for _, edit in edits for system in range(n_systems)}
        places = [(each.edit, each.system) for each in cells]
        if len(cells) != len(edits) * n_systems:
            refuse(f"{tables.place('heatmap.parquet')}: `edit`", "does not stand once beside every system")
        _each_once(tables, "heatmap.parquet", "system", places, expected)
        found[key] = HeatmapPage(*key, edits, dict(zip(places, cells, strict=True)), page["cautions"])
    _no_strays(tables, "heatmap.parquet", rows, found)
    return found


def _windows(tables: _Tables) -> dict[str, tuple[WindowRow, ...]]:
    found = {}
    for (rung_set,), rows in tables.groups("windows.parquet", ("rung_set",)).items():
        records = tuple(_record(WindowRow, row) for row in rows)
        places = {(each.filter_name, each.system, each.window) for each in records}
        if len(places) != len(records):
            refuse(f"{tables.place('windows.parquet')}: `window`", "holds a window of a system twice")
        found[rung_set] = records
    return found


def _ladder(tables: _Tables, manifest: Manifest) -> dict[str, LadderPair]:
    place = tables.place("ladder.parquet")
    found: dict[str, LadderPair] = {}
    for at, row in enumerate(tables.rows["ladder.parquet"], 1):
        where = f"{place}: `replacements`, row {at}"
        pair = _record(LadderPair, {**row, "replacements": _replacements(row["replacements"], where)})
        if pair.pair_id in found:
            refuse(f"{place}: `pair_id`, row {at}", f"is {shown(pair.pair_id)}, which stands there twice")
        if not _explains(pair):
            refuse(where, "do not make the variant out of the base")
        found[pair.pair_id] = pair
    if len(found) != manifest.ladder.n_pairs:
        refuse(
            place, f"has {len(found)} rows, and `ladder.n_pairs` of the manifest is {manifest.ladder.n_pairs}"
        )
    return found


def _replacements(text: str, place: str) -> tuple[Replacement, ...]:
    try:
        found = json.loads(text)
        items = [(start, end, new) for start, end, new in found]
    except (ValueError, TypeError, RecursionError):
        refuse(place, f"is {shown(text)}; accepted is a JSON list of [start, end, replacement]")
    for start, end, new in items:
        if type(start) is not int or type(end) is not int or not is_text(new):
            refuse(place, f"is {shown(text)}; accepted is a JSON list of [start, end, replacement]")
    return tuple(Replacement(*each) for each in items)


def _explains(pair: LadderPair) -> bool:
    """Whether the replacements are in order, inside the base, and give the variant."""
    pieces, at = [], 0
    for each in pair.replacements:
        if not at <= each.start <= each.end <= len(pair.base):
            return False
        pieces += [pair.base[at : each.start], each.replacement]
        at = each.end
    return "".join([*pieces, pair.base[at:]]) == pair.variant
