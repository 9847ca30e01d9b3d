"""A grid of cells that pass on what they hold: one number decides whether a ripple dies out or takes over."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIZE = 21
"""Cells in a row and in a column."""
FRAMES = 60
"""Steps after which a ripple is judged."""
GAIN_LOW, GAIN_HIGH, GAIN_STEP = 0.7, 1.4, 0.05
SHADES = (0.005, 0.05, 0.2, 0.6)
"""What a cell holds from which it has the first, second, ... shade. Below the first it is drawn empty."""

Grid = NDArray[np.float64]


def ripple_step(grid: Grid, gain: float) -> Grid:
    """One step: every cell becomes `gain` times the mean of itself and its four neighbors, at most 1.

    At an edge the cell itself stands in for the neighbor it lacks, so that nothing leaks out: as long as no
    cell is full, the total is multiplied by exactly the gain.

    Args:
        grid: [row, column], from 0 to 1.
        gain: not negative.

    Returns:
        [row, column], from 0 to 1, a new grid.

    Example:
        >>> grid = ripple(0.5, 10, 10, steps=1)[1]
        >>> round(float(grid.sum()), 12), float(grid[10, 10]), float(grid[9, 10]), float(grid[9, 9])
        (0.5, 0.1, 0.1, 0.0)
    """
    around = np.pad(grid, 1, mode="edge")
    above, below, left, right = around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:]
    # The order of the sum is that of the page's script: both give the same bits.
    mean = (grid + above + below + left + right) / 5
    return np.minimum(gain * mean, 1.0)


def ripple(gain: float, row: int = SIZE // 2, column: int = SIZE // 2, steps: int = FRAMES) -> Grid:
    """A ripple from one cell, filled to 1, in a grid that holds nothing else.

    Args:
        gain: not negative.
        row: of the cell that is touched.
        column: of the same.
        steps: how often the rule is applied.

    Returns:
        [step, row, column], steps + 1 grids; the first is the one that was just touched.
    """
    grids = np.zeros((steps + 1, SIZE, SIZE))
    grids[0, row, column] = 1.0
    for step in range(steps):
        grids[step + 1] = ripple_step(grids[step], gain)
    return grids


def shades(grid: Grid) -> NDArray[np.int64]:
    """Shade of each cell.

    Args:
        grid: [row, column], from 0 to 1.

    Returns:
        [row, column], from 0 (drawn empty) to len(SHADES).

    Example:
        >>> shades(np.array([[0.0, 0.05, 1.0]])).tolist()
        [[0, 2, 4]]
    """
    return np.searchsorted(np.array(SHADES), grid, side="right").astype(np.int64)
