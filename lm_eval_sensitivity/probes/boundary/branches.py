"""What a finished run alone says of its branches: how often, where, and what checking thin steps would catch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lm_eval_sensitivity.metrics.margins import LOW_MARGIN_THRESHOLDS_NATS
from lm_eval_sensitivity.probes.boundary.attribution import FEWEST_EARLIER
from lm_eval_sensitivity.probes.boundary.density import Steps, share_interval
from lm_eval_sensitivity.probes.boundary.finding import Numerics, Parted, Strip, Trigger, Where
from lm_eval_sensitivity.probes.numbers import by_prompt, mean, median
from lm_eval_sensitivity.probes.outputs import RunPair
from lm_eval_sensitivity.stats import mean_interval

Floats = NDArray[np.float64]


def parted_by_edit(pairs: Sequence[RunPair]) -> tuple[Parted, ...]:
    """How often, and how early, outputs part under each edit, in the order of the ladder."""
    groups: dict[tuple[int, str], list[RunPair]] = {}
    for each in pairs:
        groups.setdefault((each.pair.rung_index, each.pair.edit), []).append(each)
    return tuple(_parted(groups[key]) for key in sorted(groups))


def where(pairs: Sequence[RunPair], margins: Steps, threshold: float, seed: int = 0) -> Where:
    """Is the branch where the margin is smallest?

    Formula: over branches at t*, is m_{t*} the smallest of m_0 .. m_{t*}; by chance 1 / (t* + 1). Where t* >= 4, the
        share of earlier steps with a larger margin. Means over prompts of the means of their branches.
    Range: shares in [0, 1]; NaN intervals with fewer than five prompts.
    Source: this project.

    Args:
        pairs: of harmless edits.
        margins: prompt id -> [step] of the base, nats.
        threshold: of a thin step, nats.
        seed: of the intervals.

    Returns:
        See `Where`. A branch after the base's end, where only the variant goes on, has no margin and does not count.
    """
    found = [(each.pair.prompt_id, _up_to_branch(each, margins)) for each in pairs]
    branches = [(name, each) for name, each in found if len(each)]
    names = [name for name, _ in branches]
    smallest = [float(each[-1] == each.min()) for _, each in branches]
    chance = [1 / len(each) for _, each in branches]
    late = [(name, each) for name, each in branches if len(each) > FEWEST_EARLIER]
    wider = [float((each[:-1] > each[-1]).mean()) for _, each in late]
    at_branch = np.array([each[-1] for _, each in branches])
    gains = [hit - luck for hit, luck in zip(smallest, chance, strict=True)]
    return Where(
        n_branches=len(branches),
        n_prompts=len(set(names)),
        smallest_so_far=share_interval(list(by_prompt(smallest, names).values()), seed),
        chance=mean(by_prompt(chance, names).values()),
        gain=mean_interval(list(by_prompt(gains, names).values()), seed=seed),
        n_late=len(late),
        earlier_wider=share_interval(list(by_prompt(wider, [name for name, _ in late]).values()), seed),
        median_margin=median(at_branch),
        n_thin=int((at_branch < threshold).sum()),
        below_2=mean(at_branch < 2),
    )


def numerics(margins: Steps, repetitions: Sequence[RunPair], replay_difference: float) -> Numerics:
    """Steps that arithmetic alone may decide otherwise.

    Args:
        margins: prompt id -> [step] of the base, nats.
        repetitions: pairs of the identical rung.
        replay_difference: the largest difference of a margin between run and replay, nats; NaN where none is known.

    Returns:
        See `Numerics`.
    """
    branches = [_up_to_branch(each, margins) for each in repetitions]
    seen = [float(each[-1]) for each in branches if len(each)]
    known = [each for each in (*seen, replay_difference) if not math.isnan(each)]
    threshold = max(known, default=math.nan)
    everything = np.concatenate([*margins.values(), np.zeros(0)])
    share = mean(everything <= threshold) if known else math.nan
    return Numerics(
        threshold, share, len(repetitions), sum(each.first_divergence is not None for each in repetitions)
    )


def triggers(
    margins: Steps, harmless: Sequence[RunPair], repetitions: Sequence[RunPair]
) -> tuple[Trigger, ...]:
    """What checking every step below a threshold would cost and catch, by threshold.

    Source: the trade-off of MarginGate (arXiv 2605.30218), there for flips of batching.
    """
    everything = np.concatenate([*margins.values(), np.zeros(0)])
    sides = [
        np.array([each[-1] for each in (_up_to_branch(pair, margins) for pair in pairs) if len(each)])
        for pairs in (harmless, repetitions)
    ]
    return tuple(
        Trigger(each, mean(everything < each), *(mean(side < each) for side in sides))
        for each in LOW_MARGIN_THRESHOLDS_NATS
    )


def strip(pairs: Sequence[RunPair], margins: Steps) -> Strip | None:
    """The output with the most branches of harmless edits, the first by letters of several; None without a branch."""
    steps: dict[str, list[int]] = {}
    for each in pairs:
        if len(_up_to_branch(each, margins)) and each.first_divergence is not None:
            steps.setdefault(each.pair.prompt_id, []).append(each.first_divergence)
    if not steps:
        return None
    name = min(steps, key=lambda each: (-len(steps[each]), each))
    drawn = tuple(float(min(each, 1e3)) for each in margins[name])
    return Strip(name, drawn, tuple(sorted(steps[name])))


def _parted(pairs: Sequence[RunPair]) -> Parted:
    steps = [each.first_divergence for each in pairs if each.first_divergence is not None]
    pair = pairs[0].pair
    return Parted(pair.edit, pair.rung, len(pairs), len(steps), len(steps) / len(pairs), median(steps))


def _up_to_branch(pair: RunPair, margins: Mapping[str, Floats]) -> Floats:
    """The base's margins up to the branch, which is last; empty without one."""
    step, known = pair.first_divergence, margins.get(pair.pair.prompt_id)
    if step is None or known is None or step >= len(known):
        return np.zeros(0)
    return known[: step + 1]
