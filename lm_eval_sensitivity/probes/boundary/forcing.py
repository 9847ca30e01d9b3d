"""The base's tokens after the base's prompt and after edited ones, step by step. Two rows of logits exist at a time.

Final states of a path wait on the host until its partner has been fed, too: paths go longest first, and a base and its
variants are about equally long.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from lm_eval_sensitivity.probes.boundary.attribution import Floats, ForcedSteps
from lm_eval_sensitivity.probes.outputs import RunOutput
from lm_eval_sensitivity.probes.replay import STEPS_PER_CHUNK, Batch, Path, Reader, Replay


@dataclass(frozen=True, eq=False)
class OwnSteps:
    """[step] numbers of one output as it is replayed, float64."""

    margins: Floats
    entropies: Floats
    top1: Floats
    runner_up_ids: tuple[int, ...]
    """[step] the second most probable token."""


@dataclass(frozen=True)
class Fed:
    """One base, and the prompts of its variants."""

    base: RunOutput
    variants: tuple[tuple[int, ...], ...]
    """[variant] prompt ids."""


def force(replay: Replay, everything: Sequence[Fed]) -> list[tuple[OwnSteps, list[ForcedSteps]]]:
    """Feed every base's tokens after its own prompt and after those of its variants.

    One pass of n + T tokens for each path; on the host up to [step, width] for each path that waits.

    Args:
        replay: a loaded model.
        everything: bases with at least one step each.

    Returns:
        [base] its own steps, and those of each variant.
    """
    paths, pairs = [], []
    for each in everything:
        paths.append(Path.of(each.base))
        base = len(paths) - 1
        for prompt_ids in each.variants:
            paths.append(Path(prompt_ids, each.base.output_ids))
            pairs.append((base, len(paths) - 1))
    reader = Forcing(replay, pairs)
    replay.run(paths, [reader], label="Feeding the bases' tokens")
    numbers = iter(range(len(paths)))
    found = []
    for each in everything:
        base = next(numbers)
        found.append((reader.own[base], [reader.forced[next(numbers)] for _ in each.variants]))
    return found


class Forcing(Reader):
    """Keeps final states until both sides of a pair are there, and numbers of steps after that.

    Args:
        replay: whose head is used.
        pairs: numbers of (base, variant) among the paths.
    """

    def __init__(self, replay: Replay, pairs: Sequence[tuple[int, int]]) -> None:
        self._replay = replay
        self._partners: dict[int, list[int]] = defaultdict(list)
        for base, variant in pairs:
            self._partners[base].append(variant)
        self._base_of = {variant: base for base, variant in pairs}
        self._left = Counter(base for base, _ in pairs)
        self._waiting: dict[int, torch.Tensor] = {}
        self._batch: Batch | None = None
        self.own: dict[int, OwnSteps] = {}
        self.forced: dict[int, ForcedSteps] = {}

    def start(self, batch: Batch) -> None:
        """Which rows are coming."""
        self._batch = batch

    def final(self, states: torch.Tensor) -> None:
        """Keep the states that predict steps."""
        assert self._batch is not None
        at_steps = self._batch.at_steps(states).cpu()
        for row, (number, path) in enumerate(zip(self._batch.numbers, self._batch.paths, strict=True)):
            # A copy: a view would keep the whole batch.
            self._waiting[number] = at_steps[row, : len(path.output_ids)].clone()

    def end(self) -> None:
        """Compare what is complete, and let go of it."""
        for base in [each for each in self._waiting if each not in self._base_of]:
            if base not in self.own:
                self.own[base] = _own_steps(self._replay, self._waiting[base])
            for variant in self._partners[base]:
                if variant in self._waiting:
                    both = self._waiting[base], self._waiting.pop(variant)
                    self.forced[variant] = _forced_steps(self._replay, *both)
                    self._left[base] -= 1
            if not self._left[base]:
                del self._waiting[base]


def own_numbers(logits: torch.Tensor) -> torch.Tensor:
    """Margin, entropy, log-probability of the first and id of the second token.

    Args:
        logits: [step, vocabulary].

    Returns:
        [step, 4] float64 (float32 where a device has nothing wider): nats, nats, nats, a token id.
    """
    log_p = _wide(logits).log_softmax(-1)
    first, second, _, second_id = _leaders(log_p)
    entropy = -(log_p.exp() * log_p).nan_to_num(0.0).sum(-1)
    return torch.stack([first - second, entropy, first, second_id.to(log_p.dtype)], dim=-1)


def forced_numbers(base: torch.Tensor, variant: torch.Tensor) -> torch.Tensor:
    """Everything `ForcedSteps` holds, from both sides' logits.

    Formula: delta = z' - z; i = argmax z; rho = max over j != i of (delta_j - delta_i) / (z_i - z_j). Where z_j = z_i:
        +inf if delta_j > delta_i, else j is left out. The argmax moves if and only if rho > 1.
    Source: this project. The floor of KL is `metrics.logits.flip_floor_nats`.

    Args:
        base: [step, vocabulary] logits after the base's prompt.
        variant: [step, vocabulary] after the edited one.

    Returns:
        [step, 10] in the order of the fields of `ForcedSteps`.
    """
    z, other = _wide(base), _wide(variant)
    top, second, first_id, second_id = _leaders(z)
    delta = other - z
    shift = delta - delta.gather(-1, first_id[:, None])
    gap = top[:, None] - z
    ratio = torch.where(gap > 0, shift / gap, torch.where(shift > 0, torch.inf, -torch.inf))
    # A token that neither side allows has no shift; i itself does not compete.
    ratio = ratio.nan_to_num(-torch.inf, posinf=torch.inf, neginf=-torch.inf)
    ratio.scatter_(-1, first_id[:, None], -torch.inf)
    rho, at = ratio.max(-1)
    allowed = delta.isfinite()
    oscillation = delta.where(allowed, -torch.inf).amax(-1) - delta.where(allowed, torch.inf).amin(-1)
    log_p, log_q = z.log_softmax(-1), other.log_softmax(-1)
    p = log_p.exp()
    kl = (p * (log_p - log_q)).nan_to_num(0.0, posinf=torch.inf).sum(-1).clamp(min=0)
    entropy = -(p * log_p).nan_to_num(0.0).sum(-1)
    chosen = other.argmax(-1)
    return torch.stack(
        [
            top - second,
            rho,
            shift.gather(-1, at[:, None])[:, 0],
            gap.gather(-1, at[:, None])[:, 0],
            shift.gather(-1, second_id[:, None])[:, 0],
            oscillation,
            kl,
            _floor(p.gather(-1, first_id[:, None])[:, 0], p.gather(-1, second_id[:, None])[:, 0]),
            entropy,
            # The same logit as i's is no flip, whichever comes first in the vocabulary.
            (other.gather(-1, chosen[:, None]) > other.gather(-1, first_id[:, None]))[:, 0].to(z.dtype),
        ],
        dim=-1,
    )


def _wide(logits: torch.Tensor) -> torch.Tensor:
    """Differences of float32 logits are exact in float64, and so is rho > 1."""
    return logits if logits.device.type == "mps" else logits.double()


def _leaders(z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """[step] first and second value, and their ids; of equal ones the smaller id is first."""
    first_id = z.argmax(-1)
    top = z.gather(-1, first_id[:, None])[:, 0]
    rest = z.scatter(-1, first_id[:, None], -torch.inf)
    second, second_id = rest.max(-1)
    return top, second, first_id, second_id


def _floor(p1: torch.Tensor, p2: torch.Tensor) -> torch.Tensor:
    return (torch.xlogy(p1, 2 * p1 / (p1 + p2)) + torch.xlogy(p2, 2 * p2 / (p1 + p2))).clamp(min=0)


def _own_steps(replay: Replay, states: torch.Tensor) -> OwnSteps:
    chunks = [own_numbers(replay.logits(part)).cpu() for part in _chunks(replay, states)]
    margins, entropies, top1, ids = torch.cat(chunks).double().numpy().T
    return OwnSteps(margins, entropies, top1, tuple(int(each) for each in ids))


def _forced_steps(replay: Replay, base: torch.Tensor, variant: torch.Tensor) -> ForcedSteps:
    chunks = [
        forced_numbers(replay.logits(one), replay.logits(other)).cpu()
        for one, other in zip(_chunks(replay, base), _chunks(replay, variant), strict=True)
    ]
    *numbers, flipped = torch.cat(chunks).double().numpy().T
    return ForcedSteps(*(np.ascontiguousarray(each) for each in numbers), flipped=flipped > 0)


def _chunks(replay: Replay, states: torch.Tensor) -> Iterator[torch.Tensor]:
    device = replay.device
    for first in range(0, len(states), STEPS_PER_CHUNK):
        yield states[first : first + STEPS_PER_CHUNK].to(device)
