"""`lm-eval-sensitivity compare`: two systems side by side, with the difference taken apart."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.cli.analysis_options import (
    add_output_options,
    add_run_options,
    add_selection_options,
    add_statistics_options,
    load_runs,
    write,
)
from lm_eval_sensitivity.cli.chosen_runs import system_of
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.metrics import METRICS
from lm_eval_sensitivity.report import Column, Document, ResultTable
from lm_eval_sensitivity.report.documents.parts import runs_in_words
from lm_eval_sensitivity.report.wording.compare import (
    difference_in_words,
    equivalence_in_words,
    p_in_words,
    shared_in_words,
)
from lm_eval_sensitivity.runs import Pairs
from lm_eval_sensitivity.statements import Selection, Signature, signature
from lm_eval_sensitivity.statements.cautions import bounds_note
from lm_eval_sensitivity.statements.compare import Comparison, RungDifference, Side, compare
from lm_eval_sensitivity.stats.equivalence import MARGIN_SHARE
from lm_eval_sensitivity.text.format import to_json

DESCRIPTION = """\
Compare two systems by prompt, on the pairs that are scored in both. Every difference is second minus first."""

EPILOG = """\
examples:
  lm-eval-sensitivity compare runs/qwen3-4b runs/qwen3-4b-int4
  lm-eval-sensitivity compare runs/a runs/b --metric js_divergence --filter raw --rungs punctuation
  lm-eval-sensitivity compare runs/a runs/b --margin 0.1 --format json -o compare.json

The interval is a bootstrap-t over prompts, p is of sign flips of whole prompts (exact up to 14 prompts, else by random
draws). "Not distinguishable" is not "equal": that takes two one-sided tests within the margin, which is a share of the
first system's mean and is to be declared before looking."""

_DIGITS = 4
_WHOLE = 0


