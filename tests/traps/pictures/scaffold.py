"""The same thinking before every answer: distance by window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lm_eval_sensitivity.report.figures.style import INK, MUTED, PAPER, Picture, legend_below
from tests.running import Run
from tests.traps.models.scaffolded import N_ANSWER, SCAFFOLD
from tests.traps.naive import naive_mean
from tests.traps.pictures.runs import MIDDLE, TrapRuns
from tests.traps.pictures.shown import Numbers, Shown, claim, headline, picture, words_of
from tests.traps.test_scaffold import EMBEDDING_NOISE, TASK, WHOLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "scaffold"
WINDOWS = {"64": "cosine_distance_64", str(MIDDLE): f"cosine_distance_{MIDDLE}", "whole": "cosine_distance"}
LOOKS = {
    "plain": {"color": MUTED, "marker": "s", "linestyle": "--", "markerfacecolor": PAPER, "markersize": 9},
    "tagged": {"color": INK, "marker": "o", "linestyle": "-", "markersize": 4.5},
}


def show(runs: TrapRuns) -> Shown:
    """Measure and draw."""
    limits = dict(zip(WINDOWS, (64, MIDDLE, WHOLE), strict=True))
    naive = {
        kind: {window: naive_mean(runs.scaffold[kind, limit]) for window, limit in limits.items()}
        for kind in LOOKS
    }
    whole = {kind: runs.scaffold[kind, WHOLE] for kind in LOOKS}
    (unclosed,) = (run for (kind, _), run in runs.scaffold.items() if kind == "unclosed")
    numbers = {
        "tokens of the scaffold": len(SCAFFOLD),
        "tokens of the answer": N_ANSWER,
        "naive": naive,
        "times as stable in the first 64 tokens": naive["plain"]["64"] / naive["tagged"]["64"],
        "times as stable as a whole": naive["plain"]["whole"] / naive["tagged"]["whole"],
        **{
            f"suite {name}": {kind: _suite(run, name) for kind, run in whole.items()}
            for name in ("raw", "answer")
        },
        "window": whole["tagged"].value(TASK, "window"),
        "window without the scaffold": whole["plain"].value(TASK, "window"),
        "closing words": words_of(whole["tagged"], "Reasoning, not answer"),
        "unclosed, closing words": words_of(
            unclosed, "pairs of 9 prompts scored", "never close their reasoning"
        ),
        "unclosed, naive": naive_mean(unclosed),
        "unclosed, suite": unclosed.value(TASK, "pair", "answer"),
    }
    return Shown(numbers, _picture(numbers))


def _suite(run: Run, filter_name: str) -> Numbers:
    """A window that no output fills has no row: it is the whole output."""
    rows, whole = run.table(TASK), run.value(TASK, "cosine_distance", filter_name)
    return {window: rows.get(f"{metric},{filter_name}", whole) for window, metric in WINDOWS.items()}


def _picture(numbers: Numbers) -> Picture:
    def draw(figure: Figure) -> None:
        naive, raw, answer = figure.subplots(1, 3, sharey=True)
        times = numbers["times as stable in the first 64 tokens"]
        _lines(naive, numbers["naive"])
        says = f"{times:.0f} times as stable\nin the first 64 tokens"
        headline(naive, "Naive probe, whole outputs", claim(says, times > 1))
        _lines(raw, numbers["suite raw"])
        headline(raw, "Suite, raw", numbers["window"].replace(": ", ":\n"))
        _lines(answer, numbers["suite answer"])
        headline(answer, "Suite, answer", claim("the same as without\nthe scaffold", _same(numbers)))
        naive.set_ylabel("mean cosine distance")
        naive.set_ylim(bottom=0)
        for axes in (naive, raw, answer):
            axes.set_xlabel("tokens that are read")
        words = {"plain": "answers at once", "tagged": "the same answers behind the scaffold"}
        legend_below(figure, [(LOOKS[kind], words[kind]) for kind in LOOKS])

    n = f"{numbers['tokens of the scaffold']} tokens of scaffold before {numbers['tokens of the answer']} of answer."
    return picture(NAME, "A scaffold that says the same before every answer", n, 3.1, draw)


def _same(numbers: Numbers) -> bool:
    plain, tagged = (numbers["suite answer"][kind] for kind in LOOKS)
    return all(abs(plain[window] - tagged[window]) < EMBEDDING_NOISE for window in WINDOWS)


def _lines(axes: Axes, found: Numbers) -> None:
    places = range(len(WINDOWS))
    for kind, look in LOOKS.items():
        axes.plot(places, [found[kind][window] for window in WINDOWS], **look)
    for words in dict.fromkeys(f"{found[kind]['64']:.3f}" for kind in LOOKS):
        # Below a point that is high, and beside one that stands on the axis.
        high = float(words) > 0.1
        shift = (-6, -15) if high else (13, 1)
        axes.annotate(words, (0, float(words)), shift, textcoords="offset points", fontsize=8)
    axes.set_xticks(places, list(WINDOWS))
    axes.set_xlim(-0.3, len(WINDOWS) - 0.7)
