"""From a state before the final norm to logits: what a model's last modules do, found by trying them, and checked."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from lm_eval_sensitivity.errors import InputError

Floats = NDArray[np.float64]

SAME = 1e-5
"""Relative difference up to which a norm is one of the two kinds; its modules compute in float32."""
LARGE, SMALL = 2.0**10, 2.0**-9
"""Sizes of the vectors that a norm is tried with: at one its epsilon is nothing, at the other it is most."""
NUMBERS_AT_A_TIME = 2**20
"""Of the output embedding, where it has to be in another type."""


@dataclass(frozen=True, eq=False)
class Norm:
    """gain * C x / sqrt(|C x|^2 / width + epsilon) + bias; C takes the mean off (`layer`) or does nothing (`rms`).

    Source: Ba, Kiros & Hinton 2016 (layer); Zhang & Sennrich 2019 (rms).
    """

    kind: Literal["rms", "layer"]
    gain: Floats = field(repr=False)
    """[width] what it multiplies by in effect: 1 + weight in a Gemma."""
    bias: Floats = field(repr=False)
    """[width]"""
    epsilon: float

    def centered(self, states: Floats) -> Floats:
        """[..., width] C x."""
        return states - states.mean(-1, keepdims=True) if self.kind == "layer" else states

    def squared(self, states: Floats) -> Floats:
        """[...] what the root is taken of."""
        square: Floats = (self.centered(states) ** 2).mean(-1) + self.epsilon
        return square

    def __call__(self, states: Floats) -> Floats:
        """[..., width] the norm of states [..., width]."""
        root = np.sqrt(self.squared(states))[..., None]
        normalized: Floats = self.gain * self.centered(states) / root + self.bias
        return normalized


def find_norm(module: torch.nn.Module, width: int) -> Norm:
    """What a norm does, found from what it makes of known vectors; no name or attribute of it is read.

    Args:
        module: the final norm of a model; a copy of it is tried, in float64 on the CPU.
        width: of a state.

    Raises:
        InputError: it is neither of the two kinds.

    Example:
        >>> norm = find_norm(torch.nn.LayerNorm(4, eps=1e-3), 4)
        >>> norm.kind, round(norm.epsilon, 9), norm.gain.round(9).tolist()
        ('layer', 0.001, [1.0, 1.0, 1.0, 1.0])
    """
    tried = copy.deepcopy(module).to(device="cpu", dtype=torch.float64)

    def of(states: Floats) -> Floats:
        with torch.no_grad():
            made = tried(torch.from_numpy(states)[None])[0]
        found: Floats = made.double().numpy()
        return found

    balanced = _balanced(width)
    square = float((balanced**2).mean())
    large, small = (of(np.stack([size * balanced, -size * balanced])) for size in (LARGE, SMALL))
    bias = (large[0] + large[1]) / 2
    gain = math.sqrt(square) * (large[0] - large[1]) / (2 * balanced)
    shrunk = math.sqrt(square) * (small[0] - small[1]) / (2 * balanced)
    ratio = float(gain @ gain) / float(gain @ shrunk) if gain.any() else 1.0
    epsilon = SMALL**2 * square * max(ratio**2 - 1, 0.0)
    gain *= math.sqrt(1 + epsilon / (LARGE**2 * square))
    drawn = np.random.default_rng(0).normal(0.5, 1, (4, width)) * np.array([[0.01], [1.0], [1.0], [100.0]])
    wanted = of(drawn)
    for kind in ("rms", "layer"):
        norm = Norm(kind, gain, bias, epsilon)
        if np.allclose(norm(drawn), wanted, rtol=0, atol=SAME * max(float(np.abs(wanted).max()), 1e-30)):
            return norm
    raise InputError(
        f"The final norm of this model is a `{type(module).__name__}`, which is neither a layer norm nor a "
        "root-mean-square norm. The radius has a closed form for these two only."
    )


def _balanced(width: int) -> Floats:
    """[width] of mean 0 without a 0 in it, so that both kinds of norm do the same to it."""
    vector = np.where(np.arange(width) % 2 == 0, 1.0, -1.0)
    if width % 2 and width > 1:
        vector[-1] = -2.0
        vector[-2] = 1.0
    return vector


class OutputRows:
    """The output embedding, multiplied where it lies: in float32, or in float64 where it is that or it is asked for.

    Args:
        weight: [vocabulary, width]
    """

    def __init__(self, weight: torch.Tensor) -> None:
        self._weight = weight.detach()
        self._dtype = torch.float64 if weight.dtype == torch.float64 else torch.float32
        # One kind of device has no float64.
        self._precise = torch.float32 if weight.device.type == "mps" else torch.float64

    @torch.no_grad()
    def times(self, vectors: Floats, precise: bool = False) -> Floats:
        """[vector, vocabulary] products with vectors [vector, width]; in float64 where they are to be precise."""
        dtype = self._precise if precise else self._dtype
        right = self._placed(vectors, dtype).T
        product = np.empty((len(vectors), len(self._weight)))
        for first, rows in self._rows(dtype):
            product[:, first : first + len(rows)] = (rows @ right).T.cpu().numpy()
        return product

    @torch.no_grad()
    def transposed(self, values: Floats) -> Floats:
        """[width] sum of the rows, each times its value [vocabulary]."""
        weights = self._placed(values, self._dtype)
        total = torch.zeros(self._weight.shape[1], dtype=self._dtype, device=weights.device)
        for first, rows in self._rows(self._dtype):
            total += weights[first : first + len(rows)] @ rows
        found: Floats = total.cpu().double().numpy()
        return found

    @torch.no_grad()
    def distances(self, point: Floats, gates: Floats | None = None) -> Floats:
        """[vocabulary] Euclidean distance of every row to a point [width], without products in which near rows cancel.

        Args:
            point: [width]
            gates: [vocabulary] the rows are multiplied by them first; None leaves them.
        """
        to = self._placed(point, self._dtype)
        found = np.empty(len(self._weight))
        for first, rows in self._rows(self._dtype, copied=True):
            if gates is not None:
                rows.mul_(self._placed(gates[first : first + len(rows), None], self._dtype))
            norms = torch.linalg.vector_norm(rows.sub_(to), dim=1)
            found[first : first + len(rows)] = norms.cpu().numpy()
        return found

    def row(self, token: int) -> Floats:
        """[width] the row of one token."""
        found: Floats = self._weight[token].cpu().double().numpy()
        return found

    def _placed(self, values: Floats, dtype: torch.dtype) -> torch.Tensor:
        return torch.tensor(values, dtype=dtype, device=self._weight.device)

    def _rows(self, dtype: torch.dtype, copied: bool = False) -> Iterator[tuple[int, torch.Tensor]]:
        """Number of the first row, and rows in a type: the embedding itself, or piece by piece in one buffer.

        Args:
            dtype: of the rows.
            copied: they will be written to.
        """
        if self._weight.dtype == dtype and not copied:
            yield 0, self._weight
            return
        at_a_time = max(NUMBERS_AT_A_TIME // self._weight.shape[1], 1)
        buffer = torch.empty((at_a_time, self._weight.shape[1]), dtype=dtype, device=self._weight.device)
        for first in range(0, len(self._weight), at_a_time):
            piece = self._weight[first : first + at_a_time]
            yield first, buffer[: len(piece)].copy_(piece)


def _usable(weight: torch.Tensor) -> bool:
    return weight.dim() == 2 and weight.is_floating_point() and not weight.is_meta


class Head:
    """The last modules of a model as a function of the state before the final norm.

    Args:
        norm: the final norm.
        output: the output embedding, with `weight` [vocabulary, width] and perhaps a `bias` [vocabulary].
        scale: logits are multiplied by it.
        soft_cap: then capped by c tanh(z / c).

    Raises:
        InputError: the norm is of no known kind, or the output embedding is no matrix that can be multiplied by.
    """

    def __init__(
        self,
        norm: torch.nn.Module,
        output: torch.nn.Module,
        scale: float = 1.0,
        soft_cap: float | None = None,
    ) -> None:
        weight = getattr(output, "weight", None)
        if not isinstance(weight, torch.Tensor) or not _usable(weight):
            raise InputError(
                f"The output embedding of this model is a `{type(output).__name__}` whose weight is no matrix of "
                "floating-point numbers in memory, as of quantized or offloaded models. Load it as it was trained."
            )
        self.norm = find_norm(norm, weight.shape[1])
        self.rows = OutputRows(weight)
        self.scale, self.soft_cap = scale, soft_cap
        self._bias = getattr(output, "bias", None)

    @cached_property
    def bias(self) -> Floats | float:
        """[vocabulary] of the output embedding; 0 where it has none."""
        if self._bias is None:
            return 0.0
        found: Floats = self._bias.detach().cpu().double().numpy()
        return found

    @cached_property
    def offset(self) -> Floats | float:
        """[vocabulary] what the biases of norm and embedding add to every logit, before the scale."""
        if not self.norm.bias.any():
            return self.bias
        offset: Floats = self.rows.times(self.norm.bias[None], precise=True)[0] + self.bias
        return offset


def check_head(ours: Floats, theirs: Floats, tolerance: float, module: str) -> float:
    """Largest relative difference of logits computed here and by the model's own modules.

    Args:
        ours: [state, vocabulary]
        theirs: [state, vocabulary]
        tolerance: that is refused above.
        module: class of the output embedding, for the refusal.

    Returns:
        max |ours - theirs| / max |theirs|.

    Raises:
        InputError: they are further apart, so that something stands behind the output embedding that is not known here.

    Example:
        >>> check_head(np.array([[2.0, 1.0]]), np.array([[2.0, 1.001]]), 0.01, "Linear").__round__(6)
        0.0005
    """
    apart = float(np.abs(ours - theirs).max()) / max(float(np.abs(theirs).max()), 1e-30)
    if not apart <= tolerance:
        raise InputError(
            f"Norm, `{module}`, scale and soft cap do not give this model's logits: they differ by {apart:.2g} of the "
            f"largest one, {tolerance:g} is rounding. Something else stands before or behind the output embedding; "
            "the radius has no closed form here."
        )
    return apart
