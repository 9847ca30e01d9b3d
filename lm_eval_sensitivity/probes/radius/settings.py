"""What can be asked of the probe."""

from __future__ import annotations

from dataclasses import dataclass, field

from lm_eval_sensitivity.errors import InputError, unknown_name

SIDES = ("pre", "post")


@dataclass(frozen=True)
class RadiusSettings:
    """Defaults are those of the documentation."""

    taus: tuple[float, ...] = field(
        default=(0.001, 0.01, 0.1, 0.5), metadata={"help": "divergences whose radius is asked for, nats"}
    )
    steps: tuple[int, ...] = field(
        default=(0, 3, 15, 31),
        metadata={"help": "generated steps whose state is looked at; 0 is the prompt end"},
    )
    side: str = field(default="pre", metadata={"help": "pre or post: move before or after the final norm"})
    edits: tuple[str, ...] = field(
        default=(),
        metadata={
            "help": "variants whose direction is taken: names, all, one_per_rung; without any, first_per_rung"
        },
    )
    lanczos_steps: int = field(default=16, metadata={"help": "most products for the top direction"})
    seed: int = field(default=0, metadata={"help": "of the random directions"})

    def __post_init__(self) -> None:
        if self.side not in SIDES:
            raise unknown_name("`side` of the probe radius", self.side, SIDES)
        if not self.taus or list(self.taus) != sorted(set(self.taus)) or not self.taus[0] > 0:
            raise InputError(
                f"`taus` of the probe radius is {self.taus}; accepted are numbers above 0, each once, smallest "
                "first."
            )
        if not self.steps or min(self.steps) < 0:
            raise InputError(
                f"`steps` of the probe radius is {self.steps}; at least one step from 0 on is needed."
            )
        if self.lanczos_steps < 1:
            raise InputError(
                f"`lanczos_steps` of the probe radius is {self.lanczos_steps}; at least 1 is needed."
            )
