"""How many steps were close decisions, and where they stand. A step is thin where its margin is below a threshold."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lm_eval_sensitivity.metrics.margins import LOW_MARGIN_THRESHOLDS_NATS, low_margin_density
from lm_eval_sensitivity.probes.boundary.finding import Density, Share
from lm_eval_sensitivity.stats import Interval, mean_interval

Floats = NDArray[np.float64]
Steps = Mapping[str, Floats]
"""Prompt id -> [step] numbers of one output."""

FIRST_OF_BIN = (0, 1, 4, 16, 32, 64)
"""First step of each span of positions; the last span has no end."""


def bins_of(steps: ArrayLike) -> NDArray[np.intp]:
    """The span of positions that each step is in.

    Args:
        steps: 0-based steps, of any shape.

    Returns:
        Numbers of spans, 0 to 5: step 0; 1-3; 4-15; 16-31; 32-63; 64 and later.

    Example:
        >>> bins_of([0, 3, 4, 63, 64]).tolist()
        [0, 1, 2, 4, 5]
    """
    return np.searchsorted(np.asarray(FIRST_OF_BIN[1:]), np.asarray(steps), side="right")


def bin_words(number: int) -> str:
    """A span of positions in words.

    Example:
        >>> [bin_words(each) for each in (0, 2, 5)]
        ['0', '4-15', '64-']
    """
    first, *later = FIRST_OF_BIN[number:]
    last = later[0] - 1 if later else None
    return str(first) if last == first else f"{first}-{'' if last is None else last}"


def density(
    margins: Steps,
    categories: Mapping[str, str],
    threshold: float,
    answer_starts: Mapping[str, int | None] | None = None,
    seed: int = 0,
) -> Density:
    """Shares of thin steps: by threshold, by position, by category; and how they spread.

    Formula: B(tau) = |{t : m_t < tau}| / T of one output; a mean over prompts of these. At a span of positions, the
        mean over the prompts that have steps there.
    Range: [0, 1]. NaN where fewer than five prompts have a number (`stats.mean_interval`).
    Source: this project; thin steps are the "high-entropy minority tokens" of Wang et al. 2025 seen from the margin.

    Args:
        margins: prompt id -> [step] nats, at least one step each, none NaN.
        categories: prompt id -> category.
        threshold: tau of everything but the curve, nats.
        answer_starts: prompt id -> step of the first token behind a reasoning scaffold; 0 or None without one.
        seed: of the intervals.

    Returns:
        See `Density`.

    Example:
        >>> same = {name: np.array([0.1, 3.0, 0.2, 4.0]) for name in "abcde"}
        >>> found = density(same, dict.fromkeys(same, "x"), 0.5)
        >>> [round(each.share.estimate, 2) for each in found.curve], round(found.lag_1, 2), found.between_prompts
        ([0.25, 0.5, 0.5, 0.5, 0.5], -0.75, 0.0)
    """
    thin = {name: values < threshold for name, values in margins.items()}
    shares = np.array([each.mean() for each in thin.values()])
    n_steps = sum(map(len, thin.values()))
    expected = shares.mean() if len(shares) else math.nan
    independent = [expected * (1 - expected) / len(each) for each in thin.values()]
    return Density(
        thin=share_interval(shares, seed),
        curve=_curve(margins, n_steps, seed),
        by_position=_by_position(thin, seed),
        by_category=_by_category(thin, categories, seed),
        by_side=_by_side(thin, answer_starts or {}, seed),
        n_prompts=len(thin),
        n_steps=n_steps,
        n_tied=sum(int((each == 0).sum()) for each in margins.values()),
        between_prompts=float(shares.std(ddof=1)) if len(shares) > 1 else math.nan,
        binomial=math.sqrt(np.mean(independent)) if independent else math.nan,
        lag_1=lag_1(list(thin.values())),
    )


def share_interval(values: ArrayLike, seed: int = 0) -> Interval:
    """The interval of a mean of shares, one per prompt."""
    return mean_interval(values, largest=1.0, seed=seed)


def lag_1(series: Sequence[ArrayLike]) -> float:
    """Correlation of a step with the next one, within outputs.

    Formula: sum of (x_t - mean)(x_{t+1} - mean) over all outputs / sum of (x_t - mean)^2, each with its output's mean.
    Range: [-1, 1]. Independent steps give about -1/T, because each output is centered on itself.
    NaN where nothing varies.

    Args:
        series: [output][step] numbers or flags.

    Example:
        >>> round(lag_1([[0, 1, 0, 1, 0, 1]]), 2), lag_1([[1, 1]])
        (-0.83, nan)
    """
    arrays = [np.asarray(each, dtype=np.float64) for each in series]
    centered = [each - each.mean() for each in arrays if len(each)]
    variance = sum(float(each @ each) for each in centered)
    return sum(float(each[:-1] @ each[1:]) for each in centered) / variance if variance else math.nan


def _curve(margins: Steps, n_steps: int, seed: int) -> tuple[Share, ...]:
    thresholds = LOW_MARGIN_THRESHOLDS_NATS
    table = np.array([low_margin_density(each, thresholds) for each in margins.values()])
    columns = table.reshape(-1, len(thresholds)).T
    return tuple(
        Share(f"{threshold:g}", share_interval(column, seed), n_steps)
        for threshold, column in zip(thresholds, columns, strict=True)
    )


def _by_position(thin: Mapping[str, NDArray[np.bool_]], seed: int) -> tuple[Share, ...]:
    found = []
    for number in range(len(FIRST_OF_BIN)):
        there = [each[bins_of(np.arange(len(each))) == number] for each in thin.values()]
        if shares := [each.mean() for each in there if len(each)]:
            interval = share_interval(shares, seed)
            found.append(Share(bin_words(number), interval, sum(map(len, there))))
    return tuple(found)


def _by_side(
    thin: Mapping[str, NDArray[np.bool_]], answer_starts: Mapping[str, int | None], seed: int
) -> tuple[Share, ...]:
    """Of outputs with a scaffold and an answer."""
    cut = [(each, answer_starts.get(name) or 0) for name, each in thin.items()]
    both = [(each[:start], each[start:]) for each, start in cut if 0 < start < len(each)]
    if not both:
        return ()
    return tuple(
        Share(words, share_interval([each.mean() for each in side], seed), sum(map(len, side)))
        for words, side in zip(("scaffold", "answer"), zip(*both, strict=True), strict=True)
    )


def _by_category(
    thin: Mapping[str, NDArray[np.bool_]], categories: Mapping[str, str], seed: int
) -> tuple[Share, ...]:
    found = []
    for category in sorted({categories[name] for name in thin}):
        there = [each for name, each in thin.items() if categories[name] == category]
        shares = [float(each.mean()) for each in there]
        # A category of a small ladder has fewer prompts than an interval takes: a description, without bounds.
        interval = replace(share_interval(shares, seed), estimate=float(np.mean(shares)))
        found.append(Share(category, interval, sum(map(len, there))))
    return tuple(found)
