"""What gave way where outputs part: the margin, or the shift that the edit makes.

At every step rho = D / gap, so that log rho at the branch, against its mean over the steps before, is the sum of what
the shift grew by (bulk) and what the gap shrank by (boundary), exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lm_eval_sensitivity.probes.boundary.density import bins_of
from lm_eval_sensitivity.probes.boundary.finding import Attribution, Reference
from lm_eval_sensitivity.probes.numbers import by_prompt, mean, median
from lm_eval_sensitivity.stats import difference_interval, mean_interval

Floats = NDArray[np.float64]

SMALLEST_SHIFT = 1e-6
"""Nats: a shift below it, or against the runner-up, counts as this much."""
FEWEST_EARLIER = 4
"""Steps before a branch that can stand for what is usual in its pair."""


@dataclass(frozen=True, eq=False)
class ForcedSteps:
    """The base's tokens after two prompts: [step] numbers, float64; i is the base's most probable token at a step.

    delta = z' - z, the variant's logits minus the base's; D_j = delta_j - delta_i; gap_j = z_i - z_j >= 0.
    """

    margin: Floats
    """gap of the runner-up, nats."""
    rho: Floats
    """max over j of D_j / gap_j. Above 1 means that the most probable token is another one. +inf at a tie that the edit
    breaks the other way, -inf where no token but i can be chosen."""
    shift: Floats
    """D of the j at which rho has its maximum, nats."""
    gap: Floats
    """gap of that j, nats."""
    runner_up_shift: Floats
    """D of the runner-up, nats."""
    oscillation: Floats
    """max delta - min delta, nats. Below the margin, nothing can flip."""
    kl: Floats
    """KL(p || p'), nats."""
    floor: Floats
    """The smallest KL(p || p') of any p' with another most probable token, nats."""
    entropy: Floats
    """Of the base, nats."""
    flipped: NDArray[np.bool_]
    """The most probable token after the edited prompt is not i."""

    @property
    def first_flip(self) -> int | None:
        """t_f; None where nothing flips."""
        return int(self.flipped.argmax()) if self.flipped.any() else None

    @property
    def of_runner_up(self) -> NDArray[np.bool_]:
        """[step] rho is that of the runner-up, or of a token with the same logit."""
        same: NDArray[np.bool_] = self.gap == self.margin
        return same

    @property
    def by_range(self) -> NDArray[np.bool_]:
        """[step] cannot flip: no two logits moved against each other by as much as the margin."""
        return self.oscillation < self.margin

    @property
    def by_kl(self) -> NDArray[np.bool_]:
        """[step] cannot flip: the distribution moved by less than the cheapest flip costs."""
        return self.kl < self.floor

    @property
    def certified(self) -> NDArray[np.bool_]:
        """[step] cannot flip, by either bound."""
        return self.by_range | self.by_kl


@dataclass(frozen=True)
class Split:
    """log rho at the branch minus its reference, in its two parts (nats of rho). NaN where there is no branch."""

    boundary: float
    """How much narrower the gap is than in the reference."""
    bulk: float
    """How much larger the shift is."""
    reference: Reference | None
    """`own`: the pair's earlier steps. `population`: steps of other prompts at the same span of positions."""
    identity_error: float
    """|boundary + bulk - (log rho - reference)|."""

    @property
    def share(self) -> float:
        """Of boundary in the sum. Above 1, the shift was smaller than usual; below 0, the gap was wider."""
        return self.boundary / (self.boundary + self.bulk)


NO_SPLIT = Split(math.nan, math.nan, None, math.nan)


def split_at(shift: Floats, gap: Floats, branch: int | None) -> Split:
    """Boundary and bulk at one branch, against the steps before it.

    Formula: boundary = mean_{t < b} log gap_t - log gap_b; bulk = log D_b - mean_{t < b} log D_t; D floored at 1e-6.
    Range: real, nats of rho. Both 0 where the branch is like the steps before it.
    Empty: NaN without a branch, with fewer than four usable steps before it, or at an exact tie (log 0).
    Source: this project.

    Args:
        shift: [step] D of the j at which rho has its maximum.
        gap: [step] gap of that j; steps with a gap of 0 or without a finite one are left out.
        branch: step of the first flip.

    Returns:
        The two parts, `reference` "own".

    Example:
        >>> gap = np.array([1, 1, 1, 1, 0.25])
        >>> found = split_at(np.full(5, 0.5), gap, 4)
        >>> round(found.boundary, 4), found.bulk, found.share
        (1.3863, 0.0, 1.0)
    """
    if branch is None:
        return NO_SPLIT
    log_shift, log_gap = _logs(shift[: branch + 1], gap[: branch + 1])
    usable = np.isfinite(log_gap[:-1])
    if usable.sum() < FEWEST_EARLIER:
        return NO_SPLIT
    return _split(log_shift, log_gap, log_shift[:-1][usable], log_gap[:-1][usable], "own")


def splits_of(pairs: Sequence[ForcedSteps], prompts: Sequence[str]) -> list[Split]:
    """Boundary and bulk of every pair; a branch before step 4 is held against other prompts' steps before theirs.

    Args:
        pairs: [pair] steps.
        prompts: [pair] prompt ids.

    Returns:
        [pair] splits, NaN where there is no branch or nothing to hold it against.
    """
    found = []
    for steps, prompt in zip(pairs, prompts, strict=True):
        branch = steps.first_flip
        split = split_at(steps.shift, steps.gap, branch)
        if branch is not None and branch < FEWEST_EARLIER:
            others = [each for each, other in zip(pairs, prompts, strict=True) if other != prompt]
            split = _against_others(steps, branch, others)
        found.append(split)
    return found


def permuted_splits(steps: ForcedSteps, draws: int, generator: np.random.Generator) -> list[Split]:
    """Splits of one pair whose shifts are dealt anew to its steps: what a branch looks like if only the meeting of a
    shift and a gap is left to chance.

    Of every deal the first step with D > gap is the branch. Deals without a branch after the first four steps are left
    out: the true ones are, too.

    Args:
        steps: of one pair.
        draws: deals.
        generator: of the deals.

    Returns:
        As many splits as there are deals with such a branch.
    """
    usable = np.isfinite(steps.gap) & np.isfinite(steps.shift) & (steps.gap > 0)
    shift, gap = steps.shift[usable], steps.gap[usable]
    found = []
    for _ in range(draws):
        dealt = generator.permutation(shift)
        flips = dealt > gap
        split = split_at(dealt, gap, int(flips.argmax()) if flips.any() else None)
        if not math.isnan(split.boundary):
            found.append(split)
    return found


def attribution(
    pairs: Sequence[ForcedSteps], prompts: Sequence[str], draws: int, seed: int = 0
) -> Attribution | None:
    """Boundary and bulk over prompts, beside what dealing shifts anew gives.

    The null stands beside them because log gap varies more than log D: a branch falls on a narrow gap more often than
    on a large shift, whatever the edit does. Means are of the two parts, never of their ratio.

    Args:
        pairs: [pair] steps.
        prompts: [pair] prompt ids.
        draws: deals per pair.
        seed: of deals and intervals.

    Returns:
        See `Attribution`; None without a branch after step 3.
    """
    splits = splits_of(pairs, prompts)
    generator = np.random.default_rng(seed)
    own = [number for number, each in enumerate(splits) if each.reference == "own"]
    if not own:
        return None
    dealt = [permuted_splits(pairs[number], draws, generator) for number in own]
    names = [prompts[number] for number in own]
    branched = [pairs[number] for number in own]
    growth = _means([range_growth(each, each.first_flip) for each in branched], names)
    control = _means([_growth_of_others(pairs, prompts, number) for number in own], names)
    boundary = _means([splits[number].boundary for number in own], names)
    bulk = _means([splits[number].bulk for number in own], names)
    null_boundary = _means([mean(each.boundary for each in deals) for deals in dealt], names)
    null_bulk = _means([mean(each.bulk for each in deals) for deals in dealt], names)
    shares = np.array([splits[number].share for number in own])
    null_shares = np.array([each.share for deals in dealt for each in deals])
    return Attribution(
        n_branches=len(own),
        n_population=sum(each.reference == "population" for each in splits),
        boundary=mean_interval(boundary, seed=seed),
        bulk=mean_interval(bulk, seed=seed),
        null_boundary=mean_interval(null_boundary, seed=seed),
        null_bulk=mean_interval(null_bulk, seed=seed),
        bulk_beside_null=difference_interval(bulk - null_bulk, seed=seed),
        boundary_beside_null=difference_interval(boundary - null_boundary, seed=seed),
        range_growth=mean_interval(growth, seed=seed),
        range_control=mean_interval(control, seed=seed),
        range_beside_control=difference_interval(growth - control, seed=seed),
        runner_up_before=mean(np.concatenate([each.of_runner_up[: each.first_flip] for each in branched])),
        runner_up_at_branch=mean(float(each.of_runner_up[each.first_flip or 0]) for each in branched),
        median_share=median(shares),
        above_half=float((shares > 0.5).mean()),
        null_median_share=median(null_shares),
        null_above_half=float((null_shares > 0.5).mean()) if len(null_shares) else math.nan,
        largest_identity_error=max(splits[number].identity_error for number in own),
    )


def range_growth(steps: ForcedSteps, step: int | None) -> float:
    """How much wider the range of the shift is at a step than before it.

    Formula: log(max delta - min delta) at the step, less its mean over the steps before. No token is singled out, as in
        D, whose j is the runner-up where the gap is narrow and a far token where it is not.
    Range: real, nats; NaN without a step before.
    Source: this project.

    Args:
        steps: of one pair.
        step: at which; None gives NaN.

    Returns:
        Nats.
    """
    if not step:
        return math.nan
    log = np.log(np.maximum(steps.oscillation[: step + 1], SMALLEST_SHIFT))
    return float(log[-1] - log[:-1].mean())


def _growth_of_others(pairs: Sequence[ForcedSteps], prompts: Sequence[str], number: int) -> float:
    """At the branch's step, of other prompts' pairs that go on: shifts change with position, whatever happens."""
    step = pairs[number].first_flip
    assert step is not None
    return mean(
        range_growth(each, step)
        for each, prompt in zip(pairs, prompts, strict=True)
        if prompt != prompts[number]
        and len(each.margin) > step
        and (each.first_flip is None or each.first_flip > step)
    )


def _means(values: Sequence[float], prompts: Sequence[str]) -> Floats:
    """[prompt] by letters."""
    return np.array(list(by_prompt(values, prompts).values()))


def _logs(shift: Floats, gap: Floats) -> tuple[Floats, Floats]:
    with np.errstate(divide="ignore"):
        return np.log(np.maximum(shift, SMALLEST_SHIFT)), np.log(gap)


def _split(
    log_shift: Floats, log_gap: Floats, usual_shift: Floats, usual_gap: Floats, reference: Reference
) -> Split:
    """The last step against what is usual."""
    if not math.isfinite(log_gap[-1]):
        return NO_SPLIT
    boundary = float(usual_gap.mean() - log_gap[-1])
    bulk = float(log_shift[-1] - usual_shift.mean())
    whole = (log_shift[-1] - log_gap[-1]) - float((usual_shift - usual_gap).mean())
    return Split(boundary, bulk, reference, abs(boundary + bulk - whole))


def _against_others(steps: ForcedSteps, branch: int, others: Sequence[ForcedSteps]) -> Split:
    span = bins_of(branch)
    shifts, gaps = [], []
    for other in others:
        end = len(other.gap) if other.first_flip is None else other.first_flip
        there = bins_of(np.arange(end)) == span
        shift, gap = _logs(other.shift[:end][there], other.gap[:end][there])
        usable = np.isfinite(gap)
        shifts.append(shift[usable])
        gaps.append(gap[usable])
    if sum(map(len, gaps)) < FEWEST_EARLIER:
        return NO_SPLIT
    log_shift, log_gap = _logs(steps.shift[branch : branch + 1], steps.gap[branch : branch + 1])
    return _split(log_shift, log_gap, np.concatenate(shifts), np.concatenate(gaps), "population")
