"""The widths that pass: a floor, how far it may be off, and why there is none."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lm_eval_sensitivity.probes.bits.finding import Floor, StaticCheck, Width
from lm_eval_sensitivity.statements.records import SystemDrift
from lm_eval_sensitivity.stats import Interval

MOST_PERPLEXITY = 100.0
"""Of the reference: from it on the model does not know the text, and its perplexity can fall while the model breaks."""
LIFELESS = ("collapsed", "indiscriminate")


def lowest_passing(bits: Sequence[float], passes: Sequence[bool]) -> float | None:
    """The smallest width that passes together with every larger one.

    Args:
        bits: widths, most first.
        passes: of each.

    Returns:
        None where the largest one fails.

    Example:
        >>> lowest_passing([8, 6, 4, 3], [True, True, False, True]), lowest_passing([8, 6], [False, True])
        (6, None)
    """
    found = None
    for width, good in zip(bits, passes, strict=True):
        if not good:
            break
        found = width
    return found


def usable_check(reference: Width, widths: Sequence[Width]) -> StaticCheck | None:
    """What the static floor is read from.

    Args:
        reference: with its perplexity.
        widths: of which every one must have the number.

    Returns:
        Perplexity where that of the reference is below `MOST_PERPLEXITY`, else KL on its own outputs; None where a
        width lacks it.
    """
    if reference.perplexity < MOST_PERPLEXITY and all(_known(each.rise) for each in widths):
        return "perplexity"
    return "divergence" if all(_known(each.divergence) for each in widths) else None


def _known(found: Interval | None) -> bool:
    return found is not None and not math.isnan(found.estimate)


def static_floor(widths: Sequence[Width], check: StaticCheck | None, tolerance: float) -> Floor:
    """The smallest width whose perplexity rises by at most a share, or whose KL is at most the logarithm of 1 + it.

    Both are the same number of nats: a rise of perplexity is one of the mean surprise, and KL is that rise on texts
    that the reference itself wrote.

    Args:
        widths: most bits first.
        check: from `usable_check`.
        tolerance: share, from 0.
    """
    if check is None:
        why = next((each.missing for each in widths if each.missing), "a number is missing")
        return Floor(None, None, None, f"static check not usable: {why}")
    most = math.log1p(tolerance)
    found = [each.rise if check == "perplexity" else each.divergence for each in widths]
    bits = [each.bits or 0 for each in widths]
    ends = [_ends(each) for each in found if each is not None]
    point, lowest, highest = (lowest_passing(bits, [end[at] <= most for end in ends]) for at in (1, 0, 2))
    worst = f"it fails at {bits[0]:g} bits, the most that was measured"
    return Floor(point, lowest, highest, "" if point is not None else worst)


def _ends(found: Interval) -> tuple[float, float, float]:
    """Lower bound, estimate and upper bound; what all prompts share has no bounds and no doubt."""
    if found.method == "none":
        return (found.estimate,) * 3
    return found.lower, found.estimate, found.upper


def dynamic_floor(bits: Sequence[float], systems: Sequence[SystemDrift], lifeless: bool) -> Floor:
    """The smallest width that is `near`: the upper bound of drift less lambda p of the reference is below 0.

    Args:
        bits: widths, most first.
        systems: of each, with its verdict.
        lifeless: whether the reference itself answers everything alike.
    """
    if lifeless:
        return Floor(None, None, None, "the reference answers another request as it answers a harmless edit")
    verdicts = [each.verdict for each in systems]
    alive = [each is not None and each.response not in LIFELESS for each in verdicts]
    words = [None if each is None else each.drift for each in verdicts]
    near = lowest_passing(bits, [good and word == "near" for good, word in zip(alive, words, strict=True)])
    # What is not shown to be far might be near.
    open_too = lowest_passing(bits, [good and word != "far" for good, word in zip(alive, words, strict=True)])
    return Floor(near, open_too, near, "" if near is not None else _why_none(bits[0], systems[0]))


def _why_none(bits: float, first: SystemDrift) -> str:
    verdict = first.verdict
    if verdict is None or math.isnan(verdict.drift_distance):
        return f"no drift was measured at {bits:g} bits"
    if verdict.response in LIFELESS:
        return f"it is {verdict.response} at {bits:g} bits, the most that was measured"
    how = "further from" if verdict.drift == "far" else "not shown to be nearer to"
    than = verdict.constants.in_words("the unrounded model than {moved}")
    return f"at {bits:g} bits, the most that was measured, outputs are {how} {than}"
