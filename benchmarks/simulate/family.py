"""Six systems at a time: how often effects are said to differ, and an order of means stated, that is not there."""

from __future__ import annotations

from collections import Counter
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from benchmarks.simulate.data import (
    PROMPTS,
    Floats,
    Generator,
    often_and_little,
    partition,
    rare_and_far,
    usual,
)
from lm_eval_sensitivity.stats import contrast_table, find_clusters, largest_value, max_t_test

DRAWS = 999
RESAMPLES = 499
BLOCKS = 10
EDITS = 8
ZEROS = (0.8, 0.9, 0.95)
HIGHER = 0.3
HIGH = 2.0
"""The largest cosine distance."""


def family(replicates: int) -> dict[str, Any]:
    """Cells of numbers of prompts: no difference, equal means of unequal shapes, and one system that is higher."""
    cells = []
    for prompts in PROMPTS:
        cells.append(cell("no difference", prompts, None, 6, replicates, partial(same, last=0.2)))
        for zero in ZEROS:
            for systems in (2, 6):
                name = f"equal means, unequal shapes, {systems} systems"
                draw = partial(unequal, zero=zero, systems=systems)
                cells.append(cell(name, prompts, zero, systems, replicates, draw))
        cells.append(cell("one of six higher", prompts, None, 5, replicates, partial(same, last=HIGHER)))
    return {
        "replicates": replicates,
        "draws": DRAWS,
        "resamples": RESAMPLES,
        "edits": EDITS,
        "higher": HIGHER,
        "cells": cells,
    }


def cell(
    kind: str, prompts: int, zero: float | None, equal: int, replicates: int, draw: Any
) -> dict[str, Any]:
    """Shares of tables; the first `equal` systems have the same mean."""
    rng = np.random.default_rng([prompts, len(kind), round(100 * (zero or 0))])
    counts: Counter[str] = Counter(
        dict.fromkeys(("effects_differ", "wrong_order", "last_differs", "last_is_higher"), 0)
    )
    names = tuple(str(index) for index in range(equal))
    for index in range(replicates):
        values = draw(rng, prompts)
        ends = [largest_value(values[:, :, i], HIGH) or 0.0 for i in range(values.shape[2])]
        table = contrast_table(partition(values))
        tests = max_t_test(
            table,
            draws=DRAWS,
            resamples=RESAMPLES,
            largest=[max(ends[int(first)], ends[int(second)]) for first, second in table.contrasts],
            seed=index * BLOCKS // replicates,
        )
        ordered = find_clusters(tests).ordered
        last = str(values.shape[2] - 1)
        counts["effects_differ"] += any(tests.p(*pair) <= 0.05 for pair in combinations(names, 2))
        counts["wrong_order"] += any(low in names and high in names for low, high in ordered)
        counts["last_differs"] += tests.p("0", last) <= 0.05
        counts["last_is_higher"] += ("0", last) in ordered
    shares = {name: round(n / replicates, 4) for name, n in counts.items()}
    return {"kind": kind, "prompts": prompts, "zeros": zero, **shares}


def same(rng: Generator, prompts: int, last: float) -> Floats:
    """[prompt, edit, system] six systems with a mean of 0.2, the last perhaps higher."""
    kinds = [usual(0.2)] * 5 + [usual(last)]
    level = np.sqrt(0.5) * rng.standard_normal((prompts, 1, 1)) + np.sqrt(0.5) * rng.standard_normal(
        (prompts, 1, 6)
    )
    own = rng.standard_normal((prompts, EDITS, 6))
    return np.stack([kind.values(level[..., i], own[..., i]) for i, kind in enumerate(kinds)], axis=-1)


def unequal(rng: Generator, prompts: int, zero: float, systems: int) -> Floats:
    """[prompt, 1, system] the first half moved rarely and far, the others often and little."""
    size = (prompts, 1, systems // 2)
    return np.concatenate([rare_and_far(rng, size, zero), often_and_little(rng, size, zero)], axis=-1)
