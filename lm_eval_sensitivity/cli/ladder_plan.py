"""`lm-eval-sensitivity ladder plan`: what a design would find, before anything runs."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from typing import Any

from lm_eval_sensitivity.cli.analysis_options import (
    add_command,
    add_output_options,
    add_run_options,
    folder,
    run_options,
    whole_number,
    write,
)
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.report.documents.plan import plan_document
from lm_eval_sensitivity.runs import load_runs
from lm_eval_sensitivity.statements import Selection, TablePartition
from lm_eval_sensitivity.statements.plan import (
    MEASURED,
    SOURCE,
    components_of_runs,
    own_designs,
    plan,
    published_designs,
)
from lm_eval_sensitivity.stats.design import VarianceComponents

DESCRIPTION = """\
Say what difference between systems a design would find, and at what cost, before anything runs. Without --prompts the
subsets of the packaged ladder are planned, with it a design of your own beside others of the same cost."""

EPILOG = """\
examples:
  lm-eval-sensitivity ladder plan --systems 6
  lm-eval-sensitivity ladder plan --prompts 50 --edits 4
  lm-eval-sensitivity ladder plan --prompts 50 --from runs/qwen3-4b runs/qwen3-4b-int8
  lm-eval-sensitivity ladder plan --prompts 50 --between 0.02 --within 0.05

The distances of one prompt's edits are alike, so precision costs prompts. Build a design with: lm-eval-sensitivity
ladder build PROMPTS --design spread --budget N -o FOLDER"""


def add_parser(subparsers: Any) -> None:
    """Register the subcommand."""
    words = "what difference a design would find, and at what cost"
    parser = add_command(subparsers, "plan", run, words, DESCRIPTION, EPILOG)
    parser.add_argument(
        "--prompts", type=whole_number(2, 100_000), metavar="N", help="prompts of your design"
    )
    parser.add_argument(
        "--edits", type=whole_number(1, 100), metavar="M", help="meaning-preserving edits of each prompt (4)"
    )
    parser.add_argument(
        "--systems", type=whole_number(2, 1_000), default=2, metavar="S", help="systems to tell apart (2)"
    )
    parser.add_argument("--alpha", type=_share, default=0.05, metavar="A", help="family-wise level (0.05)")
    parser.add_argument("--power", type=_share, default=0.8, metavar="P", help="wanted power (0.8)")
    parser.add_argument(
        "--between", type=_variance, metavar="V", help="variance of a difference between prompts"
    )
    parser.add_argument("--within", type=_variance, metavar="V", help="and between the edits of one prompt")
    parser.add_argument(
        "--from", dest="runs", nargs="+", type=folder, metavar="RUN", help="estimate both from finished runs"
    )
    add_run_options(parser)
    add_output_options(parser)


def run(options: argparse.Namespace) -> int:
    """Plan, write."""
    if options.edits is not None and options.prompts is None:
        raise InputError("`--edits` is of a design of your own. Give `--prompts N`, too.")
    designs = (
        published_designs() if options.prompts is None else own_designs(options.prompts, options.edits or 4)
    )
    kinds, source = _components(options)
    found = plan(
        designs, kinds, n_systems=options.systems, alpha=options.alpha, power=options.power, source=source
    )
    write(plan_document(found), options)
    return 0


def _components(options: argparse.Namespace) -> tuple[Mapping[str, VarianceComponents], str]:
    """Components by contrast, and a sentence about where they are from."""
    given = (options.between, options.within)
    if given != (None, None):
        if None in given or options.runs:
            raise InputError("`--between` and `--within` belong together, and without `--from`. Give both.")
        return {"as given": VarianceComponents(*given)}, "Variance components as given."
    if not options.runs:
        if any(run_options(options).values()):
            raise InputError(
                "`--subset`, `--ladder`, `--row`, `--exclude-mismatched` and `--label` are about finished runs. Give "
                "`--from RUN`, too."
            )
        return MEASURED, SOURCE
    selection = Selection()
    runs = load_runs(options.runs, **run_options(options))
    kinds = components_of_runs(TablePartition(runs.table), selection)
    for name, found in kinds.items():
        if math.isnan(found.between):
            raise InputError(
                f"The runs give no variance components of {name}: it takes two prompts with a {selection.metric} in "
                "both systems, one of them of two edits. Give longer runs, or `--between` and `--within`."
            )
    parts = "; ".join(
        f"{name} between {found.between:.4f}, within {found.within:.4f}" for name, found in kinds.items()
    )
    return (
        kinds,
        f"Variance components of {selection.in_words()}, estimated by one-way analysis of variance: {parts}.",
    )


def _share(text: str) -> float:
    return _number(text, 0.0, 1.0, "between 0 and 1")


def _variance(text: str) -> float:
    return _number(text, 0.0, math.inf, "above 0")


def _number(text: str, low: float, high: float, words: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low < value < high:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no number {words}")
    return value
