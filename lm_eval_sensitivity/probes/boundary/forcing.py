"""The base's tokens after the base's prompt and after edited ones, step by step. Two rows of logits exist at a time.

Final states of a path wait on the host until its partner has been fed, too: paths go longest first, and a base and its
variants are about equally long.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from lm_eval_sensitivity.probes.boundary.attribution import Floats, ForcedSteps
from lm_eval_sensitivity.probes.outputs import RunOutput
from lm_eval_sensitivity.probes.replay import STEPS_PER_CHUNK, Batch, Path, Reader, Replay

_NUMBERS = ("margin", "rho", "shift", "gap", "runner_up_shift", "oscillation", "kl", "floor", "entropy")
"""Of `ForcedSteps`, as `forced_numbers` has them; a flag is last."""


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
            here = [each for each in self._partners[base] if each in self._waiting]
            if base not in self.own or here:
                self._compare(base, here)
            self._left[base] -= len(here)
            if not self._left[base]:
                del self._waiting[base]

    def _compare(self, base: int, variants: Sequence[int]) -> None:
        """The base's logits of each chunk once, for all variants that are there."""
        states = self._waiting[base]
        others = [self._waiting.pop(each) for each in variants]
        own: list[torch.Tensor] = []
        forced: list[list[torch.Tensor]] = [[] for _ in others]
        for first in range(0, len(states), STEPS_PER_CHUNK):
            chunk = slice(first, first + STEPS_PER_CHUNK)
            side = BaseSide.of(self._logits(states[chunk]))
            own.append(own_numbers(side).cpu())
            for found, other in zip(forced, others, strict=True):
                found.append(forced_numbers(side, self._logits(other[chunk])).cpu())
        self.own[base] = _own_steps(own)
        for variant, found in zip(variants, forced, strict=True):
            self.forced[variant] = _forced_steps(found)

    def _logits(self, states: torch.Tensor) -> torch.Tensor:
        return self._replay.logits(states.to(self._replay.device))


@dataclass(frozen=True, eq=False)
class BaseSide:
    """Logits after the base's prompt, with what every variant is held against."""

    logits: torch.Tensor
    """[step, vocabulary] float64 (float32 where a device has nothing wider): differences of float32 logits are exact
    there, and so is rho > 1."""
    log_p: torch.Tensor
    """[step, vocabulary] nats."""
    first_id: torch.Tensor
    """[step] i, the most probable token; of equal ones the smallest id."""
    second_id: torch.Tensor
    """[step] the runner-up."""
    gap: torch.Tensor
    """[step, vocabulary] z_i - z_j, nats; infinite for i itself."""

    @classmethod
    def of(cls, logits: torch.Tensor) -> BaseSide:
        """[step, vocabulary] logits."""
        z = _wide(logits)
        first_id = z.argmax(-1, keepdim=True)
        second_id = z.scatter(-1, first_id, -torch.inf).argmax(-1, keepdim=True)
        gap = (z.gather(-1, first_id) - z).scatter(-1, first_id, torch.inf)
        return cls(z, z.log_softmax(-1), first_id[:, 0], second_id[:, 0], gap)

    @cached_property
    def p(self) -> torch.Tensor:
        """[step, vocabulary]"""
        return self.log_p.exp()

    @cached_property
    def entropy(self) -> torch.Tensor:
        """[step] nats."""
        return -torch.xlogy(self.p, self.p).sum(-1)

    @cached_property
    def margin(self) -> torch.Tensor:
        """[step] nats."""
        return at(self.gap, self.second_id)

    @cached_property
    def floor(self) -> torch.Tensor:
        """[step] nats; `metrics.logits.flip_floor_nats`."""
        p1, p2 = at(self.p, self.first_id), at(self.p, self.second_id)
        whole = p1 + p2
        return (torch.xlogy(p1, 2 * p1 / whole) + torch.xlogy(p2, 2 * p2 / whole)).clamp(min=0)


def at(table: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """[step] one column of each row."""
    return table.gather(-1, ids[:, None])[:, 0]


def own_numbers(base: BaseSide) -> torch.Tensor:
    """Margin, entropy, log-probability of the first and id of the second token.

    Returns:
        [step, 4] nats, nats, nats, a token id.
    """
    top1 = at(base.log_p, base.first_id)
    return torch.stack([base.margin, base.entropy, top1, base.second_id.to(top1.dtype)], dim=-1)


def forced_numbers(base: BaseSide, variant: torch.Tensor) -> torch.Tensor:
    """Everything `ForcedSteps` holds, from both sides' logits.

    Formula: delta = z' - z; i = argmax z; rho = max over j != i of (delta_j - delta_i) / (z_i - z_j). Where z_j = z_i:
        +inf if delta_j > delta_i, else j is left out. The argmax moves if and only if rho > 1.
    Source: this project.

    Args:
        base: logits after the base's prompt.
        variant: [step, vocabulary] logits after the edited one.

    Returns:
        [step, 10] in the order of the fields of `ForcedSteps`.
    """
    other = _wide(variant)
    delta = other - base.logits
    shift = delta - delta.gather(-1, base.first_id[:, None])
    ratio = torch.where(base.gap > 0, shift / base.gap, torch.where(shift > 0, torch.inf, -torch.inf))
    # A token that neither side allows has no shift; i itself does not compete.
    ratio.nan_to_num_(-torch.inf, posinf=torch.inf, neginf=-torch.inf)
    ratio.scatter_(-1, base.first_id[:, None], -torch.inf)
    rho, largest = ratio.max(-1)
    allowed = delta.isfinite()
    oscillation = delta.where(allowed, -torch.inf).amax(-1) - delta.where(allowed, torch.inf).amin(-1)
    terms = base.p * (base.log_p - other.log_softmax(-1))
    return torch.stack(
        [
            base.margin,
            rho,
            at(shift, largest),
            at(base.gap, largest),
            at(shift, base.second_id),
            oscillation,
            terms.nan_to_num_(0.0, posinf=torch.inf).sum(-1).clamp(min=0),
            base.floor,
            base.entropy,
            # The same logit as i's is no flip, whichever comes first in the vocabulary.
            (other.amax(-1) > at(other, base.first_id)).to(rho.dtype),
        ],
        dim=-1,
    )


def _wide(logits: torch.Tensor) -> torch.Tensor:
    return logits if logits.device.type == "mps" else logits.double()


def _own_steps(chunks: Sequence[torch.Tensor]) -> OwnSteps:
    margins, entropies, top1, ids = _columns(chunks)
    return OwnSteps(margins, entropies, top1, tuple(int(each) for each in ids))


def _forced_steps(chunks: Sequence[torch.Tensor]) -> ForcedSteps:
    numbers = _columns(chunks)
    return ForcedSteps(**dict(zip(_NUMBERS, numbers, strict=False)), flipped=numbers[-1] > 0)


def _columns(chunks: Sequence[torch.Tensor]) -> Floats:
    return np.ascontiguousarray(torch.cat(list(chunks)).double().numpy().T)
