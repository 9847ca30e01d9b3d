"""One system in one selection, as a record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from lm_eval_sensitivity.statements.partition import TablePartition
from lm_eval_sensitivity.statements.records import SystemMean, SystemRow
from lm_eval_sensitivity.statements.responsiveness import responsiveness
from lm_eval_sensitivity.statements.selection import Selection
from lm_eval_sensitivity.stats import Interval, mean_interval
from lm_eval_sensitivity.types import Note


def system_mean(partition: TablePartition, selection: Selection, system: str) -> SystemMean:
    """The mean of one system."""
    values, mean = partition.pairs(selection).system(system), partition.mean(selection, system)
    return SystemMean(
        system,
        mean,
        partition.counts(selection, system),
        n_zero=int((values == 0).sum()),
        caution=zeros_caution(f"{system}, mean", values, mean, system),
    )


def system_row(
    partition: TablePartition, selection: Selection, system: str, letters: Sequence[str] = ()
) -> SystemRow:
    """The same, with what it has to be read beside."""
    found = system_mean(partition, selection, system)
    return SystemRow(
        **vars(found),
        noise=partition.noise(selection, system),
        repetitions=partition.repetitions(system),
        responsiveness=responsiveness(partition, selection.filter_name, system),
        letters=tuple(letters),
    )


def common_means(
    partition: TablePartition, selection: Selection, names: Sequence[str]
) -> dict[str, Interval]:
    """Means of systems beside each other over the pairs that are scored in all of them.

    Args:
        partition: of a pairs table.
        selection: which numbers.
        names: display names.

    Returns:
        By name; empty where no system has a pair that another lacks.
    """
    pairs = partition.pairs(selection, names)
    scored = ~np.isnan(pairs.values)
    everywhere = scored.all(axis=2, keepdims=True)
    if (scored == everywhere).all():
        return {}
    common = replace(pairs, values=np.where(everywhere, pairs.values, np.nan))
    return {
        name: mean_interval(
            common.system(name),
            largest=partition.largest(selection, name),
            resamples=partition.resamples,
            seed=partition.seed,
        )
        for name in names
    }


def zeros_caution(name: str, values: ArrayLike, interval: Interval, *about: str) -> Note | None:
    """A sentence where at least half of the prompts have one and the same number, and a bootstrap-t is made of them.

    Its resamples then often consist of one repeated value, so that it is nearly degenerate, and its interval may be far
    too wide or too narrow.

    Args:
        name: what the numbers are, as in `8-bit, mean`.
        values: [prompt] prompt-level numbers; NaN for prompts without one.
        interval: of their mean.
        *about: the systems.

    Returns:
        The caution; None where the numbers vary, where the interval is by half or corner points, and where there is
        none (too few prompts, or all alike), which the interval's own reason says.

    Example:
        >>> values = [0.0, 0.0, 0.0, 0.2, 0.3]
        >>> print(zeros_caution("m, mean", values, mean_interval(values)))
        m, mean: 3 of 5 prompts are exactly 0: the interval is unreliable.
        >>> print(zeros_caution("m, mean", values, mean_interval(values, largest=1)))
        None
    """
    if interval.method not in ("bootstrap-t", "student-t"):
        return None
    sample = np.asarray(values, dtype=np.float64)
    finite = sample[np.isfinite(sample)]
    numbers, counts = np.unique(finite, return_counts=True)
    most = int(counts.argmax())
    if 2 * counts[most] < len(finite):
        return None
    shared = "are exactly 0" if numbers[most] == 0 else f"have the same number, {numbers[most]:.4g}"
    words = f"{name}: {counts[most]} of {len(finite)} prompts {shared}: the interval is unreliable."
    return Note("caution", words, about)
