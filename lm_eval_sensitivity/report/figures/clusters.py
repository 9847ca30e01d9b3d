"""Means with intervals and cluster letters: which systems the data can tell apart."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lm_eval_sensitivity.report.figures.style import (
    FULL_WIDTH,
    INK,
    LINE,
    MUTED,
    PAPER,
    Caption,
    NotDrawn,
    Picture,
    legend_below,
    prompts_and_pairs,
    wrapped,
)
from lm_eval_sensitivity.report.wording import NOT_EQUAL
from lm_eval_sensitivity.statements.records import ClustersStatement, SystemRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME, TITLE = "clusters", "Distance under harmless edits, and who can be told apart"
_MOST_COLUMNS = 10
"""Clusters with a column of their own; more stand as a list of letters."""


def picture(found: ClustersStatement) -> Picture | NotDrawn:
    """The cluster plot of one selection.

    Args:
        found: systems in the order of letters.

    Returns:
        The figure; where no system has a mean, why there is none.
    """
    if all(math.isnan(each.mean.estimate) for each in found.systems):
        return NotDrawn(
            NAME, TITLE, "No system has enough scored prompts for a mean, so there is nothing to draw."
        )
    height = sum(map(_room, found.systems)) + 0.95
    return Picture(NAME, TITLE, _caption(found), (FULL_WIDTH, height), lambda figure: _draw(figure, found))


def _caption(found: ClustersStatement) -> Caption:
    selection = found.selection
    apart = (
        ""
        if found.family is None
        else (
            f" Systems that share a letter were not told apart at a family-wise alpha of {found.alpha:g}, "
            f"{NOT_EQUAL}; the effects of systems without a common letter differ. Which mean is lower is another "
            "question: see the table of contrasts."
        )
    )
    return Caption(
        f"Mean {selection.in_words()}, over prompts, with its 95 % interval. Systems stand in the order "
        f"of letters, not of distance. The tick is the noise floor, the identical rung in the same metric.{apart}",
        f"{prompts_and_pairs([each.counts for each in found.systems])}; counts of each system beside it.",
        "A system that always says the same has the smallest distance: look at the positive control (rung figure) "
        "before calling a short bar stable. Overlapping intervals are no test: the letters are, because prompts are "
        "paired.",
    )


def _name(each: SystemRow) -> str:
    return wrapped(each.system, 30)


def _counts(each: SystemRow) -> str:
    counts = each.counts
    return f"{counts.n_prompts} prompts, {counts.n_pairs} pairs, {counts.n_erased} erased, {counts.n_unscored} unscored"


def _room(each: SystemRow) -> float:
    """Inches of a row: its name, and its counts below."""
    return max(0.42, (_name(each).count("\n") + 2.3) * LINE)


def _draw(figure: Figure, found: ClustersStatement) -> None:
    axes = figure.subplots()
    places, top = [], 0.0
    for room in map(_room, found.systems):
        places.append(top + room / 2)
        top += room
    for y, each in zip(places, found.systems, strict=True):
        _row(axes, y, each)
    axes.set_ylim(top, 0)
    axes.set_yticks([y - LINE / 3 for y in places], map(_name, found.systems))
    below = [
        y + (_name(each).count("\n") + 1) * LINE / 2 for y, each in zip(places, found.systems, strict=True)
    ]
    axes.set_yticks(below, map(_counts, found.systems), minor=True)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="y", which="minor", length=0, labelsize=6.5, labelcolor=MUTED)
    axes.set_xlim(left=min(0.0, axes.get_xlim()[0]))
    axes.set_xlabel(found.selection.number_in_words)
    _letters(axes, places, found)
    legend_below(
        figure,
        [
            ({"color": INK, "marker": "o", "markersize": 5}, "mean, 95 % interval"),
            (
                {"color": INK, "marker": "o", "markersize": 5, "markerfacecolor": PAPER, "linestyle": "none"},
                "no interval",
            ),
            (
                {"color": MUTED, "marker": "|", "markersize": 10, "markeredgewidth": 2, "linestyle": "none"},
                "noise floor (identical rung)",
            ),
        ],
    )


def _row(axes: Axes, y: float, each: SystemRow) -> None:
    interval, noise = each.mean, each.noise.estimate
    if not math.isnan(noise):
        axes.plot([noise], [y], marker="|", markersize=12, markeredgewidth=2, color=MUTED, clip_on=False)
    if math.isnan(interval.estimate):
        axes.text(
            0.02,
            y,
            interval.reason or "no mean",
            va="center",
            fontsize=7,
            color=MUTED,
            transform=axes.get_yaxis_transform(),
        )
        return
    known = not math.isnan(interval.lower)
    if known:
        axes.plot([interval.lower, interval.upper], [y, y], color=INK, solid_capstyle="butt")
    axes.plot(
        [interval.estimate],
        [y],
        marker="o",
        markersize=5.5,
        color=INK,
        markerfacecolor=INK if known else PAPER,
        clip_on=False,
    )


def _letters(axes: Axes, places: list[float], found: ClustersStatement) -> None:
    """Each cluster in a column of its own, so that a column is a cluster."""
    if found.family is None:
        return
    columns = [cluster.letter for cluster in found.clusters]
    at = axes.get_yaxis_transform()
    axes.text(1.02, 1.01, "group", transform=axes.transAxes, va="bottom", fontsize=7, color=MUTED)
    for y, each in zip(places, found.systems, strict=True):
        if len(columns) > _MOST_COLUMNS:
            words = wrapped(", ".join(each.letters) or "-", 24)
            axes.text(1.02, y, words, transform=at, va="center", fontsize=8)
            continue
        if not each.letters:
            axes.text(1.02, y, "not tested", transform=at, va="center", fontsize=7, color=MUTED)
        for letter in each.letters:
            x = 1.02 + 0.035 * columns.index(letter)
            axes.text(x, y, letter, transform=at, va="center", fontsize=10)
