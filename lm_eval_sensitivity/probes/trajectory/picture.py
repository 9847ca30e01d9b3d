"""The turns of some outputs step by step, with what the system's certainty did there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lm_eval_sensitivity.probes.result import ProbeResult
from lm_eval_sensitivity.probes.trajectory.finding import Strip, TrajectoryFinding
from lm_eval_sensitivity.report.figures.style import (
    ACCENT,
    FULL_WIDTH,
    GRID,
    INK,
    LINE,
    MUTED,
    PAPER,
    Caption,
    NotDrawn,
    Picture,
    legend_below,
    wrapped,
)
from lm_eval_sensitivity.text.escape import inert

if TYPE_CHECKING:
    from lm_eval_sensitivity.report.figures.style import Figure

NAME, TITLE = "trajectory", "Turns of the final states, step by step"
_LOOKS: dict[int, dict[str, Any]] = {
    0: {"marker": "s", "markerfacecolor": INK, "markeredgecolor": INK},
    1: {"marker": "o", "markerfacecolor": PAPER, "markeredgecolor": ACCENT},
    2: {"marker": ".", "markerfacecolor": MUTED, "markeredgecolor": MUTED},
}
"""By state."""
_WORDS = ("collapse", "rivalry", "neutral")


def picture(result: ProbeResult[TrajectoryFinding]) -> Picture | NotDrawn:
    """A strip for the first prompt of each category.

    Args:
        result: of the probe.

    Returns:
        The figure; where no output has three states, why there is none.
    """
    strips = result.finding.strips
    if not strips:
        return NotDrawn(NAME, TITLE, "No output has three generated tokens.")
    caption = Caption(
        "ct, length of a step of the final states times its turn (CLIPPED_MAD), at each generated token. Squares: one "
        "outcome (collapse); rings: two rivals; dots: neither. A tick below: a margin under 0.5 nat.",
        f"{len(strips)} outputs of {result.name}, the first of each category by letters, of "
        f"{len(result.finding.prompts)} prompts.",
        "The same states in random order give strips that look alike; the table has both nulls.",
    )
    return Picture(NAME, TITLE, caption, _size(strips), lambda figure: _draw(figure, strips))


def _size(strips: Sequence[Strip]) -> tuple[float, float]:
    return FULL_WIDTH, 0.95 * len(strips) + 0.9 + LINE


def _draw(figure: Figure, strips: Sequence[Strip]) -> None:
    grid = figure.subplots(len(strips), 1, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, strip in zip(grid, strips, strict=True):
        steps = range(2, 2 + len(strip.ct))
        axes.set_title(wrapped(inert(strip.prompt_id), 90), loc="left", fontsize=7.5)
        axes.plot(steps, strip.ct, color=GRID, linewidth=1, zorder=1)
        for state, look in _LOOKS.items():
            there = [step for step in steps if strip.states and strip.states[step] == state]
            values = [strip.ct[step - 2] for step in there]
            axes.plot(there, values, linestyle="none", markersize=3.6, markeredgewidth=0.9, **look)
        axes.plot(
            strip.thin, [0.0] * len(strip.thin), linestyle="none", marker="|", color=ACCENT, markersize=5
        )
    grid[0].set_ylim(bottom=-0.1)
    grid[-1].set_xlabel("generated token")
    figure.supylabel("ct, CLIPPED_MAD", fontsize=9)
    entries = [({"linestyle": "none", "markersize": 4.5, **_LOOKS[state]}, _WORDS[state]) for state in _LOOKS]
    thin = {"linestyle": "none", "marker": "|", "color": ACCENT, "markersize": 6}
    legend_below(figure, [*entries, (thin, "margin below 0.5 nat")], columns=4)
