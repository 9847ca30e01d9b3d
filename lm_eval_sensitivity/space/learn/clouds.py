"""Four drawings of two clouds of outputs: wide or narrow, close or far. Constructed, not measured."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lm_eval_sensitivity.stats import two_sample_test

SEED = 7
SAMPLES = 8
"""Points in a cloud. Eight against eight have 12,870 splits, few enough to try them all."""
NARROW, WIDE = 0.05, 0.33
"""Standard deviation of a cloud: what temperature noise does."""
CLOSE, FAR = 0.03, 0.4
"""Distance of the two centers: what the edit does."""


@cache
def four_clouds() -> tuple[dict[str, Any], ...]:
    """Outputs to a prompt and to its variant, as points in a plane: noise low and high, each with sensitivity low and
    high; the same random numbers in all four.

    Returns:
        Of each `wide` and `far`, `base` and `variant` [sample, coordinate], `centers` [cloud, coordinate], and their
        `test`.
    """
    noise = np.random.default_rng(SEED).standard_normal((2, SAMPLES, 2))
    noise -= noise.mean(axis=1, keepdims=True)  # so that the centers lie exactly as far apart as constructed
    return tuple(_clouds(noise, wide=wide, far=far) for wide in (False, True) for far in (False, True))


def _clouds(noise: NDArray[np.float64], *, wide: bool, far: bool) -> dict[str, Any]:
    half = (FAR if far else CLOSE) / 2
    centers = np.array([[-half, 0.0], [half, 0.0]])
    base, variant = centers[:, None, :] + (WIDE if wide else NARROW) * noise
    pooled = np.concatenate([base, variant])
    distances = np.linalg.norm(pooled[:, None] - pooled[None, :], axis=-1)
    # The test of prompt_sensitivity_sampling, made on the points of the drawing.
    test = two_sample_test(distances, np.arange(2 * SAMPLES) < SAMPLES)
    return {"wide": wide, "far": far, "base": base, "variant": variant, "centers": centers, "test": test}
