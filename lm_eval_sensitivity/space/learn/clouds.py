"""Four drawings of two clouds of outputs: wide or narrow, close or far. Constructed, not measured."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lm_eval_sensitivity.stats import TwoSampleTest, two_sample_test

SEED = 7
SAMPLES = 8
"""Points in a cloud. Eight against eight have 12,870 splits, few enough to try them all."""
NARROW, WIDE = 0.05, 0.33
"""Standard deviation of a cloud: what temperature noise does."""
CLOSE, FAR = 0.03, 0.4
"""Distance of the two centers: what the edit does."""

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Clouds:
    """Outputs to a prompt and to its variant, as points in a plane."""

    wide: bool
    far: bool
    base: Points
    """[sample, 2]"""
    variant: Points
    """[sample, 2]"""
    centers: Points
    """[2, 2] base and variant: where the output without any sampling noise would lie."""
    test: TwoSampleTest
    """The test of prompt_sensitivity_sampling, made on the points of the drawing."""


@lru_cache(maxsize=1)
def four_clouds() -> tuple[Clouds, ...]:
    """Noise low and high, each with sensitivity low and high; the same random numbers in all four."""
    noise = np.random.default_rng(SEED).standard_normal((2, SAMPLES, 2))
    noise -= noise.mean(axis=1, keepdims=True)  # so that the centers lie exactly as far apart as constructed
    return tuple(_clouds(noise, wide=wide, far=far) for wide in (False, True) for far in (False, True))


def _clouds(noise: Points, *, wide: bool, far: bool) -> Clouds:
    half = (FAR if far else CLOSE) / 2
    centers = np.array([[-half, 0.0], [half, 0.0]])
    base, variant = centers[:, None, :] + (WIDE if wide else NARROW) * noise
    pooled = np.concatenate([base, variant])
    distances = np.linalg.norm(pooled[:, None] - pooled[None, :], axis=-1)
    test = two_sample_test(distances, np.arange(2 * SAMPLES) < SAMPLES)
    return Clouds(wide, far, base, variant, centers, test)
