"""Pushes: cached decoding of one prompt in one batch, with the tokens held fixed and with the tokens free.

Row 0 of each half is not pushed. All rows go through every step together, in tensors of one shape: another shape may
take another kernel and round otherwise, and a push of length 0 would look like a small one.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.probes.architecture import first_tensor, hooked
from lm_eval_sensitivity.probes.outputs import RunOutput
from lm_eval_sensitivity.probes.recover.settings import Cell
from lm_eval_sensitivity.probes.replay import Replay

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pushed:
    """One output under every push."""

    distances: Floats
    """[cell, step after the push] |h' - h| / |h| after the final norm, on the fixed tokens."""
    divergences: Floats
    """[cell, step after the push] nats, KL from the unpushed distribution to the pushed one, on the fixed tokens."""
    tokens: tuple[tuple[int, ...], ...]
    """[cell][step] of the free path, from the first step of the output."""
    own: tuple[int, ...]
    """[step] of the free path without a push."""


@dataclass(frozen=True)
class Pusher:
    """A model and what is done to it."""

    replay: Replay
    cells: tuple[Cell, ...]
    step: int
    limit: int
    """Tokens of a free path at most."""
    end_ids: frozenset[int]
    seed: int

    def push(self, output: RunOutput) -> Pushed:
        """Every push of one output, each at the same step.

        At step t0 a vector of length alpha |x| in a random direction is added to the output x of a block, at the
        current position. Nothing is added afterwards: what is left comes through the cache.

        Args:
            output: longer than the step of the push, and not longer than the limit.

        Returns:
            Distances on the recorded tokens, and free paths.

        Raises:
            InputError: the model's cache cannot be repeated.
        """
        fed = (*output.prompt_ids, *output.output_ids)
        start = len(output.prompt_ids) - 1 + self.step
        half = 1 + len(self.cells)
        decoding = _Decoding(self.replay, fed[:start], 2 * half)
        tokens = torch.full((2 * half,), fed[start], device=self.replay.device)
        distances, divergences, chosen = [], [], []
        ended = torch.zeros(half, dtype=torch.bool)
        with decoding.looking(), hooked(self._hooks(output.prompt_id, half)):
            states, logits = decoding.next(tokens)
        limit = self._limit(output)
        for t in range(self.step, limit):
            if t > self.step:
                with decoding.looking():
                    states, logits = decoding.next(tokens)
            if t < len(output.output_ids):
                distances.append(_distances(states[:half]))
                divergences.append(_divergences(logits[:half]))
                tokens[:half] = output.output_ids[t]
            free = logits[half:].argmax(dim=-1)
            tokens[half:] = free
            chosen.append(free.tolist())
            ended |= torch.tensor([each in self.end_ids for each in chosen[-1]])
            if t + 1 >= len(output.output_ids) and bool(ended.all()):
                break
        paths = [self._path(output, column) for column in zip(*chosen, strict=True)]
        return Pushed(np.stack(distances, 1), np.stack(divergences, 1), tuple(paths[1:]), paths[0])

    def _limit(self, output: RunOutput) -> int:
        """Stop strings are not looked for: a path of an output that one ended goes as far as that output."""
        return len(output.output_ids) if output.finish_reason == "stop_string" else self.limit

    def _path(self, output: RunOutput, chosen: Sequence[int]) -> tuple[int, ...]:
        """What was said before the push and after it, up to the token that ends it."""
        end = next((at + 1 for at, each in enumerate(chosen) if each in self.end_ids), len(chosen))
        return (*output.output_ids[: self.step], *chosen[:end])

    def _hooks(self, prompt_id: str, half: int) -> list[Any]:
        """The pushes: on each layer, of the rows whose cell it is, in both halves."""
        hooks = []
        for layer in sorted({each.layer for each in self.cells}):
            cells = [(row, each) for row, each in enumerate(self.cells, 1) if each.layer == layer]
            vectors = np.stack(
                [
                    each.alpha * direction(prompt_id, each, self.replay.architecture.width, self.seed)
                    for _, each in cells
                ]
            )
            rows = [row for row, _ in cells]
            twice = torch.tensor([*rows, *(half + row for row in rows)])
            both = torch.from_numpy(np.concatenate([vectors, vectors])).float()
            hooks.append(self.replay.architecture.blocks[layer].register_forward_hook(_adding(twice, both)))
        return hooks


