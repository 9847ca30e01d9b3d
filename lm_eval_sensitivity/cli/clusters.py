"""`lm-eval-sensitivity clusters`: which systems can be told apart, and which cannot."""

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
    add_weights_option,
    chosen,
    in_metric_of,
    partitioned,
    run_options,
    signed,
    write,
)
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.probes.columns import with_probes
from lm_eval_sensitivity.report.documents.clusters import clusters_document
from lm_eval_sensitivity.runs import load_runs
from lm_eval_sensitivity.statements import Selection
from lm_eval_sensitivity.statements.clusters import ALPHA, check_metric, clusters_statement
from lm_eval_sensitivity.statements.selection import PRIMARY_FILTER, PRIMARY_METRIC, PRIMARY_RUNGS

DESCRIPTION = """\
Group systems by what the data can tell apart. Systems in one cluster are not distinguishable, which is not the same
as equal; one system may be in several clusters. Letters and rows follow the names of the systems, never a score."""

EPILOG = """\
examples:
  lm-eval-sensitivity clusters runs/qwen3-4b runs/qwen3-4b-int8 runs/qwen3-4b-int4
  lm-eval-sensitivity clusters runs/* --metric cosine_distance_64 --metric js_divergence --filter raw --pairwise
  lm-eval-sensitivity clusters runs/* --rungs positive_control --format json -o clusters.json

The prompt is the unit: a mean is over prompts, its interval by half points over prompts, and all pairs of systems are
tested together with sign flips of whole prompts (step-down max-|t|), so that the chance of any false difference in a
table is at most alpha. Which of two means is lower is said only where a test of means agrees.
The noise floor is the mean of the identical rung, where nothing was edited."""


def add_parser(subparsers: Any) -> None:
    """Register the subcommand."""
    words = "group finished runs by what the data can tell apart"
    parser = add_command(subparsers, "clusters", run, words, DESCRIPTION, EPILOG)
    add_runs(parser)
    add_selection_options(parser, repeatable=True)
    parser.add_argument(
        "--alpha",
        type=float,
        default=ALPHA,
        metavar="SHARE",
        help="family-wise error of a table (default: %(default)s)",
    )
    parser.add_argument(
        "--pairwise",
        action="store_true",
        help="on the terminal, too, print every pair of systems; the other formats always have them",
    )
    add_run_options(parser)
    add_statistics_options(parser)
    add_weights_option(parser)
    add_output_options(parser)


def run(options: argparse.Namespace) -> int:
    """Load, state every selection, write."""
    if not 0 < options.alpha < 1:
        raise InputError(f"`--alpha {options.alpha:g}` must lie between 0 and 1, as in `--alpha 0.05`.")
    selections = [
        Selection(*each)
        for each in product(
            chosen(options.metric, PRIMARY_METRIC),
            chosen(options.filter, PRIMARY_FILTER),
            chosen(options.rungs, PRIMARY_RUNGS),
        )
    ]
    for selection in selections:
        check_metric(selection.metric)
    pairs = load_runs(options.runs, **run_options(options))
    selections = in_metric_of(selections, options.metric, pairs)
    pairs = with_probes(pairs, [each.metric for each in selections])
    partition = partitioned(pairs, options)
    found = [
        clusters_statement(partition, each, alpha=options.alpha, draws=options.draws) for each in selections
    ]
    write(clusters_document(found, pairs, signed(pairs, options), pairwise=options.pairwise), options)
    return 0
