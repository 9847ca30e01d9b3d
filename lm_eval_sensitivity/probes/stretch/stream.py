"""Reads the residual of a pass: its size before each block, and whose it is at the end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.probes.architecture import Architecture
from lm_eval_sensitivity.probes.replay import Batch, Reader, Sublayer
from lm_eval_sensitivity.probes.stretch.finding import Positions
from lm_eval_sensitivity.probes.stretch.shares import Products

CLOSE = 1e-4
"""Largest |x_0 + sum of what sublayers add - x_L| / |x_L| that float32 may leave."""


class StreamReader(Reader):
    """Sizes of the residual and products of its parts, as numbers on the host.

    On the device there are four states per position that is read: x_0, the sums of what attention and MLP add, and the
    latest residual.

    Args:
        architecture: of the model that is fed.
        positions: where to read.

    Raises:
        InputError: no two sublayers add up to what a block does; or, at the end of the first batch, the parts do not
            add up to the residual, as where something else is added or multiplied between them.
    """

    wants_residual = True
    wants_added = True

    def __init__(self, architecture: Architecture, positions: Positions) -> None:
        self._architecture = architecture
        self._at_end = positions == "prompt_end"
        self.sizes: dict[int, NDArray[np.float32]] = {}
        """Path number -> [layer 0 to L, position] |x_l|."""
        self.products: dict[int, Products] = {}
        """Path number -> scalars of the parts."""
        self.largest_error = 0.0
        if not architecture.sublayers:
            raise self._refusal("no two of its parts add up to what it does")

    def start(self, batch: Batch) -> None:
        """Nothing is left of the batch before."""
        self._batch = batch
        self._norms: list[torch.Tensor] = []
        self._sums: dict[Sublayer, torch.Tensor] = {}

    def _read(self, states: torch.Tensor) -> torch.Tensor:
        """[row, position, width] at the positions that are read, in float32 at least."""
        found = self._batch.at_prompt_end(states)[:, None] if self._at_end else self._batch.at_steps(states)
        return found if found.dtype == torch.float64 else found.float()

    def residual(self, layer: int, states: torch.Tensor) -> None:
        """Keeps the size, the first residual and the latest."""
        self._last, self._eps = self._read(states), torch.finfo(states.dtype).eps
        if layer == 0:
            self._first = self._last
        self._norms.append(self._last.norm(dim=-1))

    def added(self, layer: int, sublayer: Sublayer, states: torch.Tensor) -> None:
        """Adds to the sum of this kind of sublayer."""
        found = self._read(states)
        self._sums[sublayer] = self._sums[sublayer] + found if sublayer in self._sums else found

    def end(self) -> None:
        """Makes numbers of the batch, and holds the sum of the parts against the residual."""
        parts = torch.stack([self._first, self._sums["attention"], self._sums["mlp"]])
        along = (parts * self._last).sum(dim=-1)
        norms = torch.stack(self._norms)
        errors = (parts.sum(dim=0) - self._last).norm(dim=-1) / norms[-1]
        every_step = self._batch.mask.cpu().numpy()
        mask = np.ones_like(every_step[:, :1]) if self._at_end else every_step
        hosts = [each.cpu().double().numpy() for each in (norms, along, parts.norm(dim=-1), errors)]
        for row, number in enumerate(self._batch.numbers):
            sizes, towards, lengths, error = (each[..., row, :][..., mask[row]] for each in hosts)
            self.sizes[number] = sizes.astype(np.float32)
            self.products[number] = Products(towards, lengths, sizes[-1])
            self._check(error)
        del self._first, self._last, self._sums, self._norms

    def _check(self, errors: NDArray[np.float64]) -> None:
        # A residual that is not finite has no parts either, and its numbers are missing.
        found = float(np.max(errors[np.isfinite(errors)], initial=0.0))
        self.largest_error = max(self.largest_error, found)
        # Where states have 16 bits, every sum on the way is rounded to them.
        if found > max(CLOSE, 8 * self._eps):
            raise self._refusal(
                f"|x_0 + sum of what its parts add - x_L| / |x_L| is {found:.2g}, and would be below {CLOSE:g} "
                "if nothing else were added or multiplied"
            )

    def _refusal(self, why: str) -> InputError:
        block = self._architecture.blocks[0]
        children = ", ".join(f"{name} ({type(each).__name__})" for name, each in block.named_children())
        names = " and ".join(self._architecture.sublayers) or "none"
        return InputError(
            f"The probe stretch cannot say whose the residual of a {type(block).__name__} is: {why}. Taken for what is "
            f"added: {names}. Its parts: {children}. Leave this probe out for this model."
        )

    def of(self, numbers: Sequence[int]) -> tuple[list[NDArray[np.float32]], list[Products]]:
        """Sizes and products of some paths, in their order."""
        return [self.sizes[each] for each in numbers], [self.products[each] for each in numbers]
