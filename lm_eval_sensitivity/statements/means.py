"""One system in one selection: its mean, and what repetition alone moves."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from lm_eval_sensitivity.metrics.catalogue import is_distance
from lm_eval_sensitivity.statements.noise import NOISE_RUNG
from lm_eval_sensitivity.statements.selection import Selection, partition
from lm_eval_sensitivity.stats import (
    RESAMPLES,
    Interval,
    PairCounts,
    Partition,
    ReducedVerdict,
    mean_interval,
)


@dataclass(frozen=True)
class NoiseFloor:
    """What repetition alone moves: the identical rung in the same metric and filter."""

    mean: float
    """NaN with a reason."""
    n_prompts: int
    interval: Interval | None
    """None where the rung was not run, or the metric is no distance."""
    reason: str | None


@dataclass(frozen=True)
class SystemMean:
    """One system in one selection."""

    system: str
    interval: Interval
    """Of the mean over prompts."""
    counts: PairCounts
    noise: NoiseFloor
    letters: tuple[str, ...]
    """Its clusters; empty for a system alone, or one that could not be tested."""
    life: ReducedVerdict | None = None
    """Whether it responds to meaning, in the primary metric under the same filter; None where that was not
    measured."""


def noise_floors(
    table: pa.Table, selection: Selection, *, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, NoiseFloor]:
    """The noise floor of every system of a table, by name; sorted.

    Args:
        table: from `load_pairs`.
        selection: metric and filter count, its rungs do not.
        resamples: of each interval.
        seed: of the resamples.
    """
    names = sorted(pc.unique(table["name"]).to_pylist())
    if not is_distance(selection.metric):
        reason = f"{selection.metric} is no distance of a pair, so that repetition has no floor in it."
        return {name: NoiseFloor(math.nan, 0, None, reason) for name in names}
    identical = table.filter(pc.equal(table["rung"], NOISE_RUNG))
    ran = set(pc.unique(identical["name"]).to_pylist())
    found: Partition | None = None
    if ran:
        found = partition(identical, Selection(selection.metric, selection.filter_name, NOISE_RUNG))
    floors = {}
    for name in names:
        if found is None or name not in ran:
            floors[name] = NoiseFloor(math.nan, 0, None, "The identical rung was not run.")
            continue
        interval = mean_interval(found.system(name), resamples=resamples, seed=seed)
        missing = interval.reason if math.isnan(interval.estimate) else None
        floors[name] = NoiseFloor(interval.estimate, interval.n, interval, missing)
    return floors
