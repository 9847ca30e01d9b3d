"""A quantization sweep on two axes, beside the one number of the naive probe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lm_eval_sensitivity.report.figures import two_axes
from lm_eval_sensitivity.report.figures.style import Picture
from lm_eval_sensitivity.runs import load_runs
from lm_eval_sensitivity.runs.beside import system_of
from lm_eval_sensitivity.statements import Selection, TablePartition
from lm_eval_sensitivity.statements.drift import drift_statement
from lm_eval_sensitivity.statements.drift_distance import measure_drifts
from lm_eval_sensitivity.statements.records import DriftStatement
from tests.running import Run
from tests.traps.naive import naive_mean
from tests.traps.pictures.runs import TrapRuns
from tests.traps.pictures.shown import NAIVE, Numbers, Shown, claim, headline, picture, words_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "collapse"
CLOSING_WORDS = {
    "2-bit_attention": ["Verdict:", "no stability"],
    "2-bit_one_scale": ["pairs of 9 prompts scored", "nothing that could be scored"],
    "the_the_the": ["Verdict:", "Another request moves the", "caught in a repetition"],
}
"""System -> parts of what the page quotes."""


def show(runs: TrapRuns) -> Shown:
    """Measure and draw."""
    found = _axes(runs.collapse)
    numbers: Numbers = {
        "naive": {name: naive_mean(run) for name, run in runs.collapse.items()},
        "suite": {each.system: _placed(each) for each in found.systems},
        "table, 2-bit_attention": runs.collapse["2-bit_attention"].value(
            "prompt_sensitivity_mini_positive_control", "verdict", "answer"
        ),
    }
    numbers["closing words"] = {
        name: words_of(runs.collapse[name], *parts) for name, parts in CLOSING_WORDS.items()
    }
    return Shown(numbers, _picture(found, numbers["naive"]))


def _axes(runs: Mapping[str, Run]) -> DriftStatement:
    """As `report --reference` has it."""
    pairs, selection = load_runs([run.folder for run in runs.values()]), Selection()
    reference = system_of(pairs, runs["reference"].folder)
    partition = TablePartition(pairs.table)
    return drift_statement(
        partition,
        partition.systems,
        selection,
        reference=reference.name,
        drifts=measure_drifts(pairs, reference, selection, None),
    )


def _placed(each: object) -> Numbers:
    return {
        "verdict": each.label,
        "p": each.preserving.mean.estimate,
        "c": each.control.mean.estimate,
        "b": None if each.drift is None else each.drift.mean.estimate,
        "silent share": each.silent_share,
    }


def _picture(found: DriftStatement, naive: Mapping[str, float]) -> Picture:
    plane = two_axes.picture(found)
    assert isinstance(plane, Picture)

    def draw(figure: Figure) -> None:
        left, right = figure.subfigures(1, 2, width_ratios=[1, 2])
        axes = left.subplots()
        places = range(len(naive))
        axes.barh(places, list(naive.values()), height=0.6, linewidth=0.9, **NAIVE)
        for place, value in zip(places, naive.values(), strict=True):
            axes.annotate(f"{value:.3f}", (value, place), (3, -3), textcoords="offset points", fontsize=8)
        silent = {each.system for each in found.systems if each.silent_share == 1}
        said = dict.fromkeys(silent, "\n(silent)")
        names = [name.replace("_", " ") + said.get(name, "") for name in naive]
        axes.set_yticks(places, names)
        axes.invert_yaxis()
        axes.set_xlim(0, max(naive.values()) * 1.3)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("mean distance")
        headline(axes, "Naive probe", _naive_words(found, naive))
        plane.draw(right)
        headline(right.axes[0], "Suite", f"{len(_collapsed(found))} of {len(naive) - 1} systems COLLAPSED\n")
        # A legend of a part is not held fast when the frame is drawn; one of the whole is.
        (legend,) = right.legends
        words = [text.get_text() for text in legend.get_texts()]
        figure.legend(legend.legend_handles, words, loc="outside lower left", ncols=6)
        legend.remove()

    height = plane.size[1]
    (silent,) = (each.system for each in found.systems if each.silent_share == 1)
    n = f"{plane.caption.n} {silent} gives nothing that could be scored, and has no place on the right."
    return picture(NAME, "A system that looks stable because it has stopped responding", n, height, draw)


def _naive_words(found: DriftStatement, naive: Mapping[str, float]) -> str:
    still = {name for name, distance in naive.items() if distance == min(naive.values())}
    return claim("the collapsed look\nmost stable", still >= _collapsed(found) != set())


def _collapsed(found: DriftStatement) -> set[str]:
    return {each.system for each in found.systems if each.label == "COLLAPSED"}
