"""Which of two means is lower: step-down max-|t| of the symmetric bootstrap-t, and corner points.

Sign flips test whether effects differ, not which mean is lower: of two systems with equal means, one that moves rarely
and far and one that moves often and little, they reject in 0.16 of cases at 24 prompts and 0.39 at nine, and nearly
always call the first one lower. So an order of means needs a test of means as well. The bootstrap-t alone is none where
the rare system did not move at all (0.13 and 0.35): no resample can show what was not seen. The corner points stand for
it, though not everywhere: at 24 prompts and 90 % zeros an order that is not there is stated in 0.07 of pairs of systems
and in 0.13 of tables of six, elsewhere in at most 0.05 (docs/validation.md).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lm_eval_sensitivity.stats.intervals import NO_SPREAD, RESAMPLES, point_weights
from lm_eval_sensitivity.stats.sample import Floats

_BLOCK = 1_024
_TIE = 1e-10
"""Relative; statistics closer than this count as equal."""


def order_p(
    differences: Floats,
    *,
    largest: Sequence[float | None] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Floats:
    """p-values of equal means, adjusted for their number by step-down max-|t| over resampled prompts.

    |t| = |mean| / standard error of each contrast is held against the largest |resampled mean - mean| / resampled
    standard error over the contrasts whose own |t| is not above it. Every resample takes whole prompts, the same for
    all contrasts. A resample without spread counts as infinite. A contrast with a largest value also gets the p of its
    corner points, twice the smaller share of random weights whose mean lies on either side of 0, and the larger p
    counts: at or below alpha only where neither kind of interval of 1 - alpha holds 0.

    Args:
        differences: [prompt, contrast]; NaN where a contrast lacks a prompt.
        largest: per contrast, as of `difference_interval`; None for none.
        resamples: bootstrap samples of prompts.
        seed: of the resamples.

    Returns:
        [contrast] two-sided p, family-wise, never 0; 1 where all differences are 0.

    Example:
        >>> rare, often = [0.0] * 20 + [0.4, 0.5, 0.6, 0.7], [0.1] * 12 + [0.2] * 12
        >>> p = order_p(np.array([rare, often]).T, resamples=999)
        >>> bool(p[0] > 0.05), bool(p[1] < 0.05)
        (True, True)
    """
    there = ~np.isnan(differences)
    n = np.maximum(there.sum(axis=0), 2)
    means = np.where(there, differences, 0.0).sum(axis=0) / n
    centered = np.where(there, differences - means, 0.0)
    squares = centered**2
    variances = squares.sum(axis=0) / (n - 1)
    # Rounding alone is no spread, and then every other mean is out of reach.
    spread = variances > (NO_SPREAD * means) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        observed = np.where(spread, np.abs(means) / np.sqrt(variances / n), np.where(means == 0, 0.0, np.inf))
    order = np.argsort(observed, kind="stable")
    threshold = observed[order] * (1 - _TIE)
    count = np.zeros(len(order))
    generator = np.random.default_rng(seed)
    for start in range(0, resamples, _BLOCK):
        weights = _weights(len(differences), min(_BLOCK, resamples - start), generator)
        size = _resampled(weights, there, centered, squares, variances)
        size = np.where(spread, size, 0.0)[:, order]
        np.maximum.accumulate(size, axis=1, out=size)
        count += (size >= threshold).sum(axis=0)
    stepped = (count + 1) / (resamples + 1)
    stepped = np.maximum.accumulate(stepped[::-1])[::-1]
    adjusted: Floats = stepped[np.argsort(order, kind="stable")]
    if largest is None:
        return adjusted
    return np.maximum(adjusted, _corner_p(differences, largest, resamples, seed))


def _corner_p(differences: Floats, largest: Sequence[float | None], resamples: int, seed: int) -> Floats:
    """[contrast] two-sided p of the corner points; 0 for a contrast without a largest value, which has none."""
    n = (~np.isnan(differences)).sum(axis=0)
    ends = np.array([np.nan if each is None else each for each in largest])
    found = np.zeros(len(ends))
    for size in np.unique(n[~np.isnan(ends)]):
        same = np.flatnonzero((n == size) & ~np.isnan(ends))
        weights = point_weights(int(size), resamples, seed)
        samples = np.sort(differences[:, same], axis=0)[:size]  # NaN stands last
        means = weights[:, :size] @ samples + np.outer(
            weights[:, size + 3] - weights[:, size + 2], ends[same]
        )
        sides = np.minimum((means <= 0).sum(axis=0), (means >= 0).sum(axis=0))
        found[same] = np.minimum(2 * (sides + 1) / (resamples + 1), 1)
    return found


def _weights(n: int, rows: int, generator: np.random.Generator) -> Floats:
    """[row, prompt] how often each prompt stands in a resample."""
    drawn = generator.integers(0, n, (rows, n)) + n * np.arange(rows)[:, None]
    return np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)


def _resampled(
    weights: Floats, there: Floats, centered: Floats, squares: Floats, variances: Floats
) -> Floats:
    """[row, contrast] |resampled mean - mean| over the resampled standard error."""
    n = weights @ there
    means = weights @ centered / np.maximum(n, 1)
    within = weights @ squares - n * means**2
    within /= np.maximum(n - 1, 1)
    flat = (within <= NO_SPREAD * variances) | (n < 2)
    size: Floats = np.abs(means) / np.sqrt(np.where(flat, 1.0, within) / np.maximum(n, 1))
    size[flat] = np.inf
    return size
