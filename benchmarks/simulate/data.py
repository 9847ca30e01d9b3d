"""Simulated distances of which the truth is known.

`single` and `several` have a declared share of zeros and one of four shapes; they are for intervals. `Latent` has a
declared mean, share of zeros, and variance between and within prompts, fitted to what real outputs show; several
systems can hang together by prompt and by edit. It is for verdicts and designs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.special import expit, logit, ndtr

from lm_eval_sensitivity.stats import Partition
from lm_eval_sensitivity.stats.partition import ABSENT, SCORED

Floats = NDArray[np.float64]
Generator = np.random.Generator

ZEROS = (0.0, 0.3, 0.5, 0.8, 0.9, 0.95)
PROMPTS = (9, 24, 96)


@dataclass(frozen=True)
class Shape:
    """What a distance that is not 0 looks like."""

    mean: float
    draw: Callable[[Generator, tuple[int, ...]], Floats]


def _two_humps(rng: Generator, size: tuple[int, ...]) -> Floats:
    far = rng.random(size) < 0.25
    return np.where(far, rng.beta(16, 4, size), rng.beta(2, 38, size))


SHAPES = {
    "even": Shape(0.5, lambda rng, size: rng.random(size)),
    "small": Shape(0.1, lambda rng, size: rng.beta(2, 18, size)),
    "skewed": Shape(0.1, lambda rng, size: rng.beta(0.4, 3.6, size)),
    "two humps": Shape(0.25 * 0.8 + 0.75 * 0.05, _two_humps),
}


def single(rng: Generator, size: tuple[int, ...], shape: str, zero: float) -> Floats:
    """Distances of the shape, of which a share is 0; one per prompt."""
    values = SHAPES[shape].draw(rng, size)
    return np.where(rng.random(size) < zero, 0.0, values)


def several(rng: Generator, size: tuple[int, int, int], shape: str, zero: float) -> Floats:
    """[replicate, prompt, edit] distances around a prompt's own level, which has the shape.

    Whether an edit moves the output depends on the prompt, too: its own share of zeros is beta-distributed.
    """
    replicates, prompts, _ = size
    level = np.clip(SHAPES[shape].draw(rng, (replicates, prompts, 1)), 1e-6, 1 - 1e-6)
    values = rng.beta(4 * level, 4 * (1 - level), size)
    if zero == 0:
        return values
    unmoved = rng.beta(4 * zero, 4 * (1 - zero), (replicates, prompts, 1))
    return np.where(rng.random(size) < unmoved, 0.0, values)


def rare_and_far(rng: Generator, size: tuple[int, ...], zero: float) -> Floats:
    """A mean of (1 - zero) * 0.8: few prompts moved, and those far."""
    return np.where(rng.random(size) < zero, 0.0, rng.beta(16, 4, size))


def often_and_little(rng: Generator, size: tuple[int, ...], zero: float) -> Floats:
    """The same mean, every prompt moved a little."""
    mean = (1 - zero) * 0.8
    return rng.beta(40 * mean, 40 * (1 - mean), size)


@dataclass(frozen=True)
class Latent:
    """Distances max(0, (expit(center + b P + w E) - t) / (1 - t)) with standard normal P (prompt) and E (edit)."""

    center: float
    between: float
    within: float
    threshold: float

    def values(self, prompt: Floats, edit: Floats) -> Floats:
        """Distances for given normal deviates, of any shapes that broadcast."""
        level = expit(self.center + self.between * prompt + self.within * edit)
        return np.maximum(0.0, (level - self.threshold) / (1 - self.threshold))


@lru_cache(maxsize=256)
def latent(mean: float, between: float, within: float, zeros: float) -> Latent:
    """The one with this mean, these variances between and within prompts, and this share of zeros.

    Raises:
        ValueError: there is none.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(41)
    weights = weights / weights.sum()
    prompt, edit = nodes[:, None], nodes[None, :]

    def candidate(x: Floats) -> Latent:
        return Latent(x[0], float(np.exp(x[1])), float(np.exp(x[2])), float(expit(x[3])) if zeros else 0.0)

    def misses(x: Floats) -> Floats:
        tried = candidate(x)
        values = tried.values(prompt, edit)
        of_prompt = values @ weights
        found_mean = float(weights @ of_prompt)
        found_between = float(weights @ (of_prompt - found_mean) ** 2)
        found_within = float(weights @ (((values - of_prompt[:, None]) ** 2) @ weights))
        missed = [found_mean / mean - 1, found_between / between - 1, found_within / within - 1]
        if zeros:
            spread = np.hypot(tried.between, tried.within)
            missed.append((float(ndtr((logit(tried.threshold) - tried.center) / spread)) - zeros) * 5)
        return np.array(missed)

    start = [float(logit(mean)), -0.3, 0.2] + ([float(logit(0.05))] if zeros else [])
    found = least_squares(misses, start, xtol=1e-12, ftol=1e-12)
    if np.abs(found.fun).max() > 0.02:
        raise ValueError(f"no latent distances of {mean}, {between}, {within}, {zeros}: {found.fun}")
    return candidate(found.x)


def usual(mean: float) -> Latent:
    """Variances that depend on the mean as those of SmolLM2-135M-Instruct do: 0.27 m (1 - m), 29 % of it between."""
    variance = 0.27 * mean * (1 - mean)
    return latent(mean, 0.29 * variance, 0.71 * variance, 0.15 if mean <= 0.4 else 0.0)


def deviates(rng: Generator, size: tuple[int, ...], correlation: float, systems: int = 2) -> Floats:
    """[..., system] standard normals with this correlation between systems; it may be negative for two."""
    if systems == 2:
        first, other = rng.standard_normal((2, *size))
        return np.stack([first, correlation * first + np.sqrt(1 - correlation**2) * other], axis=-1)
    shared = rng.standard_normal((*size, 1))
    own = rng.standard_normal((*size, systems))
    return np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own


def together(
    rng: Generator, size: tuple[int, int], kinds: Sequence[Latent], *, by_prompt: float, by_edit: float
) -> Floats:
    """[prompt, edit, system] distances of systems that hang together by prompt and by edit."""
    prompt = deviates(rng, (size[0], 1), by_prompt, len(kinds))
    edit = deviates(rng, size, by_edit, len(kinds))
    return np.stack([kind.values(prompt[..., i], edit[..., i]) for i, kind in enumerate(kinds)], axis=-1)


RUNGS = {"noop": 8, "punctuation": 6, "synonym": 2, "paraphrase": 2}
"""Edits per rung, as a prompt of `core` has them: 18."""


def partition(values: Floats, rungs: Sequence[str] = ()) -> Partition:
    """A partition of [prompt, edit, system] distances; systems are named `0`, `1`, ...; NaN is no pair."""
    status = np.where(np.isnan(values), ABSENT, SCORED).astype(np.int8)
    prompts, edits, systems = (
        tuple(f"{letter}{i:03d}" for i in range(n)) for letter, n in zip("pes", values.shape, strict=True)
    )
    return Partition(prompts, edits, tuple(name[-1] for name in systems), values, status, tuple(rungs))
