"""Planning a run: what difference so many prompts with so many edits each would find."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lm_eval_sensitivity.stats.power import detectable_effect


@dataclass(frozen=True)
class VarianceComponents:
    """Of pair-level numbers: how much prompts differ, and how much the edits of one prompt do."""

    between: float
    """Variance of the prompts' true means."""
    within: float
    """Variance of the edits of one prompt."""

    @property
    def correlation(self) -> float:
        """Of two edits of one prompt; 0 where edits of one prompt are no more alike than any."""
        total = self.between + self.within
        return self.between / total if total else math.nan

    def deviation(self, n_edits: float) -> float:
        """Standard deviation of prompt-level means of so many edits."""
        return math.sqrt(self.between + self.within / n_edits)


def variance_components(values: ArrayLike) -> VarianceComponents:
    """One-way analysis of variance by prompt.

    within = MSW; between = max(0, (MSB - MSW) / m0), m0 = (N - sum m_i^2 / N) / (k - 1) for k prompts with m_i edits.

    Args:
        values: [prompt, edit]; NaN where a prompt has no such edit.

    Returns:
        The two components; both NaN where fewer than two prompts have numbers, or none has two.

    Example:
        >>> variance_components([[0.0, 2.0], [4.0, 6.0]])
        VarianceComponents(between=7.0, within=2.0)
    """
    rows = [row[np.isfinite(row)] for row in np.asarray(values, np.float64)]
    rows = [row for row in rows if len(row)]
    sizes = np.array([len(row) for row in rows], np.float64)
    total = sizes.sum()
    if len(rows) < 2 or total == len(rows):
        return VarianceComponents(math.nan, math.nan)
    means = np.array([row.mean() for row in rows])
    grand = float((sizes * means).sum() / total)
    within = float(sum(((row - row.mean()) ** 2).sum() for row in rows) / (total - len(rows)))
    among = float((sizes * (means - grand) ** 2).sum() / (len(rows) - 1))
    usual = (total - (sizes**2).sum() / total) / (len(rows) - 1)
    return VarianceComponents(max(0.0, (among - within) / float(usual)), within)


def standard_error(components: VarianceComponents, n_prompts: int, n_edits: float) -> float:
    """Of a mean over prompts: sqrt(between / n + within / (n m)).

    Args:
        components: of one system's distances, or of the differences of two.
        n_prompts: at least 1.
        n_edits: of each prompt on average, above 0.

    Example:
        >>> round(standard_error(VarianceComponents(0.0379, 0.0805), 96, 4.5), 4)
        0.0241
    """
    return components.deviation(n_edits) / math.sqrt(n_prompts)


def planned_difference(
    components: VarianceComponents,
    n_prompts: int,
    n_edits: float,
    *,
    n_contrasts: int = 1,
    alpha: float = 0.05,
    power: float = 0.8,
) -> float:
    """The smallest difference of two systems that a design finds with the given power.

    Args:
        components: of the paired differences.
        n_prompts: prompts of the design.
        n_edits: of each prompt on average.
        n_contrasts: tested together; each at alpha / n_contrasts, so that the step-down test finds no less.
        alpha: family-wise two-sided level.
        power: wanted probability of detection.

    Returns:
        In the unit of the differences; NaN where so few prompts cannot reach the level.

    Raises:
        ValueError: `alpha` or `power` not between 0 and 1.

    Example:
        >>> round(planned_difference(VarianceComponents(0.0379, 0.0805), 96, 4.5), 3)
        0.068
        >>> planned_difference(VarianceComponents(0.0379, 0.0805), 5, 4.5)
        nan
    """
    return detectable_effect(n_prompts, alpha=alpha / n_contrasts, power=power) * components.deviation(
        n_edits
    )
