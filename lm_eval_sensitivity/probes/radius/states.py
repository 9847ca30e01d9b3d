"""The states before the final norm that the probe needs of a replay, and nothing else of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from lm_eval_sensitivity.probes.replay import Batch, Path, Reader, Replay

Floats = NDArray[np.float64]


class StatesAtSteps(Reader):
    """Copies the input of the final norm at some steps to the host: [width] for each.

    Args:
        layer: number of blocks: the residual behind the last one.
        steps: generated steps; those that a path does not have are left out.
    """

    wants_residual = True

    def __init__(self, layer: int, steps: Sequence[int]) -> None:
        self.found: dict[tuple[int, int], Floats] = {}
        """(number of the path, step) -> [width]."""
        self.dtype = torch.float32
        """In which the model had them."""
        self._layer, self._steps = layer, steps

    def start(self, batch: Batch) -> None:
        """A batch begins."""
        self._batch = batch

    def residual(self, layer: int, states: torch.Tensor) -> None:
        """[row, position, width] the residual before block `layer`."""
        if layer != self._layer:
            return
        self.dtype = states.dtype
        for row, path in enumerate(self._batch.paths):
            steps = [step for step in self._steps if step < len(path.output_ids)]
            taken = states[row, [len(path.prompt_ids) - 1 + step for step in steps]].cpu().double().numpy()
            number = self._batch.numbers[row]
            self.found.update({(number, step): state for step, state in zip(steps, taken, strict=True)})


def states_of(replay: Replay, paths: Sequence[Path], steps: Sequence[int], label: str) -> StatesAtSteps:
    """The states of some paths, with a bar that has a label."""
    reader = StatesAtSteps(replay.architecture.n_layers, steps)
    replay.run(paths, [reader], label)
    return reader
