"""One mark per verdict, its shape and its colors: the same on the page, in figures and in the pictures of the docs.

The shape and the word tell verdicts apart; the color only helps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from lm_eval_sensitivity.stats.rules import INVALID_PROBE, UNDETERMINED

REFERENCE = "reference"
"""Stands where a verdict would: what drift is measured from."""

Outline = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Mark:
    """What stands for a verdict in a drawing."""

    outline: Outline
    """Corners around 0, 0, upwards as in a plot; about as large as a circle of radius 1."""
    light: str
    """On a light page; at least 4.5 times as dark."""
    dark: str
    """The same on a dark page."""
    is_hollow: bool = False

    @property
    def reach(self) -> float:
        """From the middle to the furthest coordinate."""
        return max(abs(each) for corner in self.outline for each in corner)

    def path(self, radius: float) -> str:
        """The `d` of an SVG path around 0, 0.

        Args:
            radius: in pixels, of a circle that is as large.

        Example:
            >>> MARKS["DRIFTED"].path(10)
            'M-9 9L9 9L9 -9L-9 -9Z'
        """
        corners = (f"{round(radius * x, 1):g} {round(-radius * y, 1):g}" for x, y in self.outline)
        return f"M{'L'.join(corners)}Z"


def _regular(n: int, *radii: float, turned: float = 90.0) -> Outline:
    """Corners at equal angles, the first one at `turned` degrees; radii take turns."""
    angles = (math.radians(turned + 360 * each / n) for each in range(n))
    return tuple(
        (
            round(radii[at % len(radii)] * math.cos(angle), 3),
            round(radii[at % len(radii)] * math.sin(angle), 3),
        )
        for at, angle in enumerate(angles)
    )


_CROSS = ((-1, -0.5), (-0.5, 0), (-1, 0.5), (-0.5, 1), (0, 0.5), (0.5, 1), (1, 0.5), (0.5, 0), (1, -0.5), (0.5, -1),
          (0, -0.5), (-0.5, -1))  # fmt: skip
_PLUS = ((-0.4, -1.1), (-0.4, -0.4), (-1.1, -0.4), (-1.1, 0.4), (-0.4, 0.4), (-0.4, 1.1), (0.4, 1.1), (0.4, 0.4),
         (1.1, 0.4), (1.1, -0.4), (0.4, -0.4), (0.4, -1.1))  # fmt: skip

MARKS: dict[str, Mark] = {
    REFERENCE: Mark(_regular(10, 1.5, 0.65), "#1b1f24", "#e6e9ed"),
    "STABLE": Mark(_regular(24, 1.0), "#1d5c94", "#79b8f2"),
    "DRIFTED": Mark(((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)), "#8a5a00", "#e8b04a"),
    "RESPONSIVE": Mark(((0, 1.15), (1.1, -0.85), (-1.1, -0.85)), "#6b3fa0", "#c9a8f5"),
    "COLLAPSED": Mark(((0, -1.15), (1.1, 0.85), (-1.1, 0.85)), "#9d1c3c", "#ff8fa3"),
    "INDISCRIMINATE": Mark(_CROSS, "#9a3412", "#f0a070"),
    UNDETERMINED: Mark(_regular(4, 1.25), "#57606b", "#a9b3bd", is_hollow=True),
    INVALID_PROBE: Mark(_PLUS, "#57606b", "#a9b3bd", is_hollow=True),
}
"""By label. A square is moved sideways, a triangle that points up moves more, one that points down has fallen."""


def mark_of(label: str) -> Mark:
    """The mark of a label; labels that are given without a reference have that of `UNDETERMINED`."""
    return MARKS.get(label, MARKS[UNDETERMINED])
