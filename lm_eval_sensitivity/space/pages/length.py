"""Distance by window: is a low distance of long outputs a fact about the answers, or about what stands before them?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lm_eval_sensitivity.records.columns import FILTERS
from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.space.choices import Choice, options
from lm_eval_sensitivity.space.query import Query
from lm_eval_sensitivity.space.svg import Scale, scale_of
from lm_eval_sensitivity.space.view import View
from lm_eval_sensitivity.statements.records import ProfilePoint
from lm_eval_sensitivity.stats import Interval

WIDTH, HEIGHT = 300, 190
LEFT, RIGHT, TOP, BOTTOM = 40, 12, 12, 40
APART = 3
"""Pixels by which the two filters stand beside each other, so that intervals do not hide each other."""


@dataclass(frozen=True)
class Line:
    """One window of one filter of one system, with what repetition alone moves there."""

    row: ProfilePoint
    floor: Interval | None
    """None, or without an estimate, where it is not known."""

    @property
    def window(self) -> int | None:
        """Tokens that are read; None for the whole text."""
        return self.row.selection.window

    @property
    def floor_mean(self) -> float:
        """Of the floor; NaN where it is not known."""
        return math.nan if self.floor is None else self.floor.estimate


def show(results: Results, query: Query) -> View:
    """The view."""
    if not results.windows:
        return View("By length of the output", "nothing.html", {"what": "distances by length"})
    rung_set = query.choice("rungs", tuple(results.windows))
    lines = with_floors(results, results.windows[rung_set])
    windows = windows_of(lines)
    by_system = [
        (system.name, own)
        for system in results.systems
        if (own := [line for line in lines if line.row.system == system.name])
    ]
    drawn = [
        each
        for line in lines
        for each in (line.row.mean.estimate, line.row.mean.lower, line.row.mean.upper, line.floor_mean)
    ]
    upwards = scale_of(drawn, HEIGHT - BOTTOM, TOP)
    return View(
        "By length of the output",
        "length.html",
        {
            "lines": by_system,
            "choices": (Choice("rungs", "Edits that count", options(results.windows), rung_set),),
            "panels": [(system, panel_of(own, windows)) for system, own in by_system],
            "columns": [(window, column(windows, window)) for window in windows],
            "upwards": upwards,
            "size": (WIDTH, HEIGHT),
            "margins": (LEFT, RIGHT, TOP, BOTTOM),
            "max_tokens": results.manifest.signature.decoding["max_gen_toks"],
            "has_floors": any(not math.isnan(line.floor_mean) for line in lines),
        },
    )


def with_floors(results: Results, rows: Iterable[ProfilePoint]) -> tuple[Line, ...]:
    """Every row beside the noise floor of its window, from the clusters of whatever rungs: a floor is of the identical
    rung and the same for all of them."""
    floors = {
        (row.system, each.selection.metric, each.selection.filter_name): row.noise
        for each in results.clusters.values()
        for row in each.systems
    }
    return tuple(
        Line(row, floors.get((row.system, row.selection.metric, row.selection.filter_name))) for row in rows
    )


def windows_of(lines: Sequence[Line]) -> tuple[int | None, ...]:
    """The windows, shortest first and the whole text last."""
    numbers = sorted({line.window for line in lines if line.window is not None})
    return (*numbers, *((None,) if any(line.window is None for line in lines) else ()))


def column(windows: Sequence[int | None], window: int | None) -> float:
    """Pixels of a window: all stand equally far apart."""
    scale = Scale(-0.5, len(windows) - 0.5, LEFT, WIDTH - RIGHT)
    return scale(windows.index(window))


def panel_of(lines: Sequence[Line], windows: Sequence[int | None]) -> dict[str, Any]:
    """What is drawn of one system: by filter its windows with a number, each beside its pixels from the left."""
    own = sorted(lines, key=lambda line: windows.index(line.window))
    drawn = [line for line in own if not math.isnan(line.row.mean.estimate)]
    return {
        "dots": {
            name: [
                (round(column(windows, line.window) + shift, 1), line)
                for line in drawn
                if line.row.selection.filter_name == name
            ]
            for name, shift in zip(FILTERS, (-APART, APART), strict=True)
        },
        "n_prompts": _from_to(line.row.counts.n_prompts for line in drawn),
        "n_pairs": _from_to(line.row.counts.n_pairs for line in drawn),
        "dominated": [line.window for line in own if line.row.scaffold_dominates],
    }


def _from_to(counts: Iterable[int]) -> str:
    """The least and the most of counts, as one number where they are the same."""
    least_and_most = sorted(set(counts))
    return " to ".join(str(each) for each in dict.fromkeys([*least_and_most[:1], *least_and_most[-1:]]))
