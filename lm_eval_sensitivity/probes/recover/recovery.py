"""From the distances of a pushed state to whether it came back: numpy alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

BACK = 0.1
"""A state is back below this share of the peak ..."""
HOLD = 5
"""... for so many steps in a row."""


@dataclass(frozen=True)
class Recovery:
    """What became of a state after its push."""

    peak: float
    """Largest relative distance."""
    peak_step: int
    """Steps after the push."""
    recovered: bool | None
    """None where there was no distance, or too few steps were seen after the peak to tell."""
    steps: int | None
    """From the peak to the first of `HOLD` steps below a tenth of it; None where not recovered."""
    half_life: int | None
    """Steps from the peak to the first distance of half of it or less; None where none was seen."""


def recovery_of(distances: ArrayLike) -> Recovery:
    """Peak, way back and half-life of one curve.

    Args:
        distances: [step after the push] |h' - h| / |h|, at least one.

    Returns:
        With None for what these steps cannot tell.

    Raises:
        ValueError: no step, or a distance that is not finite.

    Example:
        >>> recovery_of([1.0, 0.4, 0.05, 0.04, 0.03, 0.02, 0.01])
        Recovery(peak=1.0, peak_step=0, recovered=True, steps=2, half_life=1)
        >>> recovery_of([0.0, 0.0]).recovered is None, recovery_of([1.0, 0.0]).recovered is None
        (True, True)
    """
    curve = np.asarray(distances, dtype=np.float64)
    if curve.ndim != 1 or not len(curve) or not np.isfinite(curve).all():
        raise ValueError(f"finite distances [step] needed, got shape {curve.shape}")
    peak_step = int(np.argmax(curve))
    peak, after = float(curve[peak_step]), curve[peak_step + 1 :]
    if not peak > 0:
        return Recovery(0.0, 0, None, None, None)
    halved = np.flatnonzero(after <= peak / 2)
    half_life = int(halved[0]) + 1 if len(halved) else None
    if len(after) < HOLD:
        return Recovery(peak, peak_step, None, None, half_life)
    below = np.lib.stride_tricks.sliding_window_view(after < BACK * peak, HOLD).all(axis=1)
    steps = int(np.argmax(below)) + 1 if below.any() else None
    return Recovery(peak, peak_step, steps is not None, steps, half_life)
