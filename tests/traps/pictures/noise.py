"""Rounding of a batch as distance, beside what repeating a prompt gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lm_eval_sensitivity.report.figures.style import ACCENT, INK, PAPER, Picture, legend_below
from tests.traps.naive import naive_drift, naive_mean
from tests.traps.pictures.runs import TrapRuns
from tests.traps.pictures.shown import NAIVE, Numbers, Shown, bars, claim, headline, picture, words_of
from tests.traps.pictures.workshop import data_of
from tests.traps.test_noise import IDENTICAL, N_ALONE, SYNONYM, by_prompt

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "noise"


def show(runs: TrapRuns) -> Shown:
    """Measure and draw."""
    alone, batched = runs.noise["alone"], runs.noise["batched"]
    line = ("clusters", batched.folder, "--rungs", "synonym", "--filter", "raw")
    (analysis,) = data_of(*line)["selections"]
    (system,) = analysis["systems"]
    numbers = {
        "naive sensitivity": naive_mean(batched),
        "naive drift from itself": naive_drift(batched, alone),
        "alone, synonym": alone.value(SYNONYM, "cosine_distance"),
        "prompts alone": N_ALONE,
        "alone, identical": alone.value(IDENTICAL, "cosine_distance"),
        "noise floor": batched.value(IDENTICAL, "cosine_distance"),
        "mean over prompts": system["mean"]["estimate"],
        "lower": system["mean"]["lower"],
        "upper": system["mean"]["upper"],
        "noise floor over prompts": system["noise"]["estimate"],
        "table": batched.value(SYNONYM, "noise"),
        "caution": [each["text"] for each in analysis["cautions"] if "noise floor" in each["text"]],
        "closing words": words_of(batched, "The same prompt again", "What harmless edits move"),
        "synonym by prompt": by_prompt(batched, "synonym"),
        "identical by prompt": by_prompt(batched, "identical"),
    }
    return Shown(numbers, _picture(numbers))


def _picture(numbers: Numbers) -> Picture:
    synonym, identical = numbers["synonym by prompt"], numbers["identical by prompt"]

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, width_ratios=[1, 1.4])
        naive = [numbers["naive sensitivity"], numbers["naive drift from itself"]]
        bars(left, ["synonyms,\nbatches of 8", "drift of batches\nof 8 from 1"], naive, NAIVE)
        left.set_ylabel("mean cosine distance")
        headline(left, "Naive probe", claim("sensitive to synonyms, and drifted", min(naive) > 0))
        floor = numbers["noise floor over prompts"]
        right.plot(
            [identical[prompt] for prompt in synonym],
            list(synonym.values()),
            color=INK,
            marker="o",
            linestyle="none",
            markerfacecolor=PAPER,
            markersize=4.5,
        )
        top = 1.08 * max(*synonym.values(), *identical.values())
        right.plot([0, top], [0, top], color=INK, linewidth=0.7)
        right.axvline(floor, color=ACCENT, linestyle=":")
        right.axhline(numbers["mean over prompts"], color=ACCENT, linestyle="--")
        right.set_xlim(-0.02, top)
        right.set_ylim(-0.02, top)
        right.set_xlabel("distance when the prompt is repeated (identical)")
        right.set_ylabel("distance under synonyms")
        headline(right, "Suite", _suite_words(numbers))
        legend_below(
            figure,
            [
                ({"color": INK, "marker": "o", "linestyle": "none", "markerfacecolor": PAPER}, "one prompt"),
                ({"color": ACCENT, "linestyle": "--"}, "mean under synonyms"),
                ({"color": ACCENT, "linestyle": ":"}, "noise floor"),
                ({"color": INK, "linewidth": 0.7}, "as much as by repeating"),
            ],
            columns=4,
        )

    n_still = sum(synonym[prompt] == identical[prompt] == 0 for prompt in synonym)
    n = (
        f"{len(synonym)} prompts, each with two synonyms that the model cannot tell from the base; for {n_still} of "
        "them both distances are 0."
    )
    return picture(NAME, "Noise of the arithmetic, taken for sensitivity", n, 3.5, draw)


def _suite_words(numbers: Numbers) -> str:
    mean, floor = numbers["mean over prompts"], numbers["noise floor over prompts"]
    words = f"{mean:.3f} is within the noise floor {floor:.3f}"
    return claim(words, numbers["table"].startswith("within the noise floor") and mean <= floor)
