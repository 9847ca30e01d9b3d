"""`lm-eval-sensitivity export`: everything that a page over finished runs shows, as one folder of tables."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.cli.analysis_options import (
    add_overwrite,
    add_run_options,
    add_runs,
    add_statistics_options,
    folder,
    run_options,
    signed,
)
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.results.manifest import Manifest
from lm_eval_sensitivity.results.output_folder import check_target
from lm_eval_sensitivity.results.write import Request, export_results
from lm_eval_sensitivity.runs import Runs, System
from lm_eval_sensitivity.runs.beside import folders_beside, load_beside, system_of
from lm_eval_sensitivity.runs.comparability import COMMON_PAIRS
from lm_eval_sensitivity.statements.clusters import ALPHA
from lm_eval_sensitivity.text.escape import inert, shown_path

EPILOG = """\
examples:
  lm-eval-sensitivity export runs/qwen3-4b runs/qwen3-4b-int8 runs/qwen3-4b-int4 -o results/
  lm-eval-sensitivity export runs/* --reference runs/bf16 --series "Qwen3 4B=runs/bf16,runs/int8,runs/int4" \\
      -o results/

The folder holds statements.json with clusters, drift, heatmaps and windows, every pair with its outputs in parquet, and
a manifest.json with the checksums of all files. The same runs give the same bytes. It names no path of this machine,
but it holds prompts and outputs: look through them before you publish it."""


def add_parser(subparsers: Any) -> None:
    """Register the subcommand."""
    parser = subparsers.add_parser(
        "export",
        help="compute everything about finished runs, as a folder that a page can show",
        description="Compute clusters, axes, heatmaps and windows of finished runs, and write them with every pair and "
        "its outputs into a new folder.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_runs(parser)
    parser.add_argument("--output", "-o", type=Path, required=True, metavar="FOLDER", help="folder to write")
    add_overwrite(parser, "replace the folder, if it holds results of an earlier export")
    add_export_options(parser)
    parser.set_defaults(run=run)


def add_export_options(parser: argparse.ArgumentParser) -> None:
    """What is computed of the runs."""
    parser.add_argument(
        "--reference",
        type=folder,
        metavar="RUN",
        help="the run that drift is measured from; adds the two axes",
    )
    parser.add_argument(
        "--series",
        action="append",
        metavar="NAME=RUN,RUN,...",
        help="levels of one model, such as quantizations, to be joined by a line in that order; repeatable (default: "
        "systems of one model that differ in their precision only, where the runs say so)",
    )
    parser.add_argument(
        "--embedder",
        metavar="NAME",
        help="folder or Hub id of the embedder of the runs, where drift is recomputed and it is not the default one",
    )
    parser.add_argument(
        "--alpha",
        type=float,
        default=ALPHA,
        metavar="SHARE",
        help="family-wise error of a table of clusters (default: %(default)s)",
    )
    add_run_options(parser)
    add_statistics_options(parser)


def run(options: argparse.Namespace) -> int:
    """Load, compute, write; the folder is named on stdout."""
    manifest = export(options, options.output, overwrite=options.overwrite)
    size = sum(each.bytes for each in manifest.files.values()) / 1e6
    left_out = len(manifest.selections_left_out)
    print(
        f"{shown_path(options.output)}: {len(manifest.systems)} systems, {len(manifest.files) + 1} files, {size:.1f} MB"
        + (f"; {left_out} selections without data were left out" if left_out else "")
    )
    return 0


def export(options: argparse.Namespace, output: Path, *, overwrite: bool = False) -> Manifest:
    """Load, compute and write.

    Args:
        options: of `add_runs` and `add_export_options`.
        output: folder to write.
        overwrite: replace it, if it holds results of an earlier export.

    Returns:
        What was written.

    Raises:
        InputError: an option, a run or the folder is not as it must be.
    """
    if not 0 < options.alpha < 1:
        raise InputError(f"`--alpha {options.alpha:g}` must lie between 0 and 1, as in `--alpha 0.05`.")
    check_target(output, overwrite=overwrite)
    series = None if options.series is None else _parse_series(options.series)
    folders = folders_beside(options.runs, options.reference)
    pairs, reference = load_beside(options.runs, options.reference, **run_options(options))
    subset = pairs.systems[0].ladder.subset
    if subset.startswith(COMMON_PAIRS):
        raise InputError(
            f"A results folder holds whole runs of one subset of a ladder, and these runs have only {inert(subset)} to "
            "compare. Give runs of one subset, or choose one with `--subset`."
        )
    request = Request(
        pairs,
        reference=reference,
        series=None if series is None else _systems_of(pairs, series, folders),
        signature=signed(pairs, options),
        alpha=options.alpha,
        embedder=options.embedder,
        folders=tuple(folders),
    )
    return export_results(request, output, overwrite=overwrite)


def _parse_series(given: Sequence[str]) -> dict[str, list[Path]]:
    series: dict[str, list[Path]] = {}
    for each in given:
        name, _, rest = each.partition("=")
        runs = [part for part in rest.split(",") if part]
        if not name.strip() or len(runs) < 2 or name.strip() in series:
            raise InputError(
                f"`--series {each[:200]}`: accepted is a new name, `=`, and two or more runs between commas, as in "
                '`--series "Qwen3 4B=runs/bf16,runs/int8"`.'
            )
        series[name.strip()] = [Path(run) for run in runs]
    return series


def _systems_of(
    pairs: Runs, series: dict[str, list[Path]], folders: Sequence[Path]
) -> dict[str, list[System]]:
    """The systems of every level; a folder counts as the run that was loaded from it, however it is spelled."""
    loaded = {folder.resolve(): folder for folder in folders}
    used: dict[str, str] = {}
    found: dict[str, list[System]] = {}
    for name, runs in series.items():
        for run_folder in runs:
            folder = loaded.get(run_folder.resolve())
            if folder is None:
                raise InputError(
                    f"`--series` {name!r} names `{shown_path(run_folder)}`, which is none of the runs. Give it among "
                    "them, too."
                )
            system = system_of(pairs, folder)
            if used.setdefault(system.fingerprint, name) != name or system in found.get(name, []):
                raise InputError(
                    f"`--series` {name!r}: {system.name} stands in a series already. Name each system once."
                )
            found.setdefault(name, []).append(system)
    return found
