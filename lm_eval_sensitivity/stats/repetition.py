"""Do edits move an output more than repeating the prompt does? A permutation test within prompts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from lm_eval_sensitivity.stats.permutation import TIE, p_from_counts
from lm_eval_sensitivity.stats.sample import Floats, too_few_prompts

REPETITION_DRAWS = 9_999
_BLOCK = 1_024

Standing = Literal["above", "within", "not above", "not judged"]


@dataclass(frozen=True)
class RepetitionTest:
    """The distances of edits beside those of repetitions of the same prompts."""

    distance: float
    """Mean over the shared prompts, every edit of a prompt with the same weight; NaN without one."""
    floor: float
    """Mean over the same prompts of the distance of the repetition."""
    p_value: float
    """One-sided, for edits that move more. Never 0; NaN where not tested."""
    n: int
    """Prompts that have both."""
    draws: int
    seed: int
    reason: str | None
    """Why there is no p; else None."""

    def standing(self, alpha: float = 0.05) -> Standing:
        """Above the noise floor reliably, within it (not larger at all), or larger and yet not reliably so.

        Args:
            alpha: most p at which it counts as reliable.

        Returns:
            `above`, `within`, `not above` or, where there was no test, `not judged`.
        """
        if self.reason is not None:
            return "not judged"
        if self.p_value <= alpha:
            return "above"
        return "within" if self.distance <= self.floor else "not above"


def repetition_test(
    edits: ArrayLike, repeated: ArrayLike, *, draws: int = REPETITION_DRAWS, seed: int = 0
) -> RepetitionTest:
    """Test whether edits move an output more than repeating the same prompt does.

    H0: of a prompt, the distances of its k edits and that of its repetition are exchangeable, so that any
    of the k + 1 could have been the repetition. Statistic: the mean over prompts of (mean of the edits -
    repetition). In every draw one of the k + 1 distances of each prompt takes the place of the repetition.
    The sum of a prompt's distances stays, so that this is the same as comparing
    sum over prompts of (1 + 1/k) * repetition, small for large differences. Edits of one prompt may depend
    on each other, as long as they are exchangeable with the repetition.

    One repetition that agrees proves little: with nothing but zeros in the repetitions, p is the product
    over prompts of the share of their k + 1 distances that are 0. The result depends on neither the order
    of prompts nor that of edits.

    Args:
        edits: [prompt, edit] distances, at least 0; NaN for a pair without one.
        repeated: [prompt] distance of the repetition; NaN for a prompt without one.
        draws: random exchanges.
        seed: of the draws.

    Returns:
        Both mean distances over prompts, and the one-sided p, in (0, 1]; NaN with a reason on too few prompts.

    Raises:
        ValueError: shapes that do not fit, infinite values, or no draws.

    Example:
        >>> repetition_test([[0.3, 0.2, 0.4]] * 8, [0.0] * 8).standing()
        'above'
        >>> repetition_test([[0.3, 0.0, 0.1]] * 8, [0.2] * 8).standing()
        'within'
    """
    table, floors = np.asarray(edits, dtype=np.float64), np.asarray(repeated, dtype=np.float64)
    if table.ndim != 2 or floors.shape != table.shape[:1]:
        raise ValueError(
            f"distances [prompt, edit] and repetitions [prompt] needed, got {table.shape} and {floors.shape}"
        )
    if np.isinf(table).any() or np.isinf(floors).any() or draws < 1:
        raise ValueError("distances must be finite or NaN, and `draws` at least 1")
    both = ~np.isnan(floors) & ~np.isnan(table).all(axis=1)
    table, floors = table[both], floors[both]
    n = len(floors)
    n_edits = (~np.isnan(table)).sum(axis=1)
    # Sorted, and with exact sums, so that no order decides the last digit.
    means = np.nansum(np.sort(table, axis=1), axis=1) / n_edits
    distance, floor = (math.fsum(each) / n if n else math.nan for each in (means, floors))
    reason = too_few_prompts(n)
    p = math.nan if reason else _p_value(table, floors, 1 + 1 / n_edits, draws=draws, seed=seed)
    return RepetitionTest(distance, floor, p, n, draws, seed, reason)


def _p_value(table: Floats, floors: Floats, weights: Floats, *, draws: int, seed: int) -> float:
    """Share of draws in which the place of the repetition is taken by distances as small as its own."""
    # Sorted within and over prompts: neither the order of edits nor that of prompts decides a draw. NaN is last.
    weighted = np.sort(np.column_stack([floors, table]), axis=1) * weights[:, None]
    weighted = weighted[np.lexsort(weighted.T[::-1])]
    n_places = (~np.isnan(weighted)).sum(axis=1)
    observed = float(np.sort(floors * weights).sum())
    limit = observed + TIE * max(1.0, observed)
    generator, count = np.random.default_rng(seed), 0
    for start in range(0, draws, _BLOCK):
        shape = min(_BLOCK, draws - start), len(floors)
        places = (generator.random(shape) * n_places).astype(np.intp)
        drawn = weighted[np.arange(len(floors)), places].sum(axis=1)
        count += int((drawn <= limit).sum())
    return float(p_from_counts(np.array(count, dtype=np.float64), draws, exact=False))
