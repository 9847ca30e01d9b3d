"""The picture of `probe boundary`: one output's margins with its branches, the density curve, and reliability."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lm_eval_sensitivity.probes.boundary.finding import BoundaryFinding, Strip
from lm_eval_sensitivity.probes.result import ProbeResult
from lm_eval_sensitivity.report.figures.style import (
    ACCENT,
    FULL_WIDTH,
    GRID,
    INK,
    MUTED,
    PAPER,
    Caption,
    NotDrawn,
    Picture,
    interval_bar,
    legend_below,
)
from lm_eval_sensitivity.text.escape import inert

if TYPE_CHECKING:
    from lm_eval_sensitivity.report.figures.style import Figure

NAME, TITLE = "boundary", "Close decisions, and where outputs part"
SMALLEST = 1e-3
"""Nats; smaller margins are drawn there."""


def boundary_picture(result: ProbeResult[BoundaryFinding]) -> Picture | NotDrawn:
    """Margins of one output with the branches of its variants; B(tau); predicted against observed.

    Args:
        result: of one system.

    Returns:
        The figure; where no output has a step, why there is none.
    """
    found = result.finding
    if not found.density.n_steps:
        return NotDrawn(NAME, TITLE, "No base output has a step with finite logits.")
    strip = found.strip
    shown = (
        f"Above: margins of the output to {inert(strip.prompt_id)}, the one with the most branches; "
        if strip
        else ""
    )
    caption = Caption(
        f"{shown}bars mark the steps at which harmless variants part from it, the dashed line is "
        f"{found.threshold:g} nats. Below: share of steps with a margin below tau, with 95 % intervals over "
        "prompts; and, in fifths of the steps, how often the next step is thin against how often it was predicted "
        "to be, out of sample. On the gray line they agree; points in one place mean that nothing tells steps "
        "apart.",
        f"{found.density.n_prompts} prompts, {found.density.n_steps} steps, {found.where.n_branches} branches.",
        "One output is no sample: it was chosen for its branches. Margins are on the scale of this model's logits. "
        "A curve moves with the vocabulary and with what the prompts ask.",
    )
    height = 4.6 if strip else 2.6
    return Picture(NAME, TITLE, caption, (FULL_WIDTH, height), lambda figure: _draw(figure, found))


def _draw(figure: Figure, found: BoundaryFinding) -> None:
    rows = ["strip", "strip"] if found.strip else None
    mosaic = [*([rows] if rows else []), ["curve", "reliability"]]
    axes: dict[str, Any] = figure.subplot_mosaic(mosaic)
    if found.strip:
        _draw_strip(axes["strip"], found.strip, found.threshold)
    _draw_curve(axes["curve"], found)
    _draw_reliability(axes["reliability"], found)
    look = {"marker": "o", "markersize": 3.5}
    legend_below(
        figure,
        [
            ({"color": INK, **look}, "margin of the base"),
            ({"color": ACCENT}, "a variant parts"),
            ({"color": MUTED, "linestyle": "--"}, f"{found.threshold:g} nats"),
        ],
    )


def _draw_strip(axes: Any, strip: Strip, threshold: float) -> None:
    margins = np.maximum(np.asarray(strip.margins), SMALLEST)
    for step in sorted(set(strip.branches)):
        axes.axvline(step, color=ACCENT, linewidth=min(0.6 + 0.6 * strip.branches.count(step), 3))
    axes.axhline(threshold, color=MUTED, linestyle="--", linewidth=1)
    axes.plot(
        np.arange(len(margins)),
        margins,
        color=INK,
        linewidth=0.9,
        marker="o",
        markersize=2.6,
        markerfacecolor=PAPER,
    )
    axes.set_yscale("log")
    axes.set_xlabel("step")
    axes.set_ylabel("margin, nats")
    axes.set_title(inert(strip.prompt_id), loc="left")


def _draw_curve(axes: Any, found: BoundaryFinding) -> None:
    curve = found.density.curve
    xs = range(len(curve))
    axes.plot(xs, [each.share.estimate for each in curve], color=INK, linewidth=1)
    for x, each in zip(xs, curve, strict=True):
        interval_bar(axes, x, each.share, 1.0)
    axes.set_xticks(list(xs), [each.what for each in curve])
    axes.set_ylim(0, 1)
    axes.set_xlabel("tau, nats")
    axes.set_ylabel("share of steps below")


def _draw_reliability(axes: Any, found: BoundaryFinding) -> None:
    axes.plot([0, 1], [0, 1], color=GRID, linewidth=1.2)
    rows = found.reliability
    axes.plot(
        [each.predicted for each in rows],
        [each.happened for each in rows],
        color=INK,
        linestyle="none",
        marker="o",
        markersize=4.5,
    )
    if not rows:
        axes.text(0.5, 0.5, "nothing is predicted", ha="center", transform=axes.transAxes, fontsize=7)
    end = max([0.5, *(max(each.predicted, each.happened) * 1.1 for each in rows)])
    axes.set_xlim(0, end)
    axes.set_ylim(0, end)
    axes.set_xlabel("predicted: next step is thin")
    axes.set_ylabel("observed")
