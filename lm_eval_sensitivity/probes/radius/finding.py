"""What the probe found of one system."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lm_eval_sensitivity.stats import Interval

Direction = Literal["top", "random", "edit", "control"]
DIRECTIONS: tuple[Direction, ...] = ("top", "random", "edit", "control")
"""`top`: of largest curvature. `random`: uniform. `edit`, `control`: to the state after a real variant of the
prompt, of a meaning-preserving rung and of one that changes the meaning."""


@dataclass(frozen=True)
class State:
    """A state at which radii were computed. Lengths are relative to the length of the state."""

    prompt_id: str
    step: int
    """0 is the end of the prompt."""
    length: float
    """Euclidean, on the side of the norm that was asked for."""
    top_probability: float
    margin: float
    """Nats."""
    argmax_radius: float
    """After the norm; NaN where no other token can become the most probable one."""
    constraint_bound: float
    """After the norm, at eps = 1; NaN where there is none."""
    top_curvature: float
    """Largest, times the squared length of the state: nats."""
    top_residual: float
    """How far the direction of it is from converged, relative."""


@dataclass(frozen=True)
class Line:
    """One direction at one state. Radii are relative to the length of the state."""

    prompt_id: str
    step: int
    direction: Direction
    edit: str
    """Empty for `top` and `random`."""
    top_probability: float
    flat: bool
    """Without curvature, so that no radius is predicted."""
    predicted: tuple[float, ...]
    """[tau] NaN of a flat one."""
    measured: tuple[float, ...]
    """[tau] NaN where it is not reached on either side, and of a flat one."""


@dataclass(frozen=True)
class EditShift:
    """What a real variant does to the state at the end of the prompt."""

    prompt_id: str
    edit: str
    direction: Literal["edit", "control"]
    shift: float
    """Length of the move over the length of the state."""
    predicted: float
    """Nats: half the curvature along the move, times its squared length."""
    actual: float
    """Nats: KL divergence from the base's distribution to the variant's."""


@dataclass(frozen=True)
class RadiusRow:
    """Predicted against measured radius, over the lines of one direction and one tau."""

    tau: float
    """Nats."""
    direction: Direction
    n_lines: int
    """With both radii."""
    n_prompts: int
    n_unreachable: int
    n_flat: int
    predicted: float
    """Median, relative."""
    measured: float
    """Median, relative."""
    error: float
    """Median of |predicted / measured - 1|."""
    error_p90: float
    """Ninth decile."""
    within: Interval
    """Share of lines within 50 %, mean over prompts."""
    calibrated_error: float
    """Median, after isotonic calibration on other prompts."""
    calibrated_within: float
    """Mean over prompts."""
    rank_with_confidence: float
    """Spearman correlation of the error with the probability of the most probable token, over lines."""


@dataclass(frozen=True)
class ShiftRow:
    """Variants of one kind."""

    direction: Literal["edit", "control"]
    n_pairs: int
    n_prompts: int
    shift: float
    """Median, relative."""
    actual: float
    """Median, nats."""
    quotient: float
    """Median of actual over predicted divergence."""
    quotient_lower: float
    """First quartile."""
    quotient_upper: float
    """Third quartile."""


@dataclass(frozen=True)
class StateRow:
    """Radii that need no tau, over states."""

    states: Literal["all", "nearly certain"]
    n_states: int
    n_prompts: int
    argmax_radius: float
    """Median, relative."""
    argmax_radius_p10: float
    """First decile."""
    constraint_bound: float
    """Median, relative."""
    rank_argmax_with_margin: float
    """Spearman correlation over states."""
    rank_bound_with_margin: float
    rank_bound_with_argmax: float


@dataclass(frozen=True)
class Curve:
    """The divergence along one line, for the picture."""

    prompt_id: str
    step: int
    curvature: float
    """Times the squared length of the state: nats."""
    shifts: tuple[float, ...]
    """[point] relative, of both signs."""
    divergences: tuple[float, ...]
    """[point] nats."""


@dataclass(frozen=True)
class RadiusFinding:
    """How far a state can move before the next-token distribution has changed by tau."""

    side: Literal["pre", "post"]
    """Of the final norm."""
    taus: tuple[float, ...]
    norm: Literal["rms", "layer"]
    """What the final norm does, as it was found."""
    soft_cap: float | None
    head_difference: float
    """Largest relative difference of our logits and the model's, over the states."""
    rows: tuple[RadiusRow, ...]
    shifts: tuple[ShiftRow, ...]
    state_rows: tuple[StateRow, ...]
    curve: Curve | None
    """Along the top direction of the state whose error at the largest tau is the median one."""
    states: tuple[State, ...]
    lines: tuple[Line, ...]
    edits: tuple[EditShift, ...]
