"""Counts how often a disturbance sends a token to other experts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from lm_eval_sensitivity.probes.architecture import Architecture, hooked
from lm_eval_sensitivity.probes.replay import Batch


class Routes:
    """Choices of experts in a clean row and in its disturbed ones.

    A router is known by its class and by what it gives: among its outputs are whole numbers, one set per token.
    """

    def __init__(self) -> None:
        self._n = 0
        self._n_changed = 0

    @property
    def changed(self) -> float | None:
        """Share of (layer, token, disturbance) whose set of experts is another; None without experts."""
        return self._n_changed / self._n if self._n else None

    @contextmanager
    def watching(
        self, architecture: Architecture, batch: Batch, disturbed: Sequence[tuple[int, int]]
    ) -> Iterator[None]:
        """For the time of one pass.

        Args:
            architecture: of the model that is fed.
            batch: what is fed.
            disturbed: rows that are disturbed, each with its clean one.
        """
        routers = [
            module
            for block in architecture.blocks
            for module in block.modules()
            if "router" in type(module).__name__.lower()
        ]

        def hook(module: Any, args: Any, output: Any) -> None:
            for each in output if isinstance(output, tuple) else ():
                if isinstance(each, torch.Tensor) and not each.is_floating_point():
                    self._count(each, batch, disturbed)

        with hooked([each.register_forward_hook(hook) for each in routers]):
            yield

    def _count(self, experts: torch.Tensor, batch: Batch, disturbed: Sequence[tuple[int, int]]) -> None:
        chosen = experts.reshape(*batch.ids.shape, -1).sort(dim=-1).values
        for row, clean in disturbed:
            other = (chosen[row] != chosen[clean]).any(dim=-1)[batch.filled[clean]]
            self._n_changed += int(other.sum())
            self._n += other.numel()
