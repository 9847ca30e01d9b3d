"""`lm-eval-sensitivity heatmap`: every edit beside every system, as numbers."""

from __future__ import annotations

import argparse
from itertools import product
from typing import Any

from lm_eval_sensitivity.cli.analysis_options import (
    add_command,
    add_output_options,
    add_run_options,
    add_runs,
    add_selection_options,
    add_statistics_options,
    chosen,
    in_metric_of,
    partitioned,
    run_options,
    signed,
    write,
)
from lm_eval_sensitivity.report.documents.heatmap import heatmap_document
from lm_eval_sensitivity.runs import load_runs
from lm_eval_sensitivity.statements import Selection
from lm_eval_sensitivity.statements.heatmap import check_metric, heatmap_statement
from lm_eval_sensitivity.statements.selection import PRIMARY_FILTER, PRIMARY_METRIC

DESCRIPTION = """\
Print the mean distance of every edit of the ladder for every system, and which edits a system never received."""

EPILOG = """\
examples:
  lm-eval-sensitivity heatmap runs/qwen3-4b runs/qwen3-4b-int8
  lm-eval-sensitivity heatmap runs/* --metric token_edit_distance --filter raw --format csv -o heatmap.csv

Edits stand in the order of the ladder, systems in the order of their names. On the terminal and in Markdown a cell
has the mean and in brackets the pairs without a number: (12e) erased, (3u) unscored. CSV and JSON have one row per
edit and system, with the 95 % interval and all counts."""


def add_parser(subparsers: Any) -> None:
    """Register the subcommand."""
    words = "print the mean of every edit beside every system"
    parser = add_command(subparsers, "heatmap", run, words, DESCRIPTION, EPILOG)
    add_runs(parser)
    add_selection_options(parser, repeatable=True, with_rungs=False)
    add_run_options(parser)
    add_statistics_options(parser, with_draws=False)
    add_output_options(parser)


def run(options: argparse.Namespace) -> int:
    """Load, make one heatmap per metric and filter, write."""
    metrics = chosen(options.metric, PRIMARY_METRIC)
    filters = chosen(options.filter, PRIMARY_FILTER)
    selections = [Selection(metric, name) for metric, name in product(metrics, filters)]
    for metric in metrics:
        check_metric(metric)
    pairs = load_runs(options.runs, **run_options(options))
    selections = in_metric_of(selections, options.metric, pairs)
    partition = partitioned(pairs, options)
    found = [heatmap_statement(partition, each.metric, each.filter_name) for each in selections]
    write(heatmap_document(found, pairs, signed(pairs, options)), options)
    return 0
