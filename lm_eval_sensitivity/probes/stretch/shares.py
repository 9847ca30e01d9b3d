"""Whose the residual is: embedding, attention and MLP, in three conventions that do not agree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lm_eval_sensitivity.probes.stretch.finding import Convention, Shares
from lm_eval_sensitivity.probes.stretch.growth import mean_where_known
from lm_eval_sensitivity.stats import mean_interval

Floats = NDArray[np.float64]
PARTS = ("embedding", "attention", "mlp")
CONVENTIONS: tuple[Convention, ...] = ("projection", "squared", "norm")


@dataclass(frozen=True, eq=False)
class Products:
    """Scalars of x_L = x_0 + A + M at some positions."""

    along: Floats
    """[part, position] <c, x_L> of each part c: embedding x_0, attention A, MLP M."""
    norms: Floats
    """[part, position] |c|."""
    whole: Floats
    """[position] |x_L|."""


def shares_of(products: Products, convention: Convention) -> Floats:
    """The share of each part in what goes into the final norm.

    Formulas, c one of x_0, A, M: `projection` <c, x_L> / |x_L|^2, which add up to 1 and may be negative or above 1;
    `squared` |c|^2 / (|x_0|^2 + |A|^2 + |M|^2); `norm` |c| / (|x_0| + |A| + |M|), both 0 to 1.

    Args:
        products: at some positions.
        convention: which.

    Returns:
        [part] mean over positions; NaN where no position has one.

    Example:
        >>> two = Products(np.array([[1.0], [0.0], [3.0]]), np.array([[1.0], [0.0], [3.0]]), np.array([2.0]))
        >>> [shares_of(two, each).tolist() for each in CONVENTIONS]
        [[0.25, 0.0, 0.75], [0.1, 0.0, 0.9], [0.25, 0.0, 0.75]]
    """
    if convention == "projection":
        parts, whole = products.along, products.whole**2
    else:
        parts = products.norms ** (2 if convention == "squared" else 1)
        whole = parts.sum(axis=0)
    return mean_where_known(parts / np.where(whole > 0, whole, np.nan), axis=1)


def share_records(products: list[Products]) -> tuple[Shares, ...]:
    """Shares in each convention, with intervals over prompts.

    Args:
        products: one record per prompt.

    Returns:
        One record per convention.

    Example:
        >>> one = Products(np.ones((3, 1)), np.ones((3, 1)), np.ones(1))
        >>> share_records([one] * 5)[2].mlp.estimate
        0.333...
    """
    return tuple(
        Shares(
            convention,
            *(mean_interval([shares_of(each, convention)[part] for each in products]) for part in range(3)),
        )
        for convention in CONVENTIONS
    )
