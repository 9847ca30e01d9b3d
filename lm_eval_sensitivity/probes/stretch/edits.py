"""How far an edit has moved the residual at the end of the prompt, layer by layer."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from lm_eval_sensitivity.probes.outputs import RunPair
from lm_eval_sensitivity.probes.replay import Batch, Path, Reader, Replay
from lm_eval_sensitivity.probes.stretch.finding import EditProfile

Floats = NDArray[np.float64]


class EndStates(Reader):
    """Keeps the residual at the end of some prompts, of every layer and behind the final norm, on the host.

    Args:
        numbers: of the paths whose residual is kept.
    """

    wants_residual = True

    def __init__(self, numbers: Collection[int]) -> None:
        self._numbers = numbers
        self.states: dict[int, list[torch.Tensor]] = {number: [] for number in numbers}
        """Path number -> [layer 0 to L, and behind the norm] states [width]."""

    def start(self, batch: Batch) -> None:
        """Remembers which rows are wanted."""
        self._batch = batch
        self._rows = [row for row, number in enumerate(batch.numbers) if number in self._numbers]

    def residual(self, layer: int, states: torch.Tensor) -> None:
        """One layer."""
        self._keep(states)

    def final(self, states: torch.Tensor) -> None:
        """Behind the final norm."""
        self._keep(states)

    def _keep(self, states: torch.Tensor) -> None:
        ends = self._batch.at_prompt_end(states)[self._rows].cpu()
        for row, end in zip(self._rows, ends, strict=True):
            self.states[self._batch.numbers[row]].append(end)


class EditReader(Reader):
    """Holds the end of a variant against the end of its base.

    Args:
        bases: [path] states of its base, from `EndStates`.
    """

    wants_residual = True

    def __init__(self, bases: Sequence[list[torch.Tensor]]) -> None:
        self._bases = bases
        self.sizes: dict[int, list[float]] = {number: [] for number in range(len(bases))}
        """Path number -> [layer 0 to L, and behind the norm] |x' - x| / |x|."""

    def start(self, batch: Batch) -> None:
        """Nothing is left of the batch before."""
        self._batch = batch
        self._found: list[torch.Tensor] = []

    def residual(self, layer: int, states: torch.Tensor) -> None:
        """One layer."""
        self._compare(layer, states)

    def final(self, states: torch.Tensor) -> None:
        """Behind the final norm."""
        self._compare(-1, states)

    def _compare(self, layer: int, states: torch.Tensor) -> None:
        ends = self._batch.at_prompt_end(states)
        bases = torch.stack([self._bases[number][layer] for number in self._batch.numbers]).to(ends)
        self._found.append((ends - bases).norm(dim=-1) / bases.norm(dim=-1))

    def end(self) -> None:
        """Numbers of each path."""
        for number, sizes in zip(self._batch.numbers, torch.stack(self._found, dim=1).tolist(), strict=True):
            self.sizes[number] = sizes


def edit_sizes(
    replay: Replay, pairs: Sequence[RunPair], bases: Sequence[list[torch.Tensor]]
) -> dict[str, list[Floats]]:
    """One pass over the prompts of variants.

    Args:
        replay: computes in float32 at least.
        pairs: whose variants are fed.
        bases: [pair] states at the end of its base's prompt, from `EndStates`.

    Returns:
        Edit -> of each of its pairs [layer 0 to L, and behind the norm] |x' - x| / |x|.
    """
    reader = EditReader(bases)
    # The one step is at the end of the prompt; its token is not fed.
    replay.run([Path(pair.variant.prompt_ids, (0,)) for pair in pairs], [reader], "Edited prompts")
    found: dict[str, list[Floats]] = {}
    for number, pair in enumerate(pairs):
        found.setdefault(pair.pair.edit, []).append(np.array(reader.sizes[number]))
    return found


def edit_profiles(sizes: Mapping[str, Sequence[Floats]]) -> tuple[EditProfile, ...]:
    """The profile of each edit: medians, since one prompt whose edit goes far would be the mean of a few.

    Args:
        sizes: from `edit_sizes`.

    Returns:
        One record per edit, in the order of letters.

    Example:
        >>> edit_profiles({"mid_newline": [np.array([0.0, 0.1, 0.1]), np.array([0.0, 0.3, 0.2])]})[0].sizes
        (0.0, 0.2)
    """
    medians = {edit: np.median(sizes[edit], axis=0).tolist() for edit in sorted(sizes)}
    return tuple(
        EditProfile(edit, len(sizes[edit]), tuple(layers), behind)
        for edit, (*layers, behind) in medians.items()
    )
