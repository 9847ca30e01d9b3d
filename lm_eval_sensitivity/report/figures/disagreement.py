"""One point per pair: does the distance of meanings say the same as the distance of tokens?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from lm_eval_sensitivity.report.figures.style import (
    ACCENT,
    INK,
    Caption,
    NotDrawn,
    Picture,
    legend_below,
    panels,
    panels_size,
)
from lm_eval_sensitivity.types import MEANING_PRESERVING_RUNGS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME, TITLE = "disagreement", "Distance of meanings against distance of tokens"
_ACROSS, _UP, _FILTER = "token_edit_distance", "cosine_distance", "raw"
_CONTROL = "positive_control"


@dataclass
class _Points:
    kept: list[tuple[float, float]] = field(default_factory=list)
    """Harmless edits."""
    control: list[tuple[float, float]] = field(default_factory=list)
    n_without: int = 0


def picture(table: pa.Table) -> Picture | NotDrawn:
    """Both distances of every pair of the meaning-preserving rungs and the positive control.

    Args:
        table: from `load_runs`.

    Returns:
        The figure; where no pair has both distances, why there is none.
    """
    by_system = _points(table)
    if not any(each.kept or each.control for each in by_system.values()):
        return NotDrawn(NAME, TITLE, f"No pair has both {_ACROSS} and {_UP}: the engines return text only.")
    n_points = sum(len(each.kept) + len(each.control) for each in by_system.values())
    n_without = sum(each.n_without for each in by_system.values())
    caption = Caption(
        f"One point per pair, filter {_FILTER}: {_ACROSS} across, {_UP} up. Dots are harmless edits, crosses the "
        "positive control. Low at the right: other words for the same; high at the left: few tokens changed, and the "
        "meaning with them. Points that fall on one another are drawn once.",
        f"{n_points} pairs; {n_without} pairs erased or without one of the two numbers.",
        "Both distances grow with the length of outputs. A text that is longer than the embedder reads at once "
        "is read in parts whose vectors are averaged: the more two long texts have in common before they part, the "
        "closer they look. Pairs of one prompt stand together: a cloud may be one "
        "prompt.",
    )
    names = list(by_system)
    return Picture(NAME, TITLE, caption, panels_size(names, row=2.0), lambda figure: _draw(figure, by_system))


def _points(table: pa.Table) -> dict[str, _Points]:
    columns = ("name", "filter", "rung", "audit_status", _ACROSS, _UP)
    found: dict[str, _Points] = {name: _Points() for name in sorted(set(table["name"].to_pylist()))}
    for name, view, rung, audit, across, up in zip(
        *(table[each].to_pylist() for each in columns), strict=True
    ):
        if view != _FILTER or rung not in (*MEANING_PRESERVING_RUNGS, _CONTROL):
            continue
        own = found[name]
        if audit == "erased" or across is None or up is None:
            own.n_without += 1
        else:
            (own.control if rung == _CONTROL else own.kept).append((across, up))
    return found


def _draw(figure: Figure, by_system: dict[str, _Points]) -> None:
    looks = (("kept", ".", INK, 2.6), ("control", "x", ACCENT, 3.6))
    grid = panels(figure, list(by_system), across=_ACROSS, up=_UP)
    for axes, own in zip(grid, by_system.values(), strict=True):
        for which, marker, color, size in looks:
            # A point per half pixel is all that can be seen.
            points = sorted({(round(x * 200) / 200, round(y * 200) / 200) for x, y in getattr(own, which)})
            axes.plot(
                [x for x, _ in points],
                [y for _, y in points],
                linestyle="none",
                marker=marker,
                color=color,
                markersize=size,
                markeredgewidth=0.8,
            )
    grid[0].set_xlim(-0.03, 1.03)
    grid[0].set_ylim(bottom=-0.03)
    legend_below(
        figure,
        [
            ({"color": INK, "marker": ".", "linestyle": "none", "markersize": 5}, "harmless edit"),
            ({"color": ACCENT, "marker": "x", "linestyle": "none", "markersize": 4.5}, "positive control"),
        ],
    )
