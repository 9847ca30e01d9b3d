"""What the probe found of one model at several widths of its weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from lm_eval_sensitivity.records.sample import Number
from lm_eval_sensitivity.statements.records import DriftStatement, SystemDrift
from lm_eval_sensitivity.stats import Interval

StaticCheck = Literal["perplexity", "divergence"]


@dataclass(frozen=True)
class Text:
    """What perplexity is taken of."""

    sha256: str
    """Of its bytes."""
    n_windows: int
    n_tokens: int
    """That are predicted, under the tokenizer of the reference."""


@dataclass(frozen=True)
class Width:
    """One system: the model at one width, or the reference. NaN where a number is missing."""

    bits: float | None
    """Of each rounded weight, as it was given; None of the reference."""
    system: str
    """Its name in the drift statement."""
    weight_error: Number
    """|W_b - W| / |W| over the linear layers of the blocks; 0 of the reference."""
    perplexity: Number
    rise: Interval | None
    """Of the mean surprise of a token, nats: log of perplexity over the reference's; over windows of the text."""
    divergence: Interval | None
    """KL(reference, width), nats: teacher-forced on the reference's own outputs; over prompts."""
    disagreement: Interval | None
    """Share of these steps with another most probable token; over prompts."""
    missing: str
    """Why a number of these is missing; else empty."""
    spread: Number
    """How far the output to a prompt is from those to other prompts, mean over prompts."""
    thin_share: Number
    """Of the steps of the outputs to base prompts, those with a margin below 0.5 nats; mean over prompts."""

    @property
    def ratio(self) -> float:
        """Perplexity over the reference's; NaN where one is missing."""
        return math.nan if self.rise is None else from_nats(self.rise.estimate)


def from_nats(surprise: float) -> float:
    """Perplexity of a mean surprise.

    Args:
        surprise: nats.

    Returns:
        Its exponential, as a number that a file can hold.

    Example:
        >>> from_nats(0.0), from_nats(1e9) < float("inf")
        (1.0, True)
    """
    return math.exp(min(surprise, 700.0))


@dataclass(frozen=True)
class Floor:
    """The smallest width that passes a check, with every larger one that was measured."""

    bits: float | None
    """None where the largest one fails, or the check cannot be made."""
    lowest: float | None
    """The same if all that is in doubt passed; None where the largest one fails even so."""
    highest: float | None
    """The same if all that is in doubt failed."""
    reason: str
    """Why there is none; else empty."""


@dataclass(frozen=True)
class BitsFinding:
    """A model beside itself with fewer bits."""

    check: StaticCheck | None
    """What the static floor is read from; None where the static check is not usable."""
    static_floor: Floor
    dynamic_floor: Floor
    reference: Width
    widths: tuple[Width, ...]
    """Most bits first."""
    text: Text
    n_rounded: int
    """Weights in the linear layers of the blocks."""
    n_weights: int
    """Of the whole model."""
    drift: DriftStatement
    """Drift, perturbation, control and verdict of every width; as `drift` has them."""

    def __post_init__(self) -> None:
        names = [each.system for each in (self.reference, *self.widths)]
        if names != [each.system for each in self.drift.systems]:
            raise ValueError("one whose widths are the systems of its drift statement")
        bits = [each.bits or 0.0 for each in self.widths]
        if not bits or bits[-1] <= 0 or any(low >= high for high, low in pairwise(bits)):
            raise ValueError("one whose widths are numbers of bits, most first")

    def axes(self, width: Width) -> SystemDrift:
        """Drift and verdict of a width."""
        return next(each for each in self.drift.systems if each.system == width.system)

    @property
    def silent(self) -> tuple[float, ...]:
        """Widths that pass the static check and do not pass the dynamic one, most bits first."""
        bottom, top = self.static_floor.bits, self.dynamic_floor.bits
        if bottom is None:
            return ()
        sizes = (each.bits for each in self.widths if each.bits is not None)
        return tuple(bits for bits in sizes if bits >= bottom and (top is None or bits < top))
