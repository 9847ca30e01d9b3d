"""What `probe boundary` found of one system. Every interval is over prompts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lm_eval_sensitivity.stats import Interval

ENOUGH_PROMPTS = 24
"""Below it a prediction is a description: in one model a gain that was plain over 9 prompts was gone over 24."""

HARMLESS, FORKING = 0.2, 0.5
"""Token edit distances of what follows a forced runner-up: declared, not found."""

Reference = Literal["own", "population"]
Scope = Literal["at the branch", "one step ahead"]


@dataclass(frozen=True)
class Share:
    """A share of steps, or its mean over prompts."""

    what: str
    """A threshold, a span of steps or a category, in words."""
    share: Interval
    n_steps: int


@dataclass(frozen=True)
class Density:
    """How many steps were close decisions, over the bases' outputs."""

    thin: Interval
    """Share of steps below the threshold."""
    curve: tuple[Share, ...]
    """By threshold."""
    by_position: tuple[Share, ...]
    by_category: tuple[Share, ...]
    by_side: tuple[Share, ...]
    """Reasoning scaffold and answer, of outputs that have both; empty without one."""
    n_prompts: int
    n_steps: int
    n_tied: int
    """Steps with a margin of exactly 0."""
    between_prompts: float
    """Standard deviation of the prompts' shares."""
    binomial: float
    """The same, if all prompts had one share and steps were independent."""
    lag_1: float
    """Correlation of one step being thin with the next, within outputs, -1 to 1."""


@dataclass(frozen=True)
class Trigger:
    """What a check of every step below a threshold would cost, and what it would catch."""

    threshold: float
    """Nats."""
    steps: float
    """Share of steps that are checked, of all bases' steps."""
    caught: float
    """Share of the branches that harmless edits made; NaN without one."""
    caught_noise: float
    """Share of the branches between repetitions of one prompt; NaN without one."""


@dataclass(frozen=True)
class Numerics:
    """What arithmetic alone can decide."""

    threshold: float
    """Nats: the largest margin at a branch between repetitions, or between run and replay; NaN without either."""
    share: float
    """Of the bases' steps at or below it."""
    n_repetitions: int
    """Pairs of the identical rung."""
    n_parted: int
    """Of these, pairs whose outputs part."""


@dataclass(frozen=True)
class Parted:
    """How often one edit made two outputs part."""

    edit: str
    rung: str
    n_pairs: int
    n_parted: int
    share: float
    median_step: float
    """NaN where none part."""


@dataclass(frozen=True)
class Where:
    """Margins of the base at the steps where a harmless edit made outputs part."""

    n_branches: int
    n_prompts: int
    smallest_so_far: Interval
    """Share of branches at the smallest margin up to there."""
    chance: float
    """The same for a step drawn among those up to there."""
    gain: Interval
    """The difference of both."""
    n_late: int
    """Branches with at least four steps before."""
    earlier_wider: Interval
    """Of these, the share of earlier steps with a larger margin."""
    median_margin: float
    """Nats."""
    n_thin: int
    below_2: float
    """Share of branches at a margin below 2 nats."""


@dataclass(frozen=True)
class Prediction:
    """One way to predict, out of sample: no prompt is on both sides."""

    task: str
    model: str
    n_prompts: int
    n_cases: int
    rate: float
    """How often it happens, the mean over prompts."""
    brier: float
    """Mean squared error, 0 to 1, the mean of the prompts' means."""
    skill: Interval
    """1 - Brier / Brier of the rate; 0 is no skill, and no constant has more."""
    skill_beside: Interval
    """The same against the row that `beside` names."""
    beside: str
    auroc: float
    auroc_lower: float
    auroc_upper: float


@dataclass(frozen=True)
class Reliability:
    """One fifth of the cases, by predicted probability."""

    task: str
    model: str
    predicted: float
    happened: float
    n_cases: int


@dataclass(frozen=True)
class Ranking:
    """How well one number of a step tells the branch from the steps before it."""

    scope: Scope
    score: str
    auroc: float
    auroc_lower: float
    auroc_upper: float
    n_branches: int
    n_steps: int


