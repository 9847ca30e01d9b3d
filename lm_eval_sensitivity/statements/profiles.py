"""One metric of every system along the ladder, or along the length of the output that is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from lm_eval_sensitivity.metrics import WINDOWS_TOKENS
from lm_eval_sensitivity.statements.every_system import partition_of_all
from lm_eval_sensitivity.statements.selection import PRIMARY_METRIC, Selection
from lm_eval_sensitivity.stats import RESAMPLES, Interval, PairCounts, mean_interval
from lm_eval_sensitivity.types import RUNGS


@dataclass(frozen=True)
class ProfilePoint:
    """One system in one selection."""

    selection: Selection
    interval: Interval
    """Of the mean over prompts."""
    counts: PairCounts


@dataclass(frozen=True)
class Profile:
    """One system along one line."""

    system: str
    points: tuple[ProfilePoint, ...]


def rung_profiles(
    table: pa.Table, metric: str, filter_name: str, *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[Profile, ...]:
    """The mean of every rung, mildest first; systems in the order of letters.

    Args:
        table: from `load_pairs`; the order of its rows changes nothing.
        metric: a column of it.
        filter_name: `raw` or `answer`.
        resamples: of each interval.
        seed: of the resamples.

    Example:
        See `tests/unit/report/test_figures.py`; a table takes a run.
    """
    chosen = [Selection(metric, filter_name, rung) for rung in RUNGS]
    return _profiles(table, chosen, resamples=resamples, seed=seed)


def window_profiles(
    table: pa.Table, filter_name: str, rung_set: str, *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[Profile, ...]:
    """The mean cosine distance of the first 64 tokens of the output, 128, ..., and of the whole.

    Args:
        table: from `load_pairs`; the order of its rows changes nothing.
        filter_name: `raw` or `answer`.
        rung_set: over which rungs.
        resamples: of each interval.
        seed: of the resamples.

    Example:
        See `tests/unit/report/test_figures.py`; a table takes a run.
    """
    metrics = (*(f"{PRIMARY_METRIC}_{window}" for window in WINDOWS_TOKENS), PRIMARY_METRIC)
    chosen = [Selection(metric, filter_name, rung_set) for metric in metrics]
    return _profiles(table, chosen, resamples=resamples, seed=seed)


def _profiles(
    table: pa.Table, selections: Sequence[Selection], *, resamples: int, seed: int
) -> tuple[Profile, ...]:
    systems = sorted(set(pc.unique(table["name"]).to_pylist()))
    found = [(each, partition_of_all(table, each, systems)) for each in selections]
    return tuple(
        Profile(
            name,
            tuple(
                ProfilePoint(
                    selection,
                    mean_interval(pairs.system(name), resamples=resamples, seed=seed),
                    pairs.counts(name),
                )
                for selection, pairs in found
            ),
        )
        for name in systems
    )
