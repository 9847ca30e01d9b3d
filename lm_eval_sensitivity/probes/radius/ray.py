"""A straight line through a state, and what the next-token distribution does along it, in O(vocabulary) a point.

Before the final norm a state x moves to x + eps v. Both are multiplied by the output embedding once; every point of the
line then costs one division and one softmax, because a norm divides by the root of a quadratic in eps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

Floats = NDArray[np.float64]

FIRST_STEP, FACTOR, PRECISION = 1 / 8, 1.25, 1e-6
"""The search starts at this share of what the formula says, goes by this factor, and ends at this relative width."""


@dataclass(frozen=True, eq=False)
class Ray:
    """Logits along x + eps v: cap(scale ((start + eps toward) / sqrt(c0 + c1 eps + c2 eps^2) + offset)).

    Example:
        >>> ray = Ray(np.array([1.0, 0.0]), np.array([1.0, -1.0]))
        >>> ray.logits(0.5).tolist()
        [1.5, -0.5]
    """

    start: Floats = field(repr=False)
    """[vocabulary] the output embedding times the gain of the norm times x."""
    toward: Floats = field(repr=False)
    """[vocabulary] the same of v."""
    quadratic: tuple[float, float, float] = (1.0, 0.0, 0.0)
    """(c0, c1, c2) of what the norm takes the root of; (1, 0, 0) where there is no norm on the way."""
    offset: Floats | float = field(default=0.0, repr=False)
    """[vocabulary] the output embedding times the bias of the norm, and its own bias."""
    scale: float = 1.0
    soft_cap: float | None = None

    def logits(self, eps: float) -> Floats:
        """[vocabulary] at x + eps v."""
        c0, c1, c2 = self.quadratic
        moved = (self.start + eps * self.toward) / math.sqrt(c0 + (c1 + c2 * eps) * eps)
        return capped(self.scale * (moved + self.offset), self.soft_cap)

    @cached_property
    def here(self) -> Floats:
        """[vocabulary] logits at x."""
        return self.logits(0.0)

    @cached_property
    def probabilities(self) -> Floats:
        """[vocabulary] softmax of the logits at x."""
        found: Floats = np.exp(self._log_probabilities)
        return found

    @cached_property
    def _log_probabilities(self) -> Floats:
        shifted = self.here - self.here.max()
        found: Floats = shifted - math.log(float(np.exp(shifted).sum()))
        return found

    @cached_property
    def slope(self) -> Floats:
        """[vocabulary] derivative of the logits in eps at x."""
        c0, c1, _ = self.quadratic
        root = math.sqrt(c0)
        slope = self.scale * (self.toward / root - self.start * (c1 / (2 * c0 * root)))
        return slope if self.soft_cap is None else slope * (1 - (self.here / self.soft_cap) ** 2)

    @cached_property
    def curvature(self) -> float:
        """Second derivative of the divergence in eps at x: variance of the slope under the probabilities.

        Formula: v' J' (diag p - p p') J v = Var_p(J v), the Fisher information of eps. Range: [0, inf). Unit: nats per
        squared length of v.
        Source: Amari 2016, Information Geometry and Its Applications, chapter 1 (KL to second order).

        Example:
            >>> Ray(np.array([0.0, 0.0]), np.array([1.0, -1.0])).curvature
            1.0
        """
        centered = self.slope - self.probabilities @ self.slope
        return float(self.probabilities @ centered**2)

    def divergence(self, eps: float) -> float:
        """KL divergence from the distribution at x to the one at x + eps v.

        Formula: log E_p exp(d) - E_p d with d = z(eps) - z(0), computed around the mean of d, so that a divergence of
        1e-14 nats still has digits. Range: [0, inf). Unit: nats.
        Source: Kullback & Leibler 1951, section 2.

        Example:
            >>> ray = Ray(np.array([0.0, 0.0]), np.array([1.0, -1.0]))
            >>> round(ray.divergence(1e-6) * 1e12, 6), ray.divergence(0.0)
            (0.5, 0.0)
        """
        moved = self.logits(eps) - self.here
        moved -= self.probabilities @ moved
        if float(moved.max()) < 1:
            return max(math.log1p(float(self.probabilities @ np.expm1(moved))), 0.0)
        # What has no probability in floating point here may have all of it there.
        terms = self._log_probabilities + moved
        largest = float(terms.max())
        return largest + math.log(float(np.exp(terms - largest).sum()))

    def predicted(self, tau: float) -> float:
        """The radius that the curvature promises.

        Formula: sqrt(2 tau / curvature). Range: (0, inf]; inf without curvature. Unit: lengths of v.

        Args:
            tau: nats.

        Example:
            >>> Ray(np.array([0.0, 0.0]), np.array([1.0, -1.0])).predicted(0.02)
            0.2
        """
        return math.sqrt(2 * tau / self.curvature) if self.curvature > 0 else math.inf

    def measured(self, taus: Sequence[float], reach: float) -> list[float]:
        """Where the divergence first reaches each tau, on the nearer side.

        From an eighth of the smallest predicted radius down until the divergence is below tau, then up, by a factor
        of 1.25, and Brent's method. A bump of the divergence that is narrower than the factor can be stepped over.

        Args:
            taus: nats, ascending.
            reach: of the search, in lengths of v.

        Returns:
            [tau] lengths of v; inf where neither side gets there within reach.

        Example:
            >>> ray = Ray(np.array([0.0, 0.0]), np.array([1.0, -1.0]))
            >>> [round(each, 4) for each in ray.measured([0.02, 0.5], 1000.0)]
            [0.2007, 1.085]
        """
        # Where a cap or certainty hides the curvature, the formula can be too long by any factor.
        start = min(self.predicted(taus[0]), reach) * FIRST_STEP
        ways = [crossings(partial(self._beside, sign), taus, start, reach) for sign in (1, -1)]
        return [min(both) for both in zip(*ways, strict=True)]

    def _beside(self, sign: int, eps: float) -> float:
        return self.divergence(sign * eps)


def crossings(
    height: Callable[[float], float], taus: Sequence[float], start: float, reach: float
) -> list[float]:
    """First places where a function that begins at 0 reaches each height.

    Source: Brent 1973, chapter 4, inside of brackets that grow by `FACTOR`.

    Args:
        height: of a place above 0.
        taus: heights, ascending and above 0.
        start: first place that is looked at; lower ones follow where it is above the first height.
        reach: last one.

    Returns:
        [tau] places; inf where it is not reached.

    Example:
        >>> [round(each, 4) for each in crossings(lambda x: x * x, [4.0, 9.0, 1e9], 0.1, 1000.0)]
        [2.0, 3.0, inf]
    """
    found: list[float] = []
    here, now = start, height(start)
    while now >= taus[0]:
        here /= FACTOR
        now = height(here)
    below = 0.0
    for tau in taus:
        while now < tau and here < reach:
            below, here = here, here * FACTOR
            now = height(here)
        if now < tau:
            return found + [math.inf] * (len(taus) - len(found))
        # A bracket that holds two heights begins at the lower one for the higher.
        below = float(
            brentq(
                lambda x, t=tau: height(x) - t, below, here, xtol=PRECISION * here / FACTOR, rtol=PRECISION
            )
        )
        found.append(below)
    return found


def capped(logits: Floats, soft_cap: float | None) -> Floats:
    """[...] c tanh(z / c); the logits themselves without a cap.

    Source: Gemma Team 2024 (Gemma 2), section 2.

    Example:
        >>> capped(np.array([0.0, 1e9]), 30.0).tolist()
        [0.0, 30.0]
    """
    return logits if soft_cap is None else soft_cap * np.tanh(logits / soft_cap)
