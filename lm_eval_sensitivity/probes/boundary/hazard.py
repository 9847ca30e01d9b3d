"""Parting as a race: at each step the edit's shift either exceeds the base's margin or does not."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lm_eval_sensitivity.probes.boundary.density import FIRST_OF_BIN, bins_of

Floats = NDArray[np.float64]


def survival(margins: Floats, shifts_by_span: Sequence[Floats]) -> Floats:
    """Predicted chance that nothing has flipped up to each step.

    Formula: S_t = product over s <= t of 1 - P(D > m_s), with P over the shifts of the runner-up that other prompts'
        edits make at the same span of positions.
    Range: [0, 1], never rising. A span without shifts of others counts as safe.
    Source: this project; a discrete-time hazard as in Cox 1972, with a known distribution in place of a fitted one.

    Args:
        margins: [step] of the base, nats.
        shifts_by_span: [span] sorted D of other prompts, nats.

    Returns:
        [step].

    Example:
        >>> survival(np.array([0.5, 2.0]), [np.array([0.0, 1.0]), np.array([1.0, 1.5, 2.5, 3.0])]).tolist()
        [0.5, 0.25]
    """
    spans = bins_of(np.arange(len(margins)))
    chances = np.zeros(len(margins))
    for span in np.unique(spans):
        shifts, here = shifts_by_span[span], spans == span
        if len(shifts):
            chances[here] = 1 - np.searchsorted(shifts, margins[here], side="right") / len(shifts)
    left: Floats = np.cumprod(1 - chances).astype(np.float64)
    return left


def survivals(
    margins: Sequence[Floats],
    shifts: Sequence[Floats],
    first_flips: Sequence[int | None],
    prompts: Sequence[str],
) -> list[Floats]:
    """`survival` of every pair, from the pairs of the other prompts while these had not parted yet.

    Behind its own first flip a pair is no longer at risk: with those steps in, the edits that move most would go on
    counting, and too few pairs would be predicted to last.

    Args:
        margins: [pair][step] of the base.
        shifts: [pair][step] D of the runner-up.
        first_flips: [pair] None where nothing flips.
        prompts: [pair] prompt ids.

    Returns:
        [pair][step].
    """
    at_risk = [
        each if flip is None else each[: flip + 1] for each, flip in zip(shifts, first_flips, strict=True)
    ]
    by_prompt = {}
    for name in sorted(set(prompts)):
        others = [each for each, other in zip(at_risk, prompts, strict=True) if other != name]
        by_prompt[name] = _by_span(others)
    return [survival(each, by_prompt[name]) for each, name in zip(margins, prompts, strict=True)]


def survived(first_flips: Sequence[int | None], step: int) -> float:
    """Share of pairs without a flip up to a step; an output that has ended does not part any more.

    Example:
        >>> survived([0, 4, None], 0), survived([0, 4, None], 4)
        (0.6666666666666666, 0.3333333333333333)
    """
    if not first_flips:
        return math.nan
    return sum(each is None or each > step for each in first_flips) / len(first_flips)


def at(curve: Floats, step: int) -> float:
    """A survival curve at a step; past its end it stays."""
    return float(curve[min(step, len(curve) - 1)])


def _by_span(shifts: Sequence[Floats]) -> list[Floats]:
    if not shifts:
        return [np.zeros(0)] * len(FIRST_OF_BIN)
    everything = np.concatenate(shifts)
    spans = np.concatenate([bins_of(np.arange(len(each))) for each in shifts])
    return [np.sort(everything[spans == span]) for span in range(len(FIRST_OF_BIN))]
