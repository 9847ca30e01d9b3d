"""`lm-eval-sensitivity show`: the last screen of a run again."""

from __future__ import annotations

import argparse
from typing import Any

from lm_eval_sensitivity.cli.analysis_options import (
    add_command,
    add_output_options,
    add_run_options,
    add_runs,
    add_statistics_options,
    add_weights_option,
    partitioned,
    run_options,
    signed,
    terminal_width,
    write,
)
from lm_eval_sensitivity.report.documents.flips import flips_document, statements_of
from lm_eval_sensitivity.report.documents.summary import summary_document
from lm_eval_sensitivity.runs import load_runs
from lm_eval_sensitivity.runs.beside import read_answers

DESCRIPTION = """\
Print what a run printed last: what harmless edits move, beside noise and another request, and what could fake it."""

EPILOG = """\
examples:
  lm-eval-sensitivity show runs/qwen3-4b
  lm-eval-sensitivity show runs/qwen3-4b --all                    # every metric, filter and rung
  lm-eval-sensitivity show runs/qwen3-4b --all --format csv -o rows.csv

A run that was beside a reference is shown by itself; `drift` sets it beside one."""


def add_parser(subparsers: Any) -> None:
    """Register the subcommand."""
    parser = add_command(
        subparsers, "show", run, "print the summary of a run again, or all its numbers", DESCRIPTION, EPILOG
    )
    add_runs(parser)
    parser.add_argument("--all", action="store_true", help="every metric under both filters on every rung")
    add_run_options(parser)
    add_statistics_options(parser, with_draws=False)
    add_weights_option(parser)
    add_output_options(parser)


def run(options: argparse.Namespace) -> int:
    """Load, summarize every system, write."""
    read, pairs = read_answers(load_runs(options.runs, **run_options(options)))
    answers, by = statements_of(read), signed(pairs, options)
    if by.is_of_answers:
        write(flips_document(answers), options)
        return 0
    document = summary_document(
        partitioned(pairs, options),
        pairs,
        by,
        answers,
        every_row=options.all,
        width=None if options.output else terminal_width(),
    )
    write(document, options)
    return 0
