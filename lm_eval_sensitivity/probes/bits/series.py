"""The runs of one model at several widths, and how their models are loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lm_eval_sensitivity.runs import Runs, System

if TYPE_CHECKING:
    from lm_eval_sensitivity.probes.replay import Replay


@dataclass(frozen=True, eq=False)
class Series:
    """What a probe of several runs is given beside the model and the outputs of the first."""

    runs: Runs
    reference: System
    bits: Mapping[str, float]
    """Display name of each other system -> its width."""
    load: Callable[[System], Replay]
    """The model of a run, checked against its checksum."""
