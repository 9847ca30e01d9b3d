"""What a probe found of one system, as it is kept in a run folder and read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from lm_eval_sensitivity.records.run_metadata import LadderIdentity
from lm_eval_sensitivity.records.sample import Number
from lm_eval_sensitivity.types import Note

FORMAT: Literal["probe/1"] = "probe/1"
"""Of the file; another number is another layout."""

Finding = TypeVar("Finding")


@dataclass(frozen=True)
class Agreement:
    """How far a replay is from what was generated: a forward pass of another batch, or of other arithmetic."""

    n_outputs: int
    n_steps: int
    """Steps of these outputs."""
    n_same: int
    """Steps at which the replay's most probable token is the one that was generated."""
    largest_margin_difference: float
    """Nats, over all steps whose margin the run recorded; NaN where it recorded none."""

    @property
    def share(self) -> float:
        """Share of steps with the same token, 0 to 1; NaN of no steps."""
        return self.n_same / self.n_steps if self.n_steps else float("nan")


@dataclass(frozen=True)
class Conditions:
    """What a replay was computed with."""

    package: str
    torch: str
    transformers: str
    dtype: str
    """Of the weights."""
    upcast: bool
    """Weights of 16 bits, arithmetic of 32."""
    device: str
    attention: str
    architecture: str
    n_layers: int
    width: int
    vocabulary: int
    normalization: str
    """Class of the module before the output embedding."""


@dataclass(frozen=True)
class PerPrompt:
    """One number for each prompt, which `clusters` and `compare` take as `probe.<probe>.<measure>`."""

    measure: str
    """Lower case, with underscores."""
    words: str
    """What it is, with its unit; one line."""
    values: Mapping[str, Number | None]
    """Prompt id -> number; None where it is not defined."""


@dataclass(frozen=True)
class ProbeResult(Generic[Finding]):
    """A probe of one system."""

    format: Literal["probe/1"]
    probe: str
    system: str
    """Fingerprint of the run's system."""
    name: str
    """What the system is called."""
    ladder: LadderIdentity
    settings: Mapping[str, bool | int | str | Number | None]
    """As they were given or are by default."""
    conditions: Conditions
    agreement: Agreement
    finding: Finding
    per_prompt: tuple[PerPrompt, ...] = ()
    notes: tuple[Note, ...] = ()
    """What was left out, and what could fake a number."""


@dataclass(frozen=True)
class Measured(Generic[Finding]):
    """What a probe gives back; the rest of a `ProbeResult` is the same for all probes."""

    finding: Finding
    per_prompt: tuple[PerPrompt, ...] = ()
    notes: tuple[Note, ...] = ()
