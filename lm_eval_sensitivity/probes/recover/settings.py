"""What a user may ask of the probe `recover`."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from lm_eval_sensitivity.errors import InputError

CONTROL = 0.0
"""The size of a push that must change nothing."""


@dataclass(frozen=True)
class Cell:
    """One kind of push."""

    layer: int
    """Block whose output is pushed, counted from 0."""
    alpha: float
    """Length of the push over that of the state."""


@dataclass(frozen=True)
class Settings:
    """Options, each with a default.

    Example:
        >>> Settings(layers=(3,), alphas=(0.5,)).cells(12)
        (Cell(layer=3, alpha=0.0), Cell(layer=3, alpha=0.5))
        >>> [each.layer for each in Settings(alphas=(0.0,)).cells(30)]
        [5, 15, 25]
    """

    layers: tuple[int, ...] = field(
        default=(), metadata={"help": "blocks to push, from 0; none: at 1/6, 1/2 and 5/6 of the depth"}
    )
    alphas: tuple[float, ...] = field(
        default=(CONTROL, 0.03, 0.3, 1.0),
        metadata={"help": "lengths of a push over that of the state; 0, the control, is always among them"},
    )
    step: int = field(default=8, metadata={"help": "generated token at which the push happens, from 0"})
    limit: int = field(
        default=0, metadata={"help": "tokens of an output at most; 0: as many as the longest of the run"}
    )
    embedder: str = field(
        default="",
        metadata={"help": "sentence embedder for texts, folder or Hub id; none: all-MiniLM-L6-v2"},
    )
    seed: int = field(default=0, metadata={"help": "of the directions"})

    def __post_init__(self) -> None:
        if not all(math.isfinite(each) and each >= 0 for each in self.alphas):
            raise InputError(f"`alphas` are {self.alphas}; accepted are finite numbers from 0.")
        for name in ("step", "limit", "seed"):
            if getattr(self, name) < 0:
                raise InputError(f"`{name}` is {getattr(self, name)}; accepted are whole numbers from 0.")

        if 0 < self.limit <= self.step:
            raise InputError(
                f"`limit` is {self.limit}, and the push is at `step` {self.step}; give a larger limit."
            )

    def cells(self, n_layers: int) -> tuple[Cell, ...]:
        """Every kind of push, by layer, then by size.

        Args:
            n_layers: of the model.

        Raises:
            InputError: a layer that the model does not have.
        """
        layers = self.layers or tuple(n_layers * number // 6 for number in (1, 3, 5))
        outside = [each for each in layers if not 0 <= each < n_layers]
        if outside:
            raise InputError(f"`layers` holds {outside[0]}; accepted are 0 to {n_layers - 1} for this model.")
        alphas = sorted({CONTROL, *self.alphas})
        return tuple(Cell(layer, alpha) for layer in sorted(set(layers)) for alpha in alphas)
