"""What the probe found of one system: growth per layer of two networks, shares, profiles of edits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lm_eval_sensitivity.stats import Interval

Positions = Literal["generated", "prompt_end"]
Network = Literal["as loaded", "untrained"]
RangeName = Literal["all", "first ten", "inner", "first", "last"]
Convention = Literal["projection", "squared", "norm"]


@dataclass(frozen=True)
class Spread:
    """One number over prompts; NaN where no prompt has it."""

    low: float
    """Lower quartile."""
    middle: float
    """Geometric mean."""
    high: float
    """Upper quartile."""


@dataclass(frozen=True)
class LayerGrowth:
    """What one block does to sizes, each a factor."""

    layer: int
    magnitude: Spread
    """|x_{l+1}| / |x_l|."""
    disturbance: Spread
    """|D_{l+1}| / |D_l| at the positions that are read."""
    relative: Spread
    """Disturbance over magnitude, at the same positions of the same pass."""


@dataclass(frozen=True)
class RangeGrowth:
    """Growth over some layers. Factors per layer, intervals over prompts, made on the logarithm."""

    range: RangeName
    first: int
    """First layer."""
    last: int
    """Last layer, included."""
    magnitude: Interval
    disturbance: Interval
    frobenius: Interval
    """Disturbance as one norm over all positions that were fed, which single steps dominate."""
    relative: Interval
    relative_total: Interval
    """Over all of these layers together."""

    @property
    def layers(self) -> str:
        """In print.

        Example:
            >>> RangeGrowth("inner", 1, 28, *[None] * 5).layers
            '1-28'
        """
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


@dataclass(frozen=True)
class Shares:
    """Of what goes into the final norm, 1 is all; means over prompts of means over positions."""

    convention: Convention
    embedding: Interval
    attention: Interval
    mlp: Interval


@dataclass(frozen=True)
class NetworkGrowth:
    """One set of weights."""

    network: Network
    n_prompts: int
    """With magnitudes and shares."""
    n_positions: int
    """Of these prompts together."""

    ranges: tuple[RangeGrowth, ...]
    layers: tuple[LayerGrowth, ...]
    shares: tuple[Shares, ...]
    first_defined: int | None
    """First layer at which a disturbance has a size; None where it has none anywhere."""
    routes_changed: float | None
    """Share of choices of experts that the disturbance changed; None in a network without experts."""
    sum_error: float
    """Largest |x_0 + sum of what sublayers add - x_L| / |x_L|."""

    def over(self, name: RangeName) -> RangeGrowth | None:
        """Growth over one range; None where a network has too few layers for it."""
        return next((each for each in self.ranges if each.range == name), None)


@dataclass(frozen=True)
class EditProfile:
    """How far an edit has moved the residual at the end of the prompt, layer by layer."""

    edit: str
    n_prompts: int
    sizes: tuple[float, ...]
    """[layer 0 to L] |x'_l - x_l| / |x_l|, median over prompts."""
    normalized: float
    """The same behind the final norm."""

    @property
    def first_defined(self) -> int | None:
        """First layer that the edit reaches; None where it reaches none.

        Example:
            >>> EditProfile("mid_newline", 9, (0.0, 0.005, 0.01), 0.01).first_defined
            1
        """
        return next((layer for layer, size in enumerate(self.sizes) if size > 0), None)

    @property
    def peak(self) -> int:
        """The layer before which the edit is largest, relative to the residual."""
        return max(range(len(self.sizes)), key=lambda layer: self.sizes[layer])

    def at(self, share: float) -> float:
        """The size after a share of the layers.

        Example:
            >>> EditProfile("mid_newline", 9, (0.0, 0.1, 0.2, 0.3, 0.4), 0.4).at(0.5)
            0.2
        """
        return self.sizes[int(share * (len(self.sizes) - 1))]


@dataclass(frozen=True)
class SweepPoint:
    """Growth of a disturbance of one size."""

    size: float
    """Of the residual before block 0."""
    n_prompts: int
    per_layer: float
    """Relative growth over the inner layers, geometric mean over prompts."""
    total: float
    """Relative growth over all layers, geometric mean over prompts."""


@dataclass(frozen=True)
class LayerJacobian:
    """How one block maps small changes of one position, all others held fixed; geometric means over prompts."""

    layer: int
    rms: float
    """Root mean square of |J u| / |u| over random u."""
    largest: float
    """A lower bound of the largest singular value."""


@dataclass(frozen=True)
class StretchFinding:
    """Of one system."""

    positions: Positions
    size: float
    """Of a disturbance, relative to the residual before block 0."""
    seeds: int
    """Disturbances per prompt."""
    networks: tuple[NetworkGrowth, ...]
    """As loaded; the untrained one behind it, where it could be made."""
    edits: tuple[EditProfile, ...]
    sweep: tuple[SweepPoint, ...]
    jacobian: tuple[LayerJacobian, ...]

    @property
    def loaded(self) -> NetworkGrowth:
        """The network that was asked for."""
        return self.networks[0]

    @property
    def untrained(self) -> NetworkGrowth | None:
        """The same architecture with random weights."""
        return self.networks[1] if len(self.networks) > 1 else None
