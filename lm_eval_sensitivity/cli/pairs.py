"""`lm-eval-sensitivity pairs`: finished runs as one tidy table, one row per system, pair and filter."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.cli.analysis_options import (
    add_command,
    add_run_options,
    add_runs,
    print_text,
    run_options,
    terminal_width,
)
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.report import render
from lm_eval_sensitivity.report.documents.pairs import pairs_document
from lm_eval_sensitivity.runs import load_runs
from lm_eval_sensitivity.runs.export import check_target, write_table
from lm_eval_sensitivity.runs.texts import with_texts
from lm_eval_sensitivity.text.escape import shown_path

DESCRIPTION = """\
Check finished runs and put their pairs into one table, one row per system, pair and filter. The runs must have asked
the same ladder, decoded alike and been measured with the same embedder; what is left out is listed with its reason."""

EPILOG = """\
examples:
  lm-eval-sensitivity pairs runs/qwen3-4b runs/qwen3-4b-int8 -o pairs.parquet
  lm-eval-sensitivity pairs runs/* --exclude-mismatched -o pairs.csv
  lm-eval-sensitivity pairs runs/qwen3-4b --with-text -o pairs.parquet

A run is what `lm_eval ... --output_path runs/x --log_samples` leaves behind. Without -o the runs are checked and
summed up only. A missing number is null (an empty cell in CSV), and missing_<metric> says why."""


def add_parser(subparsers: Any) -> None:
    """Register the subcommand."""
    words = "check finished runs and write their pairs as one table"
    parser = add_command(subparsers, "pairs", run, words, DESCRIPTION, EPILOG)
    add_runs(parser)
    parser.add_argument(
        "--output", "-o", type=Path, metavar="FILE", help="write the table: .parquet, .csv or .jsonl"
    )
    parser.add_argument(
        "--with-text", action="store_true", help="write the prompts and both outputs beside the numbers, too"
    )
    add_run_options(parser)


def run(options: argparse.Namespace) -> int:
    """Load, write, print what was found."""
    if options.output is not None:
        check_target(options.output)
    elif options.with_text:
        raise InputError("`--with-text` adds columns to the written table. Give `-o pairs.parquet`, too.")
    if options.subset is not None and not options.subset.strip():
        raise InputError("`--subset` is blank; give the name of a subset of the ladder, such as 'mini'.")
    pairs = load_runs(options.runs, **run_options(options))
    text = render(pairs_document(pairs), "table", width=terminal_width())
    if options.output is not None:
        table = with_texts(pairs.table, pairs.systems) if options.with_text else pairs.table
        write_table(table, options.output)
        text += f"\nWrote {pairs.table.num_rows} rows to {shown_path(options.output)}\n"
    print_text(text)
    return 0
