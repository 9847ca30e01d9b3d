"""Sentences about statements, each with one author: the same on a terminal, in a report and on a page.

clusters.py  What is said below a table of clusters, in whole sentences: the same on a terminal
compare.py   A comparison of two systems in whole sentences, the same wherever it is shown
drift.py     What is said beside two axes, in whole sentences: the same on a terminal and on every page
"""

from __future__ import annotations

from lm_eval_sensitivity.metrics.catalogue import is_distance

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


def bounds_note(metric: str) -> str:
    """What a bound below 0 is to be read as.

    Returns:
        A sentence; empty where the metric is no distance.

    Example:
        >>> bounds_note("cosine_distance"), bounds_note("first_divergence")
        ('A lower bound of a mean distance that is below 0 means 0.', '')
    """
    return "A lower bound of a mean distance that is below 0 means 0." if is_distance(metric) else ""
