"""Which systems can be told apart in one metric, filter and rung set: means, clusters, contrasts.

Systems stand in the order of letters, never of scores.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pyarrow as pa

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.records.columns import DRIFT
from lm_eval_sensitivity.statements.cautions import cautions, zeros_caution
from lm_eval_sensitivity.statements.means import SystemMean, noise_floors
from lm_eval_sensitivity.statements.responsiveness import life_signs
from lm_eval_sensitivity.statements.selection import Selection, partition
from lm_eval_sensitivity.stats import (
    DRAWS,
    RESAMPLES,
    Clusters,
    ContrastTable,
    Interval,
    MaxT,
    PairCounts,
    contrast_table,
    detectable_difference,
    difference_interval,
    find_clusters,
    max_t_test,
    mean_interval,
)

ALPHA = 0.05
POWER = 0.8


@dataclass(frozen=True)
class TestedContrast:
    """Two systems on the pairs that are scored in both."""

    first: str
    second: str
    interval: Interval
    """Of first minus second; of this contrast alone, not adjusted for the family."""
    p_adjusted: float
    """Family-wise, step-down max-|t|; NaN with a reason."""
    attainable_p: float
    """The smallest p that any data of the shared prompts could have given."""
    counts: PairCounts
    distinguishable: bool
    reason: str | None
    """Why it was not tested."""
    caution: str | None
    """What makes its interval unreliable, or None."""

    @property
    def n_pairs_lost(self) -> int:
        """Pairs of one of the two that cannot be used in both."""
        return self.counts.n_erased + self.counts.n_unscored + self.counts.n_not_shared

    @property
    def finding(self) -> str:
        """In words; an order only where there is one."""
        if self.reason:
            return "not tested"
        if not self.distinguishable:
            return "not told apart"
        return "first lower" if self.interval.estimate < 0 else "first higher"


@dataclass(frozen=True)
class Detectable:
    """Smallest differences that these contrasts would find, from the least to the most variable one."""

    smallest: float
    """NaN with a reason."""
    largest: float
    level: float
    """At which each contrast is taken to be tested: the smallest that the family can demand of it, or the smallest
    p of its own prompts where that is larger."""
    power: float
    n_contrasts: int
    """With such a number."""
    n_without: int
    """Contrasts without such a number, those that were not tested included."""
    reasons: tuple[str, ...]
    """Why those have none; each reason once, in the order of the contrasts."""
    reason: str | None
    """Why no contrast has one, or None."""


@dataclass(frozen=True)
class ClusterAnalysis:
    """Everything that is said of one selection."""

    selection: Selection
    systems: tuple[SystemMean, ...]
    """In the order of letters."""
    absent: tuple[str, ...]
    """Systems of the runs without a pair in the selection."""
    contrasts: tuple[TestedContrast, ...]
    tests: MaxT | None
    """None for a system alone."""
    clusters: Clusters | None
    detectable: Detectable | None
    cautions: tuple[str, ...]
    """Sentences that a reader must not miss."""
    alpha: float
    resamples: int
    draws: int
    seed: int


def analyse_clusters(
    table: pa.Table,
    selection: Selection,
    *,
    alpha: float = ALPHA,
    resamples: int = RESAMPLES,
    draws: int = DRAWS,
    seed: int = 0,
) -> ClusterAnalysis:
    """Means, contrasts and clusters of all systems of a pairs table in one selection.

    Args:
        table: from `load_pairs`; the order of its rows changes nothing.
        selection: which numbers.
        alpha: family-wise error of the clusters.
        resamples: of each interval.
        draws: sign vectors, where there are too many prompts to try all.
        seed: of both.

    Raises:
        InputError: no system has a pair in the selection, or the metric compares systems instead of prompts.

    Example:
        See `tests/unit/statements/test_clusters.py`; a table takes a run.
    """
    check_metric(selection.metric)
    pairs = partition(table, selection)
    contrasted = contrast_table(pairs)
    tests = max_t_test(contrasted, alpha=alpha, draws=draws, seed=seed) if contrasted.contrasts else None
    clusters = find_clusters(tests, alpha=alpha) if tests else None
    floors = noise_floors(table, selection, resamples=resamples, seed=seed)
    life = life_signs(table, selection.filter_name, pairs.systems, resamples=resamples, seed=seed)
    systems = tuple(
        SystemMean(
            system=name,
            interval=mean_interval(pairs.system(name), resamples=resamples, seed=seed),
            counts=pairs.counts(name),
            noise=floors[name],
            letters=clusters.letters.get(name, ()) if clusters else (),
            life=life[name],
        )
        for name in pairs.systems
    )
    absent = tuple(name for name in sorted(floors) if name not in pairs.systems)
    return ClusterAnalysis(
        selection=selection,
        systems=systems,
        absent=absent,
        contrasts=_contrasts(contrasted, tests, alpha, resamples=resamples, seed=seed) if tests else (),
        tests=tests,
        clusters=clusters,
        detectable=_detectable(contrasted, tests, alpha) if tests else None,
        cautions=cautions(
            table,
            selection,
            systems,
            pairs,
            tests,
            absent=absent,
            alpha=alpha,
            seed=seed,
        ),
        alpha=alpha,
        resamples=resamples,
        draws=draws,
        seed=seed,
    )


def check_metric(metric: str) -> None:
    """Refuse drift, which has a command of its own.

    Raises:
        InputError: the metric is `baseline_drift`.
    """
    if metric == DRIFT:
        raise InputError(
            f"`--metric {DRIFT}` is the distance of a system from its reference on the same prompt, not what an edit "
            "moves, so clusters of it would say nothing. Use `lm-eval-sensitivity drift`, or another metric."
        )


def _contrasts(
    table: ContrastTable, tests: MaxT, alpha: float, *, resamples: int, seed: int
) -> tuple[TestedContrast, ...]:
    return tuple(
        TestedContrast(
            first=first,
            second=second,
            interval=difference_interval(table.differences[:, index], resamples=resamples, seed=seed),
            p_adjusted=float(tests.p_adjusted[index]),
            attainable_p=tests.attainable_ps[index],
            counts=table.counts[index],
            distinguishable=bool(tests.p_adjusted[index] <= alpha),
            reason=tests.reasons[index],
            caution=zeros_caution(f"{first} and {second}, difference", table.differences[:, index]),
        )
        for index, (first, second) in enumerate(table.contrasts)
    )


def _detectable(table: ContrastTable, tests: MaxT, alpha: float) -> Detectable:
    """At the level that is left of alpha for each contrast: Bonferroni's, which max-|t| never undercuts.

    Where a contrast's own smallest p is above that level, max-|t| can still reject, and then at that p.
    """
    n_all = len(tests.contrasts)
    if not tests.family:
        reason = "No two systems share enough scored prompts for a test that could tell them apart."
        reasons = tuple(dict.fromkeys(each for each in tests.reasons if each))
        return Detectable(math.nan, math.nan, alpha, POWER, 0, n_all, reasons, reason)
    level = max(alpha / tests.family, min(tests.attainable_p, alpha))
    numbers: list[float] = []
    missing: dict[str, None] = {}
    for column, untested, least in zip(table.differences.T, tests.reasons, tests.attainable_ps, strict=True):
        found = (
            detectable_difference(column, alpha=max(level, least), power=POWER) if untested is None else None
        )
        if found is not None and found.reason is None:
            numbers.append(found.difference)
        else:
            missing[str(untested or (found and found.reason))] = None
    return Detectable(
        smallest=min(numbers, default=math.nan),
        largest=max(numbers, default=math.nan),
        level=level,
        power=POWER,
        n_contrasts=len(numbers),
        n_without=n_all - len(numbers),
        reasons=tuple(missing),
        reason=None if numbers else next(iter(missing)),
    )
