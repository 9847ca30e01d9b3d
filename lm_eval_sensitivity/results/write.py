"""Write a results folder: everything computed, into a temporary folder that is renamed when it is complete."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lm_eval_sensitivity import __version__
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.records.columns import SCHEMA
from lm_eval_sensitivity.results.details import read_details
from lm_eval_sensitivity.results.findings import Findings, compute
from lm_eval_sensitivity.results.lengths import check_names, cut_records, cut_sentence, cut_sentences
from lm_eval_sensitivity.results.manifest import manifest_json
from lm_eval_sensitivity.results.output_folder import FOLDERS, check_target, move_results
from lm_eval_sensitivity.results.read import check_results
from lm_eval_sensitivity.results.records import (
    DecodingRecord,
    EmbedderRecord,
    FileRecord,
    LadderRecord,
    LeftOutRecord,
    Manifest,
    SeriesRecord,
    StatisticsRecord,
)
from lm_eval_sensitivity.results.redact_paths import places_of, without_folders, without_folders_in
from lm_eval_sensitivity.results.schema import (
    DETAILS,
    FORMAT_VERSION,
    MANIFEST,
    MAX_SYSTEMS,
    PAIRS,
    SUMMARIES,
    details_name,
    pairs_name,
)
from lm_eval_sensitivity.results.systems import alphabetical, found_series, system_records, without_path
from lm_eval_sensitivity.results.tables import make_table, write_parquet
from lm_eval_sensitivity.runs import Pairs, System
from lm_eval_sensitivity.statements import signature
from lm_eval_sensitivity.text.escape import one_line, shown_path
from lm_eval_sensitivity.types import RUNGS, Pair


@dataclass(frozen=True)
class Request:
    """What is to be exported."""

    pairs: Pairs
    reference: System | None
    """One of the systems of `pairs`."""
    series: Mapping[str, Sequence[System]] | None
    """Levels by name of the series; None looks for series."""
    statistics: StatisticsRecord
    embedder: str | None = None
    """Of the runs, where drift is recomputed and it is not the default one."""
    folders: tuple[Path, ...] = ()
    """Run folders as given; sentences name only their last part."""


def export_results(request: Request, folder: Path, *, overwrite: bool = False) -> Manifest:
    """Compute everything and write it as a folder that appears only when it is complete.

    Args:
        request: what is to be exported.
        folder: where.
        overwrite: replace results of an earlier export.

    Returns:
        The manifest of the folder.

    Raises:
        InputError: the folder may not be written, or samples have changed since they were loaded.

    Example:
        See `tests/unit/results/test_round_trip.py`; results take runs.
    """
    check_target(folder, overwrite=overwrite)
    if len(request.pairs.systems) > MAX_SYSTEMS:
        raise InputError(
            f"{len(request.pairs.systems)} systems are too many for one results folder; at most {MAX_SYSTEMS} fit."
        )
    check_names(request.pairs.table, request.series or ())
    target = folder.absolute()
    unfinished = target.with_name(f".{target.name}.unfinished-{os.getpid()}")
    try:
        unfinished.mkdir()
        try:
            manifest = _write(request, unfinished)
            _read_again(unfinished)
            move_results(unfinished, target)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    except OSError as error:
        raise InputError(
            f"`--output {shown_path(folder)}` cannot be written ({error.strerror or error}). Choose another folder."
        ) from None
    return manifest


def _read_again(folder: Path) -> None:
    """What is written must be accepted by whoever opens it."""
    try:
        check_results(folder)
    except InputError as error:
        raise InputError(f"these runs do not fit the limits of a results folder: {one_line(error)}") from None


# ---- its files


def _write(request: Request, folder: Path) -> Manifest:
    systems = sorted(request.pairs.systems, key=lambda system: alphabetical(system.name))
    indices = {system.name: index for index, system in enumerate(systems)}
    findings = compute(request.pairs, indices, request.reference, request.statistics, request.embedder)
    for name in FOLDERS:
        (folder / name).mkdir()
    asked = _write_systems(systems, request.pairs.table, folder)
    places = places_of(request.pairs, request.folders, request.embedder)
    tables = {
        name: [without_folders_in(row, places) for row in rows] for name, rows in _summaries(findings).items()
    }
    tables["ladder.parquet"] = list(map(_ladder_row, _in_order(asked)))  # prompts stay as they are
    for name, spec in SUMMARIES.items():
        write_parquet(make_table(spec, tables[name]), folder / name, spec)
    rows_of_files = {name: len(rows) for name, rows in tables.items()}
    for index, system in enumerate(systems):
        rows_of_files |= {pairs_name(index): 2 * system.n_pairs, details_name(index): system.n_pairs}
    files = {name: _file(folder, name, rows) for name, rows in rows_of_files.items()}
    manifest = _manifest(request, systems, indices, findings, asked, files)
    (folder / MANIFEST).write_text(manifest_json(manifest), encoding="utf-8")
    return manifest


def _write_systems(systems: Sequence[System], table: pa.Table, folder: Path) -> dict[str, Pair]:
    """Pairs and details of every system; returns the pairs of the ladder by id."""
    from tqdm import tqdm

    asked: dict[str, Pair] = {}
    bar = tqdm(systems, desc="Writing systems", delay=2, disable=None, file=sys.stderr)
    for index, system in enumerate(bar):
        own = table.filter(pc.equal(table["name"], system.name)).select(SCHEMA.names)
        write_parquet(own.combine_chunks().cast(PAIRS.schema), folder / pairs_name(index), PAIRS)
        details = read_details(system)
        write_parquet(make_table(DETAILS, details.rows), folder / details_name(index), DETAILS)
        for pair in details.pairs:
            if asked.setdefault(pair.pair_id, pair) != pair:
                raise InputError(
                    f"{shown_path(system.rungs[0].samples)}: the pair {pair.pair_id!r} is another one than in the "
                    "other runs. Give the ladder that was run with `--ladder`."
                )
    return asked


def _file(folder: Path, name: str, rows: int) -> FileRecord:
    content = (folder / name).read_bytes()
    return FileRecord(name, hashlib.sha256(content).hexdigest(), len(content), rows)


def _summaries(findings: Findings) -> dict[str, list[dict[str, Any]]]:
    """Rows of the small tables, by file."""
    pages: list[dict[str, Any]] = []
    clusters: list[dict[str, Any]] = []
    contrasts: list[dict[str, Any]] = []
    for page in findings.clusters:
        key = asdict(page.key)
        pages.append(_page("clusters", **key, title=page.title, cautions=page.cautions, **asdict(page.words)))
        clusters += [{**key, **asdict(row)} for row in page.rows]
        contrasts += [{**key, **asdict(row)} for row in page.contrasts]
    axes: list[dict[str, Any]] = []
    axes_contrasts: list[dict[str, Any]] = []
    for found in findings.axes:
        key = {"metric": found.metric, "filter_name": found.filter_name}
        words = {"title": found.title, "symbols": found.symbols, "constants": found.constants}
        pages.append(_page("axes", **key, **words, cautions=found.cautions))
        axes += [{**key, **asdict(row)} for row in found.rows]
        axes_contrasts += [{**key, **asdict(row)} for row in found.contrasts]
    heatmap: list[dict[str, Any]] = []
    for each in findings.heatmaps:
        key = {"metric": each.metric, "filter_name": each.filter_name}
        title = f"{each.metric}, filter {each.filter_name}"
        pages.append(_page("heatmap", **key, title=title, cautions=each.cautions))
        heatmap += [{**key, **asdict(cell)} for cell in each.cells.values()]
    windows = [
        {"rung_set": rung_set, **asdict(row)} for rung_set, rows in findings.windows.items() for row in rows
    ]
    return {
        "pages.parquet": pages,
        "clusters.parquet": clusters,
        "contrasts.parquet": contrasts,
        "axes.parquet": axes,
        "axes_contrasts.parquet": axes_contrasts,
        "heatmap.parquet": heatmap,
        "windows.parquet": windows,
    }


def _page(view: str, **known: Any) -> dict[str, Any]:
    empty = {"rung_set": None, "reasons": (), "clusters": (), "family": None, "detectable": None}
    return {"view": view, **empty, "symbols": None, "constants": None, **known}


def _in_order(asked: Mapping[str, Pair]) -> list[Pair]:
    return sorted(asked.values(), key=lambda pair: (RUNGS.index(pair.rung), pair.edit, pair.prompt_id))


def _ladder_row(pair: Pair) -> dict[str, Any]:
    replacements = [[each.start, each.end, each.replacement] for each in pair.replacements]
    return {**asdict(pair), "replacements": json.dumps(replacements)}


# ---- the manifest


def _manifest(
    request: Request,
    systems: Sequence[System],
    indices: Mapping[str, int],
    findings: Findings,
    asked: Mapping[str, Pair],
    files: Mapping[str, FileRecord],
) -> Manifest:
    pairs, statistics, places = (
        request.pairs,
        request.statistics,
        places_of(request.pairs, request.folders, request.embedder),
    )
    first = systems[0]
    series = _series(request, systems, indices)
    signed = signature(pairs, seed=statistics.seed, resamples=statistics.resamples, draws=statistics.draws)

    def clean(text: str) -> str:
        return without_folders(text, places)

    return Manifest(
        format_version=FORMAT_VERSION,
        package_version=__version__,
        ladder=LadderRecord(
            name=clean(first.ladder.name),
            subset=first.ladder.subset,
            version=first.ladder.version,
            hash=first.ladder.hash,
            n_prompts=len({pair.prompt_id for pair in asked.values()}),
            n_pairs=len(asked),
        ),
        embedder=_embedder(first.embedder),
        decoding=_decoding(first.decoding),
        statistics=statistics,
        reference=None if request.reference is None else indices[request.reference.name],
        systems=system_records(systems, request.reference, series),
        series=series,
        remarks=cut_sentences(sorted(clean(each) for each in pairs.remarks)),
        left_out=cut_records(
            [
                LeftOutRecord(*each)
                for each in sorted((clean(each.what), clean(each.reason)) for each in pairs.left_out)
            ]
        ),
        selections_left_out=cut_records(findings.left_out),
        signature=cut_sentence(clean(signed.in_words())),
        files=files,
    )


def _embedder(recorded: Mapping[str, Any]) -> EmbedderRecord:
    limit = recorded.get("max_tokens")
    return EmbedderRecord(
        name=without_path(recorded["name"]) or "not named",
        weights_sha256=str(recorded["weights_sha256"]),
        max_tokens=limit if type(limit) is int and limit > 0 else None,
    )


def _decoding(recorded: Mapping[str, Any]) -> DecodingRecord:
    until = recorded.get("until")
    stops = tuple(map(str, until)) if isinstance(until, list) else ()
    return DecodingRecord(int(recorded["max_gen_toks"]), stops, bool(recorded["greedy"]))


def _series(
    request: Request, systems: Sequence[System], indices: Mapping[str, int]
) -> tuple[SeriesRecord, ...]:
    if request.series is None:
        return found_series(systems)
    return tuple(
        SeriesRecord(name, tuple(indices[system.name] for system in members))
        for name, members in request.series.items()
    )
