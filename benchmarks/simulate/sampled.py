"""The energy-distance test of two sets of sampled outputs: how often it rejects where nothing differs, and elsewhere.

Outputs are unit vectors around a direction, as embeddings are; distances are Euclidean, as in runs of samples.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.simulate.data import Floats, Generator
from lm_eval_sensitivity.stats import two_sample_test

SAMPLES = 30
"""On each side."""
DRAWS = 499
MOST_REPLICATES = 500
DIMENSIONS = 32
SPREAD = 0.15
"""Standard deviation of every coordinate, beside a direction of length 1."""
DISTINCT = 4
"""Outputs of a system that mostly says the same."""


def sampled(replicates: int) -> dict[str, Any]:
    """Share of rejections at 0.05, by what differs."""
    replicates = min(replicates, MOST_REPLICATES)
    cells = []
    for index, (kind, draw) in enumerate(KINDS.items()):
        rng = np.random.default_rng([SAMPLES, index])
        p = [_tested(*draw(rng), seed=number) for number in range(replicates)]
        cells.append({"kind": kind, "rejected": float(np.mean([each <= 0.05 for each in p]))})
    return {
        "replicates": replicates,
        "samples": SAMPLES,
        "draws": DRAWS,
        "dimensions": DIMENSIONS,
        "spread": SPREAD,
        "distinct": DISTINCT,
        "cells": cells,
    }


def _tested(first: Floats, second: Floats, seed: int) -> float:
    both = np.concatenate([first, second])
    squares = np.maximum(2 - 2 * both @ both.T, 0.0)
    squares = (squares + squares.T) / 2
    squares[squares < 1e-9] = 0.0
    return two_sample_test(np.sqrt(squares), np.arange(2 * SAMPLES) < SAMPLES, draws=DRAWS, seed=seed).p_value


def _cloud(rng: Generator, shift: float = 0.0, spread: float = SPREAD) -> Floats:
    center = np.zeros(DIMENSIONS)
    center[:2] = 1.0, shift
    found = center + spread * rng.standard_normal((SAMPLES, DIMENSIONS))
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found


def _few_outputs(rng: Generator, usual: float) -> Floats:
    """Coordinate vectors, the first with the share `usual`."""
    shares = [usual, *[(1 - usual) / (DISTINCT - 1)] * (DISTINCT - 1)]
    return np.eye(DIMENSIONS)[rng.choice(DISTINCT, SAMPLES, p=shares)]


KINDS = {
    "nothing": lambda rng: (_cloud(rng), _cloud(rng)),
    "nothing, four distinct outputs": lambda rng: (_few_outputs(rng, 0.7), _few_outputs(rng, 0.7)),
    "the mean, by 0.15": lambda rng: (_cloud(rng), _cloud(rng, SPREAD)),
    "the mean, by 0.3": lambda rng: (_cloud(rng), _cloud(rng, 2 * SPREAD)),
    "the spread, half as large again": lambda rng: (_cloud(rng), _cloud(rng, 0.0, 1.5 * SPREAD)),
    "shares of four distinct outputs, 0.7 and 0.4 for the first": lambda rng: (
        _few_outputs(rng, 0.7),
        _few_outputs(rng, 0.4),
    ),
}
"""What differs between both sides."""
