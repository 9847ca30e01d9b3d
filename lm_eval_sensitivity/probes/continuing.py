"""Greedy continuations of token ids that a probe chose, and the tokens that end an output."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

import torch

from lm_eval_sensitivity.probes.architecture import first_tensor, hooked
from lm_eval_sensitivity.probes.outputs import RunOutput
from lm_eval_sensitivity.probes.replay import Replay


def end_ids(replay: Replay, outputs: Iterable[RunOutput]) -> frozenset[int]:
    """Tokens that end an output: those that ended one in the run, and those that the model names.

    Args:
        replay: of the system.
        outputs: of its run.

    Returns:
        Token ids.
    """
    seen = {each.output_ids[-1] for each in outputs if each.finish_reason == "end_token"}
    for holder in (getattr(replay.model, "generation_config", None), replay.tokenizer):
        named = getattr(holder, "eos_token_id", None)
        seen |= set(named) if isinstance(named, list | tuple) else set() if named is None else {int(named)}
    return frozenset(seen)


def continued(
    replay: Replay, starts: Sequence[Sequence[int]], n_tokens: Sequence[int], ends: frozenset[int]
) -> list[tuple[int, ...]]:
    """Greedy continuations of one batch, left-padded; no setting of the checkpoint bends them.

    Args:
        replay: of the model.
        starts: [row][position] token ids, at least one each.
        n_tokens: [row] most tokens that follow.
        ends: tokens that end an output; the last one, where one comes.

    Returns:
        [row] the tokens that follow.
    """
    longest = max(map(len, starts))
    ids, mask = (
        torch.tensor([[0] * (longest - len(each)) + part for each, part in rows], device=replay.device)
        for rows in ([(each, list(each)) for each in starts], [(each, [1] * len(each)) for each in starts])
    )
    takes_positions = "position_ids" in inspect.signature(replay.model.forward).parameters
    found: list[list[int]] = [[] for _ in starts]
    fed, cache = ids, None
    hook = replay.architecture.head.register_forward_pre_hook(_last_only)
    with replay.arithmetic(), hooked([hook]):
        while not all(_done(row, n, ends) for row, n in zip(found, n_tokens, strict=True)):
            positions = {"position_ids": (mask.cumsum(-1) - 1).clamp(min=0)[:, -fed.shape[1] :]}
            out = replay.model(
                input_ids=fed,
                attention_mask=mask,
                past_key_values=cache,
                use_cache=True,
                **(positions if takes_positions else {}),
            )
            cache, chosen = getattr(out, "past_key_values", None), out.logits[:, -1:].argmax(-1)
            ids, mask = torch.cat([ids, chosen], dim=1), torch.cat([mask, torch.ones_like(chosen)], dim=1)
            fed = ids if cache is None else chosen
            for row, token in zip(found, chosen[:, 0].tolist(), strict=True):
                row.append(token)
    return [_ended(row, n, ends) for row, n in zip(found, n_tokens, strict=True)]


def _last_only(module: Any, args: tuple[Any, ...]) -> tuple[torch.Tensor, ...]:
    """The logits of all positions would be the largest tensor by far."""
    return (first_tensor(args)[:, -1:], *args[1:])


def _done(row: Sequence[int], n: int, ends: frozenset[int]) -> bool:
    return len(row) >= n or not ends.isdisjoint(row)


def _ended(row: Sequence[int], n: int, ends: frozenset[int]) -> tuple[int, ...]:
    stop = next((at + 1 for at, token in enumerate(row) if token in ends), len(row))
    return tuple(row[: min(stop, n)])
