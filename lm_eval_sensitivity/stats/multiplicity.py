"""Many contrasts at once: step-down max-|t| over shared sign flips, and simpler alternatives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lm_eval_sensitivity.stats.intervals import RESAMPLES
from lm_eval_sensitivity.stats.order import order_p
from lm_eval_sensitivity.stats.partition import ContrastTable
from lm_eval_sensitivity.stats.permutation import (
    DRAWS,
    EXACT_UP_TO,
    TIE,
    Extremeness,
    attainable_p,
    p_from_counts,
    sign_vectors,
)
from lm_eval_sensitivity.stats.sample import MIN_PROMPTS, Floats, read_only, too_few_prompts

ALPHA = 0.05

ROUND_TO_ONE = 1e-12
"""An extremeness this close to 1 is that of equal differences, whose t is infinite."""


@dataclass(frozen=True, eq=False)
class MaxT:
    """Tests of all contrasts of a table, adjusted for their number. Arrays run along `contrasts`."""

    contrasts: tuple[tuple[str, str], ...]
    """(first, second), sorted."""
    estimates: Floats = field(repr=False)
    """Mean of first minus second; NaN where not tested."""
    t: Floats = field(repr=False)
    """Mean over its standard error; 0 where all differences are 0, infinite where all are one other number."""
    p_unadjusted: Floats = field(repr=False)
    """Of each contrast alone; the same as `sign_flip_test` gives in the exact case."""
    p_adjusted: Floats = field(repr=False)
    """Family-wise; never 0, never below `p_unadjusted` of the same sign vectors."""
    n: tuple[int, ...]
    """Prompts per contrast."""
    reasons: tuple[str | None, ...]
    """Why a contrast was not tested, or None."""
    n_prompts: int
    """Prompts with at least one tested difference: the length of a sign vector."""
    family: int
    """Contrasts tested together."""
    attainable_p: float
    """The smallest of `attainable_ps` of the tested contrasts."""
    method: Literal["exact", "draws", "none"]
    draws: int
    """Random sign vectors; 0 where all were tried."""
    seed: int
    alpha: float
    """A contrast whose own attainable p is above it is no part of the family."""
    attainable_ps: tuple[float, ...]
    """Per contrast, of the shared prompts that differ: the smallest p that other differences could have given."""
    p_order: Floats = field(repr=False)
    """Family-wise, of equal means (see `order_p`); 1 for a contrast whose attainable p is above `alpha`: it is no part
    of that family."""

    @property
    def n_hopeless(self) -> int:
        """Contrasts with enough prompts for numbers, but too few for any p at or below `alpha`.

        Returns:
            Their number, 0 to all contrasts.
        """
        return sum(
            reason is not None and n >= MIN_PROMPTS for n, reason in zip(self.n, self.reasons, strict=True)
        )

    def p(self, first: str, second: str) -> float:
        """The adjusted p-value of two systems, in either order.

        Args:
            first: a system.
            second: the one that it was compared with.

        Returns:
            In (0, 1]; NaN where the contrast was not tested.

        Raises:
            KeyError: the two were not compared.
        """
        for index, contrast in enumerate(self.contrasts):
            if contrast in ((first, second), (second, first)):
                return float(self.p_adjusted[index])
        raise KeyError(f"{first!r} and {second!r} were not compared")


def max_t_test(
    table: ContrastTable,
    *,
    alpha: float = ALPHA,
    draws: int = DRAWS,
    resamples: int = RESAMPLES,
    largest: Sequence[float | None] | None = None,
    seed: int = 0,
) -> MaxT:
    """Test all contrasts of a table with family-wise error control (Westfall & Young, step-down max-|t|).

    H0 of a set of contrasts: for each prompt, the differences of all of them together could as well have
    had the other sign. Every sign vector flips whole prompts, the same for all contrasts, so that the
    maximum knows how they hang together; a contrast that lacks a prompt is not touched by its sign.
    Contrasts with fewer than `MIN_PROMPTS` prompts are left out of the family, and so are those whose
    prompts are too few for any p at or below `alpha`: they could never be rejected, but their large p
    under many sign vectors would hold back all contrasts that are less extreme.

    A rejection says that effects differ; `p_order` beside it, which mean is lower.

    Args:
        table: prompt-level differences, from `contrast_table`.
        alpha: family-wise error that is aimed at; 1 keeps every contrast with `MIN_PROMPTS` prompts.
        draws: random sign vectors where there are more than 14 prompts.
        resamples: of the test of equal means.
        largest: largest value of each contrast, for the same test (see `order_p`).
        seed: of both.

    Returns:
        p-values and reasons along the contrasts of the table.

    Raises:
        ValueError: `alpha` is not above 0 and at most 1.

    Example:
        >>> from lm_eval_sensitivity.stats import contrast_table, partition_by_prompt
        >>> rows = [(f"q{i}", "x", s, v * (i + 1)) for i in range(9) for s, v in (("m", 0.1), ("n", 0.2))]
        >>> max_t_test(contrast_table(partition_by_prompt(*zip(*rows)))).p("n", "m")
        0.00390625
    """
    if not 0 < alpha <= 1:
        raise ValueError(f"`alpha` must lie above 0 and not above 1, got {alpha}")
    there = ~np.isnan(table.differences)
    n, n_moved = there.sum(axis=0), (there & (table.differences != 0)).sum(axis=0)
    of_shared = _attainable(table.differences, n, n, alpha, draws)
    attainable = _attainable(table.differences, n, n_moved, alpha, draws)
    reasons = tuple(
        too_few_prompts(count) or _hopeless(count, least, alpha)
        for count, least in zip(n.tolist(), of_shared.tolist(), strict=True)
    )
    tested = np.array([reason is None for reason in reasons], dtype=np.bool_)
    differences = table.differences[:, tested]
    differences = differences[~np.isnan(differences).all(axis=1)]  # a prompt in no test has no sign
    n_prompts, family = differences.shape
    exact = n_prompts <= EXACT_UP_TO
    t, raw, adjusted = _step_down(differences, attainable[tested], draws=draws, seed=seed)
    p_order = np.ones(family)
    could_differ = attainable[tested] <= alpha
    ends = [None] * len(tested) if largest is None else largest
    p_order[could_differ] = order_p(
        differences[:, could_differ],
        largest=[ends[index] for index in np.flatnonzero(tested)[could_differ]],
        resamples=resamples,
        seed=seed,
    )
    estimates = np.nansum(differences, axis=0) / n[tested]
    return MaxT(
        contrasts=table.contrasts,
        estimates=_spread_out(estimates, tested),
        t=_spread_out(t, tested),
        p_unadjusted=_spread_out(raw, tested),
        p_adjusted=_spread_out(adjusted, tested),
        n=tuple(n.tolist()),
        reasons=reasons,
        n_prompts=n_prompts,
        family=family,
        attainable_p=float(attainable[tested].min()) if family else math.nan,
        method="none" if not family else "exact" if exact else "draws",
        draws=0 if exact or not family else draws,
        seed=seed,
        alpha=alpha,
        attainable_ps=tuple(attainable.tolist()),
        p_order=_spread_out(p_order, tested),
    )


def holm(p_values: ArrayLike) -> Floats:
    """Holm's step-down adjustment: family-wise error, valid under any dependence, blunter than max-|t|.

    Over all pairs it can never reject at nine prompts and six or more systems.

    Args:
        p_values: [p] unadjusted p-values; NaN for a test that was not made.

    Returns:
        [p] in the order received; NaN stays NaN and does not count.

    Example:
        >>> holm([0.01, 0.04, float("nan")]).tolist()
        [0.02, 0.04, nan]
    """
    p = np.asarray(p_values, dtype=np.float64)
    there = ~np.isnan(p)
    return _spread_out(_holm(p[there]), there)


def _attainable(
    differences: Floats, n: NDArray[np.intp], n_signs: NDArray[np.intp], alpha: float, draws: int
) -> Floats:
    """[contrast] the smallest p: 2/2^n of its prompts with a sign, never below what the sign vectors resolve."""
    own: Floats = np.exp2(1.0 - np.maximum(n_signs, 1))  # of no prompt at all, p can only be 1
    possible = (n >= MIN_PROMPTS) & (np.exp2(1.0 - np.maximum(n, 1)) <= alpha)
    n_prompts = int((~np.isnan(differences[:, possible])).any(axis=1).sum())
    least: Floats = np.maximum(own, attainable_p(n_prompts, draws) if n_prompts else 0.0)
    return least


def _hopeless(n: int, least: float, alpha: float) -> str | None:
    if least <= alpha:
        return None
    return (
        f"The smallest p of {n} shared prompts is {least:.4g}, above alpha {alpha:g}: no data could tell the two "
        "apart."
    )


def _step_down(
    differences: Floats, attainable: Floats, *, draws: int, seed: int
) -> tuple[Floats, Floats, Floats]:
    """t, unadjusted p and adjusted p of [prompt, contrast] differences; NaN only for missing prompts."""
    observed = Extremeness(differences)(np.ones((1, len(differences))))[0]
    # Least extreme first: the running maximum up to a contrast is the maximum over those not above it.
    order = np.argsort(observed, kind="stable")
    extremeness = Extremeness(differences[:, order])
    threshold = observed[order] - TIE
    alone, together, total = np.zeros(len(order)), np.zeros(len(order)), 0
    for signs in sign_vectors(len(differences), draws=draws, seed=seed):
        values = extremeness(signs)
        alone += (values >= threshold).sum(axis=0)
        np.maximum.accumulate(values, axis=1, out=values)
        together += (values >= threshold).sum(axis=0)
        total += len(signs)
    exact = len(differences) <= EXACT_UP_TO
    raw, stepped = (p_from_counts(count, total, exact=exact) for count in (alone, together))
    if not exact:  # draws may by chance give less than all sign vectors would
        raw, stepped = (np.maximum(each, attainable[order]) for each in (raw, stepped))
    # A contrast is not more significant than one that is more extreme.
    stepped = np.maximum.accumulate(stepped[::-1])[::-1]
    back = np.argsort(order, kind="stable")
    with np.errstate(divide="ignore"):
        size = np.sqrt(observed / np.where(observed > 1 - ROUND_TO_ONE, 0.0, 1 - observed))
    return np.sign(np.nansum(differences, axis=0)) * size, raw[back], stepped[back]


def _spread_out(values: Floats, tested: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Floats:
    """NaN for the contrasts that were not tested."""
    full = np.full(len(tested), np.nan)
    full[tested] = values
    return read_only(full)


def _holm(p: Floats) -> Floats:
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return adjusted
