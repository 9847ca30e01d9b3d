"""`lm-eval-sensitivity clusters`: which systems can be told apart, and which cannot."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.cli.analysis_options import (
    add_output_options,
    add_run_options,
    add_selection_options,
    add_statistics_options,
    chosen,
    load_runs,
    write,
)
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.report import Column, Document, Format, ResultTable
from lm_eval_sensitivity.report.blocks import FORMATS, Cell
from lm_eval_sensitivity.report.documents.parts import (
    as_data,
    blocks_of_systems,
    headings,
    interval_data,
    runs_in_words,
)
from lm_eval_sensitivity.report.wording.clusters import (
    clusters_in_words,
    detectable_in_words,
    family_in_words,
    reasons_in_words,
)
from lm_eval_sensitivity.runs import Pairs
from lm_eval_sensitivity.statements import Selection, Signature, signature
from lm_eval_sensitivity.statements.cautions import bounds_note
from lm_eval_sensitivity.statements.clusters import (
    ALPHA,
    ClusterAnalysis,
    TestedContrast,
    analyse_clusters,
    check_metric,
)
from lm_eval_sensitivity.statements.means import SystemMean
from lm_eval_sensitivity.statements.responsiveness import alive_in_a_cell
from lm_eval_sensitivity.statements.selection import PRIMARY_FILTER, PRIMARY_METRIC, PRIMARY_RUNGS
from lm_eval_sensitivity.stats import Constants
from lm_eval_sensitivity.text.format import percent

DESCRIPTION = """\
Group systems by what the data can tell apart. Systems in one cluster are not distinguishable, which is not the same
as equal; one system may be in several clusters. Letters and rows follow the names of the systems, never a score."""

EPILOG = """\
examples:
  lm-eval-sensitivity clusters runs/qwen3-4b runs/qwen3-4b-int8 runs/qwen3-4b-int4
  lm-eval-sensitivity clusters runs/* --metric cosine_distance_64 --metric js_divergence --filter raw --pairwise
  lm-eval-sensitivity clusters runs/* --rungs positive_control --format json -o clusters.json

The prompt is the unit: a mean is over prompts, its interval a bootstrap-t over prompts, and all pairs of systems are
tested together with sign flips of whole prompts (step-down max-|t|), so that the chance of any false difference in a
table is at most alpha. The noise floor is the mean of the identical rung, where nothing was edited."""


def add_parser(subparsers: Any) -> None:
    """Register the subcommand."""
    parser = subparsers.add_parser(
        "clusters",
        help="group finished runs by what the data can tell apart",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder that was --output_path")
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
    add_output_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Load, analyse every selection, write."""
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
    pairs = load_runs(options.runs, options)
    analyses = [
        analyse_clusters(
            pairs.table,
            selection,
            alpha=options.alpha,
            resamples=options.resamples,
            draws=options.draws,
            seed=options.seed,
        )
        for selection in selections
    ]
    signed = signature(pairs, seed=options.seed, resamples=options.resamples, draws=options.draws)
    write(clusters_document(analyses, pairs, signed, pairwise=options.pairwise), options)
    return 0


def clusters_document(
    analyses: list[ClusterAnalysis], pairs: Pairs, signed: Signature, *, pairwise: bool
) -> Document:
    """The document of some selections over the same runs.

    Args:
        analyses: one per selection.
        pairs: the runs.
        signed: what the numbers were computed from.
        pairwise: whether the terminal shows every pair of systems.
    """
    parts: list[ResultTable | str] = []
    for analysis in analyses:
        parts += _parts(analysis, pairwise=pairwise)
    if len(analyses) > 1:
        parts.append(
            "Each selection is a family of its own: alpha holds within one table, not over all of them together."
        )
    parts += [*runs_in_words(pairs), f"Signature: {signed.in_words()}."]
    data = {
        "signature": signed.as_dict(),
        "selections": [_data(analysis) for analysis in analyses],
    }
    return Document("Clusters of systems", tuple(parts), data)


def _parts(analysis: ClusterAnalysis, *, pairwise: bool) -> Iterator[ResultTable | str]:
    yield _systems_table(analysis)
    # Before the clusters: some of these sentences say what must not be read out of the table.
    yield from (f"Caution: {sentence}" for sentence in analysis.cautions)
    yield from clusters_in_words(analysis)
    if analysis.tests is not None:
        yield family_in_words(analysis)
        yield detectable_in_words(analysis)
        reading: tuple[Format, ...] = ("table", "markdown") if pairwise else ("markdown",)
        yield from _matrix(analysis, reading)
        yield _contrasts_table(analysis, FORMATS if pairwise else ("markdown", "csv", "json"))


def _name(kind: str, analysis: ClusterAnalysis) -> str:
    chosen = analysis.selection
    return f"{kind} {chosen.metric} {chosen.filter_name} {chosen.rung_set}"


def _systems_table(analysis: ClusterAnalysis) -> ResultTable:
    columns = (
        Column("system"),
        Column("mean", 4),
        Column("lower", 4),
        Column("upper", 4),
        Column("prompts", 0),
        Column("pairs", 0),
        Column("erased", 0),
        Column("unscored", 0),
        Column("noise floor", 4),
        Column("noise prompts", 0),
        Column("alive"),
        Column("clusters"),
    )
    rows = tuple(
        (
            each.system,
            each.interval.estimate,
            each.interval.lower,
            each.interval.upper,
            each.counts.n_prompts,
            each.counts.n_pairs,
            each.counts.n_erased,
            each.counts.n_unscored,
            each.noise.mean,
            each.noise.n_prompts,
            alive_in_a_cell(each.life),
            ", ".join(each.letters) or None,
        )
        for each in analysis.systems
    )
    notes = [
        "mean: over prompts, every edit of a prompt with the same weight; lower, upper: 95 % bootstrap-t interval over "
        "prompts, if not said otherwise below; noise floor: mean of the identical rung. Systems in the order of their "
        "names.",
        "Alive: whether the positive control moves a system's output reliably more than "
        f"{percent(Constants().k_harmless)} further than "
        "harmless edits do, in cosine_distance under this filter; - where that was not measured.",
        bounds_note(analysis.selection.metric),
        *reasons_in_words(analysis.systems),
    ]
    return ResultTable(
        _name("systems", analysis),
        analysis.selection.in_words(),
        columns,
        rows,
        " ".join(filter(None, notes)),
    )


def _matrix(analysis: ClusterAnalysis, forms: tuple[Format, ...]) -> Iterator[ResultTable]:
    """Adjusted p of every two systems, for reading; in CSV and JSON the contrasts stand in rows."""
    by_pair = {frozenset((each.first, each.second)): each.p_adjusted for each in analysis.contrasts}
    names = [each.system for each in analysis.systems]
    for part, (columns, where) in enumerate(blocks_of_systems(names), 1):
        rows = tuple(
            (name, *("" if name == other else by_pair[frozenset((name, other))] for other in columns))
            for name in names
        )
        yield ResultTable(
            f"{_name('matrix', analysis)} {part}",
            f"Adjusted p of every two systems{where}",
            (Column("system"), *(Column(each, 4) for each in headings(("system",), columns))),
            rows,
            only=forms,
        )


def _contrasts_table(analysis: ClusterAnalysis, forms: tuple[Format, ...]) -> ResultTable:
    columns = (
        Column("first"),
        Column("second"),
        Column("difference", 4),
        Column("lower", 4),
        Column("upper", 4),
        Column("p adjusted", 4),
        Column("attainable p", 4),
        Column("prompts", 0),
        Column("pairs lost", 0),
        Column("finding"),
    )
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            each.first,
            each.second,
            each.interval.estimate,
            each.interval.lower,
            each.interval.upper,
            each.p_adjusted,
            each.attainable_p,
            each.counts.n_prompts,
            each.n_pairs_lost,
            each.finding,
        )
        for each in analysis.contrasts
    )
    notes = [
        "difference: first minus second, over the pairs that are scored in both; lower, upper: 95 % symmetric "
        "bootstrap-t interval of this contrast alone; pairs lost: erased, unscored or not given in at least one of "
        "the two; finding: not told apart does not say equal."
    ]
    without: dict[str, list[str]] = {}
    for each in analysis.contrasts:
        if each.interval.reason:
            without.setdefault(each.interval.reason, []).append(f"{each.first} and {each.second}")
    notes += [f"No interval ({'; '.join(names)}): {reason}" for reason, names in without.items()]
    students = [
        f"{each.first} and {each.second}"
        for each in analysis.contrasts
        if each.interval.method == "student-t"
    ]
    if students:
        notes.append(
            f"Student's t instead of the bootstrap-t, which has no bound there: {'; '.join(students)}."
        )
    notes += [f"Caution: {each.caution}" for each in analysis.contrasts if each.caution]
    return ResultTable(
        _name("contrasts", analysis), "Every two systems", columns, rows, " ".join(notes), only=forms
    )


def _data(analysis: ClusterAnalysis) -> dict[str, Any]:
    """Everything, without rounding."""
    clusters, tests = analysis.clusters, analysis.tests
    return {
        "metric": analysis.selection.metric,
        "filter": analysis.selection.filter_name,
        "rungs": list(analysis.selection.rungs),
        "rung_set": analysis.selection.rung_set,
        "window_tokens": analysis.selection.window,
        "alpha": analysis.alpha,
        "systems": [_system_data(each) for each in analysis.systems],
        "absent": list(analysis.absent),
        "clusters": [{"letter": each.letter, "members": each.members} for each in clusters.clusters]
        if clusters
        else [],
        "in_no_cluster": dict(clusters.left_out) if clusters else {},
        "not_compared": [list(each) for each in clusters.untested] if clusters else [],
        "ordered": [{"lower": low, "higher": high} for low, high in clusters.ordered] if clusters else [],
        "contrasts": [_contrast_data(each) for each in analysis.contrasts],
        "family": {
            "size": tests.family,
            "method": f"step-down max-|t|, {tests.method}",
            "n_prompts": tests.n_prompts,
            "draws": tests.draws,
            "attainable_p": tests.attainable_p,
            "never_told_apart": tests.n_hopeless,
        }
        if tests
        else None,
        "detectable_difference": as_data(analysis.detectable) if analysis.detectable else None,
        "cautions": list(analysis.cautions),
    }


def _system_data(each: SystemMean) -> dict[str, Any]:
    return {
        "system": each.system,
        "mean": interval_data(each.interval),
        "counts": as_data(each.counts),
        "noise_floor": {
            "mean": each.noise.mean,
            "n_prompts": each.noise.n_prompts,
            "interval": interval_data(each.noise.interval) if each.noise.interval else None,
            "reason": each.noise.reason,
        },
        "alive": alive_in_a_cell(each.life),
        "clusters": list(each.letters),
    }


def _contrast_data(each: TestedContrast) -> dict[str, Any]:
    return {
        "first": each.first,
        "second": each.second,
        "difference": interval_data(each.interval),
        "p_adjusted": None if math.isnan(each.p_adjusted) else each.p_adjusted,
        "attainable_p": each.attainable_p,
        "counts": as_data(each.counts),
        "n_pairs_lost": each.n_pairs_lost,
        "finding": each.finding,
        "reason": each.reason,
        "caution": each.caution,
    }
