"""What can be asked of the probe."""

from __future__ import annotations

from dataclasses import dataclass, field


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
        metadata={"help": "variants whose direction is taken; without any, the first edit of each rung"},
    )
    lanczos_steps: int = field(default=16, metadata={"help": "most products for the top direction"})
    seed: int = field(default=0, metadata={"help": "of the random directions"})
