"""Intervals over prompts: half and corner points for bounded distances, the bootstrap-t for all else.

Distances of prompts are often 0, and a bootstrap-t of such numbers covers 0.71 at 24 prompts of which 90 % are 0, where
0.95 is promised, with bounds above the largest distance there is. Half points are the Bayesian bootstrap (Rubin 1981)
with half an observation at 0 and half a one at the largest value (after Gaffke 2005; Learned-Miller and Thomas,
arXiv 1905.06208; Phan et al., arXiv 2106.03163): for numbers that are all 0 or 1 it is the Jeffreys interval (Brown,
Cai and DasGupta 2001), its bounds never leave the range, and its coverage is recorded in docs/validation.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from lm_eval_sensitivity.stats.sample import (
    ROUNDING,
    Floats,
    has_spread,
    read_only,
    sorted_sample,
    too_few_prompts,
)

RESAMPLES = 9_999
"""So that (resamples + 1) times 0.025 and 0.05 are whole numbers: quantiles are order statistics."""

FEWEST_RESAMPLES, MOST_RESAMPLES = 99, 1_000_000
"""That a command or a file may ask for, of resamples and of sign draws: below, an interval has no quantile to stand on;
above, one number takes minutes."""

NO_SPREAD = 1e-10
"""A resample whose variance is below this share of the sample's consists of one value, up to rounding."""

Method = Literal["half-point", "corner-point", "bootstrap-t", "student-t", "none"]
Sides = Literal["two-sided", "one-sided"]


@dataclass(frozen=True)
class Interval:
    """An estimate and how far it may be off. NaN where it cannot be computed, with a reason."""

    estimate: float
    """Mean over prompts; NaN below `MIN_PROMPTS` prompts."""
    lower: float
    upper: float
    level: float
    """Confidence, of the two bounds together (two-sided) or of each alone (one-sided)."""
    sides: Sides
    n: int
    """Prompts with a number."""
    method: Method
    """`half-point`, `corner-point`: of a mean and of a difference with a largest value. `student-t`: of a number
    without one, where the bootstrap-t is degenerate: so many resamples consist of one repeated value (as with few
    prompts, most of them 0) that the quantile it needs is infinite."""
    resamples: int
    """Or random weightings; 0 where none were used."""
    seed: int
    reason: str | None
    """Why there are no bounds, or None."""


def largest_value(values: ArrayLike, high: float) -> float | None:
    """The largest value that a prompt's distance is taken to have: where the upper half point stands.

    Args:
        values: distances, in any shape; NaN where there is none.
        high: largest value of the metric, infinite where it has none.

    Returns:
        1, or `high` where that is smaller, or the largest of the distances where that is larger. None without a largest
        value. Also for means of several pairs: the largest pair that was seen does not stand for those that were not,
        and with it their intervals cover as little as 0.69.

    Example:
        >>> largest_value([[0.1, 0.0], [0.4, 0.2]], 2), largest_value([0.1, 1.4], 2), largest_value([0.1], math.inf)
        (1.0, 1.4, None)
    """
    if math.isinf(high):
        return None
    return float(np.fmax.reduce(np.asarray(values, dtype=np.float64), axis=None, initial=min(1.0, high)))


