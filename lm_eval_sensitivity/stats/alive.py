"""Is a system alive? What can be said of it where there is nothing to compare it with."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lm_eval_sensitivity.stats.intervals import RESAMPLES
from lm_eval_sensitivity.stats.rules import UNDETERMINED, Constants
from lm_eval_sensitivity.stats.verdicts import AxisContrast, axis_contrast, ratio_of_means, reasons_of
from lm_eval_sensitivity.text.format import percent

ALIVE, LIFELESS = "alive", "collapsed or indiscriminate"


@dataclass(frozen=True)
class ReducedVerdict:
    """The little that can be said without a reference. Drift is undefined."""

    label: str
    """`alive`, `collapsed or indiscriminate`, or `UNDETERMINED`."""
    contrasts: tuple[AxisContrast, ...]
    harmless_over_control: float
    """p/c; NaN where c is 0 or missing."""
    constants: Constants
    seed: int
    reasons: tuple[str, ...]


def judge_without_reference(
    control: ArrayLike,
    harmless: ArrayLike,
    *,
    output_spread: ArrayLike | None = None,
    silent_share: float = math.nan,
    constants: Constants | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> ReducedVerdict:
    """Say whether a system is alive, where there is nothing to compare it with.

    Alive: meaning moves its output more than harmless edits by the declared share, and so, where it is
    given, does another prompt. Collapsed or indiscriminate: one of the two reliably does not, or does
    not move the output at all. Which of the two words it is, only a reference can tell. Where more pairs
    than `k_control` gave nothing that could be scored, nothing is called alive for the others.

    Args:
        control: [prompt] c.
        harmless: [prompt] p, over the same prompts.
        output_spread: [prompt] mean distance of the prompt's output from those of other prompts.
        silent_share: share of pairs without anything that could be scored; NaN where it is not known.
        constants: `k_response`, `k_control` and `level` are used.
        resamples: bootstrap samples of prompts.
        seed: of the resamples.

    Returns:
        `alive`, `collapsed or indiscriminate` or `UNDETERMINED`, with the contrasts behind it.

    Raises:
        ValueError: not [prompt], different lengths, or infinite values.

    Example:
        >>> judge_without_reference([0.7, 0.8, 0.6, 0.9, 0.8], [0.1, 0.2, 0.1, 0.1, 0.2]).label
        'alive'
        >>> judge_without_reference([0.0] * 5, [0.0] * 5).label
        'collapsed or indiscriminate'
    """
    used = constants or Constants()
    p = np.asarray(harmless, dtype=np.float64)
    named = {"c": control} if output_spread is None else {"c": control, "spread": output_spread}
    contrasts, signs = [], []
    for name, values in named.items():
        array = np.asarray(values, dtype=np.float64)
        if array.shape != p.shape:
            raise ValueError(f"one number per prompt on both sides needed, got {array.shape} and {p.shape}")
        formula, more = f"{name} - {1 + used.k_response:g} p", 1 + used.k_response
        found = axis_contrast(
            formula, formula, array - more * p, level=used.level, resamples=resamples, seed=seed
        )
        contrasts.append(found)
        # 0 against 0 has no sign, and yet nothing is clearer than an output that nothing moves.
        signs.append("-" if found.bounds.estimate == 0 and not np.nansum(np.abs(array)) else found.sign)
    label = LIFELESS if "-" in signs else ALIVE if set(signs) == {"+"} else UNDETERMINED
    reasons = reasons_of(contrasts)
    if label == ALIVE and silent_share > used.k_control:
        label, reasons = UNDETERMINED, (too_silent(silent_share, used, "of its pairs"), *reasons)
    ratio = ratio_of_means(p, np.asarray(control, dtype=np.float64))
    return ReducedVerdict(label, tuple(contrasts), ratio, used, seed, reasons)


def too_silent(share: float, constants: Constants, of: str) -> str:
    """Why a system that gave nothing on many pairs is not called alive for what it gave on the others.

    Args:
        share: of pairs without anything that could be scored.
        constants: `k_control` is the most.
        of: which pairs the share is of.

    Returns:
        One sentence.
    """
    return (
        f"It gave nothing that could be scored in {percent(share)} {of}, more than {percent(constants.k_control)}: "
        "what can be scored is no longer the system."
    )