@dataclass(frozen=True)
class Forced:
    """What the edited prompts do to the bases' steps."""

    n_pairs: int
    n_prompts: int
    n_steps: int
    n_flips: int
    """Steps whose most probable token is another one after the edited prompt."""
    n_rho_disagrees: int
    """Steps where rho > 1 and a flip do not go together: 0, but for exact ties."""
    n_violations: int
    """Flips at steps that a certificate had called safe: 0."""
    certified_by_range: float
    """Share of the steps without a flip."""
    certified_by_kl: float
    certified: float
    """By either."""
    n_same_branch: int
    """Pairs whose first flip is the step where their own outputs parted."""
    shift_by_position: tuple[Share, ...]
    """Median absolute shift of the runner-up against the first, nats."""


@dataclass(frozen=True)
class HazardPoint:
    """Pairs that have not parted yet."""

    step: int
    predicted: float
    observed: float


@dataclass(frozen=True)
class Hazard:
    """Parting as a race of margins against the shifts that other prompts' edits make."""

    curve: tuple[HazardPoint, ...]
    n_pairs: int
    n_prompts: int


@dataclass(frozen=True)
class Attribution:
    """What changed at the branch against the steps before it: the gap (boundary) or the shift (bulk); nats of rho."""

    n_branches: int
    """With a reference in their own earlier steps."""
    n_population: int
    """Earlier ones, held against other prompts' steps."""
    boundary: Interval
    bulk: Interval
    null_boundary: Interval
    """Shifts dealt anew to the steps of a pair."""
    null_bulk: Interval
    bulk_beside_null: Interval
    """Bulk minus its null, prompt by prompt."""
    boundary_beside_null: Interval
    range_growth: Interval
    """log of the range of the shift at the branch, less its mean over the steps before; nats."""
    range_control: Interval
    """The same at the same step of other prompts' pairs that have not parted by then."""
    range_beside_control: Interval
    runner_up_before: float
    """Share of the steps before branches at which rho is the runner-up's."""
    runner_up_at_branch: float
    median_share: float
    """Of boundary in the sum, over branches."""
    above_half: float
    """Share of branches with more boundary than bulk."""
    null_median_share: float
    null_above_half: float
    largest_identity_error: float


@dataclass(frozen=True)
class ForcedPair:
    """One pair, the base's tokens fed after both prompts."""

    pair_id: str
    edit: str
    rung: str
    n_steps: int
    first_divergence: int | None
    """Of the outputs themselves."""
    first_flip: int | None
    margin_at_branch: float
    rho_at_branch: float
    boundary_nats: float
    bulk_nats: float
    reference: Reference | None
    crossings: int
    certified_share: float


@dataclass(frozen=True)
class RunnerUpStep:
    """One close decision, taken the other way."""

    prompt_id: str
    step: int
    margin: float
    taken: str
    """The token that was generated."""
    forced: str
    """The second one, which stood there instead."""
    distance: float
    """Token edit distance of what follows, 0 to 1."""


@dataclass(frozen=True)
class RunnerUp:
    """Thin and harmless, or thin and forking; means over prompts of their steps."""

    distance: Interval
    harmless: Interval
    """Share of steps with a distance below `HARMLESS`."""
    forking: Interval
    """Share of steps with a distance above `FORKING`."""
    steps: tuple[RunnerUpStep, ...]


@dataclass(frozen=True)
class Strip:
    """The output with the most branches, for the picture."""

    prompt_id: str
    margins: tuple[float, ...]
    branches: tuple[int, ...]
    """[pair] steps at which variants part from it."""


@dataclass(frozen=True)
class BoundaryFinding:
    """Close decisions, what they predict, and what gives way where outputs part."""

    threshold: float
    """Nats; a step with a smaller margin is thin."""
    horizon: int
    fed_edits: tuple[str, ...]
    """Whose prompts the bases' tokens were fed after."""
    density: Density
    numerics: Numerics
    triggers: tuple[Trigger, ...]
    parted: tuple[Parted, ...]
    where: Where
    predictions: tuple[Prediction, ...]
    reliability: tuple[Reliability, ...]
    forced: Forced | None
    rankings: tuple[Ranking, ...]
    hazard: Hazard | None
    attribution: Attribution | None
    pairs: tuple[ForcedPair, ...]
    runner_up: RunnerUp | None
    strip: Strip | None
