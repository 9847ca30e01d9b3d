"""The logistic map x -> r x (1 - x): one rule, one knob, and two starts that part or stay together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

R_LOW, R_HIGH = 2.5, 4.0
"""The knob's ends. Below 2.5 nothing new happens; above 4 the values leave the interval from 0 to 1."""
R_STEP = 0.01
R_DEFAULT = 3.7

START, NUDGE = 0.4, 1e-6
"""Where the two trajectories start: at START, and NUDGE above it."""
STEPS = 60
PARTED = 0.1
"""The two count as parted at the first step at which they are further apart than this."""

COLUMNS, ROWS = 300, 160
"""Cells of the bifurcation diagram."""
TRANSIENT, KEPT = 1_000, 800
SHADES = (1 / KEPT, 0.006, 0.02)
"""The share of visits from which a cell has the first, second and third shade: the first is any visit at all."""

STRETCH_TRANSIENT, STRETCH_STEPS = 500, 2_000

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Trajectories:
    """Two runs of one system from two starts."""

    r: float
    first: Floats
    """[step], from START; the start itself is step 0."""
    second: Floats
    """[step], from START + NUDGE."""
    gap: Floats
    """[step] absolute difference of the two, from 0 to 1."""
    parted_at: int | None
    """First step with a gap above PARTED; None if there is none among these steps."""
    stretch: float
    """What a step multiplies a very small gap by, on average: from `stretch_per_step`."""


def trajectory(r: ArrayLike, start: ArrayLike, steps: int) -> Floats:
    """The values x_0 = start, x_1, ..., x_steps of x -> r x (1 - x).

    Args:
        r: from 0 to 4, of any shape.
        start: from 0 to 1, of a shape that broadcasts with `r`.
        steps: how often the rule is applied.

    Returns:
        [step, ...], steps + 1 rows; each value from 0 to 1.

    Example:
        >>> [float(x) for x in trajectory(2.0, 0.25, 2)]
        [0.25, 0.375, 0.46875]
    """
    r, x = np.broadcast_arrays(np.asarray(r, np.float64), np.asarray(start, np.float64))
    values = np.empty((steps + 1, *x.shape))
    values[0] = x
    for step in range(steps):
        # The order of these three operations is that of the page's script: both give the same bits.
        values[step + 1] = r * values[step] * (1 - values[step])
    return values


def two_trajectories(r: float) -> Trajectories:
    """Two starts, NUDGE apart, in the system with this r.

    Args:
        r: from 0 to 4.

    Returns:
        Both runs over `STEPS` steps, and when they part.

    Example:
        >>> two_trajectories(2.8).parted_at, two_trajectories(4.0).parted_at
        (None, 18)
    """
    both = trajectory(r, np.array([START, START + NUDGE]), STEPS)
    gap = np.abs(both[:, 0] - both[:, 1])
    parted = np.flatnonzero(gap > PARTED)
    return Trajectories(
        r, both[:, 0], both[:, 1], gap, int(parted[0]) if parted.size else None, stretch_per_step(r)
    )


def stretch_per_step(r: float) -> float:
    """What one step multiplies a very small gap by, as the geometric mean over a long run: exp of Lyapunov.

    The Lyapunov exponent is the mean of ln |f'(x)| = ln |r (1 - 2x)| along the run.

    Args:
        r: from 0 to 4.

    Returns:
        A factor, 0 or more: below 1 small gaps shrink, above 1 they grow; 0 where the run visits x = 1/2, where the
        slope is 0.

    Example:
        >>> round(stretch_per_step(2.5), 6)    # the slope at the fixed point is 2 - r
        0.5
    """
    x = trajectory(r, START, STRETCH_TRANSIENT + STRETCH_STEPS)[STRETCH_TRANSIENT + 1 :]
    with np.errstate(divide="ignore"):  # a slope of 0 is a stretch of 0, which exp(-inf) is
        return float(np.exp(np.mean(np.log(np.abs(r * (1 - 2 * x))))))


def column_r() -> Floats:
    """The r in the middle of each column of the diagram.

    Returns:
        [column], between `R_LOW` and `R_HIGH`.
    """
    return R_LOW + (np.arange(COLUMNS) + 0.5) * (R_HIGH - R_LOW) / COLUMNS


def bifurcation() -> NDArray[np.int64]:
    """How densely each system visits each value once its start is forgotten.

    Returns:
        [column, row] shade from 0 (never visited) to len(SHADES). A column is one system, with r from
        `column_r`, which has run TRANSIENT steps before its next KEPT values are looked at; row 0 holds the
        values just below 1, the last row those just above 0.
    """
    # Every column starts from 0.4, which is no fixed point of any of them and never leads exactly to 0.
    values = trajectory(column_r(), START, TRANSIENT + KEPT)[TRANSIENT + 1 :]
    rows = np.clip(((1 - values) * ROWS).astype(np.int64), 0, ROWS - 1)
    cells = rows + np.arange(COLUMNS) * ROWS
    visits = np.bincount(cells.ravel(), minlength=COLUMNS * ROWS).reshape(COLUMNS, ROWS)
    return np.searchsorted(np.array(SHADES) - 1e-9, visits / KEPT, side="right").astype(np.int64)
