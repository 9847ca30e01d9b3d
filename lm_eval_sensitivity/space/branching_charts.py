"""The two drawings under a pair, on one axis of steps: edits between the outputs after each step, and how sure both
sides were at it. They are stretched to the width of the page; the template writes the words beside them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from lm_eval_sensitivity.metrics import trivial_shift_reference
from lm_eval_sensitivity.space.branching import Path, thinned
from lm_eval_sensitivity.space.svg import Scale, Tick, scale_of

WIDTH, HEIGHT = 1000, 100
"""Of each drawing, in units that are stretched; a hundredth of the height is a per cent."""
MOST_POINTS = 600
STRAIGHT_BELOW = 0.1
"""Nats below which the axis of margins is straight; above, equal factors take equal room."""
MARGIN_TICKS = (0.0, 0.1, 1.0, 10.0, 100.0)
TABLE_ROWS = 40
"""Steps that the table under the drawings has."""


def numbers_of(path: Path, step: int) -> dict[str, float | None]:
    """The numbers beside one step.

    Args:
        path: both outputs.
        step: how many units of each are said; 0 is before the first one.

    Returns:
        `step`, `distance` (edits), and the margins `base` and `variant` in nats: None before the first step, after the
        end, and where one is missing.
    """
    base, variant = (_at(side.margins, step - 1) for side in (path.base, path.variant))
    return {"step": step, "distance": path.curve[step - 1] if step else 0, "base": base, "variant": variant}


def _at(margins: Sequence[float | None] | None, index: int) -> float | None:
    return margins[index] if margins is not None and 0 <= index < len(margins) else None


def charts_of(path: Path) -> dict[str, Any]:
    """What the template draws of a pair, in its pixels.

    Args:
        path: both outputs.

    Returns:
        Scales, ticks and lines by name, the rows of the table, and `data` as JSON for the script; `margins` is None
        where no step has one.
    """
    n = path.n_steps
    x, share = Scale(0, max(n, 1), 0, WIDTH), Scale(0, max(n, 1), 0, 100)
    reference = trivial_shift_reference(n).tolist()
    height = scale_of([*path.curve, *reference], HEIGHT, 0)
    margins = (path.base.margins, path.variant.margins)
    known = [value for side in margins for value in side or () if value is not None]
    top = bent(max([1.0, *known]) * 1.1)
    upright = Scale(0, top, HEIGHT, 0)
    return {
        "x": x,
        # In per cent of the width.
        "share": share,
        "x_ticks": [tick for tick in share.ticks(5) if "." not in tick.words],
        "curve": _line(x, height, [0, *path.curve]),
        "reference": _line(x, height, [0, *reference]),
        "curve_ticks": [tick for tick in height.ticks(3) if "." not in tick.words],
        # Lines of base and variant, broken where a margin is missing.
        "margins": [_lines(x, upright, each) for each in margins] if known else None,
        "margin_ticks": [
            Tick(upright(bent(each)), f"{each:g}") for each in MARGIN_TICKS if bent(each) <= top
        ],
        "steps_per_point": -(-n // MOST_POINTS) if n else 1,
        "parts_at": None if path.parts_after is None else share(path.parts_after + 1),
        "table": [numbers_of(path, step) for step in _table_steps(path)],
        # For the script.
        "data": json.dumps({"curve": [0, *path.curve], "base": margins[0], "variant": margins[1]}),
    }


def bent(margin: float) -> float:
    """A margin on an axis that is straight near 0 and logarithmic far from it, so that a tie has its place.

    Args:
        margin: nats; one below 0 counts as 0.

    Returns:
        0 for a tie, rising with the margin.

    Example:
        >>> bent(0.0), round(bent(10.0) - bent(1.0), 1), round(bent(100.0) - bent(10.0), 1)
        (0.0, 2.3, 2.3)
    """
    return math.asinh(max(margin, 0.0) / STRAIGHT_BELOW)


def _line(x: Scale, y: Scale, values: Sequence[float]) -> str:
    """[step] values from step 0 on; with more than can be drawn, every few steps one, and always the last."""
    width = -(-len(values) // MOST_POINTS)
    places = sorted({*range(0, len(values), width), len(values) - 1})
    return " ".join(f"{x(step)},{y(values[step])}" for step in places)


def _lines(x: Scale, upright: Scale, margins: Sequence[float | None] | None) -> tuple[str, ...]:
    lines: list[list[str]] = [[]]
    for index, value in thinned(margins or (), MOST_POINTS):
        if value is None:
            lines.append([])
        else:
            lines[-1].append(f"{x(index + 1)},{upright(bent(value))}")
    return tuple(" ".join(line) for line in lines if line)


def _table_steps(path: Path) -> list[int]:
    """Steps in equal distances, the last one, and those around the parting."""
    n = path.n_steps
    width = max(1, -(-n // TABLE_ROWS))
    chosen = {*range(0, n + 1, width), n}
    if path.parts_after is not None:
        chosen |= {path.parts_after, min(path.parts_after + 1, n)}
    return sorted(chosen)
