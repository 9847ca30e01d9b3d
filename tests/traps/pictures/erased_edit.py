"""Edits that never reached the model, as the naive probe and as the suite shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lm_eval_sensitivity.report.figures.style import ACCENT, INK, PAPER, Picture, legend_below
from tests.running import Run
from tests.traps.naive import naive_mean
from tests.traps.pictures.runs import TrapRuns
from tests.traps.pictures.shown import (
    ERASED,
    NAIVE,
    SUITE,
    Numbers,
    Shown,
    claim,
    headline,
    picture,
    words_of,
)
from tests.traps.test_erased_edit import EDGES, NOOP

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "erased_edit"


def show(runs: TrapRuns) -> Shown:
    """Measure and draw."""
    numbers = {kind: _of_run(run) for kind, run in runs.erased_edit.items()}
    return Shown(numbers, _picture(numbers))


def _of_run(run: Run) -> Numbers:
    rows = run.rows(NOOP, "answer")
    edits = list(dict.fromkeys(row["doc"]["edit"] for row in rows))
    scored = {edit: [row["cosine_distance"] for row in rows if row["doc"]["edit"] == edit] for edit in edits}
    gone = ["Erased edits"] if any(np.isnan(values).any() for values in scored.values()) else []
    return {
        "naive mean": naive_mean(run),
        "naive mean of the edges": naive_mean(run, edits=EDGES),
        "suite mean": run.value(NOOP, "cosine_distance", "answer"),
        "closing words": words_of(run, "pairs of 9 prompts scored", *gone),
        "coverage": run.value(NOOP, "pair", "answer"),
        "naive by edit": {edit: naive_mean(run, edits=[edit]) for edit in edits},
        "suite by edit": {
            edit: None if np.isnan(values).all() else float(np.nanmean(values))
            for edit, values in scored.items()
        },
        "pairs by edit": {edit: len(values) for edit, values in scored.items()},
        "erased by edit": {edit: int(np.isnan(values).sum()) for edit, values in scored.items()},
    }


def _picture(numbers: Mapping[str, Numbers]) -> Picture:
    found = numbers["template"]
    coverage = f"A template that trims its prompts; {found['coverage']} by the suite."

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, sharex=True, sharey=True)
        kept = numbers["nowhere"]["naive by edit"]
        _rows(left, found["naive by edit"], {}, kept, NAIVE)
        _rows(right, found["suite by edit"], found["erased by edit"], kept, SUITE)
        left.axvline(found["naive mean"], color=ACCENT, linestyle="--")
        right.axvline(found["suite mean"], color=ACCENT, linestyle="--")
        for axes, who, says in ((left, *_naive_words(found)), (right, *_suite_words(found))):
            headline(axes, who, says)
            axes.set_xlabel("cosine distance")
        left.invert_yaxis()
        legend_below(
            figure,
            [
                (ERASED, "erased: the model was fed the same ids, no distance"),
                ({"color": ACCENT, "linestyle": "--"}, "mean"),
                (
                    {"color": INK, "marker": "D", "linestyle": "none", "markerfacecolor": PAPER},
                    "the same weights where the edges are kept",
                ),
            ],
            columns=2,
        )

    return picture(NAME, "An edit that is erased on its way to the model", coverage, 3.9, draw)


def _naive_words(found: Numbers) -> tuple[str, str]:
    still = {edit for edit, distance in found["naive by edit"].items() if distance == 0}
    words = f"mean {found['naive mean']:.3f}; {len(still)} edits move nothing: robust"
    return "Naive probe", claim(words, still == _erased(found))


def _suite_words(found: Numbers) -> tuple[str, str]:
    words = f"mean {found['suite mean']:.3f}; {len(_erased(found))} edits were never tested"
    return "Suite", claim(words, found["suite mean"] > found["naive mean"])


def _erased(found: Numbers) -> set[str]:
    """The edits of which no pair was tested."""
    return {edit for edit, n in found["erased by edit"].items() if n == found["pairs by edit"][edit]}


def _rows(
    axes: Axes,
    values: Mapping[str, float | None],
    erased: Mapping[str, int],
    kept: Mapping[str, float],
    look: Numbers,
) -> None:
    """One row per edit, in the order of the ladder."""
    end = max(kept.values()) * 1.15
    for place, (edit, value) in enumerate(values.items()):
        if value is None:
            axes.barh(place, end, height=0.7, **ERASED)
            axes.text(
                0.99 * end,
                place,
                f"{erased[edit]} erased",
                ha="right",
                va="center",
                fontsize=7.5,
                bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1},
            )
        else:
            axes.barh(place, value, height=0.6, linewidth=0.9, **look)
        if value == 0:
            axes.text(0.99 * end, place, "0.000", ha="right", va="center", fontsize=7.5)
        axes.plot(
            [kept[edit]],
            [place],
            marker="D",
            linestyle="none",
            markersize=4,
            color=INK,
            markerfacecolor=PAPER,
            zorder=3,
        )
    axes.set_yticks(range(len(values)), [edit.replace("_", " ") for edit in values])
    axes.grid(visible=False, axis="y")
    axes.set_xlim(0, end)
