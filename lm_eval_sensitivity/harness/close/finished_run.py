"""A finished run in numbers: its noise floor, its windows, and whether it is stable, collapsed or neither."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from lm_eval_sensitivity.harness.close.run_log import RunLog
from lm_eval_sensitivity.records.columns import SCHEMA
from lm_eval_sensitivity.records.sample import SampleRow
from lm_eval_sensitivity.runs.comparability import another_part
from lm_eval_sensitivity.runs.reference import ReferenceRun
from lm_eval_sensitivity.runs.table import table_of
from lm_eval_sensitivity.statements.drift_distance import Drift, recorded_drift
from lm_eval_sensitivity.statements.noise import beside_noise
from lm_eval_sensitivity.statements.partition import TablePartition
from lm_eval_sensitivity.statements.selection import PRIMARY_METRIC, Selection
from lm_eval_sensitivity.statements.summary import SummaryStatement, summary_statement
from lm_eval_sensitivity.stats import ReducedVerdict, RepetitionTest, Verdict
from lm_eval_sensitivity.types import RUNGS

OWN, REFERENCE = "this run", "reference"
"""What the two systems are called in the table; their names decide nothing."""

OTHER_EMBEDDER = "reference in another embedder"
"""Why a run is not judged beside the reference that was given."""


Judgment = tuple[Verdict | ReducedVerdict | None, str]
"""A `Verdict` beside a reference, else the little that can be said without, None where not judged; and in a few words
why it was not judged, or not beside the reference."""

Cells = Mapping[str, Any]
"""Of one pair under one filter, by column of the pairs table."""


@dataclass(frozen=True)
class PairCells:
    """A measured pair under both filters."""

    raw: Cells
    answer: Cells
    row: SampleRow | None = None
    """The row of filter raw, where the run is to be probed."""


RUN_LOG: RunLog[PairCells] = RunLog()
"""Of this process, as lm_eval's evaluator runs one evaluation at a time."""


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """All pairs of a run on one ladder, with what they are judged beside.

    lm_eval tells a task nothing about the others, but it collects the results of all tasks before it aggregates the
    first one; so the pairs of a whole run are there when its table is made.
    """

    pairs: Sequence[PairCells]
    reference: ReferenceRun | None = None
    system: str | None = None
    """Own fingerprint."""
    identity: Mapping[str, Any] = field(default_factory=dict)
    """What that is made of."""
    embedder: Mapping[str, Any] | None = None
    """Identity of the own embedder."""

    @cached_property
    def table(self) -> pa.Table:
        """The run, and the reference where it was measured in the same scale, as a pairs table."""
        # A prompt's drift is that of its mildest rung, wherever the tasks were put on the command line.
        ordered = sorted(self.pairs, key=lambda pair: RUNGS.index(pair.raw["rung"]))
        parts = [(OWN, table_of((pair.raw, pair.answer) for pair in ordered))]
        if self.reference is not None and self._beside_reference:
            parts.append((REFERENCE, self.reference.table))
        return pa.concat_tables([_named(rows, name) for name, rows in parts])

    @cached_property
    def partition(self) -> TablePartition:
        """The same, partitioned."""
        return TablePartition(self.table)

    def rungs(self) -> set[str]:
        """The rungs that were run."""
        return {str(pair.raw["rung"]) for pair in self.pairs}

    def mean(self, filter_name: str, rung_set: str) -> tuple[float, int]:
        """Mean distance of the own pairs of a rung, or of a set of rungs, over prompts.

        Args:
            filter_name: `raw` or `answer`.
            rung_set: a rung, or the name of a set of them.

        Returns:
            Mean in cosine distance, 0 to 2, NaN where nothing is scored; and the number of prompts it is over.
        """
        selection = Selection(PRIMARY_METRIC, filter_name, rung_set)
        values = self.partition.pairs(selection, [OWN]).system(OWN)
        there = values[~np.isnan(values)]
        return (float(there.mean()) if len(there) else math.nan), len(there)

    @property
    def repetitions(self) -> int | None:
        """How often each prompt of the identical rung was repeated; None where it was not run."""
        return self.partition.repetitions(OWN)

    def beside_the_floor(self, filter_name: str, rung_set: str) -> RepetitionTest:
        """How a rung, or all harmless ones, stand to the noise floor.

        Returns:
            The test of `beside_noise` in cosine distance.
        """
        selection = Selection(PRIMARY_METRIC, filter_name, rung_set)
        return beside_noise(self.partition, selection, OWN)

    def drift(self, filter_name: str) -> Drift:
        """Distances from the outputs of the reference that the run was given.

        Args:
            filter_name: `raw` or `answer`.

        Returns:
            The drift of every text; without a reference each is missing.
        """
        reference = "" if self.reference is None else self.reference.system
        return recorded_drift(self.table, OWN, reference, filter_name)

    def summary(self, filter_name: str) -> SummaryStatement:
        """The run in a few numbers, beside its reference where it was measured in the same scale.

        Returns:
            The statement, computed once per filter.
        """
        if filter_name not in self._summaries:
            beside = REFERENCE if self.reference is not None and self._beside_reference else None
            drifts = (
                None if beside is None else {OWN: replace(self.drift(filter_name), another=self._another)}
            )
            found = summary_statement(self.partition, OWN, filter_name, reference=beside, drifts=drifts)
            if self.reference is not None and self.reference.system == self.system:
                found = replace(found, judged=None, reason="same system as the reference")
            elif found.judged is not None:
                found = replace(found, reason=self._no_reference())
            self._summaries[filter_name] = found
        return self._summaries[filter_name]

    @cached_property
    def _summaries(self) -> dict[str, SummaryStatement]:
        return {}

    def judged(self, filter_name: str) -> Judgment:
        """The verdict of `lm-eval-sensitivity drift` on these pairs.

        Returns:
            The judgment.
        """
        found = self.summary(filter_name)
        return found.judged, found.reason

    @property
    def _another(self) -> str:
        return "" if self.reference is None else another_part(self.identity, self.reference.metadata.identity)

    @property
    def _beside_reference(self) -> bool:
        return self.reference is not None and not self._no_reference()

    def _no_reference(self) -> str:
        """Why a reference that was given cannot be judged beside; empty where it can or there is none."""
        if self.reference is None or self.reference.measured_like(self.embedder or {}):
            return ""
        return OTHER_EMBEDDER


def _named(rows: pa.Table, name: str) -> pa.Table:
    """Rows of `ROW_SCHEMA` as those of a system; what nobody reads here is null."""
    columns = [
        pa.array([name] * rows.num_rows, pa.string())
        if each.name == "name"
        else rows[each.name]
        if each.name in rows.column_names
        else pa.nulls(rows.num_rows, each.type)
        for each in SCHEMA
    ]
    return pa.table(columns, schema=SCHEMA)
