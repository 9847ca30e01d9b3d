"""Standard errors for lm_eval's table: over prompts, as the edits of one prompt are no independent measurements."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import stdev

from lm_eval_sensitivity.harness.close.table_rows import OfPair, by_prompt, prompt_means

STDERR = "_stderr"
"""Ends the name of a metric's standard error, in lm_eval's results and here."""


class RungError(float):
    """The standard error of a rung's mean, which knows the means of its prompts.

    lm_eval makes that of a group as `sqrt(sum(error**2 for each rung)) / n_rungs`, as if every rung had prompts of its
    own. The rungs share them, so the squares of these remember what they were made from, and the root of their sum,
    divided by the number of rungs, is the standard error over prompts of the mean over a prompt's rungs.

    Example:
        >>> noop, synonym = RungError({"p1": 0.2, "p2": 0.4}), RungError({"p1": 0.6, "p2": 0.8})
        >>> round(noop, 4), round(math.sqrt(sum([noop**2, synonym**2])) / 2, 4)
        (0.1, 0.1)
    """

    rung: Mapping[str, float]

    def __new__(cls, rung: Mapping[str, float]) -> RungError:
        self = super().__new__(cls, _over_prompts([*rung.values()]))
        self.rung = rung
        return self

    # Of the overloads of float, which also take a modulus, lm_eval uses this one.
    def __pow__(self, power: float) -> float:  # type: ignore[override]
        return _Squared(self.rung) if power == 2 else float(self) ** power

    def __reduce__(self) -> tuple[type[float], tuple[float]]:
        return float, (float(self),)


class _Squared(float):
    """What the square root and a division by the number of rungs turn into the standard error of all of them."""

    rungs: tuple[Mapping[str, float], ...]

    def __new__(cls, *rungs: Mapping[str, float]) -> _Squared:
        self = super().__new__(cls, (len(rungs) * _over_prompts(prompt_means(rungs))) ** 2)
        self.rungs = rungs
        return self

    def __radd__(self, other: float) -> float:
        return self if other == 0 else other + float(self)

    def __add__(self, other: float) -> float:
        return _Squared(*self.rungs, *other.rungs) if isinstance(other, _Squared) else float(self) + other


def error_of_scored(values: Sequence[OfPair]) -> RungError:
    """Standard error over prompts of `mean_of_scored`.

    Args:
        values: [pair] of one rung; NaN where a pair is not scored.

    Returns:
        In the unit of the values; NaN where fewer than two prompts have a number.

    Example:
        >>> pairs = [("p1", 0.0), ("p1", 0.5), ("p2", 0.75)]
        >>> error_of_scored([OfPair(value, prompt, "raw") for prompt, value in pairs])
        0.25
    """
    return RungError(by_prompt(values))


def _over_prompts(means: Sequence[float]) -> float:
    """Standard deviation of the prompts' means, with n - 1, over the square root of n."""
    return stdev(means) / math.sqrt(len(means)) if len(means) > 1 else math.nan
