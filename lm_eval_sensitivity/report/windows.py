"""Which lengths of output say something: where all outputs are shorter, a window repeats the whole output."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lm_eval_sensitivity.statements.records import ProfilePoint

Window = int | None
"""Tokens; None is the whole output."""


def telling_windows(points: Iterable[ProfilePoint]) -> tuple[Window, ...]:
    """The windows in which some system has another number than for its whole outputs, and the whole output.

    Args:
        points: of any systems and filters.

    Returns:
        Shortest first, the whole output last; None alone where no window says anything of its own.
    """
    held = [*points]
    whole = {_line(point): _number(point) for point in held if point.selection.window is None}
    told = {
        point.selection.window
        for point in held
        if point.selection.window is not None and _number(point) != whole.get(_line(point))
    }
    return (*sorted(window for window in told if window is not None), None)


def is_flat(points: Sequence[ProfilePoint]) -> bool:
    """Whether a system has the same number in every window, under every filter that it has."""
    return telling_windows(points) == (None,)


def _line(point: ProfilePoint) -> tuple[str, str]:
    return point.system, point.selection.filter_name


def _number(point: ProfilePoint) -> tuple[str, str, str, int]:
    """What is shown of a point; NaN is NaN."""
    mean = point.mean
    return f"{mean.estimate:.9g}", f"{mean.lower:.9g}", f"{mean.upper:.9g}", point.counts.n_pairs
