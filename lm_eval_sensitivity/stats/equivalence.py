"""Equal within a margin: what "not distinguishable" does not say."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from lm_eval_sensitivity.stats.intervals import RESAMPLES, Interval, one_sided_bounds
from lm_eval_sensitivity.stats.permutation import DRAWS, sign_flip_test
from lm_eval_sensitivity.stats.power import equivalence_prompts

MARGIN_SHARE = 0.25
"""Of the reference's mean, declared before looking."""

POWER = 0.8
"""That `prompts_needed` is for."""

EquivalenceWord = Literal["equal within the margin", "different", "not distinguishable"]


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests, and the test of a difference beside them."""

    word: EquivalenceWord | None
    """`equal within the margin` comes first: a difference may be real and smaller than what was declared
    to matter (`p_difference` still says so). None with a reason where nothing can be said."""
    estimate: float
    """Mean difference from the reference."""
    margin: float
    """The declared share times the reference's observed mean."""
    margin_share: float
    above_minus_margin: Interval | None
    """Bounds of difference + share * reference; its lower bound above 0 says: not lower by the margin."""
    below_plus_margin: Interval | None
    """Bounds of difference - share * reference; its upper bound below 0 says: not higher by the margin."""
    p_difference: float
    """Two-sided, of no difference."""
    alpha: float
    n: int
    power: float
    prompts_needed: int | None
    """So many prompts would show equal means to be within the margin with this power, if prompts vary as these do; None
    where they vary too much for any number up to a million, or not at all."""
    seed: int
    reason: str | None


def equivalence_test(
    values: ArrayLike,
    reference: ArrayLike,
    *,
    margin_share: float = MARGIN_SHARE,
    alpha: float = 0.05,
    p_difference: float | None = None,
    resamples: int = RESAMPLES,
    draws: int = DRAWS,
    seed: int = 0,
) -> Equivalence:
    """Say whether a system is equal to a reference within a margin, different, or neither can be said.

    The margin is a share of the reference's true mean, which is itself estimated. So the two one-sided
    tests are made on difference plus and minus share times reference, prompt by prompt. Simulated with a
    true difference just at the margin, they call systems equal in 5 to 6 % of cases at 96 prompts (fewer
    at 24); two one-sided t tests that take the observed mean for the margin do so in 7 %.

    Args:
        values: [prompt] the system's prompt-level numbers; NaN for prompts without one.
        reference: [prompt] the reference's, over the same pairs (see `Partition.contrast`).
        margin_share: of the reference's mean.
        alpha: level of each one-sided test, and of the test of a difference.
        p_difference: a p-value adjusted for a family; by default the sign-flip test's.
        resamples: bootstrap samples of prompts.
        draws: sign vectors where the test is not exact.
        seed: of both.

    Returns:
        The word, both one-sided tests and the interval of the difference, in the unit of `values`.

    Raises:
        ValueError: not [prompt], different lengths, infinite values, or a share that is not positive.

    Example:
        >>> reference = [0.20, 0.25, 0.15, 0.30, 0.22, 0.18, 0.26, 0.24, 0.20]
        >>> same = [0.21, 0.24, 0.16, 0.29, 0.22, 0.19, 0.25, 0.25, 0.19]
        >>> equivalence_test(same, reference).word
        'equal within the margin'
    """
    if not margin_share > 0:
        raise ValueError(f"`margin_share` must be positive, got {margin_share}")
    own, theirs = np.asarray(values, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if own.shape != theirs.shape:
        raise ValueError(f"one number per prompt on both sides needed, got {own.shape} and {theirs.shape}")
    difference = own - theirs
    shared = theirs[~np.isnan(difference)]
    mean = float(shared.mean()) if len(shared) else math.nan
    test = sign_flip_test(difference, draws=draws, seed=seed)
    reason = test.reason if math.isnan(test.p_value) else None
    if reason is None and not mean > 0:
        reason = f"The reference's mean is {mean:.4g}: a share of it is no margin."
    above, below = (
        None
        if reason
        else one_sided_bounds(difference + shift * theirs, level=1 - alpha, resamples=resamples, seed=seed)
        for shift in (margin_share, -margin_share)
    )
    p = test.p_value if p_difference is None else p_difference
    return Equivalence(
        word=_word(above, below, different=p <= alpha) if above and below else None,
        estimate=test.estimate,
        margin=margin_share * mean,
        margin_share=margin_share,
        above_minus_margin=above,
        below_plus_margin=below,
        p_difference=p,
        alpha=alpha,
        n=test.n,
        power=POWER,
        prompts_needed=None
        if reason
        else equivalence_prompts(
            *(
                float(np.nanstd(difference + shift * theirs, ddof=1))
                for shift in (margin_share, -margin_share)
            ),
            margin=margin_share * mean,
            alpha=alpha,
            power=POWER,
        ),
        seed=seed,
        reason=reason,
    )


def _word(above: Interval, below: Interval, *, different: bool) -> EquivalenceWord:
    # Without spread there are no bounds, and all prompts have the estimate.
    lower = above.estimate if above.method == "none" else above.lower
    upper = below.estimate if below.method == "none" else below.upper
    if lower > 0 and upper < 0:
        return "equal within the margin"
    return "different" if different else "not distinguishable"