def add_parser(subparsers: Any) -> None:
    """Register the subcommand."""
    parser = subparsers.add_parser(
        "compare",
        help="compare two finished runs, and say what drives the difference",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("first", type=Path, metavar="RUN_A", help="folder that was --output_path")
    parser.add_argument("second", type=Path, metavar="RUN_B", help="the other one")
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
    add_output_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Load, compare, write."""
    if not (math.isfinite(options.margin) and options.margin > 0):
        raise InputError(
            f"`--margin {options.margin:g}` must be a share above 0 of the first system's mean, as in `--margin 0.25`."
        )
    selection = Selection(options.metric, options.filter, options.rungs)
    pairs = load_runs([options.first, options.second], options)
    first, second = (system_of(pairs, folder).name for folder in (options.first, options.second))
    if first == second:
        raise InputError(f"Both folders hold the same system, {first}. Give runs of two systems.")
    found = compare(
        pairs.table,
        first,
        second,
        selection,
        margin_share=options.margin,
        resamples=options.resamples,
        draws=options.draws,
        seed=options.seed,
    )
    signed = signature(pairs, seed=options.seed, resamples=options.resamples, draws=options.draws)
    write(compare_document(found, pairs, signed), options)
    return 0


def compare_document(found: Comparison, pairs: Pairs, signed: Signature) -> Document:
    """The document of one comparison.

    Args:
        found: the comparison.
        pairs: the runs.
        signed: what the numbers were computed from.
    """
    parts: list[ResultTable | str] = [
        f"First: {found.first.system}. Second: {found.second.system}. Differences are second minus first; "
        f"{METRICS[found.selection.metric].direction}.",
        *(f"Caution: {sentence}" for sentence in found.cautions),
        difference_in_words(found),
        p_in_words(found),
        equivalence_in_words(found),
        _systems_table(found),
        shared_in_words(found.counts),
        _rungs_table(found),
        _prompts_table(found),
        _edits_table(found),
        *runs_in_words(pairs),
        f"Signature: {signed.in_words()}",
    ]
    data = {
        "comparison": to_json(found),
        "left_out": to_json(pairs.left_out),
        "remarks": sorted(pairs.remarks),
        "signature": signed.as_dict(),
    }
    title = f"{found.first.system} and {found.second.system}: {found.selection.in_words()}"
    return Document(title, tuple(parts), data)


def _systems_table(found: Comparison) -> ResultTable:
    def row(role: str, side: Side) -> tuple[Any, ...]:
        mean, counts = side.mean, side.counts
        return (
            role,
            side.system,
            mean.estimate,
            mean.lower,
            mean.upper,
            mean.n,
            counts.n_pairs,
            counts.n_erased,
            counts.n_unscored,
            side.noise.mean,
            side.noise.n_prompts,
        )

    columns = (
        Column("side"),
        Column("system"),
        *(Column(name, _DIGITS) for name in ("mean", "lower", "upper")),
        *(Column(name, _WHOLE) for name in ("prompts", "pairs", "erased", "unscored")),
        Column("noise floor", _DIGITS),
        Column("floor prompts", _WHOLE),
    )
    sides = (found.first, found.second)
    reasons = [
        f"{side.system}: {reason}"
        for side in sides
        for reason in (side.mean.reason, side.noise.reason)
        if reason
    ]
    note = (
        "Means and their 95 % intervals are over the pairs that are scored in both; pairs, erased and unscored are the "
        "system's own. The noise floor is the mean of the identical rung in the same metric and filter."
    )
    rows = (row("first", found.first), row("second", found.second))
    return ResultTable(
        "systems",
        "Systems",
        columns,
        rows,
        " ".join(filter(None, [note, bounds_note(found.selection.metric), *reasons])),
    )


def _rungs_table(found: Comparison) -> ResultTable:
    def row(rung: RungDifference) -> tuple[Any, ...]:
        ours, theirs = rung.first_counts, rung.second_counts
        noise = math.isnan(rung.p_adjusted)
        return (
            rung.rung,
            rung.first.estimate,
            rung.second.estimate,
            rung.difference.estimate,
            rung.difference.lower,
            rung.difference.upper,
            None if noise else rung.test.p_value,
            rung.p_adjusted,
            rung.counts.n_prompts,
            f"{ours.n_erased}, {theirs.n_erased}",
            f"{ours.n_unscored}, {theirs.n_unscored}",
        )

    columns = (
        Column("rung"),
        *(
            Column(name, _DIGITS)
            for name in ("first", "second", "second - first", "lower", "upper", "p", "p Holm")
        ),
        Column("n", _WHOLE),
        Column("erased"),
        Column("unscored"),
    )
    least = min((r.test.attainable_p for r in found.rungs if not math.isnan(r.p_adjusted)), default=math.nan)
    note = (
        f"n: prompts with shared pairs. Erased and unscored: first, second. p Holm is adjusted for {found.family} "
        f"rungs; the smallest unadjusted p that could have come out is {least:.4g}. The identical rung is the noise "
        "floor and is not tested."
    )
    reasons = [
        f"{rung.rung}: {rung.difference.reason}" for rung in found.rungs if rung.difference.reason is not None
    ]
    cautions = [f"Caution: {sentence}" for rung in found.rungs for sentence in rung.cautions]
    return ResultTable(
        "rungs",
        "Rungs side by side",
        columns,
        tuple(row(rung) for rung in found.rungs),
        " ".join([note, *reasons, *cautions]),
    )


_DRIVER_COLUMNS = tuple(
    Column(name, _DIGITS) for name in ("first", "second", "second - first", "part of the mean difference")
)


def _prompts_table(found: Comparison) -> ResultTable:
    rows = tuple(
        (each.name, each.first, each.second, each.difference, each.contribution, each.n_pairs)
        for each in found.prompts
    )
    note = "Chosen because they are large, so no test belongs to them." if rows else "No prompt differs."
    columns = (Column("prompt"), *_DRIVER_COLUMNS, Column("pairs", _WHOLE))
    return ResultTable("prompts", "Prompts that drive the difference", columns, rows, note)


def _edits_table(found: Comparison) -> ResultTable:
    rows = tuple(
        (
            each.name,
            each.rung,
            each.first,
            each.second,
            each.difference,
            each.contribution,
            each.interval.lower,
            each.interval.upper,
            each.n_prompts,
        )
        for each in found.edits
    )
    note = (
        "Chosen because they are large; the 95 % intervals of the difference do not know of that choice."
        if rows
        else "No edit differs."
    )
    note = " ".join([note, *(f"Caution: {each.caution}" for each in found.edits if each.caution)])
    columns = (
        Column("edit"),
        Column("rung"),
        *_DRIVER_COLUMNS,
        Column("lower", _DIGITS),
        Column("upper", _DIGITS),
        Column("n", _WHOLE),
    )
    return ResultTable(
        "edits", "Edits that drive the difference", columns, rows, f"n: prompts with the edit. {note}"
    )
