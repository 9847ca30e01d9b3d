"""Which numbers of a pairs table a statement is about: one metric, one filter, some rungs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from lm_eval_sensitivity.errors import InputError, did_you_mean
from lm_eval_sensitivity.metrics import METRICS
from lm_eval_sensitivity.metrics.catalogue import is_of_whole_output
from lm_eval_sensitivity.records.columns import FILTERS
from lm_eval_sensitivity.stats import Partition, partition_by_prompt
from lm_eval_sensitivity.types import MEANING_PRESERVING_RUNGS, RUNGS, Rung

RUNG_SETS: dict[str, tuple[Rung, ...]] = {
    "meaning_preserving": MEANING_PRESERVING_RUNGS,
    **{rung: (rung,) for rung in RUNGS},
}
"""Names of rung sets: the meaning-preserving rungs together, and every rung alone."""

PRIMARY_METRIC = "cosine_distance"
PRIMARY_FILTER = "answer"
PRIMARY_RUNGS = "meaning_preserving"


@dataclass(frozen=True)
class Selection:
    """One metric under one filter over one rung set."""

    metric: str = PRIMARY_METRIC
    """A column of the pairs table, window included: `cosine_distance_64`."""
    filter_name: str = PRIMARY_FILTER
    rung_set: str = PRIMARY_RUNGS

    def __post_init__(self) -> None:
        for option, received, accepted in (
            ("metric", self.metric, tuple(METRICS)),
            ("filter", self.filter_name, FILTERS),
            ("rungs", self.rung_set, tuple(RUNG_SETS)),
        ):
            if received not in accepted:
                raise InputError(
                    f"`--{option} {received[:80]}`: accepted are {', '.join(accepted)}."
                    f"{did_you_mean(received[:80], accepted)}"
                )
        if is_of_whole_output(self.metric) and self.filter_name != "raw":
            raise InputError(
                f"`--metric {self.metric}` belongs to the whole output, so it stands under the filter raw only. Give "
                "`--filter raw`."
            )

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """The rungs of the set, mildest first."""
        return RUNG_SETS[self.rung_set]

    @property
    def window(self) -> int | None:
        """Tokens that a windowed metric reads; None for the whole text."""
        return METRICS[self.metric].window

    def in_words(self) -> str:
        """What the numbers are, for a title.

        Example:
            >>> Selection("cosine_distance_64", "raw").in_words()
            'cosine_distance_64, filter raw, rungs noop, punctuation, synonym, paraphrase'
        """
        return f"{self.metric}, filter {self.filter_name}, rungs {', '.join(self.rungs)}"


def partition(table: pa.Table, selection: Selection, *, systems: Sequence[str] | None = None) -> Partition:
    """The selected numbers of a pairs table, by prompt, edit class and system.

    Args:
        table: from `load_pairs`; systems are called by their display names.
        selection: which numbers.
        systems: only these display names; None takes all.

    Raises:
        InputError: no system has a pair on these rungs, or a system is unknown.

    Example:
        See `tests/unit/statements/test_selection.py`; a table takes a run.
    """
    names = pc.unique(table["name"]).to_pylist()
    for name in systems or ():
        if name not in names:
            raise InputError(
                f"There is no system {name[:80]!r} in these runs; there are {', '.join(names)}."
                f"{did_you_mean(name[:80], names)}"
            )
    mask = pc.and_(
        pc.equal(table["filter"], selection.filter_name),
        pc.is_in(table["rung"], pa.array(selection.rungs, pa.string())),
    )
    if systems is not None:
        mask = pc.and_(mask, pc.is_in(table["name"], pa.array(list(systems), pa.string())))
    rows = table.filter(mask)
    if rows.num_rows == 0:
        raise InputError(
            f"These runs have no pair of {selection.in_words()}. Run the tasks of these rungs, or choose others."
        )
    values = [math.nan if value is None else value for value in rows[selection.metric].to_pylist()]
    erased = [status == "erased" for status in rows["audit_status"].to_pylist()]
    statuses = [
        "erased" if gone else "scored" if math.isfinite(value) else "unscored"
        for value, gone in zip(values, erased, strict=True)
    ]
    return partition_by_prompt(
        rows["prompt_id"].to_pylist(),
        rows["edit"].to_pylist(),
        rows["name"].to_pylist(),
        values,
        statuses,
    )
