"""`lm-eval-sensitivity drift`: two axes beside a reference, and a verdict for every system."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import Any

from lm_eval_sensitivity.cli.analysis_options import (
    add_command,
    add_embedder_option,
    add_output_options,
    add_run_options,
    add_runs,
    add_statistics_options,
    add_weights_option,
    complain,
    folder,
    in_metric_of,
    partitioned,
    run_options,
    signed,
    write,
)
from lm_eval_sensitivity.records.columns import FILTERS
from lm_eval_sensitivity.report.documents.drift import drift_document
from lm_eval_sensitivity.report.documents.drift_gate import LABELS
from lm_eval_sensitivity.runs.beside import load_beside
from lm_eval_sensitivity.statements import Selection
from lm_eval_sensitivity.statements.drift import drift_statement
from lm_eval_sensitivity.statements.drift_distance import check_drift_metric, measure_drifts
from lm_eval_sensitivity.statements.selection import PRIMARY_FILTER, PRIMARY_METRIC
from lm_eval_sensitivity.stats import Constants

DESCRIPTION = """\
Place systems on two axes: how far harmless edits move their output, and how far their output is from a reference's on
the identical prompts. Three words say whether a system responds to meaning, whether harmless edits move it as they
move the reference, and whether it is near to the reference or far; a word that the data do not decide is `unclear`.
They give at most one label. A system that always says the same has the smallest distances and is called collapsed, not
stable."""

EPILOG = """\
examples:
  lm-eval-sensitivity drift runs/qwen3-4b-int8 runs/qwen3-4b-int4 --reference runs/qwen3-4b
  lm-eval-sensitivity drift runs/int8 runs/int4 runs/int3 --reference runs/bf16 --format json -o drift.json
  lm-eval-sensitivity drift runs/qwen3-4b-int4
  lm-eval-sensitivity drift runs/new --reference runs/old --fail-on COLLAPSED --fail-on DRIFTED --format junit

Rows stand in the order given, as in a series of quantizations, the reference first. Drift is taken from the run
where it was made with that reference, else from the outputs in both samples files; of a prompt it is the mean over the
base prompt and its harmless variants. Without --reference only `alive` and `collapsed or indiscriminate` can be told
apart. Choose constants before you see the numbers.

exit status: 0 fine; 1 a system has a label of --fail-on; 2 a mistake in the call."""


def add_parser(subparsers: Any) -> None:
    """Register the subcommand."""
    words = "say whether systems respond to meaning, and how far they are from a reference"
    parser = add_command(subparsers, "drift", run, words, DESCRIPTION, EPILOG)
    add_runs(parser)
    parser.add_argument(
        "--reference", type=folder, metavar="RUN", help="the run that the others are compared with"
    )
    parser.add_argument(
        "--metric",
        metavar="NAME",
        help=f"cosine_distance or a window of it, as in cosine_distance_64 (default: {PRIMARY_METRIC})",
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
    _add_constants(parser)
    add_weights_option(parser)
    parser.add_argument(
        "--fail-on",
        action="append",
        choices=LABELS,
        default=[],
        metavar="LABEL",
        help=f"exit with 1 if a system has this label, one of {', '.join(LABELS)}; repeatable",
    )
    add_output_options(parser, has_gate=True)


def _add_constants(parser: argparse.ArgumentParser) -> None:
    """The constants of the rules, to be declared before the numbers are seen."""
    declared = Constants()
    for name, most, words in (
        ("k_control", 0.99, "kC: alive needs c > (1 - kC) c_ref, collapsed c below it"),
        ("k_response", 10, "kR: alive needs c > (1 + kR) p, indiscriminate c below it"),
        ("k_harmless", 10, "kP: more sensitive is p > (1 + kP) p_ref"),
        ("drift_factor", 100, "lambda: far is b > lambda p_ref"),
    ):
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=_number_up_to(most),
            default=getattr(declared, name),
            metavar="X",
            help=f"{words} (%(default)s)",
        )


def _number_up_to(most: float) -> Callable[[str], float]:
    """An argparse type."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0 <= value <= most:
            raise argparse.ArgumentTypeError(f"{text[:40]!r} is no number from 0 to {most:g}")
        return value

    return parse


def run(options: argparse.Namespace) -> int:
    """Load, measure drift where it is missing, judge, write."""
    asked = Selection(options.metric or PRIMARY_METRIC, options.filter)
    check_drift_metric(asked)
    pairs, reference = load_beside(options.runs, options.reference, **run_options(options))
    (selection,) = in_metric_of([asked], options.metric, pairs)
    found = drift_statement(
        partitioned(pairs, options),
        [system.name for system in pairs.systems],
        selection,
        reference=None if reference is None else reference.name,
        drifts={} if reference is None else measure_drifts(pairs, reference, selection, options.embedder),
        constants=Constants(options.k_control, options.k_response, options.k_harmless, options.drift_factor),
    )
    document = drift_document(found, pairs, signed(pairs, options), options.fail_on)
    write(document, options)
    failing = document.gate.failing if document.gate is not None and options.fail_on else ()
    if failing:
        complain(options, f"--fail-on: {'; '.join(failing)}.")
    return int(bool(failing))
