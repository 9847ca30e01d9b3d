"""Two axes for every system: how much harmless edits move it, and how far it is from a reference."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from lm_eval_sensitivity.statements.cautions import (
    coverage_cautions,
    rung_cautions,
    window_cautions,
    zeros_caution,
)
from lm_eval_sensitivity.statements.drift_distance import Drift
from lm_eval_sensitivity.statements.every_system import partition_of_all, with_systems
from lm_eval_sensitivity.statements.noise import NOISE_ALPHA, NOISE_RUNG, noise_test, not_above_in_words
from lm_eval_sensitivity.statements.responsiveness import CONTROL, HARMLESS, signs_of_life, silent_share
from lm_eval_sensitivity.statements.selection import Selection
from lm_eval_sensitivity.stats import (
    RESAMPLES,
    AxisContrast,
    Constants,
    Interval,
    PairCounts,
    Partition,
    ReducedVerdict,
    RepetitionTest,
    Verdict,
    judge,
    mean_interval,
    partition_by_prompt,
    two_axes,
)
from lm_eval_sensitivity.stats.verdicts import (
    INVALID_PROBE,
    RULES,
    UNDETERMINED,
    Sign,
    possible_labels,
    too_silent,
)

LIFE = ("RESPONSIVE", "STABLE", "DRIFTED")
"""Labels of a system that is alive."""


@dataclass(frozen=True)
class Axis:
    """One number of a system: the mean over its prompts."""

    mean: Interval
    counts: PairCounts
    n_zero: int
    """Prompts whose number is exactly 0."""
    caution: str | None
    """Why the interval is unreliable: half of the prompts or more have one and the same number."""


@dataclass(frozen=True)
class Placement:
    """One system on both axes, with what is said of it."""

    system: str
    is_reference: bool
    harmless: Axis
    """p: perturbation distance on the meaning-preserving rungs."""
    control: Axis
    """c: the positive control."""
    identical: Axis
    """f: the identical rung, which is the noise floor."""
    drift: Axis | None
    """b; None where there is no reference, and for the reference itself."""
    drift_source: str
    drift_missing: Mapping[str, int]
    """Prompts without drift, by the kind of reason."""
    drift_message: str
    """Why no drift could be measured; else empty."""
    verdict: Verdict | None
    """Beside the reference; None for the reference itself and where there is none."""
    reduced: ReducedVerdict | None
    """What can be said without a reference."""
    silent_share: float
    """Of the pairs that the reference has a number for, the share for which this system gave nothing that
    could be scored: an empty output, no answer, no finite logits. Without a reference, of all its pairs that
    were not erased. NaN for the reference, and without such pairs."""

    @property
    def label(self) -> str:
        """The verdict in a word, `reference` for the reference."""
        found = self.verdict or self.reduced
        return "reference" if found is None else found.label


@dataclass(frozen=True)
class Sweep:
    """All systems, the reference first, then in the order given."""

    selection: Selection
    reference: str | None
    placements: tuple[Placement, ...]
    probe: tuple[AxisContrast, ...]
    """What makes the ladder a valid probe of the reference; empty without one."""
    cautions: tuple[str, ...]
    """Whole sentences: systems that were not run on the same rungs, or lost different shares of their pairs."""
    constants: Constants
    seed: int
    resamples: int


def sweep(
    table: pa.Table,
    systems: Sequence[str],
    selection: Selection,
    *,
    reference: str | None = None,
    drifts: Mapping[str, Drift] | None = None,
    constants: Constants | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Sweep:
    """Place every system on both axes.

    Args:
        table: from `load_pairs`; the order of its rows changes nothing.
        systems: display names, in the order in which they are to be listed; the reference need not be there.
        selection: metric and filter; the rungs are given by the axes.
        reference: display name; None says only what can be said without one.
        drifts: by system, for all but the reference.
        constants: of the rules.
        resamples: of each interval and bound.
        seed: of the resamples.

    Example:
        See `tests/unit/statements/test_drift.py`; a table takes a run.
    """
    used = constants or Constants()
    order = tuple(dict.fromkeys((*([reference] if reference else ()), *systems)))
    harmless, control, identical = (
        partition_of_all(table, replace(selection, rung_set=rungs), order)
        for rungs in (HARMLESS, CONTROL, NOISE_RUNG)
    )
    tables = _Tables(
        harmless, control, identical, with_systems(_drift_partition((drifts or {}).values()), order)
    )
    resampling = _Resampling(used, resamples, seed)
    placements = tuple(
        _placement(tables, name, reference, (drifts or {}).get(name), resampling) for name in order
    )
    probes = (each.verdict.probe for each in placements if each.verdict is not None)
    return Sweep(
        selection,
        reference,
        placements,
        next(probes, ()),
        (
            *rung_cautions(table, replace(selection, rung_set=HARMLESS), order),
            *coverage_cautions(harmless, order),
            *window_cautions(table, replace(selection, rung_set=HARMLESS), order),
        ),
        used,
        seed,
        resamples,
    )


@dataclass(frozen=True)
class _Tables:
    """What the axes are made of, every system in each."""

    harmless: Partition
    control: Partition
    identical: Partition
    drift: Partition


@dataclass(frozen=True)
class _Resampling:
    constants: Constants
    resamples: int
    seed: int


def _placement(
    tables: _Tables, name: str, reference: str | None, drift: Drift | None, resampling: _Resampling
) -> Placement:
    """One system on both axes, judged beside the reference, or by itself where there is none."""
    verdict, reduced, silent = None, None, math.nan
    settings = {"resamples": resampling.resamples, "seed": resampling.seed}
    if reference is None:
        silent = silent_share((tables.harmless, tables.control), name)
        reduced = signs_of_life(
            tables.harmless,
            tables.control,
            tables.identical,
            name,
            constants=resampling.constants,
            **settings,
        )
    elif name != reference:
        axes = two_axes(
            tables.harmless, tables.control, tables.identical, tables.drift, system=name, reference=reference
        )
        silent = silent_share((tables.harmless, tables.control), name, reference)
        noise = noise_test(tables.harmless, tables.identical, name, seed=resampling.seed)
        judged = _unless_noise(judge(axes, constants=resampling.constants, **settings), noise)
        verdict = _unless_silent(judged, silent)
    return Placement(
        system=name,
        is_reference=name == reference,
        harmless=_axis(tables.harmless, name, "p", resampling),
        control=_axis(tables.control, name, "c", resampling),
        identical=_axis(tables.identical, name, "f", resampling),
        drift=None if drift is None else _axis(tables.drift, name, "b", resampling),
        drift_source="" if drift is None else drift.source,
        drift_missing={} if drift is None else drift.reasons,
        drift_message="" if drift is None else drift.message,
        verdict=verdict,
        reduced=reduced,
        silent_share=silent,
    )


def _axis(pairs: Partition, name: str, symbol: str, resampling: _Resampling) -> Axis:
    values = pairs.system(name)
    return Axis(
        mean_interval(values, resamples=resampling.resamples, seed=resampling.seed),
        pairs.counts(name),
        n_zero=int((values == 0).sum()),
        caution=zeros_caution(f"{name}, {symbol}", values),
    )


def _drift_partition(drifts: Iterable[Drift]) -> Partition:
    rows: list[tuple[str, str, str, float]] = []
    for drift in drifts:
        rows += [(prompt, "base", drift.system, value) for prompt, value in drift.values.items()]
        rows += [(prompt, "base", drift.system, math.nan) for prompt in drift.missing]
    return partition_by_prompt(*(list(column) for column in zip(*rows, strict=True))) if rows else _nothing()


def _nothing() -> Partition:
    return partition_by_prompt([], [], [], [])


def _unless_noise(verdict: Verdict, noise: RepetitionTest) -> Verdict:
    """A system is called more sensitive than its reference only where its own noise cannot be the reason."""
    if verdict.label != "RESPONSIVE" or noise.standing(NOISE_ALPHA) in ("above", "not judged"):
        return verdict
    signs: dict[str, Sign] = {each.name: each.sign for each in verdict.contrasts}
    possible = possible_labels({**signs, "L_P": "unclear"})
    reason = f"What harmless edits move is {not_above_in_words(noise)}: it may be noise."
    return replace(verdict, label=UNDETERMINED, possible=possible, reasons=(reason, *verdict.reasons))


def _unless_silent(verdict: Verdict, silent: float) -> Verdict:
    """A system that says nothing on many prompts is not called alive for what it says on the others.

    Distances are taken where both sides have an output, so that silence leaves no trace in them. Losing
    more pairs than the share of the response to meaning that may be lost makes a verdict of life undetermined.
    """
    if not silent > verdict.constants.k_control:
        return verdict
    verdict = replace(verdict, alive_alone=False)
    if not set(verdict.possible) & set(LIFE):
        return verdict
    order = (*(label for _, label in RULES), INVALID_PROBE)
    possible = tuple(label for label in order if label in {*verdict.possible, "COLLAPSED"})
    reason = too_silent(silent, verdict.constants, "of the pairs that the reference has a number for")
    return replace(verdict, label=UNDETERMINED, possible=possible, reasons=(reason, *verdict.reasons))
