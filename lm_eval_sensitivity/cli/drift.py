"""`lm-eval-sensitivity drift`: two axes beside a reference, and a verdict for every system."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.cli.analysis_options import (
    add_command,
    add_embedder_option,
    add_output_options,
    add_run_options,
    add_runs,
    add_statistics_options,
    add_weights_option,
    partitioned,
    run_options,
    signed,
    write,
)
from lm_eval_sensitivity.records.columns import FILTERS
from lm_eval_sensitivity.report.documents.drift import drift_document
from lm_eval_sensitivity.runs.beside import load_beside
from lm_eval_sensitivity.statements import Selection
from lm_eval_sensitivity.statements.drift import drift_statement
from lm_eval_sensitivity.statements.drift_distance import check_drift_metric, measure_drifts
from lm_eval_sensitivity.statements.selection import PRIMARY_FILTER, PRIMARY_METRIC

DESCRIPTION = """\
Place systems on two axes: how far harmless edits move their output, and how far their output is from a reference's on
the identical prompt. The verdict says whether a system responds to meaning and to harmless edits as its reference
does, and whether it is nearer to it than a harmless edit moves it; a system that always says the same has the
smallest distances and is called collapsed, not stable."""

EPILOG = """\
examples:
  lm-eval-sensitivity drift runs/qwen3-4b-int8 runs/qwen3-4b-int4 --reference runs/qwen3-4b
  lm-eval-sensitivity drift runs/int8 runs/int4 runs/int3 --reference runs/bf16 --format json -o drift.json
  lm-eval-sensitivity drift runs/qwen3-4b-int4

Rows stand in the order given, as in a series of quantizations, the reference first. Drift is taken from the run
where it was made with that reference, else from the outputs in both samples files. Without --reference only `alive`
and `collapsed or indiscriminate` can be told apart."""


def add_parser(subparsers: Any) -> None:
    """Register the subcommand."""
    words = "say whether systems respond to meaning, and how far they are from a reference"
    parser = add_command(subparsers, "drift", run, words, DESCRIPTION, EPILOG)
    add_runs(parser)
    parser.add_argument(
        "--reference", type=Path, metavar="RUN", help="the run that the others are compared with"
    )
    parser.add_argument(
        "--metric",
        default=PRIMARY_METRIC,
        metavar="NAME",
        help="cosine_distance or a window of it, as in cosine_distance_64 (default: %(default)s)",
    )
    parser.add_argument(
        "--filter",
        default=PRIMARY_FILTER,
        metavar="NAME",
        help=f"{' or '.join(FILTERS)} (default: %(default)s)",
    )
    add_embedder_option(parser)
    add_run_options(parser)
    add_statistics_options(parser, with_draws=False)
    add_weights_option(parser)
    add_output_options(parser)


def run(options: argparse.Namespace) -> int:
    """Load, measure drift where it is missing, judge, write."""
    selection = Selection(options.metric, options.filter)
    check_drift_metric(selection)
    pairs, reference = load_beside(options.runs, options.reference, **run_options(options))
    found = drift_statement(
        partitioned(pairs, options),
        [system.name for system in pairs.systems],
        selection,
        reference=None if reference is None else reference.name,
        drifts={} if reference is None else measure_drifts(pairs, reference, selection, options.embedder),
    )
    write(drift_document(found, pairs, signed(pairs, options)), options)
    return 0
