"""Thin and harmless, or thin and forking: the second most probable token is forced, and what follows is compared."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from lm_eval_sensitivity.metrics.token_path import token_edit_distance
from lm_eval_sensitivity.probes.boundary.finding import RunnerUpStep
from lm_eval_sensitivity.probes.boundary.forcing import OwnSteps
from lm_eval_sensitivity.probes.outputs import RunOutput
from lm_eval_sensitivity.probes.replay import Replay
from lm_eval_sensitivity.progress import progress

FEWEST_AFTER = 8
"""Tokens that must follow a step, for a distance of what follows."""


@dataclass(frozen=True)
class _Fork:
    output: RunOutput
    step: int
    margin: float
    forced: int

    @property
    def start(self) -> tuple[int, ...]:
        return (*self.output.prompt_ids, *self.output.output_ids[: self.step], self.forced)

    @property
    def taken_rest(self) -> tuple[int, ...]:
        return self.output.output_ids[self.step + 1 :]


def force_runner_ups(
    replay: Replay, outputs: Sequence[RunOutput], own: Sequence[OwnSteps], k: int, threshold: float
) -> tuple[RunnerUpStep, ...]:
    """Emit the runner-up at the k thinnest of the thin steps of each output, and go on greedily.

    Formula: token edit distance of the tokens after the step, as generated and after the runner-up, over the longer of
        both; the forced output gets at most as many tokens as the output had.
    Range: [0, 1]; 0 = the same words follow. Steps with fewer than 8 tokens after them are left out.
    Source: Bigelow et al. 2025 (forking tokens) draw whole distributions of continuations; this is one, the greedy one.

    Args:
        replay: a loaded model.
        outputs: to the bases.
        own: of each, as replayed.
        k: steps of each output, at most.
        threshold: below it a step is thin, nats.

    Returns:
        By output, then by margin.
    """
    forks = [
        fork
        for output, steps in zip(outputs, own, strict=True)
        for fork in _forks(output, steps, k, threshold)
    ]
    ends = end_ids(replay, outputs)
    rests: dict[int, tuple[int, ...]] = {}
    # Alike lengths beside each other: padding is work, too.
    order = sorted(range(len(forks)), key=lambda at: len(forks[at].start))
    with replay.arithmetic(), progress("Taking the runner-up", len(forks), "step") as done:
        for first in range(0, len(order), replay.batch_size):
            batch = order[first : first + replay.batch_size]
            starts = [forks[at].start for at in batch]
            n_tokens = [len(forks[at].taken_rest) for at in batch]
            rests |= dict(zip(batch, continued(replay.model, starts, n_tokens, ends), strict=True))
            done.update(len(batch))
    return tuple(
        RunnerUpStep(
            prompt_id=fork.output.prompt_id,
            step=fork.step,
            margin=fork.margin,
            taken=replay.token(fork.output.output_ids[fork.step]),
            forced=replay.token(fork.forced),
            distance=token_edit_distance(fork.taken_rest, rests[at]),
        )
        for at, fork in enumerate(forks)
    )


def continued(
    model: Any, starts: Sequence[Sequence[int]], n_tokens: Sequence[int], ends: frozenset[int]
) -> list[tuple[int, ...]]:
    """Greedy continuations of one batch, left-padded; no setting of the checkpoint bends them.

    Args:
        model: a causal language model of transformers.
        starts: [row][position] token ids, at least one each.
        n_tokens: [row] most tokens that follow.
        ends: tokens that end an output; the last one, where one comes.

    Returns:
        [row] the tokens that follow.
    """
    device = model.get_input_embeddings().weight.device
    longest = max(map(len, starts))
    ids = torch.tensor([[0] * (longest - len(each)) + list(each) for each in starts], device=device)
    mask = torch.tensor([[0] * (longest - len(each)) + [1] * len(each) for each in starts], device=device)
    takes_positions = "position_ids" in inspect.signature(model.forward).parameters
    rows: list[list[int]] = [[] for _ in starts]
    cache = None
    for _ in range(max(n_tokens)):
        positions = {"position_ids": (mask.cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :]}
        out = model(
            input_ids=ids,
            attention_mask=mask,
            past_key_values=cache,
            use_cache=True,
            **(positions if takes_positions else {}),
        )
        cache = out.past_key_values
        ids = out.logits[:, -1:].argmax(-1)
        mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
        for row, token in zip(rows, ids[:, 0].tolist(), strict=True):
            row.append(token)
        if all(_done(row, n, ends) for row, n in zip(rows, n_tokens, strict=True)):
            break
    return [_ended(row, n, ends) for row, n in zip(rows, n_tokens, strict=True)]


def end_ids(replay: Replay, outputs: Sequence[RunOutput]) -> frozenset[int]:
    """Tokens that end an output: those that did, and those of the checkpoint."""
    seen = {each.output_ids[-1] for each in outputs if each.finish_reason == "end_token"}
    configured = getattr(getattr(replay.model, "generation_config", None), "eos_token_id", None)
    listed = [configured] if isinstance(configured, int) else list(configured or [])
    return frozenset({*seen, *map(int, listed)})


def _forks(output: RunOutput, steps: OwnSteps, k: int, threshold: float) -> list[_Fork]:
    margins = steps.margins[: max(len(output.output_ids) - FEWEST_AFTER, 0)]
    thinnest = [step for step in np.argsort(margins, kind="stable")[:k] if margins[step] < threshold]
    return [_Fork(output, int(at), float(steps.margins[at]), steps.runner_up_ids[at]) for at in thinnest]


def _done(row: Sequence[int], n: int, ends: frozenset[int]) -> bool:
    return len(row) >= n or not ends.isdisjoint(row)


def _ended(row: Sequence[int], n: int, ends: frozenset[int]) -> tuple[int, ...]:
    stop = next((at + 1 for at, token in enumerate(row) if token in ends), len(row))
    return tuple(row[: min(stop, n)])
