"""What can be asked of the probe."""

from __future__ import annotations

from dataclasses import dataclass, field

from lm_eval_sensitivity.errors import InputError, unknown_name
from lm_eval_sensitivity.probes.stretch.finding import Positions

POSITIONS: tuple[Positions, ...] = ("generated", "prompt_end")
SWEEP = tuple(10.0**power for power in range(-7, 0))
"""Sizes of a sweep, relative to the residual before block 0."""
SWEEP_PROMPTS = 5
JACOBIAN_PROMPTS = 2
MOST_SEEDS = 1_000


@dataclass(frozen=True)
class Settings:
    """Every field has a default."""

    positions: str = field(
        default="generated",
        metadata={"help": "where sizes are read: `generated`, at every step of the output, or `prompt_end`"},
    )
    seeds: int = field(default=2, metadata={"help": "disturbances per prompt"})
    size: float = field(
        default=1e-3, metadata={"help": "of a disturbance, relative to the residual before block 0"}
    )
    prompts: int = field(default=0, metadata={"help": "at most so many prompts, evenly chosen; 0 takes all"})
    untrained_prompts: int = field(
        default=5, metadata={"help": "prompts for the untrained network; 0 leaves it out"}
    )
    edits: tuple[str, ...] = field(
        default=("mid_newline", "synonym_1"), metadata={"help": "edits whose profile over depth is taken"}
    )
    sweep: bool = field(
        default=False, metadata={"help": f"disturbances from 1e-7 to 1e-1, on {SWEEP_PROMPTS} prompts"}
    )
    jacobian: bool = field(
        default=False, metadata={"help": f"Jacobian norms of each block, on {JACOBIAN_PROMPTS} prompts; slow"}
    )
    seed: int = field(default=0, metadata={"help": "of disturbances and of untrained weights"})

    def __post_init__(self) -> None:
        if self.positions not in POSITIONS:
            raise unknown_name("`positions` of the probe stretch", self.positions, POSITIONS)
        if not 1 <= self.seeds <= MOST_SEEDS:
            raise InputError(
                f"`seeds` of the probe stretch is {self.seeds}; accepted are whole numbers from 1 to {MOST_SEEDS}."
            )
        if not self.size >= 0:
            raise InputError(f"`size` of the probe stretch is {self.size}; it cannot be negative.")
