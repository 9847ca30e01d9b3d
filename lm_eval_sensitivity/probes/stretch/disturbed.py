"""Passes of a prompt beside itself, clean and disturbed before block 0, in one batch."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lm_eval_sensitivity.probes.architecture import block_input, hooked
from lm_eval_sensitivity.probes.replay import Batch, Path, Reader, Replay
from lm_eval_sensitivity.probes.stretch.routes import Routes
from lm_eval_sensitivity.progress import progress

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Disturbance:
    """What is added to the residual before block 0, at every position that is fed."""

    size: float
    """|eta_s| / |x_{0,s}|."""
    seed: tuple[int, ...]
    """Of its direction."""

    def directions(self, n_positions: int, width: int) -> NDArray[np.float32]:
        """[position, width] normal vectors of length 1; the first positions of a longer draw are those of a shorter.

        Example:
            >>> short, long = (Disturbance(1e-3, (0, 1)).directions(each, 4) for each in (2, 3))
            >>> bool((short == long[:2]).all()), long.shape
            (True, (3, 4))
        """
        drawn = np.random.default_rng(self.seed).standard_normal((n_positions, width))
        unit: NDArray[np.float32] = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
        return unit


def seed_of(name: str, seed: int, number: int) -> tuple[int, ...]:
    """Another direction for every prompt: prompts that share one are not independent.

    Example:
        >>> seed_of("a", 0, 1) != seed_of("b", 0, 1)
        True
    """
    return seed, number, zlib.crc32(name.encode())


@dataclass(frozen=True, eq=False)
class Group:
    """One prompt, and what stands beside it in a batch."""

    path: Path
    disturbances: tuple[Disturbance, ...]

    @property
    def rows(self) -> list[Path]:
        """The clean one first."""
        return [self.path] * (1 + len(self.disturbances))


@dataclass(frozen=True, eq=False)
class Differences:
    """Sizes of one group, on the host."""

    clean: Floats
    """[layer 0 to L, position] |x_l|."""
    disturbed: Floats
    """[disturbance, layer 0 to L, position] |D_l|."""
    frobenius: Floats
    """[disturbance, layer 0 to L] |D_l| over all positions that were fed."""


class DifferenceReader(Reader):
    """Holds every row of a group against its clean one, layer by layer.

    Args:
        groups: in the order of the rows of the batch.
    """

    wants_residual = True

    def __init__(self, groups: Sequence[Group]) -> None:
        self._groups = groups
        self.found: list[Differences] = []
        self.disturbed: list[tuple[int, int]] = []
        """Rows that are disturbed, each with its clean one."""
        self._clean: list[int] = []
        row = 0
        for group in groups:
            self._clean.append(row)
            self.disturbed += [(row + place, row) for place in range(1, len(group.rows))]
            row += len(group.rows)

    def start(self, batch: Batch) -> None:
        """Nothing is left of the batch before."""
        self._batch = batch
        self._layers: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []

    def residual(self, layer: int, states: torch.Tensor) -> None:
        """Sizes of the clean rows and of what the others are away from them."""
        rows, clean = ([pair[side] for pair in self.disturbed] for side in (0, 1))
        steps = self._batch.at_steps(states)
        away = (states[rows] - states[clean]) * self._batch.filled[rows, :, None]
        self._layers.append(
            (
                steps[self._clean].norm(dim=-1),
                (steps[rows] - steps[clean]).norm(dim=-1),
                away.flatten(1).norm(dim=-1),
            )
        )

    def end(self) -> None:
        """Numbers of each group."""
        clean, disturbed, frobenius = (
            torch.stack(each).cpu().double().numpy() for each in zip(*self._layers, strict=True)
        )
        first = 0
        for place, group in enumerate(self._groups):
            steps = self._batch.mask[self._clean[place]].cpu().numpy()
            mine = slice(first, first + len(group.disturbances))
            self.found.append(
                Differences(
                    clean[:, place][:, steps],
                    disturbed[:, mine].swapaxes(0, 1)[..., steps],
                    frobenius[:, mine].T,
                )
            )
            first = mine.stop


def compare(
    replay: Replay, groups: Sequence[Group], readers: Sequence[Reader], label: str, routes: Routes
) -> list[Differences]:
    """Feed groups, as many in a batch as fit.

    Args:
        replay: computes in float32 at least: differences of 16-bit states are rounding.
        groups: one per prompt.
        readers: see every batch; the clean row of a group has its number, the others have numbers below 0.
        label: of the progress bar.
        routes: counts choices of experts that change.

    Returns:
        [group] in their order.
    """
    found: list[Differences] = []
    with progress(label, len(groups), "prompt") as bar:
        for numbers in _batches(groups, replay.batch_size):
            chosen = [groups[number] for number in numbers]
            found += _one_batch(replay, chosen, numbers, readers, routes)
            bar.update(len(numbers))
    return found


def _batches(groups: Sequence[Group], most_rows: int) -> Iterator[list[int]]:
    """Numbers of groups whose rows fit into one batch; one that does not fit has a batch of its own."""
    numbers: list[int] = []
    n_rows = 0
    for number, group in enumerate(groups):
        if numbers and n_rows + len(group.rows) > most_rows:
            yield numbers
            numbers, n_rows = [], 0
        numbers.append(number)
        n_rows += len(group.rows)
    if numbers:
        yield numbers


def _one_batch(
    replay: Replay,
    groups: Sequence[Group],
    numbers: Sequence[int],
    readers: Sequence[Reader],
    routes: Routes,
) -> list[Differences]:
    rows = [row for group in groups for row in group.rows]
    row_numbers = [
        number if place == 0 else -1
        for number, group in zip(numbers, groups, strict=True)
        for place in range(len(group.rows))
    ]
    batch = Batch.of(rows, row_numbers, replay.device)
    differences = DifferenceReader(groups)
    everyone = (*readers, differences)
    width = replay.architecture.width
    disturb = _disturbing(_noise(groups, batch.ids.shape[1], width).to(replay.device))
    block = replay.architecture.blocks[0]
    hooks = [block.register_forward_pre_hook(disturb, with_kwargs=True)]
    with (
        replay.arithmetic(),
        hooked(hooks),
        routes.watching(replay.architecture, batch, differences.disturbed),
    ):
        for reader in everyone:
            reader.start(batch)
        states = replay.states(batch, everyone)
        for reader in everyone:
            reader.final(states)
            reader.end()
    return differences.found


def _noise(groups: Sequence[Group], n_positions: int, width: int) -> torch.Tensor:
    """[row, position, width] relative to the residual's size; 0 in rows that are not disturbed."""
    found: list[torch.Tensor] = []
    nothing = torch.zeros((n_positions, width))
    for group in groups:
        found.append(nothing)
        for each in group.disturbances:
            noise = nothing.clone()
            n = len(group.path.fed)
            noise[:n] = torch.from_numpy(each.directions(n, width)) * each.size
            found.append(noise)
    return torch.stack(found)


def _disturbing(noise: torch.Tensor) -> Any:
    def hook(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        states = block_input(args, kwargs)
        moved = states + noise.to(states.dtype) * states.norm(dim=-1, keepdim=True)
        return ((moved, *args[1:]), kwargs) if args else (args, {**kwargs, "hidden_states": moved})

    return hook
