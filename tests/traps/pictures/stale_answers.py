"""Drift of a garbage candidate with lm_eval's cache, and with the suite's store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lm_eval_sensitivity.report.figures.style import Picture
from tests.traps.naive import base_outputs, naive_drift
from tests.traps.pictures.runs import TrapRuns
from tests.traps.pictures.shown import NAIVE, SUITE, Numbers, Shown, bars, headline, picture
from tests.traps.test_stale_answers import IDENTICAL

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "stale_answers"


def show(runs: TrapRuns) -> Shown:
    """Measure and draw."""
    run = runs.stale
    served, own = base_outputs(run["plain_candidate"]), base_outputs(run["plain_reference"])
    asked, first = base_outputs(run["cached_candidate"]), base_outputs(run["cached_reference"])
    numbers = {
        "prompts": len(own),
        "the reference's answers under the candidate's name": sum(served[each] == own[each] for each in own),
        "the same with the suite": sum(asked[each] == first[each] for each in first),
        "naive drift, one cache": naive_drift(run["plain_candidate"], run["plain_reference"]),
        "naive drift, no cache": naive_drift(run["uncached_candidate"], run["uncached_reference"]),
        **{
            f"suite drift, {words}": run[f"{kind}_candidate"].value(IDENTICAL, "baseline_drift", "answer")
            for kind, words in (("cached", "one cache"), ("uncached", "no cache"))
        },
    }
    return Shown(numbers, _picture(numbers))


def _picture(numbers: Numbers) -> Picture:
    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, sharey=True)
        places = ("one cache", "no cache")
        words = ["one cache path\nfor both models", "no cache"]
        bars(left, words, [numbers[f"naive drift, {each}"] for each in places], NAIVE)
        bars(right, words, [numbers[f"suite drift, {each}"] for each in places], SUITE)
        n, same = numbers["prompts"], "the reference's answers under the candidate's name"
        headline(
            left, "Naive probe, a plain task", f"one path: {numbers[same]} of {n} answers are the reference's"
        )
        headline(
            right,
            "Suite",
            f"one path: {numbers['the same with the suite']} of {n} answers are the reference's",
        )
        left.set_ylabel("drift from the reference")

    n = f"{numbers['prompts']} prompts; the candidate is the reference rounded to 2 bits per row."
    return picture(NAME, "Another system's answers, served from a cache", n, 3.0, draw)
