"""The margin trace of a late fork, beside what the prompt's end shows."""

from __future__ import annotations

from statistics import mean
from typing import TYPE_CHECKING

import numpy as np

from lm_eval_sensitivity.records.packing import unpack
from lm_eval_sensitivity.report.figures.style import ACCENT, INK, MUTED, PAPER, Picture, legend_below
from lm_eval_sensitivity.statements.prompt_ends import SAME_PROMPT_END_NATS
from tests.traps.models.late_fork import MARGIN, PARTING_EDIT, PROMPT_END_MARGIN, STEP
from tests.traps.pictures.runs import TrapRuns
from tests.traps.pictures.shown import Numbers, Shown, claim, headline, picture, words_of
from tests.traps.test_confident_but_unstable import TASK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "confident_but_unstable"
LOOKS = {
    "base": {"color": INK, "marker": "o", "markersize": 3, "linestyle": "-"},
    "variant": {"color": MUTED, "marker": "s", "markersize": 5, "linestyle": "--", "markerfacecolor": PAPER},
}


def show(runs: TrapRuns) -> Shown:
    """Measure and draw."""
    run = runs.confident
    rows = run.rows(TASK)
    parting = [row for row in rows if row["doc"]["edit"] == PARTING_EDIT]
    ends = [row["pair"]["prompt_end"] for row in rows]
    numbers = {
        "pairs": len(rows),
        "pairs that part": sum(row["cosine_distance"] > 0 for row in rows),
        "nats at the prompt's end": PROMPT_END_MARGIN,
        "prompt end, mean js_divergence": mean(end["js_divergence"] for end in ends),
        "prompt end, flips": sum(end["flipped"] for end in ends),
        "prompt end, js_divergence": [end["js_divergence"] for end in ends],
        "cosine_distance of the outputs": [row["cosine_distance"] for row in rows],
        "mean cosine_distance": run.value(TASK, "cosine_distance"),
        "mean cosine_distance of those that part": mean(row["cosine_distance"] for row in parting),
        "step": STEP,
        "steps at which pairs part": sorted(
            {row["pair"]["token_path"]["first_divergence"] for row in parting}
        ),
        "margin, nats": MARGIN,
        "closing words": words_of(run, "part later"),
        "margins": {side: unpack(parting[0]["pair"][side]["margins"]).tolist() for side in LOOKS},
    }
    return Shown(numbers, _picture(numbers))


def _picture(numbers: Numbers) -> Picture:
    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, width_ratios=[1, 1.7])
        left.plot(
            numbers["prompt end, js_divergence"],
            numbers["cosine_distance of the outputs"],
            color=INK,
            marker="o",
            linestyle="none",
            markerfacecolor=PAPER,
            clip_on=False,
        )
        left.set_xlim(0, 1)
        left.set_ylim(bottom=0)
        left.set_xlabel("distance at the prompt's end (JS)")
        left.set_ylabel("distance of the outputs (cosine)")
        n_still = numbers["pairs"] - numbers["pairs that part"]
        left.annotate(f"{n_still} pairs", (0, 0), (8, 4), textcoords="offset points", fontsize=8)
        headline(left, "Naive prompt-end probe", _naive_words(numbers))
        for side, look in LOOKS.items():
            margins = numbers["margins"][side]
            right.plot(np.arange(len(margins)), margins, linewidth=0.9, **look)
        right.axvline(numbers["step"], color=ACCENT, linestyle=":", zorder=1)
        right.set_yscale("log")
        right.yaxis.set_major_formatter(lambda nats, _: f"{nats:g}")
        right.annotate(
            f"step {numbers['step']}: {numbers['margin, nats']:.1f} nats",
            (numbers["step"], numbers["margin, nats"]),
            (10, 2),
            textcoords="offset points",
            fontsize=8,
        )
        right.set_xlabel("step of the output")
        right.set_ylabel("margin of the chosen token, nats")
        headline(
            right,
            "Suite",
            claim(
                f"{numbers['pairs that part']} of {numbers['pairs']} pairs part at step {numbers['step']}",
                numbers["steps at which pairs part"] == [numbers["step"]],
            ),
        )
        legend_below(
            figure,
            [
                *((LOOKS[side], f"margins of the {side}'s output") for side in LOOKS),
                ({"color": ACCENT, "linestyle": ":"}, "first different token"),
            ],
        )

    n = (
        f"All {numbers['pairs']} pairs on the left; on the right one of the {numbers['pairs that part']} that part. "
        "The margin is how far the chosen token is ahead of the second."
    )
    title = f"Sure of its first token, undecided {numbers['step']} tokens later"
    return picture(NAME, title, n, 3.5, draw)


def _naive_words(numbers: Numbers) -> str:
    flips, distance = numbers["prompt end, flips"], numbers["prompt end, mean js_divergence"]
    return claim(
        f"{flips} flips, JS {distance:.3f}: rock solid", flips == 0 and distance < SAME_PROMPT_END_NATS
    )
