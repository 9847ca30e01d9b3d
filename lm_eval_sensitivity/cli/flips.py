"""`lm-eval-sensitivity flips`: what harmless edits do to the answers of wrapped tasks."""

from __future__ import annotations

import argparse
from typing import Any

from lm_eval_sensitivity.cli.analysis_options import add_command, add_output_options, add_row, add_runs, write
from lm_eval_sensitivity.report.documents.flips import flips_document, statements_of
from lm_eval_sensitivity.runs.answers import load_answers

DESCRIPTION = """\
Print what harmless edits do to the answers of wrapped lm_eval tasks: the task's own score under every edit, how many
answers change, how many change without an edit, and how small a difference between two models says nothing."""

EPILOG = """\
examples:
  lm-eval-sensitivity flips runs/x
  lm-eval-sensitivity flips runs/x runs/y --format csv -o flips.csv

The runs are made with tasks that are called sensitivity_...; see `lm-eval-sensitivity wrap --help`."""


def add_parser(subparsers: Any) -> None:
    """Register the subcommand."""
    words = "print how many answers of a wrapped task harmless edits change"
    parser = add_command(subparsers, "flips", run, words, DESCRIPTION, EPILOG)
    add_runs(parser)
    add_row(parser)
    add_output_options(parser)


def run(options: argparse.Namespace) -> int:
    """Load, count, write."""
    write(flips_document(statements_of(load_answers(options.runs, options.row))), options)
    return 0
