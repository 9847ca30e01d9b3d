"""One system in a few numbers: what harmless edits move, beside noise and another request, and what could fake it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lm_eval_sensitivity.records.columns import FLAGS
from lm_eval_sensitivity.statements.cautions import another_model_caution, audit_cautions
from lm_eval_sensitivity.statements.drift import drift_statement
from lm_eval_sensitivity.statements.drift_distance import Drift
from lm_eval_sensitivity.statements.means import system_mean
from lm_eval_sensitivity.statements.noise import beside_noise
from lm_eval_sensitivity.statements.partition import TablePartition
from lm_eval_sensitivity.statements.prompt_ends import parted_in
from lm_eval_sensitivity.statements.records import SystemDrift, SystemMean
from lm_eval_sensitivity.statements.responsiveness import CONTROL
from lm_eval_sensitivity.statements.selection import NOISE_RUNG, PRIMARY_FILTER, PRIMARY_METRIC, Selection
from lm_eval_sensitivity.statements.windows import dominated_windows, outputs_of, windows_within
from lm_eval_sensitivity.stats import (
    MIN_PROMPTS,
    Constants,
    Partition,
    ReducedVerdict,
    RepetitionTest,
    Verdict,
)
from lm_eval_sensitivity.stats.power import detectable_effect
from lm_eval_sensitivity.stats.sample import Floats, has_spread
from lm_eval_sensitivity.types import MEANING_PRESERVING_RUNGS, RUNGS, Missing, Note, Rung

SHARED_PREAMBLE = "shared_preamble"


@dataclass(frozen=True)
class Worst:
    """The harmless edit, or pair, that moves the answers furthest. Chosen for that: no test belongs to it."""

    name: str
    """Of an edit, or `<prompt_id>/<edit>`."""
    distance: float
    n_prompts: int
    """That the number is over."""


@dataclass(frozen=True)
class Coverage:
    """What became of the pairs, and what is wrong with some outputs."""

    n_prompts: int
    n_pairs: int
    missing: tuple[tuple[str, int], ...]
    """Kind of reason -> pairs without a distance."""
    erased: tuple[tuple[str, int, int], ...]
    """(edit, its erased pairs, all its pairs), where it has some."""
    flags: tuple[tuple[str, int], ...]
    """Flag -> outputs to edited prompts."""
    n_preambles: int
    """Outputs to edited prompts that open as unrelated ones do."""
    dominated: tuple[int | None, ...]
    """Windows of the whole output in which the scaffold stands for most; None is the whole output."""
    n_parted: int
    """Edited pairs that part although their prompts end alike."""
    n_agreeing: int
    """Edited pairs whose prompts end alike."""
    knows_erased: bool
    """Whether the engine showed token ids, so that erased edits are known."""
    knows_cut: bool
    """Whether the engine said why its outputs end."""
    knows_windows: bool
    """Whether it is known of an output where its tokens end, and so what fills its windows."""

    @property
    def n_scored(self) -> int:
        """Pairs with a distance."""
        return self.n_pairs - sum(count for _, count in self.missing)


@dataclass(frozen=True)
class SummaryStatement:
    """What is said of one system first."""

    selection: Selection
    axes: SystemDrift
    """Harmless edits, positive control, noise floor; drift and verdict."""
    judged: Verdict | ReducedVerdict | None
    """None where too little was run for a verdict."""
    reason: str
    """Why it was not judged, or not beside the reference; else empty."""
    repetitions: int | None
    """Of each prompt of the identical rung."""
    noise: RepetitionTest
    """Harmless edits beside the noise floor."""
    rungs: tuple[tuple[Rung, SystemMean], ...]
    """Edited rungs that were run, mildest first; the positive control is in `axes`."""
    worst_edit: Worst | None
    worst_pair: Worst | None
    detectable: float
    """Difference from which two systems like this one are told apart; NaN where none could be, 0 where all prompts are
    moved alike and nothing can be planned with."""
    coverage: Coverage
    cautions: tuple[Note, ...]
    another_model: tuple[Note, ...]
    """The one of a system that is no changed copy of its reference; it belongs to the verdict."""


def summary_statement(
    partition: TablePartition,
    system: str,
    filter_name: str = PRIMARY_FILTER,
    *,
    reference: str | None = None,
    drifts: Mapping[str, Drift] | None = None,
) -> SummaryStatement:
    """Summarize one system in the primary metric.

    Args:
        partition: of a pairs table.
        system: display name.
        filter_name: `raw` or `answer`.
        reference: display name of the system to judge beside; None judges it alone.
        drifts: by system, where there is a reference.

    Returns:
        Numbers with their intervals, the verdict, and counts of what could fake them.

    Example:
        See `tests/unit/statements/test_summary.py`; a table takes a run.
    """
    selection = Selection(PRIMARY_METRIC, filter_name)
    beside = None if reference == system else reference
    axes = drift_statement(partition, [system], selection, reference=beside, drifts=drifts).systems[-1]
    judged, reason = _judged(partition, axes, beside)
    ran = partition.rungs_of(system)
    pairs = partition.pairs(selection, [system])
    return SummaryStatement(
        selection,
        axes,
        judged,
        reason,
        partition.repetitions(system),
        beside_noise(partition, selection, system),
        tuple(
            (rung, system_mean(partition, replace(selection, rung_set=rung), system))
            for rung in RUNGS
            if rung in ran and rung not in (NOISE_RUNG, CONTROL)
        ),
        _worst_edit(pairs),
        _worst_pair(pairs),
        _detectable(pairs.system(system)),
        _coverage(partition, selection, system),
        tuple(audit_cautions(partition, selection)),
        tuple(another_model_caution((drifts or {}).get(system), "It", Constants().drift_factor)),
    )


def _judged(
    partition: TablePartition, axes: SystemDrift, reference: str | None
) -> tuple[Verdict | ReducedVerdict | None, str]:
    """The verdict; below `MIN_PROMPTS` prompts there is none to be undetermined about."""
    reason = lacking(partition.rungs_of(axes.system), "this run")
    if reference is not None:
        reason = reason or lacking(partition.rungs_of(reference), "the reference")
    found = axes.verdict or axes.reduced
    if reason or found is None:
        return None, reason
    n = found.contrasts[0].bounds.n
    if n < MIN_PROMPTS:
        few = f"{n} prompts, at least {MIN_PROMPTS} are needed"
        return None, few if n else "no prompt has both numbers"
    return found, ""


def lacking(ran: set[str], whose: str) -> str:
    """Which rungs a verdict needs and has not got.

    Args:
        ran: rungs that have pairs.
        whose: completes the sentence, as in the example.

    Returns:
        The first lack as half a sentence; empty where all are there.

    Example:
        >>> lacking({"noop", "identical"}, "this run")
        'no positive control in this run'
    """
    if CONTROL not in ran:
        return f"no positive control in {whose}"
    return "" if ran & set(MEANING_PRESERVING_RUNGS) else f"no harmless rung in {whose}"


def _worst_edit(pairs: Partition) -> Worst | None:
    """An edit of fewer than `MIN_PROMPTS` prompts would be worst by its choice of them."""
    counts = np.isfinite(pairs.values[:, :, 0]).sum(axis=0).tolist()
    enough = [index for index, count in enumerate(counts) if count >= MIN_PROMPTS]
    if not enough:
        return None
    means = {index: float(np.nanmean(pairs.values[:, index, 0])) for index in enough}
    worst = max(enough, key=lambda index: means[index])
    return Worst(pairs.edits[worst], means[worst], counts[worst])


def _worst_pair(pairs: Partition) -> Worst | None:
    values = pairs.values[:, :, 0]
    if not np.isfinite(values).any():
        return None
    prompt, edit = np.unravel_index(int(np.nanargmax(values)), values.shape)
    return Worst(f"{pairs.prompts[prompt]}/{pairs.edits[edit]}", float(values[prompt, edit]), 1)


def _detectable(means: Floats) -> float:
    """For two systems with the spread of this one, each moved by prompts of its own."""
    there = means[np.isfinite(means)]
    if len(there) < MIN_PROMPTS:
        return math.nan
    if not has_spread(there):
        return 0.0
    moved = min(len(there), 2 * int((there != 0).sum()))
    return detectable_effect(len(there), n_moved=moved) * math.sqrt(2) * float(there.std(ddof=1))


def _coverage(partition: TablePartition, selection: Selection, system: str) -> Coverage:
    table = partition.table.filter(pc.equal(partition.table["name"], system))
    missing = f"missing_{selection.metric}"
    answers = _columns(table, selection.filter_name, "prompt_id", "edit", missing)
    known = ("audit_status", "variant_finish_reason")
    raw = _columns(table, "raw", "variant_scaffold", *known, *(f"variant_{flag}" for flag in FLAGS))
    kinds = [None if reason is None else Missing.from_text(reason).kind for reason in answers[missing]]
    given = Counter(answers["edit"])
    erased = Counter(edit for edit, kind in zip(answers["edit"], kinds, strict=True) if kind == "erased")
    outputs = outputs_of(partition, selection.metric, partition.rungs_of(system), system)
    edited = [rung for rung in RUNGS if rung != NOISE_RUNG]
    n_parted, n_agreeing = parted_in(partition, edited, system)
    return Coverage(
        len({*answers["prompt_id"]}),
        len(kinds),
        tuple(sorted(Counter(kind for kind in kinds if kind is not None).items())),
        tuple((edit, count, given[edit]) for edit, count in sorted(erased.items())),
        tuple((flag, sum(value is True for value in raw[f"variant_{flag}"])) for flag in FLAGS),
        raw["variant_scaffold"].count(SHARED_PREAMBLE),
        dominated_windows(outputs, windows_within(outputs)),
        n_parted,
        n_agreeing,
        knows_erased=any(status != "unknown" for status in raw["audit_status"]),
        knows_cut=any(reason is not None for reason in raw["variant_finish_reason"]),
        knows_windows=bool(outputs),
    )


def _columns(table: pa.Table, filter_name: str, *names: str) -> dict[str, list[Any]]:
    rows = table.filter(pc.equal(table["filter"], filter_name))
    return {name: rows[name].to_pylist() for name in names}
