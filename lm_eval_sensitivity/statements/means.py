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
from lm_eval_sensitivity.stats import MIN_PROMPTS, Interval, mean_interval
from lm_eval_sensitivity.stats.sample import has_spread
from lm_eval_sensitivity.types import Note


def system_mean(
    partition: TablePartition, selection: Selection, system: str, called: str = "mean"
) -> SystemMean:
    """The mean of one system.

    Args:
        partition: of a pairs table.
        selection: which numbers.
        system: display name.
        called: what the number is, in a caution about it.
    """
    values = partition.pairs(selection).system(system)
    unbounded = partition.largest(selection, system) is None
    return SystemMean(
        system,
        partition.mean(selection, system),
        partition.counts(selection, system),
        n_zero=int((values == 0).sum()),
        caution=zeros_caution(f"{system}, {called}", values, system) if unbounded else None,
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


def zeros_caution(name: str, values: ArrayLike, *about: str) -> Note | None:
    """A sentence where at least half of the prompts have one and the same number.

    Resamples of such prompts often consist of one repeated value, so that the bootstrap-t is nearly degenerate
    and its interval may be far too wide or too narrow.

    Args:
        name: what the numbers are, as in `8-bit, b drift`.
        values: [prompt] prompt-level numbers; NaN for prompts without one.
        *about: the systems.

    Returns:
        The caution; None where the numbers vary, and where there is no interval anyway (too few prompts, or
        all alike), which the interval's own reason says.

    Example:
        >>> print(zeros_caution("m, b", [0.0, 0.0, 0.0, 0.2, 0.3]))
        m, b: 3 of 5 prompts are exactly 0: the interval is unreliable.
        >>> zeros_caution("m, b", [0.1, 0.2, 0.3, 0.4, 0.5]), zeros_caution("m, b", [0.0] * 9)
        (None, None)
    """
    sample = np.asarray(values, dtype=np.float64)
    finite = sample[np.isfinite(sample)]
    if len(finite) < MIN_PROMPTS or not has_spread(finite):
        return None
    numbers, counts = np.unique(finite, return_counts=True)
    most = int(counts.argmax())
    if 2 * counts[most] < len(finite):
        return None
    shared = "are exactly 0" if numbers[most] == 0 else f"have the same number, {numbers[most]:.4g}"
    words = f"{name}: {counts[most]} of {len(finite)} prompts {shared}: the interval is unreliable."
    return Note("caution", words, about)
