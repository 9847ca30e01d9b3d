"""Predicted against measured radii, and one divergence with its parabola."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lm_eval_sensitivity.probes.radius.finding import Curve, RadiusFinding
from lm_eval_sensitivity.probes.result import ProbeResult
from lm_eval_sensitivity.report.figures.style import (
    ACCENT,
    FULL_WIDTH,
    INK,
    MUTED,
    PAPER,
    Caption,
    NotDrawn,
    Picture,
    legend_below,
)
from lm_eval_sensitivity.text.escape import inert

if TYPE_CHECKING:
    from lm_eval_sensitivity.report.figures.style import Figure

NAME, TITLE = "radius", "How far a state can move: formula and measurement"
_BANDS = ((0.0, 0.5, INK, "o"), (0.5, 0.9, MUTED, "s"), (0.9, 1.01, ACCENT, "^"))
"""From, to, color and marker, by the probability of the most probable token."""


def picture(result: ProbeResult[RadiusFinding]) -> Picture | NotDrawn:
    """Radii against each other, all taus; and the divergence along one line."""
    finding = result.finding
    points = _points(finding)
    if not len(points) or finding.curve is None:
        return NotDrawn(NAME, TITLE, "No radius was reached on any line.")
    curve = finding.curve
    taus = ", ".join(f"{tau:g}" for tau in finding.taus)
    caption = Caption(
        f"Left: radius that the curvature predicts against the measured one, as shares of the length of the state, a "
        f"mark per line and tau ({taus} nats); the line is equality. Right: the divergence along the top direction of "
        f"{inert(curve.prompt_id)}, step {curve.step}, whose error at the largest tau is the median one, and the "
        "parabola of its curvature (dashed).",
        f"{len(finding.states)} states of {len({state.prompt_id for state in finding.states})} prompts, "
        f"{len(finding.lines)} lines, {len(points)} marks.",
        "Marks of one line hang together, and so do steps of one prompt. A formula looks good where taus are small, "
        "and bad where a model is certain: both shares depend on what was asked.",
    )
    return Picture(NAME, TITLE, caption, (FULL_WIDTH, 3.4), lambda figure: _draw(figure, points, curve))


def _points(finding: RadiusFinding) -> np.ndarray:
    """[mark, (predicted, measured, top probability)]"""
    rows = [
        (predicted, measured, line.top_probability)
        for line in finding.lines
        for predicted, measured in zip(line.predicted, line.measured, strict=True)
    ]
    table = np.array(rows, dtype=np.float64).reshape(-1, 3)
    return table[~np.isnan(table).any(axis=1)]


def _draw(figure: Figure, points: np.ndarray, curve: Curve) -> None:
    left, right = figure.subplots(1, 2)
    ends = [points[:, :2].min() / 1.5, points[:, :2].max() * 1.5]
    left.plot(ends, ends, color=MUTED, linewidth=1)
    for low, high, color, marker in _BANDS:
        own = points[(points[:, 2] >= low) & (points[:, 2] < high)]
        left.plot(
            *own[:, :2].T,
            linestyle="none",
            marker=marker,
            markersize=3,
            markerfacecolor=PAPER,
            markeredgecolor=color,
            markeredgewidth=0.7,
        )
    left.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
    left.set(xlabel="predicted, share of |x|", ylabel="measured, share of |x|")
    shifts, divergences = np.array(curve.shifts), np.array(curve.divergences)
    right.plot(shifts, divergences, color=INK)
    right.plot(shifts, curve.curvature * shifts**2 / 2, color=ACCENT, linestyle="--", linewidth=1.1)
    right.set(xlabel="eps, share of |x|", ylabel="divergence, nats")
    right.set_ylim(bottom=0)
    words = ("top token below 0.5", "0.5 to 0.9", "above 0.9")
    looks = [
        {
            "color": color,
            "marker": marker,
            "linestyle": "none",
            "markersize": 4,
            "markerfacecolor": PAPER,
        }
        for _, _, color, marker in _BANDS
    ]
    legend_below(
        figure,
        [
            *zip(looks, words, strict=True),
            ({"color": INK}, "divergence"),
            ({"color": ACCENT, "linestyle": "--"}, "parabola of the curvature"),
        ],
    )
