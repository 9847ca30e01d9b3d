"""What the probe `trajectory` finds of one system."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lm_eval_sensitivity.probes.trajectory.instability import Turning
from lm_eval_sensitivity.probes.trajectory.states import State
from lm_eval_sensitivity.stats import Interval

Normalization = Literal["RAW", "CLIPPED_MAD"]
NORMALIZATIONS: tuple[Normalization, ...] = ("RAW", "CLIPPED_MAD")
Series = Literal["observed", "shuffled", "isotropic"]
LEGACY_LABELS = ("UNDERACTIVE", "ADAPTIVE", "TRANSITION", "CHAOTIC")
"""Regimes by the ratio, RAW, of Bosange Batuli 2026; lowest first."""


@dataclass(frozen=True)
class PromptTurning:
    """One path under one normalization, with what chance gives."""

    observed: Turning
    shuffled_mean: float
    shuffled_ratio: float


@dataclass(frozen=True)
class PromptTrajectory:
    """One prompt's output."""

    prompt_id: str
    category: str
    n_states: int
    """One for each generated token."""
    raw: PromptTurning
    clipped_mad: PromptTurning
    isotropic_mean: float
    """Of Gaussian states, as many and as wide."""
    isotropic_ratio: float
    scaled_ratio: float
    """Ratio, RAW, with the largest coordinate of the system counted 50 times."""
    reopened_share: float
    """Of its runs of collapse of which it is known; NaN of none."""
    legacy_label: str
    """By the ratio, RAW; empty where it was not asked for."""

    def turning(self, normalization: Normalization) -> PromptTurning:
        """Under one normalization."""
        return self.raw if normalization == "RAW" else self.clipped_mad


@dataclass(frozen=True)
class InstabilityRow:
    """One series over all prompts. Bounds by the bootstrap-t over prompts."""

    normalization: Normalization
    series: Series
    mean: Interval
    """Of the mean ct of a prompt."""
    ratio: Interval
    ratio_median: float
    ratio_smallest: float
    ratio_largest: float
    late: float
    """Mean over prompts; NaN for a null, as the next."""
    p95_over_median: float
    """Median over prompts."""


@dataclass(frozen=True)
class AgainstNull:
    """Observed against the same states shuffled in time, prompt by prompt."""

    normalization: Normalization
    quotient: Interval
    """Mean ct over that of the shuffled states."""
    excess: Interval
    """Ratio minus that of the shuffled states."""


@dataclass(frozen=True)
class LengthRow:
    """Median ratio of the first N states of every output that has them."""

    n_states: int
    n_prompts: int
    raw: float
    clipped_mad: float
    isotropic: float


@dataclass(frozen=True)
class StateRow:
    """One state of certainty."""

    state: State
    n_steps: int
    share: float
    """Of all steps."""
    by_prompt: Interval
    """Mean over prompts of its share of a prompt's steps."""
    n_runs: int
    dwell: float
    """Mean steps of a run, also of one that the end cuts; NaN without one."""


@dataclass(frozen=True)
class Null:
    """What shuffling the states of every output in time gives."""

    mean: float
    lower: float
    """2.5th percentile over the shuffles."""
    upper: float
    """97.5th."""


@dataclass(frozen=True)
class Within:
    """Reopened within so many steps, by Aalen and Johansen."""

    steps: int
    """After the last one of a run."""
    share: float
    null: Null


@dataclass(frozen=True)
class Reopening:
    """What follows collapse."""

    n_runs: int
    n_reopened: int
    n_ended: int
    n_censored: int
    share: float
    """Reopened of reopened and ended."""
    share_null: Null
    share_of_all: float
    """Reopened of all runs, the cut ones counted as if they never did."""
    share_of_all_null: Null
    within: tuple[Within, ...]
    """By the number of steps; empty where no run was seen to its end."""
    by_prompt: Interval
    """Mean over prompts of their shares."""
    exit_rate: float
    """Per step in collapse."""
    exit_rate_null: Null
    curve_times: tuple[int, ...]
    """Steps after the run."""
    curve_share: tuple[float, ...]
    """[time] that has reopened."""


@dataclass(frozen=True)
class Strip:
    """One output step by step, for a picture."""

    prompt_id: str
    ct: tuple[float, ...]
    """[step - 2] CLIPPED_MAD; the first stands at step 2."""
    states: tuple[int, ...]
    """[step] 0 collapse, 1 rivalry, 2 neutral; empty where they are not known."""
    thin: tuple[int, ...]
    """Steps whose margin is below 0.5 nat."""


@dataclass(frozen=True)
class TrajectoryFinding:
    """How unsteadily the final states of a system turn, and what its certainty does."""

    side: Literal["post", "pre"]
    """States after the final norm, or before it."""
    width: int
    n_pool: int
    """States of all outputs, from which the robust scale is taken."""
    n_kept: int
    """Coordinates that vary."""
    largest_coordinate: int
    largest_share: float
    """Of the squared length of the states, over the pool, that one coordinate holds."""
    shuffles: int
    prompts: tuple[PromptTrajectory, ...]
    instability: tuple[InstabilityRow, ...]
    against_null: tuple[AgainstNull, ...]
    lengths: tuple[LengthRow, ...]
    states: tuple[StateRow, ...]
    """Empty where no entropy or margin is known."""
    reopening: Reopening | None
    """None where no entropy or margin is known."""
    strips: tuple[Strip, ...]
    """The first prompt of every category."""
