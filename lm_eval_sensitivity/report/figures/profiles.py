"""Small panels, one per system: distance along the ladder, and along the length of the output that is read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lm_eval_sensitivity.report.figures.style import (
    ACCENT,
    INK,
    MUTED,
    PAPER,
    Caption,
    NotDrawn,
    Picture,
    interval_bar,
    legend_below,
    panels,
    panels_size,
    prompts_and_pairs,
)
from lm_eval_sensitivity.report.plane import reach
from lm_eval_sensitivity.report.windows import telling_windows
from lm_eval_sensitivity.statements.records import ProfilePoint, ProfilesStatement

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WINDOWS, WINDOWS_TITLE = "windows", "Distance by how much of the output is read"
RUNGS, RUNGS_TITLE = "rungs", "Distance along the ladder"
ARROWS = "An arrow ends an interval that goes on."


def windows_picture(raw: ProfilesStatement, answer: ProfilesStatement) -> Picture | NotDrawn:
    """Distance by output length, whole outputs and answers.

    Args:
        raw: from `window_profiles`, filter raw.
        answer: filter answer, the same systems.

    Returns:
        The figure, a panel per system; where no window has a mean, why there is none.
    """
    if not _drawable((*raw.points, *answer.points)):
        return NotDrawn(
            WINDOWS, WINDOWS_TITLE, "No system has enough scored prompts in any window of its output."
        )
    windows = telling_windows((*raw.points, *answer.points))
    if windows == (None,):
        return NotDrawn(
            WINDOWS,
            WINDOWS_TITLE,
            "Every length gives the number of the whole outputs: an output that ends before a window is read whole.",
        )
    counts = [point.counts for point in (*raw.points, *answer.points)]
    lengths = ", ".join(str(each) for each in windows if each is not None)
    caption = Caption(
        f"Mean cosine_distance of the first {lengths} tokens, and of the whole, over the meaning-preserving "
        "rungs, with 95 % intervals; the whole output (raw) and the answer after a reasoning scaffold "
        f"(answer). All panels share their scales. {ARROWS}",
        f"{prompts_and_pairs(counts)}, filter and window.",
        "An output shorter than a window is read whole, so that lines become flat where outputs end. A text "
        "that is longer than the embedder reads at once is read in parts whose vectors are averaged, so that a late "
        "difference is diluted by all that comes before it. A rise with length may be "
        "length itself: longer texts have more room to part.",
    )
    return Picture(
        WINDOWS,
        WINDOWS_TITLE,
        caption,
        panels_size(raw.systems),
        lambda f: _draw_windows(f, raw, answer, windows),
    )


def rungs_picture(profiles: ProfilesStatement) -> Picture | NotDrawn:
    """Distance by rung.

    Args:
        profiles: from `rung_profiles`.

    Returns:
        The figure, a panel per system; where no rung has a mean, why there is none.
    """
    if not _drawable(profiles.points):
        return NotDrawn(RUNGS, RUNGS_TITLE, "No system has enough scored prompts on any rung.")
    counts = [point.counts for point in profiles.points if point.counts.n_pairs]
    selection = profiles.points[0].selection
    caption = Caption(
        f"Mean {selection.number_in_words}, of every rung, mildest first, with 95 % "
        "intervals. Squares are edits that change the meaning; they should move the output more. The dashed line is "
        "the noise floor. A system that is low everywhere, the positive control included, has stopped responding. "
        f"{ARROWS}",
        f"{prompts_and_pairs(counts)} and rung.",
        "Rungs hold different edits, and some of them are erased in some systems. Outputs cut at the limit, or "
        "that loop, can be far apart on every rung: a high positive control alone is no sign of understanding.",
    )
    size = panels_size(profiles.systems, row=1.75, foot=1.15)
    return Picture(RUNGS, RUNGS_TITLE, caption, size, lambda figure: _draw_rungs(figure, profiles))


def _drawable(points: Sequence[ProfilePoint]) -> bool:
    return any(not math.isnan(point.mean.estimate) for point in points)


def _end(points: Sequence[ProfilePoint]) -> float:
    return reach((p.mean.estimate for p in points), (p.mean.upper for p in points))


def _draw_windows(
    figure: Figure, raw: ProfilesStatement, answer: ProfilesStatement, windows: Sequence[int | None]
) -> None:
    ticks = [str(window or "whole") for window in windows]
    grid = panels(figure, raw.systems, across="tokens that are read", up="cosine_distance")
    end = _end((*raw.points, *answer.points))
    for axes, system in zip(grid, raw.systems, strict=True):
        first, second = (
            [point for point in each.of(system) if point.selection.window in windows]
            for each in (raw, answer)
        )
        for points, shift, color, line, marker in (
            (first, -0.08, INK, "-", "o"),
            (second, 0.08, ACCENT, "--", "s"),
        ):
            xs = [x + shift for x in range(len(ticks))]
            axes.plot(xs, [p.mean.estimate for p in points], color=color, linestyle=line, linewidth=1)
            for x, point in zip(xs, points, strict=True):
                interval_bar(
                    axes, x, point.mean, end, color=color, marker=marker, hollow=marker == "s", size=4
                )
        if not _drawable(first) and not _drawable(second):
            axes.text(0.5, 0.5, "too few scored prompts", ha="center", transform=axes.transAxes, fontsize=7)
        axes.set_xticks(range(len(ticks)), ticks)
    grid[0].set_xlim(-0.5, len(ticks) - 0.5)
    grid[0].set_ylim(0, end)
    look = {"markersize": 4.5}
    legend_below(
        figure,
        [
            ({"color": INK, "marker": "o", **look}, "raw, the whole output"),
            ({"color": ACCENT, "marker": "s", "linestyle": "--", "markerfacecolor": PAPER, **look}, "answer"),
        ],
    )


def _draw_rungs(figure: Figure, profiles: ProfilesStatement) -> None:
    selection = profiles.points[0].selection
    grid = panels(figure, profiles.systems, up=f"{selection.metric}, {selection.filter_name}")
    rungs = [point.selection.rung_set for point in profiles.of(profiles.systems[0])]
    end = _end(profiles.points)
    one_row = len(grid) == 1  # there is room for words that lie
    for axes, system in zip(grid, profiles.systems, strict=True):
        points, xs = profiles.of(system), range(len(rungs))
        floor = points[0].mean.estimate
        if not math.isnan(floor):
            axes.axhline(floor, color=MUTED, linestyle="--", linewidth=1)
        for x, point in zip(xs, points, strict=True):
            changes = rungs[x] in ("semantic_change", "positive_control")
            interval_bar(
                axes,
                x,
                point.mean,
                end,
                color=ACCENT if changes else INK,
                marker="s" if changes else "o",
                size=5,
            )
            if math.isnan(point.mean.estimate):
                axes.text(x, 0.02, "×", ha="center", color=MUTED, transform=axes.get_xaxis_transform())
        words = [rung.replace("_", "\n" if one_row else " ") for rung in rungs]
        axes.set_xticks(xs, words, rotation=0 if one_row else 90)
    grid[0].set_ylim(-0.05 * end, end)
    legend_below(
        figure,
        [
            ({"color": INK, "marker": "o", "linestyle": "none", "markersize": 5}, "meaning kept"),
            ({"color": ACCENT, "marker": "s", "linestyle": "none", "markersize": 5}, "meaning changed"),
            ({"color": MUTED, "linestyle": "--"}, "noise floor (identical rung)"),
            (
                {"color": MUTED, "marker": "x", "linestyle": "none", "markersize": 5},
                "no mean: not run, or too few prompts",
            ),
        ],
        columns=2,
    )
