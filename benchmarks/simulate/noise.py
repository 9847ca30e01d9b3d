"""How often edits are called more than noise, where they are and where they are not."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.simulate.data import PROMPTS, Floats, Generator, latent, often_and_little, rare_and_far
from lm_eval_sensitivity.stats import repetition_test

EDITS = 8
DRAWS = 999
RESAMPLES = 999
MEAN = 0.2
BLOCKS = 10
ZEROS = (0.0, 0.3)
FLOORS = {"as large": MEAN, "half": 0.1, "a tenth": 0.02}


def noise(replicates: int) -> dict[str, Any]:
    """Cells of numbers of prompts and kinds of noise."""
    cells = []
    for prompts in PROMPTS:
        for zero in ZEROS:
            for name, floor in FLOORS.items():
                rng = np.random.default_rng([prompts, round(100 * zero), round(100 * floor)])
                cells.append(
                    {
                        "prompts": prompts,
                        "kind": name,
                        "zeros": zero,
                        "above": called(
                            [usual_noise(rng, prompts, floor, zero) for _ in range(replicates)], replicates
                        ),
                    }
                )
        rng = np.random.default_rng([prompts, 7])
        for zero in (0.8, 0.9):
            cells.append(
                {
                    "prompts": prompts,
                    "kind": "rare and far, equal means",
                    "zeros": zero,
                    "above": called([rare(rng, prompts, zero) for _ in range(replicates)], replicates),
                }
            )
    return {
        "replicates": replicates,
        "draws": DRAWS,
        "resamples": RESAMPLES,
        "edits": EDITS,
        "mean": MEAN,
        "cells": cells,
    }


def called(tables: list[tuple[Floats, Floats]], replicates: int) -> float:
    """Share of systems of which the edits are called more than noise."""
    count = 0
    for index, (edits, repeated) in enumerate(tables):
        found = repetition_test(
            edits, repeated, draws=DRAWS, resamples=RESAMPLES, seed=index * BLOCKS // replicates
        )
        count += found.standing == "above"
    return count / replicates


def usual_noise(rng: Generator, prompts: int, floor: float, zero: float) -> tuple[Floats, Floats]:
    """Edits and one repetition of the same prompt; at the same mean the repetition is one more edit."""
    shape = (prompts, EDITS + 1)
    level, own = rng.standard_normal((prompts, 1)), rng.standard_normal(shape)
    edits = _kind(MEAN, zero).values(level, own)
    return edits[:, 1:], _kind(floor, zero).values(level[:, 0], own[:, 0])


def _kind(mean: float, zero: float) -> Any:
    variance = 0.27 * mean * (1 - mean)
    return latent(mean, 0.29 * variance, 0.71 * variance, zero)


def rare(rng: Generator, prompts: int, zero: float) -> tuple[Floats, Floats]:
    """Every edit moves the output a little; a repetition rarely does, and then far: the same mean."""
    return often_and_little(rng, (prompts, EDITS), zero), rare_and_far(rng, (prompts,), zero)