def direction(prompt_id: str, cell: Cell, width: int, seed: int) -> Floats:
    """A direction, uniform on the sphere: of this prompt, layer and size, whatever else is pushed.

    Args:
        prompt_id: of the prompt.
        cell: layer and size.
        width: of the state.
        seed: of all directions.

    Returns:
        [width] of length 1.
    """
    key = zlib.crc32(f"{prompt_id}/{cell.layer}/{cell.alpha!r}".encode())
    vector = np.random.default_rng([seed, key]).standard_normal(width)
    found: Floats = vector / np.linalg.norm(vector)
    return found


def _adding(rows: torch.Tensor, vectors: torch.Tensor) -> Any:
    """A hook that adds to some rows, at the last position, a vector times the length of what is there."""

    def hook(module: Any, args: Any, output: Any) -> Any:
        states = first_tensor(output)
        here, added = rows.to(states.device), vectors.to(states.device)
        old = states[here, -1].float()
        moved = states.clone()
        moved[here, -1] = (old + added * old.norm(dim=-1, keepdim=True)).to(states.dtype)
        return (moved, *output[1:]) if isinstance(output, tuple) else moved

    return hook


class _Decoding:
    """Equal rows with a common past, computed once."""

    def __init__(self, replay: Replay, past: Sequence[int], n_rows: int) -> None:
        self._replay = replay
        self._n_rows = n_rows
        self._length = len(past)
        self._cache: Any = None
        self._states: torch.Tensor | None = None
        if past:
            with self.looking(), replay.arithmetic():
                ids = torch.tensor([past], device=replay.device)
                self._cache = replay.model(input_ids=ids, use_cache=True).past_key_values
            if not hasattr(self._cache, "batch_repeat_interleave"):
                kind, model = type(self._cache).__name__, type(replay.model).__name__
                raise InputError(
                    f"{model} cannot be pushed: its cache, a {kind}, cannot be repeated for several rows."
                )
            with replay.arithmetic():
                self._cache.batch_repeat_interleave(n_rows)

    @contextmanager
    def looking(self) -> Iterator[None]:
        """The output embedding sees, and shows, the last position alone."""

        def keep(module: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
            last = first_tensor(args)[:, -1:]
            self._states = last[:, 0]
            return (last, *args[1:])

        with hooked([self._replay.architecture.head.register_forward_pre_hook(keep)]):
            yield

    def next(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """One more token of each row: [row, width] states after the final norm, [row, vocabulary] float32 logits."""
        self._length += 1
        with self._replay.arithmetic():
            found = self._replay.model(
                input_ids=tokens[:, None],
                attention_mask=torch.ones(
                    (self._n_rows, self._length), dtype=torch.long, device=tokens.device
                ),
                past_key_values=self._cache,
                use_cache=True,
            )
        self._cache = found.past_key_values
        assert self._states is not None
        return self._states.float(), found.logits[:, -1].float()


def _distances(states: torch.Tensor) -> Floats:
    """[cell] of [row, width]: from row 0, over its length."""
    away = (states[1:] - states[0]).norm(dim=-1) / states[0].norm()
    found: Floats = away.to("cpu", torch.float64).numpy()
    return found


def _divergences(logits: torch.Tensor) -> Floats:
    """[cell] nats of [row, vocabulary]: KL from row 0."""
    log_p = torch.log_softmax(logits, dim=-1).clamp(min=-1e30)  # 0 times -inf is NaN
    away = (log_p[0].exp() * (log_p[0] - log_p[1:])).sum(dim=-1)
    # Of nearly equal distributions rounding leaves a little less than 0.
    found: Floats = away.clamp(min=0).to("cpu", torch.float64).numpy()
    return found
