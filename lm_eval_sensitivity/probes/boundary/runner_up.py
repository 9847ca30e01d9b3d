"""Thin and harmless, or thin and forking: the second most probable token is forced, and what follows is compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lm_eval_sensitivity.metrics.token_path import token_edit_distance
from lm_eval_sensitivity.probes.boundary.finding import RunnerUpStep
from lm_eval_sensitivity.probes.boundary.forcing import OwnSteps
from lm_eval_sensitivity.probes.continuing import continued, end_ids
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
    with progress("Taking the runner-up", len(forks), "step") as done:
        for first in range(0, len(order), replay.batch_size):
            batch = order[first : first + replay.batch_size]
            starts = [forks[at].start for at in batch]
            n_tokens = [len(forks[at].taken_rest) for at in batch]
            rests |= dict(zip(batch, continued(replay, starts, n_tokens, ends), strict=True))
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


def _forks(output: RunOutput, steps: OwnSteps, k: int, threshold: float) -> list[_Fork]:
    margins = steps.margins[: max(len(output.output_ids) - FEWEST_AFTER, 0)]
    thinnest = [step for step in np.argsort(margins, kind="stable")[:k] if margins[step] < threshold]
    return [_Fork(output, int(at), float(steps.margins[at]), steps.runner_up_ids[at]) for at in thinnest]