def mean_interval(
    values: ArrayLike,
    *,
    largest: float | None = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Equal-tailed interval of a mean over prompts: half points, or the bootstrap-t where there is no largest value.

    Half points: quantiles of sum_i w_i x_i + w_M M over random weights (w_1, ..., w_n, w_0, w_M) from a Dirichlet
    distribution with parameters (1, ..., 1, 1/2, 1/2): the prompts, half a point at 0 and half a one at M.
    Equal tails because distances are skewed: the interval reaches further up than down.

    Args:
        values: [prompt] prompt-level numbers; NaN for prompts without one.
        largest: M, the largest value that a prompt can have, from `largest_value`; the smallest is 0. None where
            there is none.
        level: confidence of the interval.
        resamples: number of bootstrap samples of prompts, or of random weights.
        seed: of the resamples; the same seed gives the same bytes in any order of prompts.

    Returns:
        Estimate and bounds in the unit of `values`; NaN with a reason below `MIN_PROMPTS` prompts and, without a
        largest value, without spread.

    Raises:
        ValueError: not [prompt], infinite values, values outside 0 to `largest`, or too few resamples for the level.

    Example:
        >>> found = mean_interval([0.0] * 20 + [0.05, 0.2, 0.5, 0.9], largest=1.0)
        >>> print(f"{found.estimate:.3f} [{found.lower:.3f}, {found.upper:.2f}] {found.method}")
        0.069 [0.021, 0.20] half-point
        >>> mean_interval([0.1, 0.2, 0.1, 0.4, 0.3, 0.2]).method
        'bootstrap-t'
        >>> mean_interval([0.1, 0.2, 0.3]).reason
        '3 prompts have a number, at least 5 are needed.'
    """
    tail = (1 - level) / 2
    if largest is None:
        return _interval(values, level, tail, "equal", "two-sided", resamples, seed)
    return _half_points(values, largest, level, tail, "two-sided", resamples, seed)


def one_sided_bounds(
    values: ArrayLike,
    *,
    largest: float | None = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """A lower and an upper bound of a mean, each alone at the level.

    With a largest value by half points, the lower bound with the one at 0 only, the upper with the one at the largest
    value only; else by the bootstrap-t.

    Args:
        values: [prompt] prompt-level numbers; NaN for prompts without one.
        largest: as of `mean_interval`.
        level: confidence of each bound.
        resamples: number of bootstrap samples of prompts, or of random weights.
        seed: of the resamples.

    Returns:
        Bounds in the unit of `values`, either of them at the level; NaN with a reason where `mean_interval` has none.

    Raises:
        ValueError: not [prompt], infinite values, values outside 0 to `largest`, or too few resamples for the level.

    Example:
        >>> one_sided_bounds([0.1, 0.2, 0.1, 0.4, 0.3, 0.2]).lower > 0
        True
        >>> found = one_sided_bounds([0.0] * 24, largest=1.0)
        >>> print(f"{found.lower:g} {found.upper:.2f}")
        0 0.08
    """
    if largest is None:
        return _interval(values, level, 1 - level, "equal", "one-sided", resamples, seed)
    return _half_points(values, largest, level, 1 - level, "one-sided", resamples, seed)


def difference_interval(
    values: ArrayLike,
    *,
    largest: float | None = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Interval of a mean of paired differences: corner points, or the symmetric bootstrap-t without a largest value.

    Corner points are made as half points are, with a quarter point at -M, a quarter at M and half a point at 0, where
    neither system or both are at an end. The bootstrap-t is no part of them: where one system moves rarely and far and
    the other often and little, it covers as little as 0.48. Without a largest value it is all there is, and symmetric
    (quantiles of |t|) because differences of two systems have heavy tails on both sides, where equal tails chase a
    skewness that is not there.

    Args:
        values: [prompt] prompt-level differences; NaN for prompts without one.
        largest: M, the largest value that a prompt of either system can have; None where there is none.
        level: confidence of the interval.
        resamples: number of bootstrap samples of prompts, or of random weights.
        seed: of the resamples.

    Returns:
        Estimate and bounds in the unit of `values`; NaN with a reason below `MIN_PROMPTS` prompts and, without a
        largest value, without spread.

    Raises:
        ValueError: not [prompt], infinite values, values outside -`largest` to `largest`, or too few resamples for
            the level.

    Example:
        >>> found = difference_interval([0.1, -0.2, 0.1, 0.0, 0.3, -0.2])
        >>> round(found.upper - found.estimate, 6) == round(found.estimate - found.lower, 6)
        True
        >>> difference_interval([0.0] * 9, largest=1.0).method
        'corner-point'
        >>> difference_interval([0.0] * 9).reason
        'All 9 prompts have the same number, 0: without spread there is no interval.'
    """
    if largest is None:
        return _interval(values, level, 1 - level, "symmetric", "two-sided", resamples, seed)
    tail = (1 - level) / 2
    _check_quantile(level, tail, resamples)
    sample, largest = _in_range(values, -1.0, largest)
    n = len(sample)
    if reason := too_few_prompts(n):
        return Interval(math.nan, math.nan, math.nan, level, "two-sided", n, "none", 0, seed, reason)
    weights = point_weights(n, resamples, seed)
    means = _weighted(sample, weights) + largest * (weights[:, n + 3] - weights[:, n + 2])
    estimate = float(sample.mean())
    bounds = _around(estimate, *_cut_off(means, tail), -largest, largest)
    return Interval(estimate, *bounds, level, "two-sided", n, "corner-point", resamples, seed, None)


@lru_cache(maxsize=4)
def point_weights(n: int, resamples: int, seed: int) -> Floats:
    """[resample, n + 4] random weights of the prompts, counted from the smallest value, and of four quarter points.

    Args:
        n: prompts.
        resamples: random weightings.
        seed: of the weights.

    Returns:
        [resample, n + 4] Dirichlet weights with parameters (1, ..., 1, 1/4, 1/4, 1/4, 1/4), locked: standard gammas
        over their sum. The sum of two quarter points is half a point.
    """
    generator = np.random.default_rng(seed)
    gammas = np.hstack(
        [generator.standard_exponential((resamples, n)), generator.standard_gamma(0.25, (resamples, 4))]
    )
    gammas /= gammas.sum(axis=1, keepdims=True)
    return read_only(gammas)


@lru_cache(maxsize=8)  # all contrasts of a table have the same few n
def resample_indices(n: int, resamples: int, seed: int) -> NDArray[np.intp]:
    """[resample, n] which prompt, counted from the smallest value, stands where in which resample.

    Args:
        n: prompts.
        resamples: bootstrap samples of them.
        seed: of the samples.

    Returns:
        [resample, n] positions in the sorted sample, locked.
    """
    indices = np.random.default_rng(seed).integers(0, n, (resamples, n), dtype=np.intp)
    indices.setflags(write=False)
    return indices


def studentised_means(sample: Floats, indices: NDArray[np.intp]) -> Floats:
    """[resample] (resampled mean - mean) / resampled standard error; infinite without spread.

    Args:
        sample: [prompt] numbers that differ.
        indices: [resample, n] from `resample_indices`.

    Returns:
        [resample] without a unit, in the order of the resamples.
    """
    centered = sample - sample.mean()
    resampled = centered[indices]
    means = resampled.mean(axis=1)
    variances = resampled.var(axis=1, ddof=1)
    flat = variances <= NO_SPREAD * centered.var(ddof=1)
    errors = np.sqrt(np.where(flat, 1.0, variances) / len(sample))
    studentised: Floats = np.where(flat, np.copysign(np.inf, means), means / errors)
    return studentised


def _half_points(
    values: ArrayLike, largest: float, level: float, tail: float, sides: Sides, resamples: int, seed: int
) -> Interval:
    _check_quantile(level, tail, resamples)
    sample, largest = _in_range(values, 0.0, largest)
    n = len(sample)
    if reason := too_few_prompts(n):
        return Interval(math.nan, math.nan, math.nan, level, sides, n, "none", 0, seed, reason)
    weights = point_weights(n, resamples, seed)
    at_0, at_largest = weights[:, n] + weights[:, n + 1], weights[:, n + 2] + weights[:, n + 3]
    prompts = _weighted(sample, weights)
    if sides == "two-sided":
        lower, upper = _cut_off(prompts + largest * at_largest, tail)
    else:
        lower, _ = _cut_off(prompts / (1 - at_largest), tail)
        _, upper = _cut_off((prompts + largest * at_largest) / (1 - at_0), tail)
    estimate = float(sample.mean())
    bounds = _around(estimate, lower, upper, 0.0, largest)
    return Interval(estimate, *bounds, level, sides, n, "half-point", resamples, seed, None)


def _in_range(values: ArrayLike, low: float, largest: float) -> tuple[Floats, float]:
    """The sorted sample, whose smallest possible value is `low` times the largest; means may exceed it by rounding."""
    sample = sorted_sample(values)
    reach = largest * (1 + ROUNDING)
    if not 0 < largest < math.inf or (len(sample) and not low * reach <= sample[0] <= sample[-1] <= reach):
        raise ValueError(
            f"values from {low * largest:g} to {largest:g} needed, got {sample[:1]} to {sample[-1:]}"
        )
    return sample, max(largest, float(np.abs(sample).max(initial=0.0)))


def _weighted(sample: Floats, weights: Floats) -> Floats:
    """[resample] not by a matrix product, whose last bits depend on the number of threads."""
    total: Floats = (weights[:, : len(sample)] * sample).sum(axis=1)
    return total


def _cut_off(means: Floats, tail: float) -> tuple[float, float]:
    """The order statistics that cut off the tail on either side."""
    return _quantiles(np.sort(means), _rank(len(means), tail), "equal")


def _around(estimate: float, lower: float, upper: float, low: float, high: float) -> tuple[float, float]:
    """Bounds that hold the estimate, inside the range: what is all 0 has no lower bound above 0."""
    return max(min(lower, estimate), low), min(max(upper, estimate), high)


def _rank(resamples: int, tail: float) -> int:
    return math.floor((resamples + 1) * tail + 1e-9)


def _check_quantile(level: float, tail: float, resamples: int) -> None:
    if not 0.5 < level < 1 or _rank(resamples, tail) < 1:
        raise ValueError(
            f"`level` is {level}, `resamples` {resamples}: no such quantile; take more resamples"
        )


def _interval(
    values: ArrayLike,
    level: float,
    tail: float,
    shape: Literal["equal", "symmetric"],
    sides: Sides,
    resamples: int,
    seed: int,
) -> Interval:
    _check_quantile(level, tail, resamples)
    sample = sorted_sample(values)
    n, k = len(sample), _rank(resamples, tail)
    reason = too_few_prompts(n)
    estimate = math.nan if reason else float(sample.mean())
    if reason is None and not has_spread(sample):
        reason = f"All {n} prompts have the same number, {estimate:.4g}: without spread there is no interval."
    if reason:
        return Interval(estimate, math.nan, math.nan, level, sides, n, "none", 0, seed, reason)
    distribution = np.sort(studentised_means(sample, resample_indices(n, resamples, seed)))
    low, high = _quantiles(distribution, k, shape)
    method: Method = "bootstrap-t" if math.isfinite(low) and math.isfinite(high) else "student-t"
    if method == "student-t":
        high = float(stdtrit(n - 1, 1 - (tail / 2 if shape == "symmetric" else tail)))
        low = -high
    error = float(sample.std(ddof=1)) / math.sqrt(n)
    bounds = estimate - high * error, estimate - low * error
    return Interval(estimate, *bounds, level, sides, n, method, resamples, seed, None)


def _quantiles(distribution: Floats, k: int, shape: Literal["equal", "symmetric"]) -> tuple[float, float]:
    """The k-th smallest and largest; or plus and minus the k-th largest of the absolute values."""
    if shape == "symmetric":
        high = float(np.sort(np.abs(distribution))[-k])
        return -high, high
    return float(distribution[k - 1]), float(distribution[-k])
