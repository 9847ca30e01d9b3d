"""Edit by system: numbers in cells, darker where outputs are further apart, hatched where an edit never arrived."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

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
from lm_eval_sensitivity.report.shades import shade_of
from lm_eval_sensitivity.statements.records import HeatmapCell, HeatmapStatement
from lm_eval_sensitivity.statements.selection import number_in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME, TITLE = "edits", "Every edit beside every system"
_CELL_WIDTH, _CELL_HEIGHT, _LABELS = 0.62, 0.27, 1.75
_LETTERS = 20
"""Of a system's name in one line, upright above its column."""


def picture(heatmap: HeatmapStatement) -> Picture | NotDrawn:
    """The heatmap of one metric and filter.

    Args:
        heatmap: edits in the order of the ladder, systems in the order of letters.

    Returns:
        The figure, wider than a page where there are many systems; where there is no edit, why there is none.
    """
    if not heatmap.edits:
        return NotDrawn(NAME, TITLE, "The runs hold no edit of the ladder, so there is nothing to draw.")
    lines = max(wrapped(name, _LETTERS).count("\n") + 1 for name in heatmap.systems)
    width = max(FULL_WIDTH, _LABELS + max(_CELL_WIDTH, lines * LINE + 0.1) * len(heatmap.systems))
    longest = max(len(line) for name in heatmap.systems for line in wrapped(name, _LETTERS).split("\n"))
    height = _CELL_HEIGHT * (len(heatmap.edits) + _rung_gaps(heatmap)) + 0.085 * longest + 0.95
    return Picture(NAME, TITLE, _caption(heatmap), (width, height), lambda figure: _draw(figure, heatmap))


def _caption(heatmap: HeatmapStatement) -> Caption:
    counts = [cell.counts for cell in heatmap.cells if cell.n_given]
    about = number_in_words(heatmap.metric, heatmap.filter_name)
    return Caption(
        f"Mean {about}, of every edit; edits in the order of the ladder, from the rung identical, which is the noise "
        "floor, to the positive control. The stronger the color, the further apart. A hatched strip is the share of "
        "pairs that were erased: the template or tokenizer kept the edit from the model, so there is no number, and a "
        "small one would be no merit. Dotted: pairs without a score.",
        f"{prompts_and_pairs(counts)} and edit; intervals stand in the heatmap command's CSV.",
        "An edit has one pair per prompt and a wide interval: single cells differ by chance. Cells beside each other "
        "may be over different prompts where some are erased or unscored.",
    )


def _rung_gaps(heatmap: HeatmapStatement) -> float:
    return 0.35 * sum(first[0] != second[0] for first, second in pairwise(heatmap.edits))


def _draw(figure: Figure, heatmap: HeatmapStatement) -> None:
    axes = figure.subplots()
    largest = max((c.mean.estimate for c in heatmap.cells if not math.isnan(c.mean.estimate)), default=1.0)
    cells = {(cell.edit, cell.rung, cell.system): cell for cell in heatmap.cells}
    y, places, previous = 0.0, [], heatmap.edits[0][0]
    for rung, edit in heatmap.edits:
        y += 0.35 if rung != previous else 0.0
        previous = rung
        places.append(y + 0.5)
        for x, system in enumerate(heatmap.systems):
            _cell(axes, x, y, cells[edit, rung, system], largest or 1.0)
        y += 1
    axes.set_yticks(places, [edit for _, edit in heatmap.edits])
    axes.set_xticks(
        [x + 0.5 for x in range(len(heatmap.systems))],
        [wrapped(name, _LETTERS) for name in heatmap.systems],
        rotation=90,
    )
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    _rung_names(axes, places, heatmap)
    axes.set_xlim(0, len(heatmap.systems))
    axes.set_ylim(y, 0)
    legend_below(
        figure,
        [
            ({"facecolor": shade_of(0.0).light, "edgecolor": MUTED}, "0: identical outputs"),
            ({"facecolor": shade_of(1.0).light, "edgecolor": MUTED}, f"{largest:.2f}: furthest apart here"),
            ({"facecolor": PAPER, "edgecolor": MUTED, "hatch": "////"}, "erased: never reached the model"),
            ({"facecolor": PAPER, "edgecolor": MUTED, "hatch": "...."}, "unscored"),
            ({"facecolor": PAPER, "edgecolor": MUTED}, "not run (×), or too few prompts (-)"),
        ],
    )


def _rung_names(axes: Axes, places: list[float], heatmap: HeatmapStatement) -> None:
    edge = len(heatmap.systems)
    for rung in dict.fromkeys(rung for rung, _ in heatmap.edits):
        own = [y for y, (other, _) in zip(places, heatmap.edits, strict=True) if other == rung]
        axes.plot([edge + 0.08] * 2, [own[0] - 0.45, own[-1] + 0.45], color=MUTED, clip_on=False)
        axes.text(edge + 0.18, sum(own) / len(own), rung.replace("_", "\n"), va="center", fontsize=8)


def _cell(axes: Axes, x: int, y: float, cell: HeatmapCell, largest: float) -> None:
    from matplotlib.patches import Rectangle

    def box(left: float, width: float, **look: Any) -> None:
        axes.add_patch(Rectangle((left, y + 0.03), width, 0.94, linewidth=0.6, **look))

    def words(text: str, at: float, color: str) -> None:
        axes.text(at, y + 0.5, text, ha="center", va="center_baseline", fontsize=7.5, color=color)

    if cell.n_given == 0:
        box(x + 0.02, 0.96, facecolor=PAPER, edgecolor=MUTED)
        words("×", x + 0.5, INK)
        return
    counts, mean = cell.counts, cell.mean.estimate
    left = x + 0.02
    for n, hatch, word in ((counts.n_erased, "////", "erased"), (counts.n_unscored, "....", "unscored")):
        if n == 0:
            continue
        width = 0.96 * n / cell.n_given
        box(left, width, facecolor=PAPER, edgecolor=MUTED, hatch=hatch)
        if n == cell.n_given:
            axes.text(
                x + 0.5,
                y + 0.5,
                word,
                ha="center",
                va="center_baseline",
                fontsize=7,
                color=INK,
                bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.8},
            )
            return
        left += width
    rest = x + 0.98 - left
    if math.isnan(mean):
        box(left, rest, facecolor=PAPER, edgecolor=MUTED)
        words("-", left + rest / 2, INK)
        return
    share = min(max(mean / largest, 0.0), 1.0)
    shade = shade_of(share)
    box(left, rest, facecolor=shade.light, edgecolor="none")
    if rest > 0.4:
        words(
            f"{mean:.2f}" if mean >= 0.005 or mean == 0 else "<.01",
            left + rest / 2,
            shade.light_letters,
        )
