"""Weights of 16 bits, arithmetic of 32: so that a flip is the edit's, and not the rounding of a kernel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

_HALVES = (torch.float16, torch.bfloat16)
_PRODUCTS = frozenset(
    (
        *(F.linear, F.layer_norm, F.rms_norm, F.conv1d, F.scaled_dot_product_attention),
        *(torch.addmm, torch.mm, torch.bmm, torch.matmul, torch.baddbmm, torch.einsum),
        *(getattr(F, "grouped_mm", F.linear), getattr(torch, "_grouped_mm", F.linear)),
        *(torch.Tensor.matmul, torch.Tensor.__matmul__, torch.Tensor.mm, torch.Tensor.bmm),
    )
)
"""Where weights meet states."""


class Upcast(TorchFunctionMode):
    """Inside of the block, products of 16-bit weights are computed in float32, one weight at a time.

    States are float32 from the embedding on, so that nothing is rounded between two layers; sums and elementwise
    functions follow them. Weights stay as they are: only the largest matrix of a model is there twice.

    Source: storage in 16 bits and arithmetic in 32 as in "LayerCast" (Yuan et al., 2025), which removes most of what
    batch size and hardware change in greedy outputs.

    Example:
        >>> layer = torch.nn.Linear(2, 1, bias=False, dtype=torch.bfloat16)
        >>> with Upcast(), torch.no_grad():
        ...     layer(torch.ones(1, 2)).dtype
        torch.float32
    """

    def __torch_function__(
        self,
        func: Any,
        types: Iterable[Any],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Called by torch for every function inside of the block."""
        named = dict(kwargs or {})
        if func is F.embedding:
            return _wide(func(*args, **named))
        if func in _PRODUCTS:
            return func(*map(_wide, args), **{name: _wide(value) for name, value in named.items()})
        return func(*args, **named)


def _wide(value: Any) -> Any:
    return value.float() if isinstance(value, torch.Tensor) and value.dtype in _HALVES else value
