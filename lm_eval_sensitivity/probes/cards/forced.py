"""The edited run made to say the unedited run's token: is what parts the outputs carried by that one token?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from lm_eval_sensitivity.probes.architecture import first_tensor
from lm_eval_sensitivity.probes.cards.card import Case, Forced, Stated
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
    ends = end_tokens(replay.model)
    if case.base_id in ends:
        return Stated.not_run("the unedited run's token ends its output")
    said = (*case.shared_ids, case.base_id)
    base = continuation(replay, (*case.base_ids, *said), ends)
    forced = continuation(replay, (*case.variant_ids, *said), ends)
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


def continuation(replay: Replay, ids: Sequence[int], ends: frozenset[int], n: int = FREE) -> tuple[int, ...]:
    """[step] greedy tokens after a sequence that is fed alone, at most `n`; one that ends an output is the last."""
    found: list[int] = []
    past: Any = None

    def last_only(module: Any, args: tuple[Any, ...]) -> tuple[torch.Tensor, ...]:
        return (first_tensor(args)[:, -1:], *args[1:])

    hook = replay.architecture.head.register_forward_pre_hook(last_only)
    try:
        with replay.arithmetic():
            while len(found) < n and not (found and found[-1] in ends):
                fed = [*ids, *found] if past is None else found[-1:]
                inputs = torch.tensor([fed], device=replay.device)
                out = replay.model(input_ids=inputs, past_key_values=past, use_cache=True)
                past = getattr(out, "past_key_values", None)
                found.append(int(out.logits[0, -1].float().argmax()))
    finally:
        hook.remove()
    return tuple(found)


def end_tokens(model: Any) -> frozenset[int]:
    """Ids that end an output, by the model's own generation settings."""
    ends = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    return frozenset([ends] if isinstance(ends, int) else ends or ())


def text_of(replay: Replay, ids: Sequence[int]) -> str:
    """The text of some tokens; their numbers in brackets where there is no tokenizer."""
    if replay.tokenizer is None:
        return "".join(map(replay.token, ids))
    return str(replay.tokenizer.decode(list(ids)))
