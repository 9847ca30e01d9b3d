"""Where the differences between trajectories come from: systems, categories, prompts, or what is left."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from lm_eval_sensitivity.probes.result import ProbeResult
from lm_eval_sensitivity.probes.trajectory.finding import PromptTrajectory, TrajectoryFinding

Source = Literal["system", "category", "prompt in category", "rest"]
STATISTICS: dict[str, Callable[[PromptTrajectory], float]] = {
    "log ct_mean RAW": lambda prompt: prompt.raw.observed.mean,
    "log ct_ratio RAW": lambda prompt: prompt.raw.observed.ratio,
    "log ct_mean CLIPPED_MAD": lambda prompt: prompt.clipped_mad.observed.mean,
    "log ct_ratio CLIPPED_MAD": lambda prompt: prompt.clipped_mad.observed.ratio,
}
"""What is taken apart, by name."""


@dataclass(frozen=True)
class Component:
    """What one source of differences has."""

    source: Source
    """`rest`: system by prompt, and noise, which one output of each cannot tell apart."""
    degrees: int
    """Of freedom."""
    eta_squared: float
    """Share of the sum of squares."""
    chance: float
    """That share without any effect: degrees / (n - 1)."""
    estimate: float
    """Variance from expected mean squares; may be negative. NaN without degrees of freedom."""
    share: float
    """Of the sum of the variances, with negative ones as 0."""

    @property
    def is_negative(self) -> bool:
        """Counted as 0."""
        return self.estimate < 0


@dataclass(frozen=True)
class Decomposition:
    """One statistic over systems and prompts."""

    statistic: str
    systems: tuple[str, ...]
    n_prompts: int
    """That have a number in every system."""
    n_categories: int
    components: tuple[Component, ...]
    """Empty with a reason."""
    reason: str = ""


def decompose(values: ArrayLike, categories: Sequence[str]) -> tuple[Component, ...]:
    """Variance components of y = system + category + prompt in category + rest, by expected mean squares.

    One number for each system and prompt. With a systems, n prompts in c categories of k_i and
    k0 = (n - sum k_i^2 / n) / (c - 1):

        E MS(system) = rest + n system;  E MS(category) = rest + a prompt + a k0 category;
        E MS(prompt) = rest + a prompt;  E MS(rest) = rest.

    Args:
        values: [system, prompt] without NaN.
        categories: [prompt]

    Returns:
        System, category, prompt in category, rest. Without two prompts in any category the last two of a prompt cannot
        be told apart, and both estimates are NaN.

    Raises:
        ValueError: fewer than two systems or prompts, a NaN, or other categories than prompts.

    Source:
        Searle, Casella and McCulloch 1992, chapters 3 and 4.

    Example:
        >>> parts = decompose([[1, 2, 3, 4], [2, 3, 4, 5]], ["a", "a", "b", "b"])
        >>> [(each.source, round(each.estimate, 3)) for each in parts]
        [('system', 0.5), ('category', 1.75), ('prompt in category', 0.5), ('rest', 0.0)]
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or min(table.shape) < 2 or len(categories) != table.shape[1]:
        raise ValueError(
            f"[system, prompt] with two of each and a category per prompt needed, got {table.shape}"
        )
    if not np.isfinite(table).all():
        raise ValueError("a table with a gap has no balanced decomposition")
    a, n = table.shape
    names = sorted(set(categories))
    members = [np.flatnonzero(np.asarray(categories) == name) for name in names]
    c = len(names)
    squares = _sums_of_squares(table, members)
    degrees = (a - 1, c - 1, n - c, (a - 1) * (n - 1))
    estimates = _estimates(squares, degrees, a, n, [len(each) for each in members])
    there = [max(0.0, each) for each in estimates if not math.isnan(each)]
    sources: tuple[Source, ...] = ("system", "category", "prompt in category", "rest")
    total = float(np.square(table - table.mean()).sum())
    return tuple(
        Component(
            source,
            df,
            float(square) / total if total else math.nan,
            df / (a * n - 1),
            estimate,
            max(0.0, estimate) / sum(there) if sum(there) and not math.isnan(estimate) else math.nan,
        )
        for source, df, square, estimate in zip(sources, degrees, squares, estimates, strict=True)
    )


def _sums_of_squares(table: np.ndarray, members: Sequence[np.ndarray]) -> np.ndarray:
    """[source] of system, category, prompt in category and rest."""
    a, n = table.shape
    mean, by_prompt = table.mean(), table.mean(axis=0)
    own = [by_prompt[each] for each in members]
    return np.array(
        [
            n * np.square(table.mean(axis=1) - mean).sum(),
            a * sum(len(each) * (each.mean() - mean) ** 2 for each in own),
            a * sum(np.square(each - each.mean()).sum() for each in own),
            np.square(table - table.mean(axis=1, keepdims=True) - by_prompt + mean).sum(),
        ]
    )


def _estimates(
    squares: np.ndarray, degrees: Sequence[int], a: int, n: int, sizes: Sequence[int]
) -> tuple[float, float, float, float]:
    system, category, prompt, rest = (
        float(square) / df if df else math.nan for square, df in zip(squares, degrees, strict=True)
    )
    c = len(sizes)
    k0 = (n - sum(size**2 for size in sizes) / n) / (c - 1) if c > 1 else math.nan
    return (system - rest) / n, (category - prompt) / (a * k0), (prompt - rest) / a, rest


def variance_components(results: Sequence[ProbeResult[TrajectoryFinding]]) -> tuple[Decomposition, ...]:
    """Every statistic of `STATISTICS` over several systems, on the prompts that have a number in all of them.

    Args:
        results: one for each system, of one ladder.

    Returns:
        A decomposition for each statistic; with a reason where there is none.

    Example:
        See `tests/probes/test_trajectory_components.py`; a result takes a model.
    """
    return tuple(_decomposition(name, of, results) for name, of in STATISTICS.items())


def _decomposition(
    statistic: str,
    of: Callable[[PromptTrajectory], float],
    results: Sequence[ProbeResult[TrajectoryFinding]],
) -> Decomposition:
    systems = tuple(each.name for each in results)
    rows = [{prompt.prompt_id: of(prompt) for prompt in each.finding.prompts} for each in results]
    shared = [
        prompt
        for prompt in (results[0].finding.prompts if results else ())
        if all(row.get(prompt.prompt_id, math.nan) > 0 for row in rows)
    ]
    categories = [each.category for each in shared]
    n_categories = len(set(categories))
    if len(results) < 2:
        reason = "One system has nothing to be taken apart from."
    elif len(shared) < 2:
        reason = f"{len(shared)} prompts have a number in all {len(results)} systems, at least 2 are needed."
    else:
        table = [[math.log(row[each.prompt_id]) for each in shared] for row in rows]
        return Decomposition(statistic, systems, len(shared), n_categories, decompose(table, categories))
    return Decomposition(statistic, systems, len(shared), n_categories, (), reason)
