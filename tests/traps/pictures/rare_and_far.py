"""Two systems of one mean distance, of which a rank test prefers one."""

from __future__ import annotations

from statistics import mean
from typing import TYPE_CHECKING

from lm_eval_sensitivity.report.figures.style import INK, MUTED, PAPER, Picture, interval_bar
from lm_eval_sensitivity.report.wording.clusters import clusters_in_words
from tests.traps.models.uneven import N_FEW, N_PROMPTS, OFTEN, RARE, by_prompt
from tests.traps.naive import naive_winner
from tests.traps.pictures.runs import TrapRuns
from tests.traps.pictures.shown import Numbers, Shown, claim, headline, picture
from tests.traps.test_rare_and_far import ALPHA, stated

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "rare_and_far"
LOOKS = {
    RARE: {"color": INK, "marker": "^"},
    OFTEN: {"color": MUTED, "marker": "s", "markerfacecolor": PAPER},
}


def show(runs: TrapRuns) -> Shown:
    """Measure and draw; the distances are written down, so that no run is needed."""
    return Shown(found := {str(n): _numbers(n) for n in (N_FEW, N_PROMPTS)}, _picture(found))


def _numbers(n: int) -> Numbers:
    found, values = stated(n), by_prompt(n)
    (contrast,) = found.contrasts
    winner, p = naive_winner(values)
    return {
        "prompts": n,
        "naive winner": winner,
        "naive p": p,
        "prompts on which the rare system is lower": sum(
            a < b for a, b in zip(values[RARE], values[OFTEN], strict=True)
        ),
        "means": {system: mean(each) for system, each in values.items()},
        "bounds": {row.system: [row.mean.lower, row.mean.upper] for row in found.systems},
        "p of the sign flips": contrast.p_adjusted,
        "p of equal means": contrast.p_order,
        "finding": contrast.finding,
        "words": [note.text for note in clusters_in_words(found)],
    }


def _picture(numbers: Numbers) -> Picture:
    few, every = (numbers[str(n)] for n in (N_FEW, N_PROMPTS))

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, width_ratios=[3, 2], sharey=True)
        for system, values in by_prompt(N_FEW).items():
            places = range(len(values))
            left.plot(places, sorted(values), linestyle="none", markersize=5, label=system, **LOOKS[system])
        left.set_xlabel(f"{N_FEW} prompts, each system's own order")
        left.set_ylabel("distance")
        left.legend(loc="upper left", frameon=False, fontsize=8)
        says = claim(f"{RARE} is more stable,\np {few['naive p']:.4f}", few["naive winner"] == RARE)
        headline(left, "Naive rank test", says)
        found = stated(N_FEW)
        for place, row in enumerate(found.systems):
            look = LOOKS[row.system]
            interval_bar(
                right, place, row.mean, color=look["color"], marker=look["marker"], hollow=row.system == OFTEN
            )
        right.set_xticks(range(len(found.systems)), [row.system.replace("_", "\n") for row in found.systems])
        right.set_xlim(-0.6, len(found.systems) - 0.4)
        words = claim(
            "effects differ;\nwhich mean is lower is not settled",
            few["p of the sign flips"] <= ALPHA < few["p of equal means"],
        )
        headline(right, "Suite", words)

    same = abs(every["means"][RARE] - every["means"][OFTEN]) < 1e-12
    n = (
        f"{N_FEW} of {N_PROMPTS} prompts, on all of which both means are "
        f"{claim(format(every['means'][RARE], '.3f'), same)}. Bars are 95 % intervals."
    )
    return picture(NAME, "Rare and far against often and little", n, 3.3, draw)
