"""A finished run in numbers: its noise floor, its windows, and whether it is stable, collapsed or neither."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lm_eval_sensitivity.harness.close.run_log import RunLog
from lm_eval_sensitivity.metrics import WINDOWS_TOKENS
from lm_eval_sensitivity.records.columns import SCHEMA
from lm_eval_sensitivity.runs.reference import ReferenceRun
from lm_eval_sensitivity.runs.table import table_of
from lm_eval_sensitivity.statements.drift import drift_statement
from lm_eval_sensitivity.statements.drift_distance import Drift, recorded_drift
from lm_eval_sensitivity.statements.noise import beside_noise
from lm_eval_sensitivity.statements.partition import TablePartition
from lm_eval_sensitivity.statements.responsiveness import CONTROL
from lm_eval_sensitivity.statements.selection import PRIMARY_METRIC, Selection
from lm_eval_sensitivity.statements.windows import dominated_windows, outputs_of
from lm_eval_sensitivity.stats import MIN_PROMPTS, AxisContrast, ReducedVerdict, RepetitionTest, Verdict
from lm_eval_sensitivity.types import MEANING_PRESERVING_RUNGS, RUNGS

OWN, REFERENCE = "run", "reference"
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


RUN_LOG: RunLog[PairCells] = RunLog()
"""Of this process, as lm_eval's evaluator runs one evaluation at a time."""


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """All pairs of a run on one ladder, with what they are judged beside.

    lm_eval tells a task nothing about the others, but it collects the results of all tasks before it aggregates the
    first one; so the pairs of a whole run are there when its table is made.
    """

    pairs: Sequence[PairCells]
    max_gen_toks: int
    reference: ReferenceRun | None = None
    system: str | None = None
    """Own fingerprint."""
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

    def rows(self, filter_name: str) -> list[dict[str, Any]]:
        """Cells of the own pairs under a filter.

        Returns:
            [pair] column of `ROW_SCHEMA` to value.
        """
        own = pc.and_(pc.equal(self.table["name"], OWN), pc.equal(self.table["filter"], filter_name))
        found: list[dict[str, Any]] = self.table.filter(own).to_pylist()
        return found

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

    def dominated_windows(self) -> tuple[int | None, ...]:
        """The windows of the filter raw that the scaffold dominates.

        Returns:
            Windows in tokens, None for the whole output; empty where none is dominated.
        """
        outputs = outputs_of(self.partition, PRIMARY_METRIC, self.rungs(), OWN)
        return dominated_windows(outputs, windows_below(self.max_gen_toks))

    def judged(self, filter_name: str) -> Judgment:
        """The verdict of `lm-eval-sensitivity drift` on these pairs.

        Returns:
            The judgment, computed once per filter.
        """
        if filter_name not in self._judged:
            self._judged[filter_name] = self._judge(filter_name)
        return self._judged[filter_name]

    @cached_property
    def _judged(self) -> dict[str, Judgment]:
        return {}

    def _judge(self, filter_name: str) -> Judgment:
        reason = lacking(self.rungs(), "this run")
        if self.reference is not None and self._beside_reference:
            reason = reason or lacking({rung.metadata.rung for rung in self.reference.rungs}, "the reference")
        if self.reference is not None and self.reference.system == self.system:
            reason = "same system as the reference"
        if reason:
            return None, reason
        selection = Selection(PRIMARY_METRIC, filter_name)
        if not self._beside_reference:
            alone = drift_statement(self.partition, [OWN], selection).systems[0].reduced
            assert alone is not None  # a system without a reference is judged by itself
            return self._enough(alone, alone.contrasts[0], self._no_reference())
        assert self.reference is not None
        drifts = {OWN: self.drift(filter_name)}
        found = drift_statement(self.partition, [OWN], selection, reference=REFERENCE, drifts=drifts)
        beside = found.systems[1].verdict
        assert beside is not None  # the reference stands first, and the run second
        return self._enough(beside, beside.contrasts[0], "")

    def _enough(self, verdict: Verdict | ReducedVerdict, control: AxisContrast, reason: str) -> Judgment:
        """Below `MIN_PROMPTS` prompts there is no verdict to be undetermined about."""
        n = control.bounds.n
        if n < MIN_PROMPTS:
            return None, f"{n} prompts" if n else "no prompt has both numbers"
        return verdict, reason

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


def windows_below(max_gen_toks: int) -> tuple[int | None, ...]:
    """Windows that end before an output may, and the whole output (None).

    Returns:
        Windows in tokens, shortest first.

    Example:
        >>> windows_below(128)
        (64, None)
    """
    return (*(window for window in WINDOWS_TOKENS if window < max_gen_toks), None)


def lacking(ran: set[str], whose: str) -> str:
    """Which rungs a verdict needs and has not got.

    Args:
        ran: rungs that have pairs.
        whose: completes the sentence, as in the example.

    Returns:
        The first lack as half a sentence; empty where all are there.

    Example:
        >>> lacking({"noop", "identical"}, "this run")
        'no positive control in this run'
    """
    if CONTROL not in ran:
        return f"no positive control in {whose}"
    return "" if ran & set(MEANING_PRESERVING_RUNGS) else f"no harmless rung in {whose}"
