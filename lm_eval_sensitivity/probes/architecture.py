"""Where a model's blocks, its final norm and its output embedding are: found by what a forward pass does, not by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True, eq=False)
class Architecture:
    """The parts of a loaded model that a replay looks at."""

    blocks: Sequence[torch.nn.Module]
    """[layer] each adds to the residual; its first input and first output are residuals [row, position, width]."""
    norm: torch.nn.Module
    """The final norm."""
    head: torch.nn.Module
    """The output embedding; `weight` [vocabulary, width]."""
    soft_cap: float | None
    """Logits are c tanh(z / c), Gemma 2."""
    scale: float
    """Logits are multiplied by it, Cohere and Granite; 1 elsewhere."""

    @property
    def n_layers(self) -> int:
        """L."""
        return len(self.blocks)

    @property
    def width(self) -> int:
        """d."""
        return int(self.head.weight.shape[1])

    @property
    def vocabulary(self) -> int:
        """V."""
        return int(self.head.weight.shape[0])
