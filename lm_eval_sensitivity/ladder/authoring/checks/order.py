"""Prompt distances grow from rung to rung: else the ladder is no ladder."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from lm_eval_sensitivity.ladder.authoring.checks.violation import Violation
from lm_eval_sensitivity.ladder.authoring.distances import median_distances
from lm_eval_sensitivity.types import Pair

LEAST_PROMPTS = 5
"""With fewer prompts a median is the accident of one sentence, and the order is not checked."""

MIN_TOPIC_MEDIAN = 0.7
"""Least accepted median distance of the topic controls. Unrelated prompts of the published ladder lie around
0.9 apart; a control must move a model as far as any prompt could."""
MIN_TOPIC = 0.5
"""Least accepted distance of each topic control. Below it two prompts share a subject: in the published ladder
that is where pairs of different prompts about similar things begin."""

STEPS = (
    ("noop", "paraphrase"),
    ("punctuation", "paraphrase"),
    ("synonym", "paraphrase"),
    ("paraphrase", "control_reversal"),
    ("paraphrase", "control_topic"),
)
"""Rungs, and of the controls edits, of which the first lies nearer to the base than the second, in the median.
`semantic_change` has no bound: it is close to the base in its words and far in its answer."""


def distances_grow(pairs: Sequence[Pair], distances: Mapping[str, float]) -> Iterator[Violation]:
    """The medians of the prompt distances are in the order of `STEPS`, and topic controls are far away.

    Args:
        pairs: all pairs of a subset.
        distances: prompt distances by pair id.

    Yields:
        One violation per step that does not grow, and one of topic controls below `MIN_TOPIC_MEDIAN`; none below
        `LEAST_PROMPTS` prompts.
    """
    if len({pair.prompt_id for pair in pairs}) < LEAST_PROMPTS:
        return
    medians = {name: value for name, value in median_distances(pairs, distances).items() if value is not None}
    for nearer, farther in STEPS:
        if nearer in medians and farther in medians and not medians[nearer] < medians[farther]:
            yield Violation(
                "order",
                f"The median prompt distance of {nearer} is {medians[nearer]:.4f}, that of {farther} "
                f"{medians[farther]:.4f}; accepted is a smaller one for {nearer}.",
            )
    topic = medians.get("control_topic", math.inf)
    if topic < MIN_TOPIC_MEDIAN:
        problem = f"The median prompt distance of control_topic is {topic:.4f}; accepted is at least "
        yield Violation("order", f"{problem}{MIN_TOPIC_MEDIAN}.")


def topics_are_far(pairs: Sequence[Pair], distances: Mapping[str, float]) -> Iterator[Violation]:
    """Every topic control is about something else than its base.

    Args:
        pairs: all pairs of a subset.
        distances: prompt distances by pair id.

    Yields:
        One violation per topic control nearer than `MIN_TOPIC`; one without a distance (NaN) is none.
    """
    for pair in pairs:
        if pair.edit == "control_topic" and distances[pair.pair_id] < MIN_TOPIC:
            problem = f"lies {distances[pair.pair_id]:.2f} from its base in embedding distance; accepted for another "
            yield Violation("order", f"{problem}topic is at least {MIN_TOPIC}.", pair.pair_id, "variant")
