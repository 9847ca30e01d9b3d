"""Learn: what it means that an output moves when its prompt barely does, for readers who know none of it."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np

from lm_eval_sensitivity.ladder import load_ladder
from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.space.learn import logistic, ripple
from lm_eval_sensitivity.space.learn.clouds import SAMPLES, four_clouds
from lm_eval_sensitivity.space.learn.logistic import Trajectories, two_trajectories
from lm_eval_sensitivity.space.learn.raster import points, shade_paths
from lm_eval_sensitivity.space.pieces import MarkedParts, marked
from lm_eval_sensitivity.space.query import Query
from lm_eval_sensitivity.space.rungs import RUNG_WORDS
from lm_eval_sensitivity.space.texts import LONGEST
from lm_eval_sensitivity.space.view import VIEWS, View

CHAPTERS = {
    "minute": "In one minute",
    "logistic": "One rule, and one knob",
    "ripple": "The same ripple in two grids",
    "clouds": "Temperature is not sensitivity",
    "traps": "Eight look-alikes",
    "not": "What not to conclude",
}
"""Headings by id, in the order of the page."""

EXAMPLE_PROMPT = "brasilia-capital"
EXAMPLE_EDITS = {"noop": "double_space", "positive_control": "control_topic"}
"""The edit to show where the first one of a rung is not the plainest."""

SMALLEST_GAP = 1e-12
"""Gaps below it are drawn at the foot of their picture, which has a logarithmic scale."""
SENTENCES = {
    "together-shrinking": "At r = {r} the two stay together: in {steps} steps they are never more than 0.1 apart. "
    "In the long run a step multiplies a small gap by {stretch}: gaps shrink.",
    "together-growing": "At r = {r} the gap grows so slowly that the two are not 0.1 apart within {steps} steps. "
    "In the long run a step multiplies it by {stretch}.",
    "parted-growing": "At r = {r} the two part: at step {step} they are more than 0.1 apart. In the long run a step "
    "multiplies a small gap by {stretch}: gaps grow.",
    "parted-shrinking": "At r = {r} the two part at step {step}, before either has settled. In the long run a step "
    "multiplies a small gap by {stretch}, so gaps shrink: they go round one cycle, out of step.",
}
"""What the knob finds. The script fills in the same sentences."""

GAINS = (0.8, 1.25)
FRAMES_SHOWN = (0, 5, 15, 30, 60)
OUTCOMES = {
    "start": "A ripple from row {row}, column {column}.",
    "swallowed": "Gain {gain}: swallowed. After {steps} steps {total} is left of the 1 that was put in.",
    "kept": "Gain {gain}: neither. After {steps} steps the total is still {total}, only thinner spread.",
    "amplified": "Gain {gain}: amplified. After {steps} steps the total is {total} instead of 1; "
    f"{ripple.SIZE**2} is all that fits in.",
}


def show(results: Results, query: Query) -> View:
    """The lesson.

    Args:
        results: not looked at.
        query: the address.

    Returns:
        The view; of the address it depends on `r` alone, the knob of the logistic map.
    """
    r = round(query.number("r", logistic.R_LOW, logistic.R_HIGH, logistic.R_DEFAULT), 2)
    context = {
        "chapters": CHAPTERS,
        "examples": example()[1],
        "logistic": _logistic_context(r),
        "ripple": _ripple_context(),
        "rule": logistic,
        "cells": ripple,
        "clouds": four_clouds(),
        "n_samples": SAMPLES,
        "views": VIEWS,
    }
    return View("Learn", "learn.html", context)


@cache
def example() -> tuple[str, tuple[tuple[str, str, MarkedParts], ...]]:
    """A prompt of the packaged ladder, and what each rung makes of it.

    Returns:
        The prompt, and per rung (rung, what it changes in words, the variant with its edited parts).
    """
    pairs = [pair for pair in load_ladder(subset="mini").pairs if pair.prompt_id == EXAMPLE_PROMPT]
    base = pairs[0].base
    found = []
    for rung, (changed, _) in RUNG_WORDS.items():
        of_rung = {pair.edit: pair for pair in pairs if pair.rung == rung}
        pair = of_rung.get(EXAMPLE_EDITS.get(rung, "")) or next(iter(of_rung.values()))
        parts, _ = marked(base, pair.variant, LONGEST)
        found.append((rung, changed, parts))
    return base, tuple(found)


def _logistic_context(r: float) -> dict[str, Any]:
    both = two_trajectories(r)
    settings = {
        "start": logistic.START,
        "nudge": logistic.NUDGE,
        "steps": logistic.STEPS,
        "parted": logistic.PARTED,
        "stretch_transient": logistic.STRETCH_TRANSIENT,
        "stretch_steps": logistic.STRETCH_STEPS,
        "smallest_gap": SMALLEST_GAP,
    }
    return {
        "r": f"{r:.2f}",
        "settings": json.dumps(settings),
        "diagram": diagram_paths(),
        "first": points(1 - both.first),
        "second": points(1 - both.second),
        "gap": points(-np.log10(np.maximum(both.gap, SMALLEST_GAP))),
        "parted_at": both.parted_at,
        "sentences": SENTENCES,
        "result": result_sentence(both),
    }


@cache
def diagram_paths() -> tuple[str, ...]:
    """The bifurcation diagram, one path for each shade."""
    return shade_paths(logistic.bifurcation(), len(logistic.SHADES), upright=True)


def result_sentence(both: Trajectories) -> str:
    """What two trajectories do, in words.

    Returns:
        Whole sentences, one of `SENTENCES` with its numbers.

    Example:
        >>> result_sentence(logistic.two_trajectories(2.8))[:33]
        'At r = 2.80 the two stay together'
    """
    parting = "together" if both.parted_at is None else "parted"
    direction = "shrinking" if both.stretch < 1 else "growing"
    return SENTENCES[f"{parting}-{direction}"].format(
        r=f"{both.r:.2f}", step=both.parted_at, steps=logistic.STEPS, stretch=f"{both.stretch:.3f}"
    )


@cache
def _ripple_context() -> dict[str, Any]:
    settings = {"size": ripple.SIZE, "steps": ripple.FRAMES, "shades": ripple.SHADES}
    return {
        "settings": json.dumps(settings),
        "outcomes": OUTCOMES,
        "films": {gain: _film(gain) for gain in GAINS},
        "result": " ".join(map(_outcome, GAINS)),
    }


def _outcome(gain: float) -> str:
    """What became of a ripple from the middle; the script says the same of any other."""
    kind = "swallowed" if gain < 1 else "amplified"
    total = float(ripple.ripple(gain)[-1].sum())
    shown = f"{total:.2f}" if total >= 0.01 else "less than 0.01"
    return OUTCOMES[kind].format(gain=f"{gain:.2f}", steps=ripple.FRAMES, total=shown)


def _film(gain: float) -> list[tuple[int, float, tuple[str, ...]]]:
    """(step, total, a path for each shade) of every frame."""
    grids = ripple.ripple(gain)
    return [
        (step, float(grids[step].sum()), shade_paths(ripple.shades(grids[step]), len(ripple.SHADES)))
        for step in FRAMES_SHOWN
    ]
