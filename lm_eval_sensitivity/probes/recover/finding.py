"""What the probe `recover` finds of one system."""

from __future__ import annotations

from dataclasses import dataclass

from lm_eval_sensitivity.stats import Interval


@dataclass(frozen=True)
class Push:
    """One push of one output."""

    prompt_id: str
    layer: int
    alpha: float
    n_steps: int
    """Seen on the fixed tokens, that of the push included."""
    peak: float
    """Largest |h' - h| / |h| after the final norm, on the fixed tokens."""
    peak_step: int
    """Steps after the push."""
    at_push: float
    """That distance at the step of the push; the next ones so many steps later, NaN where the output was over."""
    lag_1: float
    lag_4: float
    lag_16: float
    recovered: bool | None
    """Below a tenth of the peak for 5 steps in a row; None where these steps cannot tell."""
    steps: int | None
    """From the peak until then."""
    half_life: int | None
    """Steps from the peak to half of it."""
    kl: float
    """Nats, from the unpushed next-token distribution to the pushed one at the step of the push."""
    first_divergence: int | None
    """Step of the first different token of the free path; None where the path stays the same to its end."""
    cosine: float
    """Cosine distance of the two texts, 0 to 2; NaN where it is missing."""

    @property
    def path_changed(self) -> bool:
        """The free path took another token somewhere."""
        return self.first_divergence is not None


@dataclass(frozen=True)
class CellRow:
    """One layer and one size of push, over prompts."""

    layer: int
    alpha: float
    n_prompts: int
    peak: float
    """Median over prompts, as the next four."""
    at_push: float
    lag_1: float
    lag_4: float
    lag_16: float
    recovered: Interval
    """Share of prompts, of those of which it is known."""
    steps: float
    """Median of the recovered ones."""
    half_life: float
    """Median of those that halved."""
    kl: float
    """Median over prompts."""
    unchanged: Interval
    """Share of prompts whose free path stays the same."""
    cosine: Interval
    """Mean over prompts."""
    cosine_changed: float
    """Mean over prompts whose path changed; NaN of none."""


@dataclass(frozen=True)
class Curve:
    """How a state comes back in the middle."""

    layer: int
    alpha: float
    median: tuple[float, ...]
    """[step after the push] over the prompts that have this step."""


@dataclass(frozen=True)
class Overall:
    """All pushes but the controls."""

    n_pushes: int
    n_decided: int
    """Of which it is known whether the state came back."""
    n_recovered: int
    n_changed: int
    """Whose free path changed."""
    n_both: int
    """Whose state came back on the fixed tokens and whose free path changed."""
    recovered: Interval
    """Mean over prompts of their shares, as the next two."""
    changed: Interval
    both: Interval
    cosine_changed: float
    """Mean over pushes whose path changed; NaN of none."""
    rank_correlation: float
    """Spearman's, of peak state distance and text distance, over pushes; NaN where it is not defined."""
    rank_correlation_changed: float
    """Over pushes whose path changed."""


@dataclass(frozen=True)
class RecoverFinding:
    """What a push does to the state and to the text."""

    step: int
    limit: int
    n_layers: int
    n_prompts: int
    control_distance: float
    """Largest state distance of a push of length 0, which should be exactly 0."""
    control_changed: int
    """Free paths that such a push changed."""
    n_own_paths: int
    """Prompts whose unpushed free path is the recorded output."""
    embedder: str
    """Empty where texts have no distances."""
    cosine_missing: str
    """Why texts have none; empty where they have."""
    overall: Overall
    cells: tuple[CellRow, ...]
    curves: tuple[Curve, ...]
    pushes: tuple[Push, ...]
