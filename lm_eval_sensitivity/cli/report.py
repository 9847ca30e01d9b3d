"""`lm-eval-sensitivity report`: one page with figures and tables, and the figures as files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.cli.analysis_options import (
    add_command,
    add_embedder_option,
    add_overwrite,
    add_run_options,
    add_runs,
    add_statistics_options,
    folder,
    run_options,
    signed,
)
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.probes.document import probe_sections
from lm_eval_sensitivity.report.documents.report import FIGURES, PAGE, report_files
from lm_eval_sensitivity.report.figures import check_matplotlib
from lm_eval_sensitivity.runs.beside import load_beside
from lm_eval_sensitivity.text.escape import shown_path

DESCRIPTION = "Make one self-contained HTML page of finished runs: figures, tables, and what not to conclude."

EPILOG = """\
examples:
  lm-eval-sensitivity report runs/qwen3-4b runs/qwen3-4b-int8 runs/qwen3-4b-int4 -o report/
  lm-eval-sensitivity report runs/* --reference runs/qwen3-4b -o report/

The page is index.html: one file that works without a network and can be sent alone. Beside it every figure stands as
SVG and PNG. Figures need an extra: pip install "lm-eval-sensitivity[report]"."""


def add_parser(subparsers: Any) -> None:
    """Register the subcommand."""
    words = "make one HTML page with figures and tables of finished runs"
    parser = add_command(subparsers, "report", run, words, DESCRIPTION, EPILOG)
    add_runs(parser)
    parser.add_argument("--output", "-o", type=Path, required=True, metavar="FOLDER", help="folder to write")
    add_overwrite(parser, "replace the report that is there")
    parser.add_argument(
        "--reference",
        type=folder,
        metavar="RUN",
        help="the run that drift is measured from; adds the two axes",
    )
    add_embedder_option(parser)
    add_run_options(parser)
    add_statistics_options(parser)


def run(options: argparse.Namespace) -> int:
    """Load, make the page, write; the files are named on stdout."""
    check_matplotlib()
    _check_folder(options.output, overwrite=options.overwrite)
    pairs, reference = load_beside(options.runs, options.reference, **run_options(options))
    further = probe_sections(pairs.systems)
    files = report_files(pairs, reference, signed(pairs, options), options.embedder, further)
    _write(options.output, files)
    n_figures = sum(name.endswith(".svg") for name in files)
    print(f"{options.output / PAGE}: {n_figures} figures, {len(pairs.systems)} systems")
    return 0


def _check_folder(folder: Path, *, overwrite: bool) -> None:
    """Refuse before anything is computed. Other files in the folder are nobody's business."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"`--output {shown_path(folder)}` is a file. Give a folder.")
    if (folder / PAGE).exists() and not overwrite:
        raise InputError(
            f"`--output {shown_path(folder)}` holds a report, or another {PAGE}. Choose another folder, or give "
            "`--overwrite`."
        )


def _write(folder: Path, files: dict[str, bytes]) -> None:
    """Write the files, and remove figures of an earlier report that this one does not have."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        for path in (*(folder / name for name in FIGURES), *folder.glob("probe_*.svg")):
            for ending in (".svg", ".png"):
                if path.with_suffix(ending).name not in files:
                    path.with_suffix(ending).unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"`--output {folder}` cannot be written ({error.strerror}). Choose another folder."
        ) from None
