"""Samples of a sensitive and of an indifferent pair, and what lies between and within their sides."""

from __future__ import annotations

import math
from statistics import mean
from typing import TYPE_CHECKING

import numpy as np

from lm_eval_sensitivity.report.figures.style import INK, MUTED, PAPER, Picture, legend_below
from tests.traps.pictures.runs import TrapRuns
from tests.traps.pictures.shown import NAIVE, SUITE, Numbers, Shown, claim, headline, picture, words_of
from tests.traps.test_two_attractors import (
    N_SAMPLES,
    TASK,
    Row,
    distance,
    naive_between,
    naive_once,
    shares,
    split,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "two_attractors"
KINDS = ("sensitive", "indifferent")
LOOKS = {
    "base": {"color": INK, "marker": "o"},
    "variant": {"color": MUTED, "marker": "s", "markerfacecolor": PAPER},
}


def show(runs: TrapRuns) -> Shown:
    """Measure and draw."""
    run = runs.attracted
    kinds = dict(zip(KINDS, split(run), strict=True))
    once = [
        naive_once(kinds["indifferent"], draw) > naive_once(kinds["sensitive"], draw)
        for draw in range(N_SAMPLES)
    ]
    numbers = {
        "samples": N_SAMPLES,
        "naive between": {kind: mean(map(naive_between, rows)) for kind, rows in kinds.items()},
        "draws that fool one sample of each side": sum(once),
        "excess": {kind: mean(row["excess_distance"] for row in rows) for kind, rows in kinds.items()},
        "largest p of the sensitive": max(_p(row) for row in kinds["sensitive"]),
        "smallest p of the indifferent": min(_p(row) for row in kinds["indifferent"]),
        "table": run.value(TASK, "separated", "answer"),
        "closing words": words_of(run, "Sampled answers separate"),
        "pairs": {kind: [_pair(row) for row in rows] for kind, rows in kinds.items()},
    }
    return Shown(numbers, _picture(numbers))


def _p(row: Row) -> float:
    return row["separated"]["p_value"]


def _pair(row: Row) -> Numbers:
    return {
        "prompt": row["doc"]["prompt_id"],
        "distance of the two answers": distance(row["doc"]["prompt_id"]),
        "shares of the first answer": shares(row),
        "between": row["between_distance"],
        "within": row["within_distance"],
        "excess": row["excess_distance"],
        "p": _p(row),
    }


def _picture(numbers: Numbers) -> Picture:
    def draw(figure: Figure) -> None:
        left, middle, right = figure.subplots(1, 3, width_ratios=[1.1, 1.2, 1.2])
        _two_numbers(left, numbers)
        pairs = {kind: numbers["pairs"][kind][0] for kind in KINDS}
        apart = max(pair["distance of the two answers"] for pair in pairs.values())
        for axes, (kind, pair) in zip((middle, right), pairs.items(), strict=True):
            _cloud(axes, pair, apart)
            digits = 4 if pair["p"] < 0.01 else 2
            headline(
                axes,
                f"Suite: a pair that is {kind}",
                f"between {pair['between']:.2f}, within {pair['within']:.2f},\np {pair['p']:.{digits}f}",
            )
        handles = [
            (NAIVE, "naive: mean distance between the sides"),
            (SUITE, "suite: excess over what samples of one side differ"),
            *(
                ({**look, "linestyle": "none", "markersize": 5}, f"a sample of the {side}")
                for side, look in LOOKS.items()
            ),
        ]
        legend_below(figure, handles, columns=2)

    n_pairs = {kind: len(pairs) for kind, pairs in numbers["pairs"].items()}
    n = (
        f"{numbers['samples']} samples of each side; {n_pairs['sensitive']} sensitive and {n_pairs['indifferent']} "
        "indifferent pairs, means on the left, the first of each kind beside it. A sample is one of two texts: equal "
        "ones are spread around their place."
    )
    return picture(NAME, "Two attractors that temperature jumps between", n, 3.6, draw)


def _two_numbers(axes: Axes, numbers: Numbers) -> None:
    for shift, key, look in ((-0.2, "naive between", NAIVE), (0.2, "excess", SUITE)):
        values = [numbers[key][kind] for kind in KINDS]
        axes.bar([place + shift for place in range(2)], values, width=0.36, linewidth=0.9, **look)
        for place, value in enumerate(values):
            axes.annotate(
                f"{value:.2f}",
                (place + shift, max(value, 0)),
                (0, 2),
                textcoords="offset points",
                ha="center",
                fontsize=8,
            )
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.set_xticks(range(2), list(KINDS))
    axes.grid(visible=False, axis="x")
    axes.margins(y=0.15)
    axes.set_ylabel("cosine distance")
    headline(axes, "Naive probe and suite", claim("they disagree\non which moved", _disagree(numbers)))


def _disagree(numbers: Numbers) -> bool:
    naive, suite = numbers["naive between"], numbers["excess"]
    return naive["indifferent"] > naive["sensitive"] and suite["indifferent"] < suite["sensitive"]


def _cloud(axes: Axes, pair: Numbers, apart: float) -> None:
    """The two answers along the line through their embeddings; the samples of the sides above each other."""
    for height, look, share in zip((1, 0), LOOKS.values(), pair["shares of the first answer"], strict=True):
        n_first = round(share * N_SAMPLES)
        for center, n in ((0.0, n_first), (pair["distance of the two answers"], N_SAMPLES - n_first)):
            across, up = _sunflower(n)
            axes.plot(
                center + 0.17 * apart * across, height + 0.3 * up, linestyle="none", markersize=3.6, **look
            )
            axes.text(center, height - 0.44, f"{n}", ha="center", va="center", fontsize=8)
    axes.set_yticks([1, 0], list(LOOKS))
    axes.grid(visible=False, axis="y")
    axes.set_ylim(-0.6, 1.45)
    axes.set_xlim(-0.25 * apart, 1.25 * apart)
    axes.set_xlabel("distance of the answers")


def _sunflower(n: int) -> tuple[np.ndarray, np.ndarray]:
    """[point] places in a disc, evenly; the radius grows with n, up to 1 for all samples."""
    index = np.arange(n)
    radius, angle = np.sqrt((index + 0.5) / N_SAMPLES), index * math.pi * (3 - math.sqrt(5))
    return radius * np.cos(angle), radius * np.sin(angle)
