"""Small rasters as SVG paths: neighboring cells of one shade become one stroke, and nothing needs an image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def shade_paths(shades: NDArray[np.int64], n_shades: int, *, upright: bool = False) -> tuple[str, ...]:
    """One path of strokes, one unit wide, for each shade from 1 on.

    Args:
        shades: [line, position], from 0 (drawn empty) to `n_shades`.
        n_shades: paths to return; a shade that does not occur has an empty one.
        upright: whether a line of the array is a column of the picture.

    Returns:
        [shade - 1] the `d` of an SVG path; empty for a shade that does not occur.

    Example:
        >>> shade_paths(np.array([[0, 1, 1], [2, 0, 1]]), 2)
        ('M1 .5h2M2 1.5h1', 'M0 1.5h1')
        >>> shade_paths(np.array([[0, 1, 1]]), 1, upright=True)
        ('M.5 1v2',)
    """
    strokes: list[list[str]] = [[] for _ in range(n_shades)]
    for line, positions in enumerate(shades):
        middle = f"{line or ''}.5"
        for shade, start, length in _runs(positions):
            if shade:
                stroke = f"M{middle} {start}v{length}" if upright else f"M{start} {middle}h{length}"
                strokes[shade - 1].append(stroke)
    return tuple("".join(each) for each in strokes)


def _runs(positions: NDArray[np.int64]) -> Iterator[tuple[int, int, int]]:
    """(value, start, length) of each run of equal values."""
    edges = np.flatnonzero(np.diff(positions)) + 1
    starts = np.concatenate([[0], edges])
    lengths = np.diff(np.concatenate([starts, [len(positions)]]))
    for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
        yield int(positions[start]), start, length


def points(values: NDArray[np.float64]) -> str:
    """The points of a line through [step] values, with the step as the horizontal coordinate.

    Returns:
        `step,value` with blanks between, as `points` of an SVG polyline; values to four places.

    Example:
        >>> points(np.array([0.5, 1.0, 0.33333333]))
        '0,0.5 1,1 2,0.3333'
    """
    return " ".join(f"{step},{round(value, 4):g}" for step, value in enumerate(values.tolist()))
