"""Small panels, one per system: how outputs part token by token, and how sure the system was where they did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lm_eval_sensitivity.report.figures.style import (
    ACCENT,
    GRID,
    INK,
    LINE,
    MUTED,
    PAPER,
    Caption,
    NotDrawn,
    Picture,
    legend_below,
    panels,
    panels_size,
    wrapped,
)
from lm_eval_sensitivity.statements.traces import MarginTrace, TokenPath, Traces

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PATHS, PATHS_TITLE = "token_paths", "How two outputs part, token by token"
MARGINS, MARGINS_TITLE = "margins", "How sure a system was where its outputs part"


def paths_picture(traces: Sequence[Traces]) -> Picture | NotDrawn:
    """Edit distance of the first t tokens.

    Args:
        traces: one per system, in the order of letters.

    Returns:
        The figure, a panel per system with curves; where none has any, why there is none.
    """
    found = [(each.system, each.path) for each in traces if each.path is not None]
    if not found:
        return NotDrawn(
            PATHS,
            PATHS_TITLE,
            "No run holds token paths: its engine returns text only, or every edit was erased.",
        )
    lacking = [each.system for each in traces if each.path is None]
    without = f" Without any curve: {', '.join(lacking)}." if lacking else ""
    counts = ", ".join(
        f"{name} {path.n_pairs} pairs of {path.n_prompts} prompts"
        + (f" ({path.n_without} without a curve)" if path.n_without else "")
        for name, path in found
    )
    caption = Caption(
        "E(t): token edit distance between the first t tokens of the output to the base and to the variant, over all "
        "pairs of the meaning-preserving rungs, filter raw: median, and quartiles as a band. The dashed line is "
        "min(t, 2): what inserting one token would cost, after which both outputs say the same; the gray line is t, "
        "nothing in common. An output that has ended stays as it is, so that every t counts every pair.",
        f"{counts}.{without}",
        "Quartiles are over pairs, several of one prompt, and are no confidence interval. A shift that repeats, as a "
        "list numbered differently, climbs like a new text. Tokens of different tokenizers have different lengths: "
        "curves of two systems are not on one scale.",
    )
    names = [name for name, _ in found]
    return Picture(PATHS, PATHS_TITLE, caption, panels_size(names), lambda figure: _draw_paths(figure, found))


def margins_picture(traces: Sequence[Traces]) -> Picture | NotDrawn:
    """Margins around the first divergence, for the furthest pair of each system.

    Args:
        traces: one per system, in the order of letters.

    Returns:
        The figure, a panel per system with margins; where none has any, why there is none.
    """
    found = [(each.system, each.margins) for each in traces if each.margins is not None]
    reasons = [f"{each.system}: {each.margins_reason}" for each in traces if each.margins is None]
    if not found:
        return NotDrawn(MARGINS, MARGINS_TITLE, " ".join(["No run holds margins to draw.", *reasons]))
    pairs = "; ".join(
        f"{name}: {trace.pair_id}, distance {trace.distance:.3f}, the largest of {trace.n_candidates} pairs"
        for name, trace in found
    )
    caption = Caption(
        "Margin of the most probable token over the second, in nats, around the step where the two outputs part "
        "(upright line), for the pair of each system with the largest cosine_distance on the meaning-preserving rungs. "
        "Left of the line both outputs have the same tokens. A margin near 0 at the line says that a nudge was enough "
        "to flip the choice; a large one, that the edit changed the model's mind.",
        f"One pair per system, chosen because it is the furthest. {pairs}. {' '.join(reasons)}".rstrip(),
        "Chosen extremes are not typical, and one pair says nothing of a system. Right of the line the two outputs "
        "are different texts, and margins at the same step have nothing to do with each other.",
    )
    names = [name for name, _ in found]
    width, height = panels_size(names, row=1.9)
    lines = max(wrapped(trace.pair_id, 34).count("\n") + 1 for _, trace in found)
    size = width, height + 0.8 * lines * LINE * -(-len(found) // 3)
    return Picture(MARGINS, MARGINS_TITLE, caption, size, lambda figure: _draw_margins(figure, found))


def _draw_paths(figure: Figure, found: Sequence[tuple[str, TokenPath]]) -> None:
    longest = max(path.n_steps for _, path in found)
    names = [name for name, _ in found]
    grid = panels(figure, names, across="t, tokens that are read", up="E(t), tokens")
    for axes, (_, path) in zip(grid, found, strict=True):
        steps = _thinned(path.n_steps)
        low, median, high = (path.quartiles[row][steps - 1] for row in range(3))
        axes.plot([0, longest], [0, longest], color=GRID, linewidth=1.2)
        axes.fill_between(steps, low, high, facecolor="none", edgecolor=MUTED, hatch="////", linewidth=0.5)
        axes.plot(steps, median, color=INK, linewidth=1.6)
        axes.plot([0, 2, longest], [0, 2, 2], color=ACCENT, linestyle="--", linewidth=1.1)
    grid[0].set_xlim(0, longest)
    grid[0].set_ylim(0, longest)
    legend_below(
        figure,
        [
            ({"color": INK, "linewidth": 1.6}, "median over pairs"),
            ({"facecolor": "none", "edgecolor": MUTED, "hatch": "////"}, "quartiles"),
            ({"color": ACCENT, "linestyle": "--"}, "min(t, 2): a shift by one token"),
        ],
    )


def _thinned(n_steps: int, most: int = 150) -> np.ndarray:
    """Steps that are drawn: all, or evenly chosen ones of a long output, the last included."""
    return np.unique(np.linspace(1, n_steps, min(n_steps, most)).round().astype(int))


def _draw_margins(figure: Figure, found: Sequence[tuple[str, MarginTrace]]) -> None:
    names = [name for name, _ in found]
    grid = panels(figure, names, across="steps after it", up="margin, nats")
    for axes, (name, trace) in zip(grid, found, strict=True):
        axes.set_title(f"{wrapped(name, 30)}\n{wrapped(trace.pair_id, 34)}", loc="left", fontsize=7.5)
        axes.axvline(0, color=ACCENT, linewidth=1)
        for values, color, line, marker in (
            (trace.base, INK, "-", "o"),
            (trace.variant, MUTED, "--", "s"),
        ):
            steps = np.arange(len(values)) + trace.first_step - trace.flip_step
            axes.plot(
                steps,
                values,
                color=color,
                linestyle=line,
                linewidth=1,
                marker=marker,
                markersize=2.6,
                markerfacecolor=PAPER if marker == "s" else color,
                markeredgewidth=0.7,
            )
    grid[0].set_ylim(bottom=0)
    legend_below(
        figure,
        [
            ({"color": INK, "marker": "o", "markersize": 3.5}, "base"),
            (
                {
                    "color": MUTED,
                    "marker": "s",
                    "markersize": 3.5,
                    "linestyle": "--",
                    "markerfacecolor": PAPER,
                },
                "variant",
            ),
            ({"color": ACCENT}, "first different token"),
        ],
    )
