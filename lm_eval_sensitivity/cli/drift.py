"""`lm-eval-sensitivity drift`: two axes beside a reference, and a verdict for every system."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pyarrow as pa

from lm_eval_sensitivity.cli.analysis_options import (
    add_output_options,
    add_run_options,
    add_statistics_options,
    load_runs,
    write,
)
from lm_eval_sensitivity.cli.chosen_runs import system_of
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.records.columns import FILTERS
from lm_eval_sensitivity.report import Column, Document, ResultTable
from lm_eval_sensitivity.report.documents.parts import runs_in_words
from lm_eval_sensitivity.report.wording.drift import (
    SIGNS,
    constants_in_words,
    contrast_in_words,
    harmless_over_control,
    interval_cautions,
    symbols_in_words,
    verdicts_in_words,
)
from lm_eval_sensitivity.runs import Pairs
from lm_eval_sensitivity.statements import Selection, Signature, signature
from lm_eval_sensitivity.statements.cautions import unknown_audits
from lm_eval_sensitivity.statements.drift import Axis, Placement, Sweep, sweep
from lm_eval_sensitivity.statements.drift_distance import check_drift_metric, measure_drifts
from lm_eval_sensitivity.statements.selection import PRIMARY_FILTER, PRIMARY_METRIC
from lm_eval_sensitivity.stats import AxisContrast
from lm_eval_sensitivity.text.format import to_json

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
    parts: list[ResultTable | str] = [symbols_in_words(found), _sweep_table(found)]
    parts += [f"Caution: {each}" for each in found.cautions]
    parts += [*verdicts_in_words(found), *(f"Caution: {each}" for each in interval_cautions(found))]
    parts += [constants_in_words(found), _numbers_table(found), _outputs_table(found, pairs.table)]
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
        "drift": to_json(found),
        "left_out": to_json(pairs.left_out),
        "remarks": sorted(pairs.remarks),
        "signature": signed.as_dict(),
    }
    return Document(title, tuple(parts), data)


def _sweep_table(found: Sweep) -> ResultTable:
    def row(placement: Placement) -> tuple[Any, ...]:
        p = placement.harmless.mean
        return (
            placement.system,
            placement.label,
            p.estimate,
            p.lower,
            p.upper,
            p.n,
            *(() if found.reference is None else _drift_cells(placement.drift)),
            placement.identical.mean.estimate,
            harmless_over_control(placement, found),
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
    rows: tuple[tuple[Any, ...], ...] = tuple(
        (
            each.name,
            each.formula,
            each.bounds.estimate,
            each.bounds.lower,
            each.bounds.upper,
            each.bounds.n,
            SIGNS[each.sign],
            contrast_in_words(each, found.constants),
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
