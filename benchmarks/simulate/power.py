"""What stands behind a printed detectable difference, and behind "equal within the margin"."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulate.data import PROMPTS, Floats, Generator, usual
from lm_eval_sensitivity.stats import detectable_difference, equivalence_test, sign_flip_test

DRAWS = 999
RESAMPLES = 999
BLOCKS = 10
EDITS = 18
ZEROS = (0.0, 0.3, 0.5, 0.8)
MARGIN = 0.25
SIZES = (24, 96, 384)


def power(replicates: int) -> dict[str, Any]:
    """Cells of numbers of prompts and shares of prompts that do not differ."""
    return {
        "replicates": replicates,
        "draws": DRAWS,
        "resamples": RESAMPLES,
        "detectable": [of_detectable(prompts, zero, replicates) for prompts in PROMPTS for zero in ZEROS],
        "equivalence": [of_equivalence(prompts, replicates) for prompts in SIZES],
    }


def of_detectable(prompts: int, zero: float, replicates: int) -> dict[str, Any]:
    """Of the tables that print a difference, in how many others it is found where it is the true one.

    A share of prompts never differs; the others differ by skewed numbers, and in the other tables by so much more that
    the mean difference is the one that was printed. They have the same prompts, as many of which differ, or new ones.
    """
    rng = np.random.default_rng([prompts, round(100 * zero), 3])
    printed = 0
    found = {"same_prompts": 0, "new_prompts": 0}
    for index in range(replicates):
        seed = index * BLOCKS // replicates
        differs = rng.random(prompts) >= zero
        seen = detectable_difference(_differences(rng, differs, 0.0))
        if seen.reason is not None:
            continue
        printed += 1
        others = {"same_prompts": differs, "new_prompts": rng.random(prompts) >= zero}
        for name, moved in others.items():
            share = differs.mean() if name == "same_prompts" else 1 - zero
            values = _differences(rng, moved, seen.difference / share)
            found[name] += sign_flip_test(values, draws=DRAWS, seed=seed).p_value <= 0.05
    return {
        "prompts": prompts,
        "zeros": zero,
        "printed": round(printed / replicates, 4),
        **{name: round(n / printed, 4) if printed else None for name, n in found.items()},
    }


def _differences(rng: Generator, differs: NDArray[np.bool_], shift: float) -> Floats:
    values = (rng.gamma(2.0, 1.0, len(differs)) - 2.0) * 0.1 + shift
    return np.where(differs, values, 0.0)


def of_equivalence(prompts: int, replicates: int) -> dict[str, Any]:
    """How often systems are called equal: with the same mean, and with one that is the margin higher."""
    rng = np.random.default_rng([prompts, 4])
    shares = {}
    for name, mean in (("equal", 0.2), ("at the margin", 0.2 * (1 + MARGIN))):
        count = 0
        for index in range(replicates):
            values, reference = _means(rng, prompts, mean)
            tested = equivalence_test(
                values,
                reference,
                margin_share=MARGIN,
                draws=99,
                resamples=RESAMPLES,
                seed=index * BLOCKS // replicates,
            )
            count += tested.word == "equal within the margin"
        shares[name] = count / replicates
    return {"prompts": prompts, **shares}


def _means(rng: Generator, prompts: int, mean: float) -> tuple[Floats, Floats]:
    """[prompt] means of two systems that hang together as two models do: by prompt 0.5, by edit 0.2."""
    columns = []
    shared, shared_edit = rng.standard_normal((prompts, 1)), rng.standard_normal((prompts, EDITS))
    for each in (mean, 0.2):
        level = np.sqrt(0.5) * shared + np.sqrt(0.5) * rng.standard_normal((prompts, 1))
        own = np.sqrt(0.2) * shared_edit + np.sqrt(0.8) * rng.standard_normal((prompts, EDITS))
        columns.append(usual(each).values(level, own).mean(axis=1))
    return columns[0], columns[1]
