"""The direction along which a next-token distribution turns fastest, from products with the curvature alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CONVERGED = 1e-4
"""Residual over the value at which Lanczos stops before its last step."""


def fisher_product(probabilities: Floats, change: Floats) -> Floats:
    """The Fisher information of the logits times a change of them.

    Formula: (diag p - p p') y. Unit: that of the change.
    Source: Martens 2020, "New insights and perspectives on the natural gradient method".

    Args:
        probabilities: [vocabulary] p, which sum to 1.
        change: [vocabulary] y.

    Returns:
        [vocabulary], which sums to 0.

    Example:
        >>> fisher_product(np.array([0.5, 0.5]), np.array([1.0, -1.0])).tolist()
        [0.5, -0.5]
    """
    product: Floats = probabilities * (change - probabilities @ change)
    return product


@dataclass(frozen=True, eq=False)
class Top:
    """The largest eigenvalue of a symmetric operator, and its direction."""

    value: float
    direction: Floats = field(repr=False)
    """[width] of length 1."""
    residual: float
    """|H v - value v| / value; 0 of an operator that is 0."""
    n_steps: int
    """Products that it took."""


def top_direction(product: Callable[[Floats], Floats], start: Floats, steps: int) -> Top:
    """Lanczos iteration, every vector made orthogonal to all before it, twice.

    Source: Lanczos 1950; twice is enough, Giraud, Langou & Rozloznik 2005.

    Args:
        product: [width] -> [width], symmetric and not negative.
        start: [width] any vector that is not 0.
        steps: most products.

    Returns:
        The largest Ritz value with its vector.

    Example:
        >>> diagonal = np.array([1.0, 5.0, 2.0])
        >>> top = top_direction(lambda v: diagonal * v, np.ones(3), 3)
        >>> round(top.value, 9), np.abs(top.direction).round(6).tolist()
        (5.0, [0.0, 1.0, 0.0])
    """
    basis = [start / np.linalg.norm(start)]
    diagonal: list[float] = []
    beside: list[float] = []
    while True:
        moved = product(basis[-1])
        diagonal.append(float(basis[-1] @ moved))
        span = np.stack(basis)
        for _ in range(2):
            moved = moved - span.T @ (span @ moved)
        rest = float(np.linalg.norm(moved))
        values, vectors = np.linalg.eigh(np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1))
        value = float(values[-1])
        residual = rest * abs(float(vectors[-1, -1])) / value if value > 0 else 0.0
        if residual <= CONVERGED or len(basis) == min(steps, len(start)):
            direction = span.T @ vectors[:, -1]
            return Top(value, direction / np.linalg.norm(direction), residual, len(basis))
        beside.append(rest)
        basis.append(moved / rest)
