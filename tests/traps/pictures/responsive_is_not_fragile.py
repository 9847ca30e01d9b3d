"""One mean over all edits, two profiles along the ladder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lm_eval_sensitivity.report.figures.style import Picture, legend_below
from lm_eval_sensitivity.report.figures.two_axes import marker_of
from lm_eval_sensitivity.types import RUNGS
from tests.running import Run
from tests.traps.models.responding import MOVING_EDITS, pairs
from tests.traps.models.responding import RUNGS as RUN_RUNGS
from tests.traps.naive import naive_mean
from tests.traps.pictures.runs import TrapRuns
from tests.traps.pictures.shown import NAIVE, Numbers, Shown, bars, claim, headline, picture, words_of
from tests.traps.pictures.workshop import data_of
from tests.traps.test_responsive_is_not_fragile import EMBEDDING_NOISE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "responsive_is_not_fragile"
LINES = {"responsive": "-", "fragile": "--"}


def show(runs: TrapRuns) -> Shown:
    """Measure and draw."""
    found = runs.responding
    folders = {kind: run.folder for kind, run in found.items()}
    line = ("drift", folders["responsive"], folders["fragile"], "--reference", folders["reference"])
    beside = {row["system"]: row["verdict"] for row in data_of(*line)["tables"]["sweep"]}
    numbers = {
        "naive mean over all edits": {kind: naive_mean(run, rungs=RUNGS[1:]) for kind, run in found.items()},
        "by rung": {kind: _profile(run) for kind, run in found.items()},
        "alone": {kind: _alone(run) for kind, run in found.items()},
        "beside the reference": beside,
        "closing words": words_of(
            found["fragile"], "collapsed or indiscriminate", "Another request moves the answers"
        ),
    }
    return Shown(numbers, _picture(numbers))


def _profile(run: Run) -> dict[str, float]:
    return {
        rung: run.value(f"prompt_sensitivity_mini_{rung}", "cosine_distance", "answer") for rung in RUN_RUNGS
    }


def _alone(run: Run) -> str:
    (row,) = data_of("drift", run.folder)["tables"]["sweep"]
    return row["verdict"]


def _picture(numbers: Mapping[str, Numbers]) -> Picture:
    beside = numbers["beside the reference"]
    looks: dict[str, dict[str, Any]] = {
        kind: {**marker_of(beside[kind], radius=3.5), "linestyle": line} for kind, line in LINES.items()
    }

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, width_ratios=[1, 2], sharey=True)
        naive = [numbers["naive mean over all edits"][kind] for kind in LINES]
        bars(left, list(LINES), naive, NAIVE)
        same = abs(naive[0] - naive[1]) < EMBEDDING_NOISE
        headline(left, "Naive probe", claim("one mean for both", same))
        left.set_ylabel("mean cosine distance")
        places = range(len(RUN_RUNGS))
        for kind, look in looks.items():
            right.plot(places, [numbers["by rung"][kind][rung] for rung in RUN_RUNGS], **look)
        right.set_xticks(places, [rung.replace("_", "\n") for rung in RUN_RUNGS])
        right.set_xlim(-0.3, len(RUN_RUNGS) - 0.7)
        highest = max(max(numbers["by rung"][kind].values()) for kind in LINES)
        right.set_ylim(-0.03 * highest, 1.1 * highest)
        apart = claim("beside the reference: two verdicts", beside["responsive"] != beside["fragile"])
        headline(right, "Suite, rungs kept apart", apart)
        legend_below(figure, [(look, f"{kind}: {beside[kind]}") for kind, look in looks.items()])

    n_prompts, n_edits = len({pair.prompt_id for pair in pairs()}), len({pair.edit for pair in pairs()}) - 1
    (n_moving,) = {len(MOVING_EDITS[kind]) for kind in LINES}
    n = f"{n_prompts} prompts, {n_edits} edits of each; both models move under {n_moving} of them, to the same text."
    return picture(NAME, "One mean, two models: responsive and fragile", n, 3.3, draw)
