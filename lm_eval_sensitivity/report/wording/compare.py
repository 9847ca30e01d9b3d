"""A comparison of two systems in whole sentences, the same wherever it is shown."""

from __future__ import annotations

import math

from lm_eval_sensitivity.report.wording import disagreement
from lm_eval_sensitivity.statements.records import ComparisonStatement, RungDifference
from lm_eval_sensitivity.stats import PairCounts, SignFlipTest
from lm_eval_sensitivity.text.format import in_print
from lm_eval_sensitivity.types import Note


def comparison_in_words(found: ComparisonStatement) -> tuple[Note, Note, Note]:
    """A comparison in three sentences.

    Returns:
        The difference, its test, and the verdict.
    """
    return Note("finding", _difference(found)), Note("method", _test(found)), Note("finding", _verdict(found))


def _difference(found: ComparisonStatement) -> str:
    """The mean difference, over what, and its interval."""
    counts, interval = found.counts, found.difference
    over = f"over {counts.n_prompts} prompts and {counts.n_pairs} pairs that are scored in both"
    if math.isnan(interval.estimate):
        return f"Difference: none can be given {over}. {interval.reason}"
    side = "above" if interval.estimate > 0 else "below"
    words = (
        "The means are the same"
        if interval.estimate == 0
        else f"The second's mean is {in_print(abs(interval.estimate))} {side} the first's"
    )
    bounds = (
        interval.reason
        if interval.method == "none"
        else f"{interval.level:.0%} interval {in_print(interval.lower)} to {in_print(interval.upper)}, "
        f"{interval.method} over prompts."
    )
    sign = "+" if interval.estimate > 0 else ""
    together = disagreement(interval, found.test.p_value, found.equivalence.alpha)
    return f"Difference: {sign}{in_print(interval.estimate)}, {over}. {words}; {bounds} {together}".rstrip()


def _test(found: ComparisonStatement) -> str:
    """The p of no difference, the smallest that could have come out, and what would have been found."""
    test, detectable = found.test, found.detectable
    if math.isnan(test.p_value):
        tested = f"Test: none. {test.reason}"
    else:
        tested = (
            f"Test of no difference: p = {test.p_value:.4g} ({_how(test)}; the smallest that {test.n_moved} prompts "
            f"with a difference can give is {test.attainable_p:.4g})."
        )
        if test.reason:
            tested += f" {test.reason}"
    if math.isnan(detectable.difference):
        return f"{tested} Detectable difference: {detectable.reason}"
    return (
        f"{tested} With {detectable.n} prompts a difference of {in_print(detectable.difference)} would be found with "
        f"{detectable.power:.0%} power."
    )


def _how(test: SignFlipTest) -> str:
    if test.method == "exact":
        return f"all sign flips of the {test.n_moved} prompts with a difference"
    return f"{test.draws} random sign flips of the {test.n_moved} prompts with a difference"


def _verdict(found: ComparisonStatement) -> str:
    """The verdict; a difference of no size that matters is not hidden, nor is a lack of evidence sold as equality."""
    equal = found.equivalence
    if equal.word is None:
        return f"Verdict: none. {equal.reason}"
    settled = found.p_order <= equal.alpha
    margin = (
        f"margin {in_print(equal.margin)}, {equal.margin_share:.4g} of the first system's mean "
        f"{in_print(found.first.mean.estimate)}; two one-sided tests at {equal.alpha:g}"
    )
    if equal.word == "equal within the margin":
        real = (
            f" The effects differ (p = {equal.p_difference:.4g}), by less than what was declared to matter."
            if equal.p_difference <= equal.alpha
            else ""
        )
        return f"Verdict: equal within the margin ({margin}).{real}"
    needed = _prompts_needed(found)
    if equal.word == "different":
        lower = (found.second if found.difference.estimate < 0 else found.first).system
        which = f"the mean of {lower} is lower" if settled else "which mean is lower is not settled"
        which += f" (test of means: p = {found.p_order:.4g})"
        return (
            f"Verdict: their effects differ (p at most {equal.alpha:g}); {which}; not shown to be equal within the "
            f"margin ({margin}).{needed}"
        )
    return f"Verdict: not distinguishable, which is not equal: nor are they shown to be equal ({margin}).{needed}"


def _prompts_needed(found: ComparisonStatement) -> str:
    equal = found.equivalence
    if equal.prompts_needed is None:
        return ""
    if equal.prompts_needed <= equal.n:
        return f" If the means were equal, these prompts would have shown it with at least {equal.power:.0%} power."
    return (
        f" If the means are equal, about {equal.prompts_needed} prompts would show it with {equal.power:.0%} power; "
        f"these are {equal.n}."
    )


def rung_disagreement(rung: RungDifference) -> str:
    """What the interval and the p of a rung are to be read as together.

    Returns:
        A sentence; empty where they agree, and for the identical rung, which is not tested.
    """
    if math.isnan(rung.p_adjusted):
        return ""
    return disagreement(rung.difference, rung.test.p_value, 0.05)


def shared_in_words(counts: PairCounts) -> Note:
    """How many pairs both systems are scored on.

    Args:
        counts: over both systems.

    Returns:
        One note, with what became of the other pairs.
    """
    return Note(
        "method",
        f"Shared: {counts.n_pairs} pairs of {counts.n_prompts} prompts. Fell out: {counts.n_erased} pairs erased in "
        f"one or both, {counts.n_unscored} unscored in one or both, {counts.n_not_shared} that only one was given; "
        f"{counts.n_prompts_lost} prompts without a shared pair.",
    )
