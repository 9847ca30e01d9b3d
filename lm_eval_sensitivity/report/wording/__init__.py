"""Sentences about statements, each with one author: the same on a terminal, in a report and on a page.

answers.py     A wrapped task: flips, noise, reach, and what a difference between models is worth
clusters.py    What is said below a table of clusters, in whole sentences: the same on a terminal
compare.py     A comparison of two systems in whole sentences, the same wherever it is shown
drift.py       What is said beside two axes, in whole sentences: the same on a terminal and on every page
finding.py     The finding of a table of clusters, for who reads nothing else
summary.py     The last screen of a run, and the head of its report: the answer first, then what could fake it
summary_cautions.py  What could fake the numbers of one system: the gravest first
unreadable.py  What is said where an embedder cannot read outputs, with the way out
"""

from __future__ import annotations

import math

from lm_eval_sensitivity.metrics.catalogue import ANSWER_FLIP, METRICS, is_distance
from lm_eval_sensitivity.stats import Interval

NOT_EQUAL = "which does not say that they are equal"
"""What `not distinguishable` does not say."""

NOT_TO_CONCLUDE = (
    "A small distance is no merit. A system that always says the same has the smallest there is; read every distance "
    "beside the positive control, where the output should move. Nothing here says that an output is right or good.",
    "No order is stated between systems that share a cluster, and none is to be read from the figures, which stand in "
    "the order of letters. Not told apart is not equal: a difference smaller than the detectable one may be there.",
    "Erased edits are not edits that a system withstood: they never reached it. Unscored pairs are not distances of 0. "
    "Where coverage differs, means beside each other are over different pairs; contrasts are over shared pairs.",
    "All numbers are of this ladder, in its language, under greedy decoding, up to this token limit, in the scale of "
    "this embedder. They say nothing of other prompts or of sampled outputs, and compare with no other report unless "
    "the signatures agree.",
)


FLAGS_IN_WORDS = {
    "empty": "are empty",
    "loop": "are caught in a repetition",
    "cut": "were cut at the token limit: what would have followed was not compared",
    "unclosed": "never close their reasoning and have no answer",
}
"""What is wrong with some outputs, after their number."""


WITHIN = "Bounds are by half points and stay within the range of the metric."


def bounds_note(metric: str) -> str:
    """What the bounds of a mean are made with.

    Returns:
        A sentence; another one where the metric has no largest value.

    Example:
        >>> bounds_note("cosine_distance")
        'Bounds are by half points and stay within the range of the metric.'
        >>> bounds_note("kl_forward")
        'Bounds are by the bootstrap-t, because this metric has no largest value; a lower bound below 0 means 0.'
    """
    card = METRICS[metric]
    if metric == ANSWER_FLIP:
        return f"A prompt is a document of the task, and its number the share of edits that change its answer. {WITHIN}"
    if card.low == 0 and math.isfinite(card.high):
        return WITHIN
    below = "; a lower bound below 0 means 0" if is_distance(metric) else ""
    return f"Bounds are by the bootstrap-t, because this metric has no largest value{below}."


def disagreement(interval: Interval, p: float, alpha: float) -> str:
    """What an interval that holds 0 and a p at or below alpha are to be read as together, or the other way round.

    Args:
        interval: of a mean difference.
        p: of its sign flips.
        alpha: that p is held against.

    Returns:
        A sentence; empty where the two agree, or one is missing.

    Example:
        >>> from lm_eval_sensitivity.stats import difference_interval
        >>> disagreement(difference_interval([0.0] * 20 + [0.6, 0.7, 0.8, 0.9], largest=1), 0.125, 0.05)
        'The interval leaves out 0, but p is above 0.05: the two are not told apart.'
        >>> disagreement(difference_interval([0.1, 0.2, 0.1, 0.3, 0.1, 0.2]), 0.03, 0.05)
        ''
    """
    if math.isnan(interval.lower) or math.isnan(p):
        return ""
    holds_0 = interval.lower <= 0 <= interval.upper
    if holds_0 and p <= alpha:
        return (
            f"The interval holds 0, but p is at most {alpha:g}: the effects differ, and which mean is lower is not "
            "settled."
        )
    if not holds_0 and p > alpha:
        return f"The interval leaves out 0, but p is above {alpha:g}: the two are not told apart."
    return ""
