"""Do intervals hold the truth, and how wide are they? Of means, one-sided bounds, and differences."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.simulate.data import (
    PROMPTS,
    SHAPES,
    ZEROS,
    Floats,
    Generator,
    often_and_little,
    rare_and_far,
    several,
    single,
)
from lm_eval_sensitivity.stats import difference_interval, largest_value, mean_interval, one_sided_bounds

RESAMPLES = 999
BLOCKS = 10
"""Of replicates that share their resamples: drawing them anew for each takes longer than all else."""
EDITS = 8
OF_DIFFERENCES = ("skewed", "two humps")
HIGH = 2.0
"""The largest cosine distance."""


def coverage(replicates: int) -> dict[str, Any]:
    """Cells of all numbers of prompts, shares of zeros and shapes."""
    cells = []
    for prompts in PROMPTS:
        for zero in ZEROS:
            for index, shape in enumerate(SHAPES):
                seed = [prompts, round(100 * zero), index]
                cell = {
                    "prompts": prompts,
                    "zeros": zero,
                    "shape": shape,
                    "several": of_means("several", shape, prompts, zero, replicates, seed),
                    "single": of_means("single", shape, prompts, zero, replicates, seed),
                }
                if shape in OF_DIFFERENCES:
                    cell["difference"] = of_differences(shape, prompts, zero, replicates, seed)
                cells.append(cell)
            cells.append(
                {
                    "prompts": prompts,
                    "zeros": zero,
                    "shape": "rare against often",
                    "difference": of_unequal(prompts, zero, replicates, prompts),
                }
            )
    return {"replicates": replicates, "resamples": RESAMPLES, "edits": EDITS, "cells": cells}


def of_means(kind: str, shape: str, prompts: int, zero: float, replicates: int, seed: list[int]) -> Any:
    """Shares of intervals that hold the truth, and their mean width."""
    rng = np.random.default_rng(seed)
    truth = (1 - zero) * SHAPES[shape].mean
    pairs = (
        several(rng, (replicates, prompts, EDITS), shape, zero)
        if kind == "several"
        else single(rng, (replicates, prompts, 1), shape, zero)
    )
    found = np.zeros(5)
    for index, table in enumerate(pairs):
        values = table.mean(axis=1)
        options: dict[str, Any] = {
            "largest": largest_value(table, HIGH),
            "resamples": RESAMPLES,
            "seed": index * BLOCKS // replicates,
        }
        both, alone = mean_interval(values, **options), one_sided_bounds(values, **options)
        outside = min(both.lower, alone.lower) < 0 or max(both.upper, alone.upper) > options["largest"]
        found += [
            both.lower <= truth <= both.upper,
            alone.lower <= truth,
            alone.upper >= truth,
            both.upper - both.lower,
            outside,
        ]
    names = ("two_sided", "lower", "upper", "width", "outside")
    return dict(zip(names, (found / replicates).round(4).tolist(), strict=True))


def of_differences(shape: str, prompts: int, zero: float, replicates: int, seed: list[int]) -> Any:
    """Two systems of the same shape that share the pairs' numbers in half of the prompts."""
    rng = np.random.default_rng([*seed, 1])
    first, second, other = (several(rng, (replicates, prompts, EDITS), shape, zero) for _ in range(3))
    second = np.where(rng.random((replicates, prompts, 1)) < 0.5, 0.5 * first + 0.5 * second, other)
    return _of_differences(first, second, replicates)


def of_unequal(prompts: int, zero: float, replicates: int, seed: int) -> Any:
    """One number per prompt: one system moved rarely and far, the other often and little."""
    rng: Generator = np.random.default_rng([seed, round(100 * zero), 2])
    size = (replicates, prompts, 1)
    return _of_differences(rare_and_far(rng, size, zero), often_and_little(rng, size, zero), replicates)


def _of_differences(first: Floats, second: Floats, replicates: int) -> Any:
    covered = width = outside = 0.0
    for index, (a, b) in enumerate(zip(first, second, strict=True)):
        largest = max(largest_value(a, HIGH) or 0.0, largest_value(b, HIGH) or 0.0)
        found = difference_interval(
            a.mean(axis=1) - b.mean(axis=1),
            largest=largest,
            resamples=RESAMPLES,
            seed=index * BLOCKS // replicates,
        )
        covered += found.lower <= 0 <= found.upper
        width += found.upper - found.lower
        outside += max(-found.lower, found.upper) > largest
    return {
        "two_sided": round(covered / replicates, 4),
        "width": round(width / replicates, 4),
        "outside": outside,
    }
