"""States of one run put into another: what the model then says at the last position."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from lm_eval_sensitivity.probes.architecture import first_tensor
from lm_eval_sensitivity.probes.replay import Batch, Path, Reader, Replay

MOST_PATCHES = 16
"""Changes of one pass; an undisturbed row goes with them."""
_ROUNDING = 1e-3
"""Nats by which logits of a shortened pass may differ from a whole one."""


@dataclass(frozen=True, eq=False)
class Run:
    """One sequence, fed alone."""

    ids: tuple[int, ...]
    """[position] prompt and output tokens."""
    outputs: dict[int, torch.Tensor]
    """Layer -> [position, width] output of its block, on the host."""
    final: torch.Tensor
    """[position, width] after the final norm, on the host."""
    logits: torch.Tensor
    """[vocabulary] float32 at the last position, on the host."""


@dataclass(frozen=True, eq=False)
class Change:
    """Some positions of a block's output that are other ones."""

    positions: tuple[int, ...]
    states: torch.Tensor
    """[k, width] on the host."""


@dataclass(frozen=True, eq=False)
class Said:
    """The last position of one pass with changes, on the host."""

    contrasts: tuple[float, ...]
    """[change] z_i - z_j in nats."""
    tops: tuple[int, ...]
    """[change] most probable token."""
    undisturbed: float
    """z_i - z_j of the row without a change, in the same batch."""


class _Outputs(Reader):
    """Outputs of some blocks, which are the inputs of what follows them."""

    wants_residual = True

    def __init__(self, layers: Sequence[int]) -> None:
        self._wanted = set(layers)
        self.found: dict[int, torch.Tensor] = {}

    def residual(self, layer: int, states: torch.Tensor) -> None:
        if layer - 1 in self._wanted:
            self.found[layer - 1] = states[0].cpu()


def watch(replay: Replay, ids: Sequence[int], layers: Sequence[int]) -> Run:
    """Feed one sequence alone, and keep what some blocks give.

    Args:
        replay: of the model.
        ids: [position] at least one token.
        layers: whose outputs are kept, each [position, width] on the host.
    """
    reader = _Outputs(layers)
    with replay.arithmetic():
        final = replay.states(_batch(replay, ids, 1), [reader])[0]
        logits = replay.logits(final[-1:])[0]
    return Run(tuple(ids), reader.found, final.cpu(), logits.cpu())


def _batch(replay: Replay, ids: Sequence[int], rows: int) -> Batch:
    # What a path feeds ends before its last token, which is only predicted: any token will do.
    path = Path(tuple(ids), (0,))
    return Batch.of([path] * rows, list(range(rows)), replay.device)


class Patching:
    """Passes in which a block gives something else than it would.

    Where the model allows it, blocks up to the changed one are not computed again: a pass begins behind it, which
    halves the cost. Whether it does is tried once, on the first run that is given; else every pass is whole.

    Args:
        replay: of the model.
        run: any, with the output of at least one block.

    Example:
        See `tests/probes/test_cards_patching.py`; it takes a model.
    """

    def __init__(self, replay: Replay, run: Run) -> None:
        self._replay = replay
        self._gives_tuple = _gives_tuple(replay, run)
        self.is_shortened = self._can_begin_behind(run)

    def _can_begin_behind(self, run: Run) -> bool:
        try:
            found = [self._behind(run, layer, run.outputs[layer][None]) for layer in run.outputs]
        except (RuntimeError, TypeError, ValueError, IndexError, AttributeError):
            return False
        return all(float((each[0] - run.logits).abs().max()) < _ROUNDING for each in found)

    def said(self, run: Run, layer: int, changes: Sequence[Change], tokens: tuple[int, int]) -> Said:
        """What is said at the last position of a run in which a block's output is changed.

        Args:
            run: that is disturbed.
            layer: whose output is changed; one of those kept.
            changes: each in a row of its own.
            tokens: (i, j) of the contrast.
        """
        contrasts: list[float] = []
        tops: list[int] = []
        undisturbed = float("nan")
        for start in range(0, len(changes), MOST_PATCHES):
            some = changes[start : start + MOST_PATCHES]
            logits = self.logits(run, layer, some)
            values = (logits[:, tokens[0]] - logits[:, tokens[1]]).tolist()
            # Every batch has its own undisturbed row; what a batch's shape adds is in both.
            first = values[0] if start == 0 else undisturbed
            contrasts += [first + value - values[0] for value in values[1:]]
            tops += logits[1:].argmax(dim=-1).tolist()
            undisturbed = first
        return Said(tuple(contrasts), tuple(tops), undisturbed)

    def logits(self, run: Run, layer: int, changes: Sequence[Change]) -> torch.Tensor:
        """[1 + change, vocabulary] float32 logits at the last position, on the host; row 0 is undisturbed."""
        if not self.is_shortened:
            return self._whole(run, layer, changes)
        states = run.outputs[layer].expand(1 + len(changes), -1, -1).clone()
        for row, change in enumerate(changes, 1):
            states[row, list(change.positions)] = change.states
        return self._behind(run, layer, states)

    def alone(self, run: Run, layer: int, change: Change) -> torch.Tensor:
        """[vocabulary] the same of one change that is fed alone, as the run was."""
        if not self.is_shortened:
            return self._whole(run, layer, [change], first=0)[0]
        states = run.outputs[layer][None].clone()
        states[0, list(change.positions)] = change.states
        return self._behind(run, layer, states)[0]

    def _behind(self, run: Run, layer: int, states: torch.Tensor) -> torch.Tensor:
        moved = states.to(self._replay.device)
        with self._skipped(layer, moved):
            return self._last_logits(run, len(states))

    def _whole(self, run: Run, layer: int, changes: Sequence[Change], first: int = 1) -> torch.Tensor:
        """Changes stand in the rows from `first` on."""

        def change_them(module: Any, args: Any, output: Any) -> Any:
            states = first_tensor(output).clone()
            for row, change in enumerate(changes, first):
                states[row, list(change.positions)] = change.states.to(states.device)
            return (states, *output[1:]) if isinstance(output, tuple) else states

        hook = self._replay.architecture.blocks[layer].register_forward_hook(change_them)
        try:
            return self._last_logits(run, first + len(changes))
        finally:
            hook.remove()

    def _last_logits(self, run: Run, rows: int) -> torch.Tensor:
        with self._replay.arithmetic():
            final = self._replay.states(_batch(self._replay, run.ids, rows))
            return self._replay.logits(final[:, -1]).cpu()

    @contextlib.contextmanager
    def _skipped(self, layer: int, states: torch.Tensor) -> Iterator[None]:
        """Blocks up to `layer` give `states` instead of computing."""

        def give(*args: Any, **kwargs: Any) -> Any:
            return (states,) if self._gives_tuple else states

        blocks = self._replay.architecture.blocks[: layer + 1]
        # A library that spreads a model over devices has put its own `forward` into the object: it comes back.
        own = [block.__dict__.get("forward") for block in blocks]
        try:
            for block in blocks:
                block.forward = give
            yield
        finally:
            for block, forward in zip(blocks, own, strict=True):
                if forward is None:
                    del block.__dict__["forward"]
                else:
                    block.forward = forward


def _gives_tuple(replay: Replay, run: Run) -> bool:
    found: list[bool] = []

    def look(module: Any, args: Any, output: Any) -> None:
        found.append(isinstance(output, tuple))

    hook = replay.architecture.blocks[0].register_forward_hook(look)
    try:
        with replay.arithmetic():
            replay.states(_batch(replay, run.ids[:1], 1))
    finally:
        hook.remove()
    return found[0]
