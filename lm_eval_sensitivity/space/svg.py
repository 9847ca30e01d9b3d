"""Scales and ticks of the small drawings; the templates draw."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from lm_eval_sensitivity.text.format import in_print

SMALLEST = 1e-300
"""Reach of the shortest scale: steps far below it have no floating-point number."""


@dataclass(frozen=True)
class Tick:
    """A mark on an axis."""

    at: float
    """Pixels."""
    words: str


@dataclass(frozen=True)
class Scale:
    """A straight map from numbers to pixels.

    Example:
        >>> scale = Scale(0.0, 0.5, 10, 110)
        >>> scale(0.25), [tick.words for tick in scale.ticks(3)]
        (60.0, ['0', '0.2', '0.4'])
    """

    low: float
    high: float
    start: float
    """Pixels of `low`."""
    end: float
    """Pixels of `high`; smaller than `start` on an axis that points upwards."""

    def __call__(self, value: float) -> float:
        """Pixels of a number, to a tenth; a number beyond an end is drawn at that end."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self, most: int = 5) -> tuple[Tick, ...]:
        """Round numbers along the scale.

        Args:
            most: steps between them.

        Returns:
            In rising order, each at its pixels, with as many digits as its neighbors need.
        """
        step = _round_step((self.high - self.low) / most)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return tuple(Tick(self(each * step), _words(each * step, step)) for each in range(first, last + 1))


def scale_of(values: Iterable[float | None], start: float, end: float) -> Scale:
    """A scale that holds 0 and all numbers, with a little room at the top.

    Args:
        values: None, NaN and infinite ones are not looked at.
        start: pixels of its low end.
        end: pixels of its high end.

    Returns:
        The scale; from 0 to 1 where there are no numbers, or all are 0.

    Example:
        >>> scale_of([0.1, None, 0.4], 0, 100).high, scale_of([], 0, 100).high
        (0.42, 1.0)
    """
    known = [value for value in values if value is not None and math.isfinite(value)]
    low, high = min([0.0, *known]), max([0.0, *known])
    if high - low < SMALLEST:
        return Scale(0.0, 1.0, start, end)
    # To significant digits: numbers may be as small as they like.
    return Scale(low, float(f"{high + 0.05 * (high - low):.12g}"), start, end)


def _words(value: float, step: float) -> str:
    """A number beside an axis, with as many digits as its neighbors need."""
    if value == 0:
        return "0"
    if not 1e-6 <= step <= 1e6:
        return f"{value:.3g}"
    return in_print(value, max(0, -math.floor(math.log10(step))))


def _round_step(least: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is not below."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))


@dataclass(frozen=True)
class Point:
    """A place in a drawing, in pixels."""

    x: float
    y: float
