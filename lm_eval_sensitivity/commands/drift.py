"""`lm-eval-sensitivity drift`: two axes beside a reference, and a verdict for every system."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from lm_eval_sensitivity.analysis import Selection, Signature, signature
from lm_eval_sensitivity.analysis.cautions import unknown_audits
from lm_eval_sensitivity.analysis.drift import Axis, Placement, Sweep, sweep
from lm_eval_sensitivity.analysis.drift_distance import (
    Drift,
    check_drift_metric,
    find_distances,
    measure_drift,
)
from lm_eval_sensitivity.analysis.plain import plain
from lm_eval_sensitivity.analysis.selection import PRIMARY_FILTER, PRIMARY_METRIC
from lm_eval_sensitivity.commands.analysis_options import (
    add_output_options,
    add_run_options,
    add_statistics_options,
    load_runs,
    write,
)
from lm_eval_sensitivity.commands.chosen_runs import system_of
from lm_eval_sensitivity.commands.result_parts import runs_in_words
from lm_eval_sensitivity.embedder import TextDistances
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.report import Column, Document, ResultTable
from lm_eval_sensitivity.runs import Pairs, System
from lm_eval_sensitivity.runs.columns import FILTERS
from lm_eval_sensitivity.stats import AxisContrast, Constants
from lm_eval_sensitivity.stats.verdicts import ALIVE, percent

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

Rows stand in the order given, as in a series of quantisations, the reference first. Drift is taken from the run
where it was made with that reference, else from the outputs in both samples files. Without --reference only `alive`
and `collapsed or indiscriminate` can be told apart."""

_DIGITS, _WHOLE = 4, 0
_LIFELESS = ("COLLAPSED", "INDISCRIMINATE")
_SIGNS = {"+": "above 0", "-": "below 0", "unclear": "unclear"}
_DRIFT_SYMBOL = " b: drift from the reference's output on the identical prompt;"


def _symbols(found: Sweep) -> str:
    drift = "" if found.reference is None else _DRIFT_SYMBOL
    return (
        f"p: distance under meaning-preserving edits; c: under the positive control;{drift} f: the identical rung, "
        "which is the noise floor. All are means over prompts."
    )


