"""Distance by window: is a low distance of long outputs a fact about the answers, or about what stands before them?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lm_eval_sensitivity.records.columns import FILTERS
from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.results.records import ClusterRow, WindowRow
from lm_eval_sensitivity.space.choices import Choice, options, split_window
from lm_eval_sensitivity.space.query import Query
from lm_eval_sensitivity.space.svg import Scale, scale_of
from lm_eval_sensitivity.space.view import View
from lm_eval_sensitivity.space.words import WHOLE
from lm_eval_sensitivity.statements.selection import PRIMARY_METRIC

WIDTH, HEIGHT = 300, 190
LEFT, RIGHT, TOP, BOTTOM = 40, 12, 12, 40
APART = 3
"""Pixels by which the two filters stand beside each other, so that intervals do not hide each other."""


@dataclass(frozen=True)
class Line:
    """One window of one filter of one system, with what repetition alone moves there."""

    row: WindowRow
    floor: float | None
    floor_prompts: int
    """0 where the floor is not known."""


@dataclass(frozen=True)
class Dot:
    """One line, drawn."""

    row: WindowRow
    x: float
    y: float
    floor: float | None
    """Pixels from the top."""


@dataclass(frozen=True)
class Panel:
    """One system."""

    system: int
    dots: dict[str, tuple[Dot, ...]]
    """By filter; only windows with a number."""
    n_prompts: str
    """How many prompts the numbers are over."""
    n_pairs: str
    dominated: tuple[WindowRow, ...]
    """Windows that mostly show what stands before the answer."""


def show(results: Results, query: Query) -> View:
    """The view."""
    rung_sets = results.window_rung_sets()
    if not rung_sets:
        return View("By length of the output", "nothing.html", {"what": "distances by length"})
    rung_set = query.choice("rungs", rung_sets)
    lines = with_floors(results, results.windows(rung_set))
    windows = windows_of([line.row for line in lines])
    drawn = [each for line in lines for each in (line.row.mean, line.row.lower, line.row.upper, line.floor)]
    upwards = scale_of(drawn, HEIGHT - BOTTOM, TOP)
    return View(
        "By length of the output",
        "length.html",
        {
            "lines": sorted(lines, key=lambda line: line.row.system),
            "choices": (Choice("rungs", "Edits that count", options(rung_sets), rung_set),),
            "panels": panels_of(lines, windows, upwards),
            "columns": [(window, column(windows, window)) for window in windows],
            "upwards": upwards,
            "size": (WIDTH, HEIGHT),
            "margins": (LEFT, RIGHT, TOP, BOTTOM),
            "max_tokens": results.manifest.decoding.max_gen_toks,
            "has_floors": any(line.floor is not None for line in lines),
        },
    )


def with_floors(results: Results, rows: Iterable[WindowRow]) -> tuple[Line, ...]:
    """Every row beside the noise floor of its window, from the clusters of whatever rungs: a floor is of the identical
    rung and the same for all of them."""
    floors: dict[tuple[int, str, str], ClusterRow] = {}
    for key in results.selections():
        metric, window = split_window(key.metric)
        if metric == PRIMARY_METRIC:
            floors |= {(each.system, key.filter_name, window): each for each in results.clusters(key).rows}
    lines = []
    for row in rows:
        window = WHOLE if row.window is None else str(row.window)
        floor = floors.get((row.system, row.filter_name, window))
        lines.append(Line(row, floor.noise_floor, floor.noise_prompts) if floor else Line(row, None, 0))
    return tuple(lines)


def windows_of(rows: Sequence[WindowRow]) -> tuple[int | None, ...]:
    """The windows, shortest first and the whole text last."""
    numbers = sorted({row.window for row in rows if row.window is not None})
    return (*numbers, *((None,) if any(row.window is None for row in rows) else ()))


def column(windows: Sequence[int | None], window: int | None) -> float:
    """Pixels of a window: all stand equally far apart."""
    scale = Scale(-0.5, len(windows) - 0.5, LEFT, WIDTH - RIGHT)
    return scale(windows.index(window))


def panels_of(lines: Sequence[Line], windows: Sequence[int | None], upwards: Scale) -> tuple[Panel, ...]:
    """One panel per system, in the order of names."""
    panels = []
    for system in sorted({line.row.system for line in lines}):
        own = sorted(
            (line for line in lines if line.row.system == system),
            key=lambda line: windows.index(line.row.window),
        )
        dots = {
            name: tuple(
                Dot(
                    line.row,
                    round(column(windows, line.row.window) + shift, 1),
                    upwards(line.row.mean),
                    None if line.floor is None else upwards(line.floor),
                )
                for line in own
                if line.row.filter_name == name and line.row.mean is not None
            )
            for name, shift in zip(FILTERS, (-APART, APART), strict=True)
        }
        shown = [dot.row for each in dots.values() for dot in each]
        panels.append(
            Panel(
                system,
                dots,
                n_prompts=_from_to(row.n_prompts for row in shown),
                n_pairs=_from_to(row.n_pairs for row in shown),
                dominated=tuple(line.row for line in own if line.row.scaffold_dominates),
            )
        )
    return tuple(panels)


def _from_to(counts: Iterable[int]) -> str:
    """The least and the most of counts, as one number where they are the same."""
    least_and_most = sorted(set(counts))
    return " to ".join(str(each) for each in dict.fromkeys([*least_and_most[:1], *least_and_most[-1:]]))
