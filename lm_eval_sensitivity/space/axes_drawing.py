"""The drawing of two axes: marks with their intervals, names beside them, lines between the verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lm_eval_sensitivity.report.labels import beside
from lm_eval_sensitivity.report.plane import Plane, place_of, plane_of
from lm_eval_sensitivity.space.svg import Point, Scale
from lm_eval_sensitivity.statements.records import DriftStatement, SystemDrift
from lm_eval_sensitivity.stats import Interval

TOP, BOTTOM = 46, 44
"""Room for the values of the mark that is looked at, and for the axis."""
INSET = 14
"""Pixels between each axis and 0, so that a mark at 0 stands clear of it."""
NAME_HEIGHT = 17


@dataclass(frozen=True)
class Sheet:
    """A size to draw at: a drawing that is only made smaller cannot be read on a phone."""

    name: str
    """`wide` or `narrow`, the class that shows it."""
    width: int
    height: int
    left: int
    names: int
    """Pixels of the column of names."""
    letters: int
    """Of a name; the table has all of them."""

    @property
    def right(self) -> int:
        """Right end of the plane."""
        return self.width - self.names


SHEETS = (Sheet("wide", 960, 440, 58, 250, 34), Sheet("narrow", 350, 400, 40, 112, 13))


@dataclass(frozen=True)
class Whisker:
    """The line of an interval."""

    low: float
    high: float
    goes_on: bool
    """Beyond the axis, which an arrow says."""


@dataclass(frozen=True)
class Mark:
    """One system."""

    row: SystemDrift
    at: Point
    across: Whisker | None
    up: Whisker | None
    name_at: Point
    """Left end of its name, where its line ends."""


@dataclass(frozen=True)
class Drawing:
    """All systems at one size."""

    sheet: Sheet
    plane: Plane
    across: Scale
    up: Scale
    marks: tuple[Mark, ...]

    @property
    def bottom(self) -> int:
        """Pixels from the top to the lower end of the plane."""
        return self.sheet.height - BOTTOM


def drawings_of(found: DriftStatement, rows: Sequence[SystemDrift]) -> tuple[Drawing, ...]:
    """The plane at every size.

    Args:
        found: beside a reference.
        rows: its systems, in the order in which the keyboard reaches them.

    Returns:
        One drawing per sheet, with those systems that have both numbers.
    """
    plane = plane_of(found)
    return tuple(_drawing(sheet, plane, rows) for sheet in SHEETS)


def _drawing(sheet: Sheet, plane: Plane, rows: Sequence[SystemDrift]) -> Drawing:
    placed = [(row, place) for row in rows if (place := place_of(row)) is not None]
    # Names need room of their own where there are many systems.
    height = max(sheet.height, TOP + BOTTOM + NAME_HEIGHT * len(placed))
    sheet = replace(sheet, height=height)
    across = Scale(0.0, plane.across, sheet.left + INSET, sheet.right)
    up = Scale(0.0, plane.up, sheet.height - BOTTOM - INSET, TOP)
    points = [Point(across(p), up(b)) for _, (p, b) in placed]
    x = sheet.right + 14.0
    heights = beside(
        [(point.x, point.y) for point in points],
        [NAME_HEIGHT] * len(points),
        x,
        TOP,
        sheet.height - BOTTOM + 8,
    )
    marks = tuple(
        Mark(
            row,
            point,
            _whisker(row.preserving.mean, across),
            None if row.drift is None else _whisker(row.drift.mean, up),
            Point(x, round(y, 1)),
        )
        for (row, _), point, y in zip(placed, points, heights, strict=True)
    )
    return Drawing(sheet, plane, across, up, marks)


def _whisker(mean: Interval, scale: Scale) -> Whisker | None:
    if not mean.upper >= mean.lower:
        return None
    return Whisker(scale(mean.lower), scale(mean.upper), mean.upper > scale.high)