def add_parser(subparsers: Any) -> None:
    """Register the subcommand."""
    parser = subparsers.add_parser(
        "drift",
        help="say whether systems respond to meaning, and how far they are from a reference",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder that was --output_path")
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
    parser.add_argument(
        "--embedder",
        metavar="NAME",
        help="folder or Hub id of the embedder of the runs, where drift is recomputed and it is not the default one",
    )
    add_run_options(parser)
    add_statistics_options(parser, with_draws=False)
    add_output_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Load, measure drift where it is missing, judge, write."""
    selection = Selection(options.metric, options.filter)
    check_drift_metric(selection)
    reference = options.reference
    # The reference may stand among the runs, too; it is listed once.
    others = [
        folder for folder in options.runs if reference is None or folder.resolve() != reference.resolve()
    ]
    if not others:
        raise InputError("The reference is the only run. Give at least one other RUN to compare with it.")
    folders = [*([] if reference is None else [reference]), *others]
    pairs = load_runs(folders, options)
    base = None if reference is None else system_of(pairs, reference)
    drifts = {} if base is None else measure_drifts(pairs, base, selection, options.embedder)
    if base is not None and not drifts:
        raise InputError(
            f"All runs are of the reference's system, {base.name}, or were left out. Give a run of another system."
        )
    found = sweep(
        pairs.table,
        [system.name for system in pairs.systems],
        selection,
        reference=None if base is None else base.name,
        drifts=drifts,
        resamples=options.resamples,
        seed=options.seed,
    )
    signed = signature(pairs, seed=options.seed, resamples=options.resamples, draws=0)
    write(drift_document(found, pairs, signed), options)
    return 0


def measure_drifts(
    pairs: Pairs, reference: System, selection: Selection, embedder: str | None
) -> dict[str, Drift]:
    """Drift of every system but the reference, by name.

    Args:
        pairs: the runs.
        reference: one of their systems.
        selection: metric and filter.
        embedder: of the runs, where it is not the default one.
    """

    @cache
    def distances() -> TextDistances:
        return find_distances(reference.embedder, embedder)

    return {
        system.name: measure_drift(pairs.table, system, reference, selection, distances)
        for system in pairs.systems
        if system is not reference
    }


def drift_document(found: Sweep, pairs: Pairs, signed: Signature) -> Document:
    """The document of one sweep.

    Args:
        found: the sweep.
        pairs: the runs.
        signed: what the numbers were computed from.
    """
    about = f"{found.selection.metric}, filter {found.selection.filter_name}"
    title = (
        f"Life signs without a reference: {about}"
        if found.reference is None
        else f"Drift from {found.reference}: {about}"
    )
    parts: list[ResultTable | str] = [_symbols(found), _sweep_table(found)]
    parts += [f"Caution: {each}" for each in found.cautions]
    parts += [*_verdicts_in_words(found), *_interval_cautions(found)]
    parts += [_constants_in_words(found), _numbers_table(found), _outputs_table(found, pairs.table)]
    if found.probe:
        parts.append(
            _contrast_table("probe", f"Is the ladder a valid probe of {found.reference}?", found.probe, found)
        )
    for placement in found.placements:
        judged = placement.verdict or placement.reduced
        if judged is not None:
            parts.append(
                _contrast_table(
                    f"contrasts of {placement.system}",
                    f"Contrasts of {placement.system}",
                    judged.contrasts,
                    found,
                )
            )
    parts += [*unknown_audits(pairs.table, found.selection), *runs_in_words(pairs)]
    parts.append(f"Signature: {signed.in_words()}")
    data = {
        "drift": plain(found),
        "left_out": plain(pairs.left_out),
        "remarks": sorted(pairs.remarks),
        "signature": signed.as_dict(),
    }
    return Document(title, tuple(parts), data)


def _sweep_table(found: Sweep) -> ResultTable:
    def row(placement: Placement) -> tuple[Any, ...]:
        p = placement.harmless.mean
        judged = placement.verdict or placement.reduced
        ratio = None if judged is None else judged.harmless_over_control
        if placement.verdict is None and placement.is_reference and found.probe:
            ratio = _reference_ratio(found)
        return (
            placement.system,
            placement.label,
            p.estimate,
            p.lower,
            p.upper,
            p.n,
            *(() if found.reference is None else _drift_cells(placement.drift)),
            placement.identical.mean.estimate,
            ratio,
        )

    columns = (
        Column("system"),
        Column("verdict"),
        *(Column(name, _DIGITS) for name in ("p", "p low", "p high")),
        Column("p n", _WHOLE),
        *(() if found.reference is None else _DRIFT_COLUMNS),
        Column("f", _DIGITS),
        Column("p/c", 2),
    )
    alone = found.reference is None
    pairs = "scored pairs" if alone else "pairs that are scored in both systems"
    note = (
        f"In the order given{'' if alone else ', the reference first'}; low and high are 95 % intervals, n is prompts"
        f"{'' if alone else ', b zeros those of them where b is exactly 0'}. Verdicts are each by itself, not adjusted "
        f"for the number of systems, and rest on the {pairs}. Erased and unscored counts stand below."
    )
    return ResultTable("sweep", "Two axes", columns, tuple(row(each) for each in found.placements), note)


_DRIFT_COLUMNS = (
    *(Column(name, _DIGITS) for name in ("b", "b low", "b high")),
    *(Column(name, _WHOLE) for name in ("b n", "b zeros")),
)


def _drift_cells(drift: Axis | None) -> tuple[Any, ...]:
    if drift is None:
        return (None,) * len(_DRIFT_COLUMNS)
    b = drift.mean
    return (b.estimate, b.lower, b.upper, b.n, drift.n_zero)


def _interval_cautions(found: Sweep) -> Iterator[str]:
    """What must not be overlooked beside an interval of the tables."""
    for each in found.placements:
        for axis in (each.harmless, each.control, each.identical, each.drift):
            if axis is not None and axis.caution is not None:
                yield f"Caution: {axis.caution}"


def _reference_ratio(found: Sweep) -> float | None:
    ratios = (each.verdict.harmless_over_control_reference for each in found.placements if each.verdict)
    return next(ratios, None)


def _verdicts_in_words(found: Sweep) -> Iterator[str]:
    for placement in found.placements:
        if placement.verdict is not None:
            verdict = placement.verdict
            words = f"{placement.system}: {verdict.label}, {verdict.meaning}. {verdict.numbers}"
            if verdict.label in _LIFELESS and verdict.alive_alone:
                more = percent(found.constants.k_harmless)
                words += (
                    f" By the rule that needs no reference it is {ALIVE}: meaning moves it more than {more} further "
                    "than harmless edits do."
                )
            if len(verdict.possible) > 1:
                words += f" Still possible: {', '.join(verdict.possible)}."
            if placement.drift_source:
                words += f" Drift: {placement.drift_source}."
            yield " ".join([words, *_silence(placement), *verdict.reasons, *_drift_reasons(placement)])
        elif placement.reduced is not None:
            reduced = placement.reduced
            yield " ".join([f"{placement.system}: {reduced.label}.", *_silence(placement), *reduced.reasons])
    if found.reference is None:
        yield (
            "That is all that can be said without a reference: whether meaning moves the output more than "
            f"{percent(found.constants.k_harmless)} further than harmless edits do. Drift is undefined; stable, "
            "drifted and more sensitive cannot be told from each other, nor collapsed from indiscriminate. Give "
            "`--reference RUN`."
        )


def _silence(placement: Placement) -> Iterator[str]:
    """The share of pairs that left no trace in the distances."""
    if placement.silent_share > 0:
        of = "its pairs" if placement.verdict is None else "the pairs that the reference has a number for"
        yield f"Silent share: {percent(placement.silent_share)} of {of}."


def _drift_reasons(placement: Placement) -> Iterator[str]:
    if placement.drift_missing:
        kinds = ", ".join(f"{count} {kind}" for kind, count in placement.drift_missing.items())
        yield f"Prompts without drift: {kinds}."
    if placement.drift_message:
        yield f"Why drift was not measured: {placement.drift_message}"


def _constants_in_words(found: Sweep) -> str:
    k = found.constants
    if found.reference is None:
        return (
            f"Constants, declared beforehand: kP = {k.k_harmless:g}; one-sided {percent(k.level)} bounds. Alive: c - "
            f"{1 + k.k_harmless:g} p is above 0, and at most {percent(k.k_control)} of the pairs are silent."
        )
    return (
        f"Constants, declared beforehand: kC = {k.k_control:g}, kP = {k.k_harmless:g}, lambda = {k.drift_factor:g}; "
        f"one-sided {percent(k.level)} bounds. A contrast is above 0 where its lower bound is, below 0 where its upper "
        "bound is, else unclear."
    )


def _numbers_table(found: Sweep) -> ResultTable:
    rows: list[tuple[Any, ...]] = []
    reasons: dict[str, list[str]] = {}
    for each in found.placements:
        axes: tuple[tuple[str, Axis | None], ...] = (
            ("p harmless edits", each.harmless),
            ("c positive control", each.control),
            ("f identical", each.identical),
            ("b drift", each.drift),
        )
        for name, axis in axes:
            if axis is None:
                continue
            mean, counts = axis.mean, axis.counts
            rows.append(
                (
                    each.system,
                    name,
                    mean.estimate,
                    mean.lower,
                    mean.upper,
                    mean.n,
                    counts.n_pairs,
                    counts.n_erased,
                    counts.n_unscored,
                    axis.n_zero,
                )
            )
            if mean.reason:
                reasons.setdefault(f"{name}: {mean.reason}", []).append(each.system)
    columns = (
        Column("system"),
        Column("number"),
        *(Column(name, _DIGITS) for name in ("mean", "lower", "upper")),
        *(Column(name, _WHOLE) for name in ("prompts", "pairs", "erased", "unscored", "zeros")),
    )
    methods = (
        "Lower and upper: 95 % bootstrap-t intervals over prompts, Student t where that is degenerate; zeros: prompts "
        "whose number is exactly 0."
    )
    note = " ".join([methods, *(f"{', '.join(names)}: {reason}" for reason, names in reasons.items())])
    return ResultTable("numbers", "What the axes are made of", columns, tuple(rows), note)


def _outputs_table(found: Sweep, table: pa.Table) -> ResultTable:
    """What the outputs to the base prompts look like: a system that loops or is silent shows it here, too."""
    flags = ("empty", "loop", "cut", "unclosed")
    names = ("name", "prompt_id", "filter", *(f"base_{flag}" for flag in flags))
    seen: dict[str, dict[str, tuple[bool, ...]]] = {}
    for name, prompt, view, *values in zip(*(table[column].to_pylist() for column in names), strict=True):
        if view == "raw":
            seen.setdefault(name, {}).setdefault(prompt, tuple(values))
    rows: list[tuple[Any, ...]] = [
        (
            each.system,
            len(prompts),
            *(sum(bool(values[i]) for values in prompts.values()) for i in range(len(flags))),
        )
        for each in found.placements
        for prompts in [seen[each.system]]
    ]
    columns = (
        Column("system"),
        *(
            Column(name, _WHOLE)
            for name in ("prompts", "empty", "loops", "cut at the limit", "unclosed scaffold")
        ),
    )
    return ResultTable("outputs", "Outputs to the base prompts", columns, tuple(rows))


def _contrast_table(name: str, title: str, contrasts: tuple[AxisContrast, ...], found: Sweep) -> ResultTable:
    words = _words(found.constants)
    rows: tuple[tuple[Any, ...], ...] = tuple(
        (
            each.name,
            each.formula,
            each.bounds.estimate,
            each.bounds.lower,
            each.bounds.upper,
            each.bounds.n,
            _SIGNS[each.sign],
            words.get((each.name, each.sign), _reduced_words(each, found.constants)),
        )
        for each in contrasts
    )
    columns = (
        Column("contrast"),
        Column("formula"),
        *(Column(heading, _DIGITS) for heading in ("estimate", "lower", "upper")),
        Column("n", _WHOLE),
        Column("sign"),
        Column("in words"),
    )
    reasons = [f"{each.name}: {each.bounds.reason}" for each in contrasts if each.bounds.reason]
    return ResultTable(name, title, columns, rows, " ".join(reasons))


def _words(k: Constants) -> dict[tuple[str, str], str]:
    """What a sign says; the constants stand in the sentence."""
    lost, more, factor = percent(k.k_control), percent(k.k_harmless), f"{k.drift_factor:g} times "
    factor = "" if k.drift_factor == 1 else factor
    gap = "the reference's gap between meaning and harmless edits"
    return {
        ("control", "+"): "meaning moves the reference more than harmless edits do",
        ("control", "-"): "harmless edits move the reference more than meaning does",
        ("control", "unclear"): "not shown that meaning moves the reference more",
        ("noise", "+"): "repetition moves the reference more than harmless edits do",
        ("noise", "-"): "the noise floor lies below harmless edits",
        ("noise", "unclear"): "not shown that repetition moves it more than harmless edits",
        ("L_C", "+"): f"keeps the reference's response to meaning, less at most {lost}",
        ("L_C", "-"): f"has lost more than {lost} of the reference's response to meaning",
        ("L_C", "unclear"): f"unclear whether {lost} of the reference's response to meaning is lost",
        ("L_R", "+"): f"keeps {gap}, less at most {lost}",
        ("L_R", "-"): f"has lost more than {lost} of {gap}",
        ("L_R", "unclear"): f"unclear whether {lost} of {gap} is lost",
        ("L_P", "+"): f"more than {more} more sensitive to harmless edits",
        ("L_P", "-"): f"not more than {more} more sensitive to harmless edits",
        ("L_P", "unclear"): f"unclear whether it is more than {more} more sensitive",
        ("L_D", "+"): f"further from the reference than {factor}what a harmless edit moves that",
        ("L_D", "-"): f"nearer to the reference than {factor}what a harmless edit moves that",
        ("L_D", "unclear"): f"unclear whether drift exceeds {factor}what a harmless edit moves the reference",
    }


def _reduced_words(contrast: AxisContrast, k: Constants) -> str:
    further = f"{percent(k.k_harmless)} further than harmless edits do"
    return {
        "+": f"meaning moves it more than {further}",
        "-": f"meaning moves it not {further}",
        "unclear": f"unclear whether meaning moves it {further}",
    }[contrast.sign]
