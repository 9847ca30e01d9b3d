"""How narrowly each greedy token won: the margin between the two largest logits.

A margin diagnoses the step at which two outputs part (it is small there); it hardly predicts one
step ahead. In bfloat16 one unit in the last place of a logit between 16 and 32 is 0.125, so that
margins below that are a coin toss of the arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lm_eval_sensitivity.metrics.catalogue import MetricCard, register

register(
    MetricCard(
        name="margin_min",
        what="Smallest margin of the largest over the second largest logit in one output.",
        family="distributions",
        low=0,
        high=math.inf,
        direction="larger = more certain",
        unit="nats",
        needs=("step log-probabilities",),
        source="this project: minimum over steps of log p_(1) - log p_(2)",
        formula="min_t log p_(1) - log p_(2)",
        scope="prompt",
        filters=("raw",),
        recorded_in="margins.base.margin_min",
        beside=(
            ("margin_min_variant", float, "margin_min of the variant; margin_min is the base's."),
            (
                "margin_at_divergence",
                float,
                "Margin of the base at the step where the outputs part, in nats.",
            ),
            ("margin_at_divergence_variant", float, "Margin of the variant at that step, in nats."),
        ),
        computed_by="metrics.margins.margin_statistics",
    )
)

LOW_MARGIN_THRESHOLDS_NATS = (0.125, 0.25, 0.5, 1.0, 2.0)
"""Grid of tau: the bfloat16 step of a typical logit, doubled up to a probability ratio of e^2."""


@dataclass(frozen=True)
class MarginStatistics:
    """Margins of one output. All numbers are nan where there is no step or a margin is NaN."""

    margin_min: float
    """Smallest margin (nats)."""
    margin_min_step: int | None
    """0-based step of the smallest margin, the first of several; None if undefined."""
    margin_median: float
    """Median margin (nats)."""
    n_steps: int
    n_tied: int
    """Steps with a margin of exactly 0: the argmax was decided by the order of the vocabulary."""
    low_margin_density: tuple[float, ...]
    """Share of steps with a margin below each of `LOW_MARGIN_THRESHOLDS_NATS`."""


def _as_margins(margins: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(margins, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"margins must have shape [step], got {array.shape}")
    return array


def margin_statistics(margins: ArrayLike) -> MarginStatistics:
    """The margins of one output in six numbers.

    Formula: m_t = z_(1) - z_(2) = log p_(1) - log p_(2) at step t; minimum, median, exact zeros, and
        the share of steps with m_t < tau on a fixed grid.
    Range: margins are >= 0, shares in [0, 1]; a smaller margin is a closer decision. Unit: nats, steps.
    Empty: nan, None and 0 steps. A NaN margin (logits that were not finite) makes the numbers nan;
        an infinite one (a single token allowed) is an ordinary, safe step.
    Identical: equal margins give their common value as minimum and median.
    Source: this project.

    Args:
        margins: [step] largest minus second largest logit.

    Returns:
        All numbers; see `MarginStatistics`.

    Raises:
        ValueError: the shape is not [step].

    Example:
        >>> statistics = margin_statistics([2.0, 0.0, 0.2, 5.0])
        >>> statistics.margin_min, statistics.margin_min_step, statistics.n_tied, statistics.margin_median
        (0.0, 1, 1, 1.1)
        >>> statistics.low_margin_density
        (0.25, 0.5, 0.5, 0.5, 0.5)
    """
    array = _as_margins(margins)
    density = tuple(low_margin_density(array, LOW_MARGIN_THRESHOLDS_NATS).tolist())
    n_tied = int(np.count_nonzero(array == 0))
    if array.size == 0 or np.isnan(array).any():
        return MarginStatistics(math.nan, None, math.nan, array.size, n_tied, density)
    step = int(array.argmin())
    return MarginStatistics(
        margin_min=float(array[step]),
        margin_min_step=step,
        margin_median=float(np.median(array)),
        n_steps=array.size,
        n_tied=n_tied,
        low_margin_density=density,
    )


def low_margin_density(margins: ArrayLike, thresholds: Sequence[float]) -> NDArray[np.float64]:
    """Share of steps that were decided by less than tau, as a curve over tau.

    Formula: B(tau) = |{t : m_t < tau}| / T. Strictly below: a threshold of 0 counts nothing.
    Range: [0, 1], never falling in tau; larger = more close decisions. Unit of tau: nats.
    Empty: nan at every threshold without a step, or where a margin is NaN.
    Identical: a step from 0 to 1 just above the common margin.
    Source: this project.

    Args:
        margins: [step] largest minus second largest logit.
        thresholds: [threshold] values of tau, in any order.

    Returns:
        float64 array [threshold].

    Raises:
        ValueError: the shape of `margins` is not [step].

    Example:
        >>> low_margin_density([0.0, 0.2, 2.0, 5.0], [0.1, 1.0, 10.0]).tolist()
        [0.25, 0.5, 1.0]
    """
    array = _as_margins(margins)
    if array.size == 0 or np.isnan(array).any():
        return np.full(len(thresholds), np.nan)
    below = np.searchsorted(np.sort(array), np.asarray(thresholds, dtype=np.float64), side="left")
    return below.astype(np.float64) / array.size


def margin_at_divergence(margins: ArrayLike, first_divergence_step: int | None) -> float:
    """How narrowly the token won at which two outputs part.

    Formula: m_t* with t* = `first_divergence(...).step` (0-based), on the side whose margins are given.
    Range: [0, inf]; smaller = the branch was a closer decision. Unit: nats.
    Empty: nan when the outputs do not part, and when this side had already ended at t*.
    Identical: nan, there is no branch.
    Source: this project.

    Args:
        margins: [step] margins of one side.
        first_divergence_step: 0-based step, counted from the first of `margins`, or None.

    Returns:
        A float in [0, inf] (nats), or nan.

    Raises:
        ValueError: the shape of `margins` is not [step].

    Example:
        >>> margin_at_divergence([3.0, 0.5, 4.0], 1)
        0.5
        >>> margin_at_divergence([3.0, 0.5, 4.0], None)
        nan
    """
    array = _as_margins(margins)
    if first_divergence_step is None or not 0 <= first_divergence_step < array.size:
        return math.nan
    return float(array[first_divergence_step])
