"""How unsteadily a path of states turns: length of a step times its turn, and what chance alone gives.

Only directions count: u_t = h_t / |h_t|, D_t = u_t - u_{t-1}. One number per step from the third on,

    ct_t = |D_t| (1 - cos(D_t, D_{t-1})),

and of these the mean and the ratio of the largest to the mean. The ratio grows with the number of states and is far
above 1 for states without any order, so that it is nothing without both nulls: the same states shuffled in time, and
isotropic Gaussian states. It also changes when one coordinate of a model is scaled and undone behind the norm, which is
why states are put on a robust scale first (`clipped`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

FEWEST_STATES = 4
"""Below it a largest number over a mean is of one number or none."""
STANDSTILL = 1e-6
"""A step of directions below this length has no direction, and counts as no turn."""
CLIP = 5.0
"""Robust standard deviations beyond which a coordinate of a state is cut off."""
TO_DEVIATION = 1.4826
"""Standard deviation of a normal distribution per median absolute deviation."""
LATE_SHARE = 0.1
"""Of the numbers of a path, counted from its end."""


@dataclass(frozen=True)
class Turning:
    """What one path of states gives."""

    mean: float
    """Of ct; 0 to 4, without a unit."""
    ratio: float
    """Largest ct over the mean; 1 or more. NaN below four states and where nothing moves."""
    late: float
    """Mean of ct over the last tenth of the path, rounded up."""
    p95_over_median: float
    """95th percentile of ct over its median; NaN where the median is 0."""


@dataclass(frozen=True, eq=False)
class Scale:
    """Where the states of a system lie and how far they spread, coordinate by coordinate."""

    center: Floats
    """[kept coordinate] median over the pool."""
    deviation: Floats
    """[kept coordinate] 1.4826 times the median absolute deviation."""
    kept: NDArray[np.intp]
    """[kept coordinate] which; the others do not vary and are left out."""


def turning(states: ArrayLike) -> Floats:
    """ct along a path of states.

    ct_t = |D_t| (1 - cos(D_t, D_{t-1})) with D_t = u_t - u_{t-1} and u_t = h_t / |h_t|; 0 where either step is shorter
    than `STANDSTILL`.

    Args:
        states: [step, width] one state for each generated token.

    Returns:
        [step - 2] from 0 (straight on, or at rest) to 4 (there and back between opposite directions), without a unit;
        empty below three states; NaN beside a state of length 0 or one that is not finite.

    Raises:
        ValueError: not [step, width].

    Source:
        The product of a step's length and its curvature, and its largest value over its mean, are of Bosange Batuli
        2026 (doi 10.5281/zenodo.20348878), who publishes neither factor; both are definitions of this project.

    Example:
        >>> turning([[1, 0], [0, 1], [1, 0], [0, 1]]).round(4).tolist()
        [2.8284, 2.8284]
        >>> turning([[1, 0], [2, 0], [3, 0]]).tolist()
        [0.0]
    """
    array = np.asarray(states, dtype=np.float64)
    if array.ndim != 2:
        raise ValueError(f"states must have shape [step, width], got {array.shape}")
    directions = _directions(array)
    steps = np.diff(directions, axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    return _turning(lengths[1:], lengths[:-1], np.einsum("td,td->t", steps[1:], steps[:-1]))


def _directions(states: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = states / np.linalg.norm(states, axis=1, keepdims=True)
    return found


def _turning(lengths: Floats, before: Floats, products: Floats) -> Floats:
    """ct of the length of each step, that of the step before it, and the inner product of the two."""
    moves = ~((lengths < STANDSTILL) | (before < STANDSTILL))  # NaN moves, and stays NaN
    with np.errstate(invalid="ignore", divide="ignore"):
        cosines = np.clip(products / (lengths * before), -1.0, 1.0)
    found: Floats = np.where(moves, lengths * (1.0 - cosines), 0.0)
    return found


def describe(ct: ArrayLike) -> Turning:
    """The four numbers of a path.

    Args:
        ct: [step - 2] from `turning`.

    Returns:
        Mean, ratio, late mean and spread; NaN where the path is too short, holds a NaN, or does not move.

    Example:
        >>> describe([1.0, 1.0, 1.0, 5.0])
        Turning(mean=2.0, ratio=2.5, late=5.0, p95_over_median=4.39...)
        >>> describe([0.0, 0.0]).ratio
        nan
    """
    values = np.asarray(ct, dtype=np.float64)
    if not len(values):
        return Turning(math.nan, math.nan, math.nan, math.nan)
    mean, median = float(values.mean()), float(np.median(values))
    n_late = math.ceil(LATE_SHARE * len(values))
    enough = len(values) + 2 >= FEWEST_STATES and mean > 0
    return Turning(
        mean,
        float(values.max()) / mean if enough else math.nan,
        float(values[-n_late:].mean()),
        float(np.quantile(values, 0.95)) / median if median > 0 else math.nan,
    )


def robust_scale(pool: Sequence[NDArray[Any]], columns: int = 256) -> Scale:
    """Median and median absolute deviation of every coordinate over all states of a system.

    Args:
        pool: for each output [step, width].
        columns: coordinates that are looked at together, which bounds the memory beside the pool.

    Returns:
        In the order of the coordinates; one whose deviation is 0 is left out.

    Raises:
        ValueError: no state at all.

    Example:
        >>> found = robust_scale([np.array([[0.0, 7.0], [1.0, 7.0]]), np.array([[2.0, 7.0]])])
        >>> found.center.tolist(), found.deviation.tolist(), found.kept.tolist()
        ([1.0], [1.4826], [0])
    """
    if not sum(map(len, pool)):
        raise ValueError("no state to take a scale from")
    width = pool[0].shape[1]
    centers, deviations = np.empty(width), np.empty(width)
    for start in range(0, width, columns):
        part = np.concatenate([each[:, start : start + columns] for each in pool]).astype(np.float64)
        center = np.median(part, axis=0)
        centers[start : start + columns] = center
        deviations[start : start + columns] = TO_DEVIATION * np.median(np.abs(part - center), axis=0)
    kept = np.flatnonzero(deviations > 0)
    return Scale(centers[kept], deviations[kept], kept)


def clipped(states: NDArray[Any], scale: Scale) -> Floats:
    """States on a robust scale: each coordinate minus its median, in robust standard deviations, cut off at 5.

    Scaling a coordinate by any factor changes nothing, because the scale of the pool goes with it.

    Args:
        states: [step, width]
        scale: from `robust_scale` over all states of the system.

    Returns:
        [step, kept coordinate] from -5 to 5.

    Example:
        >>> clipped(np.array([[1.0], [100.0]]), Scale(np.array([1.0]), np.array([2.0]), np.array([0]))).tolist()
        [[0.0], [5.0]]
    """
    kept = states[:, scale.kept].astype(np.float64)
    return np.clip((kept - scale.center) / scale.deviation, -CLIP, CLIP)


def shuffled(states: ArrayLike, shuffles: int, generator: np.random.Generator) -> tuple[float, float]:
    """What the same states give in random order: the part of both numbers that is not order in time.

    Args:
        states: [step, width]
        shuffles: random orders.
        generator: of the orders.

    Returns:
        (mean of ct, ratio), each the mean over the orders; NaN where a path has none.

    Example:
        >>> mean, ratio = shuffled([[1, 0], [0, 1], [1, 0], [0, 1]], 10, np.random.default_rng(0))
        >>> bool(mean < turning([[1, 0], [0, 1], [1, 0], [0, 1]]).mean())
        True
    """
    array = np.asarray(states, dtype=np.float64)
    n_states = len(array)
    if n_states < FEWEST_STATES or not np.isfinite(array).all():
        return math.nan, math.nan
    directions = _directions(array)
    # Inner products are all that an order needs, and every order shares them.
    products = directions @ directions.T
    orders = np.argsort(generator.random((shuffles, n_states)), axis=1)
    first, second, third = orders[:, :-2], orders[:, 1:-1], orders[:, 2:]
    last, before, across = products[second, third], products[first, second], products[first, third]
    lengths, lengths_before = (np.sqrt(np.maximum(2.0 - 2.0 * each, 0.0)) for each in (last, before))
    return _mean_and_ratio(_turning(lengths, lengths_before, last + before - across - 1.0))


def isotropic(
    n_states: Sequence[int], width: int, draws: int, seed: int = 0
) -> dict[int, tuple[float, float]]:
    """What states without any structure give: independent Gaussian vectors. In high dimension |D| nears sqrt 2 and
    1 - cos nears 3/2, so that the mean nears 2.12 and the ratio 1.

    Args:
        n_states: lengths of paths.
        width: of a state.
        draws: random paths.
        seed: of the paths; those of different lengths begin alike.

    Returns:
        By length (mean of ct, ratio), each the mean over the paths.

    Example:
        >>> mean, ratio = isotropic([64], 512, 4)[64]
        >>> print(f"{mean:.1f} {ratio:.1f}")
        2.1 1.1
    """
    generator = np.random.default_rng(seed)
    longest = max(n_states, default=0)
    if longest < FEWEST_STATES:
        return dict.fromkeys(n_states, (math.nan, math.nan))
    ct = np.stack([turning(generator.standard_normal((longest, width))) for _ in range(draws)])
    return {
        each: _mean_and_ratio(ct[:, : each - 2]) if each >= FEWEST_STATES else (math.nan, math.nan)
        for each in sorted(set(n_states))
    }


def _mean_and_ratio(ct: Floats) -> tuple[float, float]:
    """Over [path, step]."""
    means = ct.mean(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = np.where(means > 0, ct.max(axis=1) / means, math.nan)
    return float(means.mean()), float(ratios.mean())
