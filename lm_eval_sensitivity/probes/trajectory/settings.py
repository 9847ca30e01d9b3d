"""What a user may ask of the probe `trajectory`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, cast

from lm_eval_sensitivity.errors import InputError

Side = Literal["post", "pre"]


@dataclass(frozen=True)
class Settings:
    """Options, each with a default.

    Example:
        >>> try:
        ...     Settings(side="both")
        ... except ValueError as error:
        ...     print(error)
        `side` is 'both'; accepted are `post` (after the final norm) and `pre` (before it).
    """

    side: str = field(
        default="post", metadata={"help": "states after the final norm (post) or before it (pre)"}
    )
    shuffles: int = field(default=100, metadata={"help": "random orders for the null, 1 to 10000"})
    legacy_labels: bool = field(
        default=False, metadata={"help": "also print the published regime names, which no test here supports"}
    )
    seed: int = field(default=0, metadata={"help": "of the random orders"})

    def __post_init__(self) -> None:
        if self.side not in ("post", "pre"):
            raise InputError(
                f"`side` is {self.side!r}; accepted are `post` (after the final norm) and `pre` (before it)."
            )
        if not 1 <= self.shuffles <= 10_000:
            raise InputError(f"`shuffles` is {self.shuffles}; accepted are whole numbers from 1 to 10000.")
        if self.seed < 0:
            raise InputError(f"`seed` is {self.seed}; accepted are whole numbers from 0.")

    @property
    def states_side(self) -> Side:
        """`side`, which is one of the two."""
        return cast(Side, self.side)
