"""Simulated tables of pairs with a known truth: correlated within prompts, skewed, bounded, many zeros.

A distance is 0 with a probability of the prompt's and the system's own (greedy outputs often do not
change at all), else beta-distributed around a level that is partly the prompt's, partly the prompt's and
the system's: the level's logit is normal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit

from lm_eval_sensitivity.stats import MaxT, Partition, TwoAxes, partition_by_prompt, two_axes

Floats = NDArray[np.float64]
N_EDITS = 8
N_TEXTS = 1 + N_EDITS
"""The base prompt and its harmless variants."""
SPREAD = 0.9
"""Standard deviation of the level's logit: prompts range over a factor of ten."""


def distances(
    rng: np.random.Generator, shape: tuple[int, int, int, int], *, means: Sequence[float], zero: float
) -> Floats:
    """[replicate, prompt, edit, system] distances in [0, 1] whose expectation is `means`, per system.

    Systems share the prompt's part of the level, so they are correlated. A mean of 0 is a system that
    never moves; one above 0.5 has no zeros.
    """
    replicates, prompts, _, systems = shape
    zeros = np.where(np.asarray(means) > 0.5, 1e-9, max(zero, 1e-9))
    center = np.array([_location(mean / (1 - z)) for mean, z in zip(means, zeros, strict=True)])
    prompt, system = (
        rng.normal(size=(replicates, prompts, 1, 1)),
        rng.normal(size=(replicates, prompts, 1, systems)),
    )
    level = np.clip(expit(center + SPREAD * (0.8 * prompt + 0.6 * system)), 1e-9, 1 - 1e-9)
    values: Floats = rng.beta(4 * level, 4 * (1 - level), shape)
    unmoved = rng.beta(4 * zeros, 4 * (1 - zeros), (replicates, prompts, 1, systems))
    values[rng.random(shape) < unmoved] = 0.0
    values[..., np.asarray(means) == 0] = 0.0
    return values


def _location(mean: float) -> float:
    """The center of a logit-normal level with this mean."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()
    if mean <= 0:
        return -20.0
    return float(brentq(lambda center: float(weights @ expit(center + SPREAD * nodes)) - mean, -30, 30))


def tabulated(values: Floats, rng: np.random.Generator | None = None, *, lost: float = 0.0) -> Partition:
    """A partition of [replicate, prompt, edit, system] distances; system s of replicate r is `r/s`.

    A share `lost` of the pairs is erased or unscored, independently of everything else.
    """
    index = np.indices(values.shape).reshape(4, -1)
    statuses = np.full(values.size, "scored", dtype=object)
    if rng is not None and lost:
        fate = rng.random(values.size)
        statuses[fate < lost] = "unscored"
        statuses[fate < lost / 2] = "erased"
    return partition_by_prompt(
        [f"q{i:03d}" for i in index[1].tolist()],
        [f"e{i:02d}" for i in index[2].tolist()],
        [name(r, s) for r, s in zip(index[0].tolist(), index[3].tolist(), strict=True)],
        values.ravel(),
        statuses.tolist(),
    )


def name(replicate: int, system: int) -> str:
    """Of a simulated system."""
    return f"{replicate:05d}/{system:02d}"


def null_tables(
    rng: np.random.Generator, replicates: int, prompts: int, *, zero: float, systems: int = 2
) -> Partition:
    """Systems that do not differ, some pairs erased or unscored."""
    shape = (replicates, prompts, N_EDITS, systems)
    return tabulated(distances(rng, shape, means=[0.2] * systems, zero=zero), rng, lost=0.05)


def null_differences(rng: np.random.Generator, replicates: int, prompts: int, *, zero: float) -> Floats:
    """[prompt, replicate] prompt-level differences of two systems that do not differ."""
    table = null_tables(rng, replicates, prompts, zero=zero)
    contrasts = [table.contrast(name(r, 0), name(r, 1)) for r in range(replicates)]
    return np.stack([contrast.differences for contrast in contrasts], axis=1)


def rare_and_often(rng: np.random.Generator, replicates: int, prompts: int, *, zero: float = 0.9) -> Floats:
    """[replicate, prompt] differences of two systems with a mean of 0.05: one moves rarely and far, one always."""
    rare = np.where(rng.random((replicates, prompts)) < zero, 0.0, rng.beta(4, 4, (replicates, prompts)))
    often: Floats = rng.beta(2, 38, (replicates, prompts))
    return rare * 0.05 / (0.5 * (1 - zero)) - often


def family_of(
    p: dict[tuple[str, str], float],
    estimates: dict[tuple[str, str], float] | None = None,
    p_order: dict[tuple[str, str], float] | None = None,
) -> MaxT:
    """A family of tests with these adjusted p-values; the second system is higher by default."""
    of_order = np.array([(p_order or p)[pair] for pair in p])
    pairs = tuple(p)
    sizes = np.array([(estimates or {}).get(pair, -0.1) for pair in pairs])
    values = np.array(list(p.values()))
    reasons = tuple("too few" if math.isnan(value) else None for value in values)
    n = tuple(0 if reason else 9 for reason in reasons)
    least = (2 / 512,) * len(pairs)
    return MaxT(
        pairs,
        sizes,
        sizes,
        values,
        values,
        n,
        reasons,
        9,
        len(pairs),
        2 / 512,
        "exact",
        0,
        0,
        0.05,
        least,
        of_order,
    )


@dataclass(frozen=True)
class Scenario:
    """True means of a candidate beside a reference with p = 0.08, c = 0.8 and an identical rung near 0."""

    harmless: float
    control: float
    drift: float
    label: str


SCENARIOS = {
    "stable": Scenario(0.06, 0.8, 0.03, "STABLE"),
    "sensitised": Scenario(0.24, 0.85, 0.25, "RESPONSIVE"),
    "drifted": Scenario(0.06, 0.8, 0.5, "DRIFTED"),
    "partial collapse": Scenario(0.04, 0.4, 0.6, "COLLAPSED"),
    "the the the": Scenario(0.0, 0.0, 0.9, "COLLAPSED"),
    "noise": Scenario(0.8, 0.8, 0.8, "INDISCRIMINATE"),
}


def axes_of(scenario: Scenario, prompts: int, seed: int) -> TwoAxes:
    """One simulated comparison, through the whole chain from rows."""
    rng = np.random.default_rng(seed)

    def table(edits: int, candidate: float, reference: float, zero: float) -> Partition:
        shape = (1, prompts, edits, 2)
        return tabulated(distances(rng, shape, means=(candidate, reference), zero=zero))

    drift = distances(rng, (1, prompts, N_TEXTS, 2), means=(scenario.drift, 0.01), zero=0.1)
    drift = drift[0, :, :, 0].mean(axis=1)
    return two_axes(
        table(N_EDITS, scenario.harmless, 0.08, zero=0.3),
        table(3, scenario.control, 0.8, zero=0.0),
        table(1, 0.002, 0.002, zero=0.8),
        dict(zip((f"q{i:03d}" for i in range(prompts)), drift.tolist(), strict=True)),
        system=name(0, 0),
        reference=name(0, 1),
    )
