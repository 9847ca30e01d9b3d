"""Distance by window: is a low distance of long outputs a fact about the answers, or about what stands before them?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.results.records import WindowRow
from lm_eval_sensitivity.space.choices import Choice, options
from lm_eval_sensitivity.space.query import Query
from lm_eval_sensitivity.space.svg import Scale, scale_of
from lm_eval_sensitivity.space.view import View

WIDTH, HEIGHT = 300, 190
LEFT, RIGHT, TOP, BOTTOM = 40, 12, 12, 40
FILTERS = ("raw", "answer")
APART = 3
"""Pixels by which the two filters stand beside each other, so that intervals do not hide each other."""


@dataclass(frozen=True)
class Dot:
    """One window of one filter."""

    row: WindowRow
    x: float
    y: float


@dataclass(frozen=True)
class Panel:
    """One system."""

    system: int
    dots: dict[str, tuple[Dot, ...]]
    """By filter; only windows with a number."""
    dominated: tuple[WindowRow, ...]
    """Windows that mostly show what stands before the answer."""


def show(results: Results, query: Query) -> View:
    """The view."""
    rung_sets = results.window_rung_sets()
    if not rung_sets:
        return View("By length of the output", "nothing.html", {"what": "distances by length"})
    rung_set = query.choice("rungs", rung_sets)
    rows = results.windows(rung_set)
    windows = windows_of(rows)
    upwards = scale_of(
        [each for row in rows for each in (row.mean, row.lower, row.upper)], HEIGHT - BOTTOM, TOP
    )
    return View(
        "By length of the output",
        "length.html",
        {
            "rows": rows,
            "choices": (Choice("rungs", "Edits that count", options(rung_sets), rung_set),),
            "panels": panels_of(rows, windows, upwards),
            "columns": [(window, column(windows, window)) for window in windows],
            "upwards": upwards,
            "size": (WIDTH, HEIGHT),
            "margins": (LEFT, RIGHT, TOP, BOTTOM),
            "max_tokens": results.manifest.decoding.max_gen_toks,
        },
    )


def windows_of(rows: Sequence[WindowRow]) -> tuple[int | None, ...]:
    """The windows, shortest first and the whole text last."""
    numbers = sorted({row.window for row in rows if row.window is not None})
    return (*numbers, *((None,) if any(row.window is None for row in rows) else ()))


def column(windows: Sequence[int | None], window: int | None) -> float:
    """Pixels of a window: all stand equally far apart."""
    scale = Scale(-0.5, len(windows) - 0.5, LEFT, WIDTH - RIGHT)
    return scale(windows.index(window))


def panels_of(rows: Sequence[WindowRow], windows: Sequence[int | None], upwards: Scale) -> tuple[Panel, ...]:
    """One panel per system, in the order of names."""
    panels = []
    for system in sorted({row.system for row in rows}):
        own = sorted((row for row in rows if row.system == system), key=lambda row: windows.index(row.window))
        dots = {
            name: tuple(
                Dot(row, round(column(windows, row.window) + shift, 1), upwards(row.mean))
                for row in own
                if row.filter_name == name and row.mean is not None
            )
            for name, shift in zip(FILTERS, (-APART, APART), strict=True)
        }
        panels.append(Panel(system, dots, tuple(row for row in own if row.scaffold_dominates)))
    return tuple(panels)
