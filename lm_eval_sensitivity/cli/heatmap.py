"""`lm-eval-sensitivity heatmap`: every edit beside every system, as numbers."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.cli.analysis_options import (
    add_output_options,
    add_run_options,
    add_selection_options,
    add_statistics_options,
    chosen,
    load_runs,
    write,
)
from lm_eval_sensitivity.report import Column, Document, ResultTable
from lm_eval_sensitivity.report.blocks import Cell
from lm_eval_sensitivity.report.documents.parts import (
    as_data,
    blocks_of_systems,
    headings,
    interval_data,
    runs_in_words,
)
from lm_eval_sensitivity.runs import Pairs
from lm_eval_sensitivity.statements import Selection, Signature, signature
from lm_eval_sensitivity.statements.cautions import bounds_note
from lm_eval_sensitivity.statements.heatmap import Heatmap, HeatmapCell, check_metric, make_heatmap
from lm_eval_sensitivity.statements.selection import PRIMARY_FILTER, PRIMARY_METRIC
from lm_eval_sensitivity.text.format import in_print

EPILOG = """\
examples:
  lm-eval-sensitivity heatmap runs/qwen3-4b runs/qwen3-4b-int8
  lm-eval-sensitivity heatmap runs/* --metric token_edit_distance --filter raw --format csv -o heatmap.csv

Edits stand in the order of the ladder, systems in the order of their names. On the terminal and in Markdown a cell
has the mean and in brackets the pairs without a number: (12e) erased, (3u) unscored. CSV and JSON have one row per
edit and system, with the 95 % interval and all counts."""

LEGEND = (
    "A cell is the mean over the prompts of the edit. (12e): 12 pairs erased, template or tokenizer kept the edit from "
    "the model; (3u): 3 pairs unscored; (n 7): only 7 pairs, the run or the edit has fewer prompts than other systems "
    "here; erased, unscored: all pairs are; not run: the system was not given the edit; -: fewer than 5 numbers, "
    "no mean. The rung identical is the noise floor: nothing was edited there."
)


def add_parser(subparsers: Any) -> None:
    """Register the subcommand."""
    parser = subparsers.add_parser(
        "heatmap",
        help="print the mean of every edit beside every system",
        description="Print the mean distance of every edit of the ladder for every system, and which edits a system "
        "never received.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder that was --output_path")
    add_selection_options(parser, repeatable=True, with_rungs=False)
    add_run_options(parser)
    add_statistics_options(parser, with_draws=False)
    add_output_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Load, make one heatmap per metric and filter, write."""
    metrics = chosen(options.metric, PRIMARY_METRIC)
    filters = chosen(options.filter, PRIMARY_FILTER)
    for metric in metrics:
        check_metric(metric)
    selections = [Selection(metric, name) for metric, name in product(metrics, filters)]
    pairs = load_runs(options.runs, options)
    heatmaps = [
        make_heatmap(
            pairs.table, each.metric, each.filter_name, resamples=options.resamples, seed=options.seed
        )
        for each in selections
    ]
    signed = signature(pairs, seed=options.seed, resamples=options.resamples, draws=0)
    write(heatmap_document(heatmaps, pairs, signed), options)
    return 0


def heatmap_document(heatmaps: list[Heatmap], pairs: Pairs, signed: Signature) -> Document:
    """The document of some metrics and filters over the same runs.

    Args:
        heatmaps: one per metric and filter.
        pairs: the runs.
        signed: what the numbers were computed from.
    """
    parts: list[ResultTable | str] = []
    for heatmap in heatmaps:
        parts += _wide(heatmap)
        parts.append(_long(heatmap))
        parts += [f"Caution: {sentence}" for sentence in heatmap.cautions]
    parts += [LEGEND, *runs_in_words(pairs), f"Signature: {signed.in_words()}."]
    data = {"signature": signed.as_dict(), "heatmaps": [_data(each) for each in heatmaps]}
    return Document("Edits beside systems", tuple(parts), data)


def cell_in_words(cell: HeatmapCell, n_prompts: int) -> str:
    """A cell for reading; see `LEGEND`.

    Args:
        cell: one edit of one system.
        n_prompts: prompts that the edit has in these runs.
    """
    counts = cell.counts
    if cell.n_given == 0:
        return "not run"
    for lost, word in ((counts.n_erased, "erased"), (counts.n_unscored, "unscored")):
        if lost == n_prompts:
            return word
    marks = [f"{n}{mark}" for n, mark in ((counts.n_erased, "e"), (counts.n_unscored, "u")) if n]
    if cell.n_given < n_prompts:
        marks.append(f"n {counts.n_pairs}")
    mean = in_print(cell.interval.estimate, 3)
    return f"{mean} ({' '.join(marks)})" if marks else mean


def _wide(heatmap: Heatmap) -> Iterator[ResultTable]:
    """For reading: edits down, below the name of their rung; systems across."""
    cells = {(cell.edit, cell.system): cell for cell in heatmap.cells}
    for part, (systems, where) in enumerate(blocks_of_systems(heatmap.systems), 1):
        rows: list[tuple[Cell, ...]] = []
        shown_rung = None
        for rung, edit in heatmap.edits:
            n_prompts = max(cell.n_given for cell in heatmap.row(edit))
            texts = (cell_in_words(cells[edit, system], n_prompts) for system in systems)
            if rung != shown_rung:
                rows.append((f"{rung}:", *[""] * (len(systems) + 1)))
                shown_rung = rung
            rows.append((edit, n_prompts, *texts))
        yield ResultTable(
            f"heatmap {heatmap.metric} {heatmap.filter_name} {part}",
            f"{heatmap.metric}, filter {heatmap.filter_name}{where}",
            (
                Column("edit"),
                Column("prompts", 0),
                *(Column(each) for each in headings(("edit", "prompts"), systems)),
            ),
            tuple(rows),
            only=("table", "markdown"),
        )


def _long(heatmap: Heatmap) -> ResultTable:
    """For programs: one row per edit and system."""
    columns = (
        Column("rung"),
        Column("edit"),
        Column("system"),
        Column("mean", 4),
        Column("lower", 4),
        Column("upper", 4),
        *(Column(name, 0) for name in ("prompts", "pairs", "erased", "unscored")),
        Column("reason"),
    )
    rows = tuple(
        (
            cell.rung,
            cell.edit,
            cell.system,
            cell.interval.estimate,
            cell.interval.lower,
            cell.interval.upper,
            cell.counts.n_prompts,
            cell.counts.n_pairs,
            cell.counts.n_erased,
            cell.counts.n_unscored,
            cell.interval.reason or "",
        )
        for cell in heatmap.cells
    )
    name = f"heatmap {heatmap.metric} {heatmap.filter_name}"
    title = f"{heatmap.metric}, filter {heatmap.filter_name}"
    return ResultTable(name, title, columns, rows, bounds_note(heatmap.metric), only=("csv", "json"))


def _data(heatmap: Heatmap) -> dict[str, Any]:
    return {
        "metric": heatmap.metric,
        "filter": heatmap.filter_name,
        "systems": list(heatmap.systems),
        "edits": [{"rung": rung, "edit": edit} for rung, edit in heatmap.edits],
        "cells": [
            {
                "rung": cell.rung,
                "edit": cell.edit,
                "system": cell.system,
                "mean": interval_data(cell.interval),
                "counts": as_data(cell.counts),
            }
            for cell in heatmap.cells
        ],
        "cautions": list(heatmap.cautions),
    }
