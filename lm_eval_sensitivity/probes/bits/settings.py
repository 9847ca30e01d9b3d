"""What can be asked of the probe."""

from __future__ import annotations

from dataclasses import dataclass, field

from lm_eval_sensitivity.errors import InputError, unknown_name
from lm_eval_sensitivity.records.columns import FILTERS
from lm_eval_sensitivity.statements.selection import PRIMARY_FILTER
from lm_eval_sensitivity.stats import RESAMPLES
from lm_eval_sensitivity.stats.intervals import FEWEST_RESAMPLES, MOST_RESAMPLES


@dataclass(frozen=True)
class BitsSettings:
    """Every field has a default."""

    drift_factor: float = field(
        default=1.0,
        metadata={"help": "lambda: a width is near where drift is below lambda times p of the reference"},
    )
    tolerance: float = field(
        default=0.05, metadata={"help": "share by which perplexity may rise; of KL the logarithm of 1 + it"}
    )
    text: str = field(default="", metadata={"help": "file whose perplexity is taken, instead of ours"})
    filter: str = field(default=PRIMARY_FILTER, metadata={"help": " or ".join(FILTERS)})
    embedder: str = field(default="", metadata={"help": "of the runs, where it is not the default one"})
    resamples: int = field(default=RESAMPLES, metadata={"help": "of each interval"})
    seed: int = field(default=0, metadata={"help": "of resamples"})

    def __post_init__(self) -> None:
        if self.filter not in FILTERS:
            raise unknown_name("`filter` of the probe bits", self.filter, FILTERS)
        for name, most in (("drift_factor", 100), ("tolerance", 1)):
            if not 0 <= getattr(self, name) <= most:
                raise InputError(
                    f"`{name}` of the probe bits is {getattr(self, name):g}; accepted is 0 to {most}."
                )
        if not FEWEST_RESAMPLES <= self.resamples <= MOST_RESAMPLES:
            raise InputError(
                f"`resamples` of the probe bits is {self.resamples}; accepted are whole numbers from "
                f"{FEWEST_RESAMPLES} to {MOST_RESAMPLES}."
            )
