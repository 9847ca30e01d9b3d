"""`lm-eval-sensitivity compare`: two systems side by side, with the difference taken apart."""

from __future__ import annotations

import argparse
import math
from typing import Any

from lm_eval_sensitivity.cli.analysis_options import (
    add_command,
    add_output_options,
    add_run_options,
    add_selection_options,
    add_statistics_options,
    add_weights_option,
    folder,
    in_metric_of,
    partitioned,
    run_options,
    signed,
    write,
)
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.probes.columns import with_probes
from lm_eval_sensitivity.report.documents.compare import compare_document
from lm_eval_sensitivity.runs import load_runs
from lm_eval_sensitivity.runs.beside import system_of
from lm_eval_sensitivity.statements import Selection
from lm_eval_sensitivity.statements.compare import comparison_statement
from lm_eval_sensitivity.statements.selection import PRIMARY_METRIC
from lm_eval_sensitivity.stats.equivalence import MARGIN_SHARE

DESCRIPTION = """\
Compare two systems by prompt, on the pairs that are scored in both. Every difference is second minus first."""

EPILOG = """\
examples:
  lm-eval-sensitivity compare runs/qwen3-4b runs/qwen3-4b-int4
  lm-eval-sensitivity compare runs/a runs/b --metric js_divergence --filter raw --rungs punctuation
  lm-eval-sensitivity compare runs/a runs/b --margin 0.1 --format json -o compare.json

The interval of the difference is by corner points over prompts where the metric has a largest value, else a
bootstrap-t; p is of sign flips of the prompts that differ (exact up to 14, else by random draws), and which mean is
lower is said only where a test of means agrees. "Not distinguishable" is not "equal": that takes two one-sided tests
within the margin, which is a share of the first system's mean and is to be declared before looking."""


def add_parser(subparsers: Any) -> None:
    """Register the subcommand."""
    words = "compare two finished runs, and say what drives the difference"
    parser = add_command(subparsers, "compare", run, words, DESCRIPTION, EPILOG)
    parser.add_argument("first", type=folder, metavar="RUN_A", help="folder that was --output_path")
    parser.add_argument("second", type=folder, metavar="RUN_B", help="the other one")
    add_selection_options(parser, repeatable=False)
    parser.add_argument(
        "--margin",
        type=float,
        default=MARGIN_SHARE,
        metavar="SHARE",
        help="of the first system's mean, within which systems count as equal (default: %(default)s)",
    )
    add_run_options(parser)
    add_statistics_options(parser)
    add_weights_option(parser)
    add_output_options(parser)


def run(options: argparse.Namespace) -> int:
    """Load, compare, write."""
    if not (math.isfinite(options.margin) and options.margin > 0):
        raise InputError(
            f"`--margin {options.margin:g}` must be a share above 0 of the first system's mean, as in `--margin 0.25`."
        )
    asked = Selection(options.metric or PRIMARY_METRIC, options.filter, options.rungs)
    runs = load_runs([options.first, options.second], **run_options(options))
    (selection,) = in_metric_of([asked], options.metric, runs)
    pairs = with_probes(runs, [selection.metric])
    first, second = (system_of(pairs, folder).name for folder in (options.first, options.second))
    found = comparison_statement(
        partitioned(pairs, options),
        first,
        second,
        selection,
        margin_share=options.margin,
        draws=options.draws,
    )
    write(compare_document(found, pairs, signed(pairs, options)), options)
    return 0
