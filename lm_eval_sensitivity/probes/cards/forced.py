"""The edited run made to say the unedited run's token: is what parts the outputs carried by that one token?"""

from __future__ import annotations

from collections.abc import Sequence

from lm_eval_sensitivity.probes.cards.card import Case, Forced, Stated
from lm_eval_sensitivity.probes.continuing import continued, end_ids
from lm_eval_sensitivity.probes.replay import Replay

FREE = 16
"""Tokens that are generated after the forced one."""


def force(replay: Replay, case: Case) -> Stated[Forced]:
    """Both runs after the unedited run's token, greedily and one at a time, and how long they say the same.

    Args:
        replay: of the model.
        case: the branch.

    Returns:
        Not run where that token ends the output.
    """
    ends = end_ids(replay, ())
    if case.base_id in ends:
        return Stated.not_run("the unedited run's token ends its output")
    said = (*case.shared_ids, case.base_id)
    # One at a time, as all of a card.
    base, forced = (
        continued(replay, [(*prompt, *said)], [FREE], ends)[0] for prompt in (case.base_ids, case.variant_ids)
    )
    rejoined = common_length(base, forced)
    return Stated.observed(
        Forced(
            rejoined,
            len(base),
            text_of(replay, base),
            text_of(replay, forced),
            text_of(replay, base[:rejoined]),
        )
    )


def common_length(first: Sequence[int], second: Sequence[int]) -> int:
    """Tokens that two sequences begin with alike.

    Example:
        >>> common_length([1, 2, 3], [1, 2, 4]), common_length([1], [1, 2]), common_length([], [1])
        (2, 1, 0)
    """
    pairs = zip(first, second, strict=False)
    return next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(first), len(second)))


def text_of(replay: Replay, ids: Sequence[int]) -> str:
    """The text of some tokens; their numbers in brackets where there is no tokenizer."""
    if replay.tokenizer is None:
        return "".join(map(replay.token, ids))
    return str(replay.tokenizer.decode(list(ids)))
