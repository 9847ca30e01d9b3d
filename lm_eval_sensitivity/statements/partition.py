"""The rows of a pairs table, partitioned once: what every statement is made from."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lm_eval_sensitivity.errors import InputError, did_you_mean
from lm_eval_sensitivity.metrics.catalogue import METRICS, OF_ANSWERS, is_distance
from lm_eval_sensitivity.statements.selection import NOISE_RUNG, Selection, Weights
from lm_eval_sensitivity.stats import (
    RESAMPLES,
    Interval,
    PairCounts,
    Partition,
    largest_value,
    mean_interval,
)
from lm_eval_sensitivity.stats.partition import ABSENT, ERASED, SCORED, UNSCORED
from lm_eval_sensitivity.stats.sample import Floats

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class TablePartition:
    """A pairs table by filter, prompt, edit and system. What is computed of it is computed once.

    Systems stand in the order of letters, so that the order of the rows changes nothing.

    Example:
        >>> rows = {"prompt_id": ["a", "b"], "edit": ["tab", "tab"], "cosine_distance": [0.1, None]}
        >>> same = {"name": "m", "rung": "noop", "filter": "raw", "audit_status": "survived"}
        >>> table = pa.table(rows | {name: [value] * 2 for name, value in same.items()})
        >>> partition, selection = TablePartition(table), Selection("cosine_distance", "raw", "noop")
        >>> partition.pairs(selection).system("m").tolist(), partition.counts(selection, "m").n_unscored
        ([0.1, nan], 1)
    """

    table: pa.Table
    """From `load_runs`."""
    resamples: int = RESAMPLES
    """Of each interval and bound."""
    seed: int = 0
    """Of resamples and draws."""
    weights: Weights = "rung"
    """What has the same weight in the mean of a prompt."""
    _kept: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def systems(self) -> tuple[str, ...]:
        """Display names."""
        return tuple(sorted(pc.unique(self.table["name"]).to_pylist()))

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What was computed under this key, or is now."""
        if key not in self._kept:
            self._kept[key] = make()
        found: T = self._kept[key]
        return found

    def column(self, name: str) -> list[Any]:
        """[row] one column of the table.

        Raises:
            InputError: only runs of another kind have it.
        """
        if name.removeprefix("missing_") in OF_ANSWERS and name not in self.table.column_names:
            raise InputError(
                f"`--metric {name}` belongs to runs of wrapped tasks, and these are none. Leave it out, or run a task "
                "such as sensitivity_arc_easy."
            )
        return self.once(("column", name), lambda: self.table[name].to_pylist())

    def rungs_of(self, system: str) -> set[str]:
        """The rungs that a system was run on."""
        ran = self.once("ran", lambda: set(zip(self.column("name"), self.column("rung"), strict=True)))
        return {rung for name, rung in ran if name == system}

    def given(self, selection: Selection) -> tuple[str, ...]:
        """The systems with a pair in the selection.

        Raises:
            InputError: there is none.
        """
        found = self.pairs(selection)
        there = (found.status != ABSENT).any(axis=(0, 1)).tolist()
        if not any(there):
            raise InputError(
                f"These runs have no pair of {selection.in_words()}. Run the tasks of these rungs, or choose others."
            )
        return tuple(name for name, present in zip(found.systems, there, strict=True) if present)

    def pairs(self, selection: Selection, systems: Sequence[str] | None = None) -> Partition:
        """The selected numbers by prompt, edit and system.

        Args:
            selection: which numbers.
            systems: only these display names, also one without a pair on these rungs; None takes all.

        Returns:
            Prompts and edits that any of these systems has, and a column for every system.

        Raises:
            InputError: a system is unknown.
        """
        names = tuple(sorted(set(self.systems if systems is None else systems)))
        for name in names:
            if name not in self.systems:
                raise InputError(
                    f"There is no system {name[:80]!r} in these runs; there are {', '.join(self.systems)}."
                    f"{did_you_mean(name[:80], self.systems)}"
                )
        return self.once(("pairs", selection, names), lambda: self._pairs(selection, names))

    def _pairs(self, selection: Selection, names: tuple[str, ...]) -> Partition:
        prompts, edits, places = self._places(selection.filter_name)
        wanted = [index for index, (_, rung) in enumerate(edits) if rung in selection.rungs]
        rows = places[np.ix_(range(len(prompts)), wanted, [self.systems.index(name) for name in names])]
        of_prompts, of_edits = (np.flatnonzero((rows >= 0).any(axis=axes)) for axes in ((1, 2), (0, 2)))
        rows = np.ascontiguousarray(rows[of_prompts][:, of_edits])  # sums depend on the order in memory
        numbers = self.once(
            ("numbers", selection.metric),
            lambda: np.array(
                [math.nan if each is None else each for each in self.column(selection.metric)], np.float64
            ),
        )
        erased = self.once(
            "erased", lambda: np.array([each == "erased" for each in self.column("audit_status")], bool)
        )
        values = numbers[rows]
        there = np.where(erased[rows], ERASED, np.where(np.isfinite(values), SCORED, UNSCORED))
        status = np.where(rows < 0, ABSENT, there).astype(np.int8)
        values = np.where(status == SCORED, values, np.nan)
        values.setflags(write=False)
        status.setflags(write=False)
        return Partition(
            tuple(prompts[index] for index in of_prompts),
            tuple(edits[wanted[index]][0] for index in of_edits),
            names,
            values,
            status,
            tuple(edits[wanted[index]][1] for index in of_edits) if self.weights == "rung" else (),
        )

    def _places(self, filter_name: str) -> tuple[list[str], list[tuple[str, str]], NDArray[np.intp]]:
        """Sorted prompts, sorted (edit, rung), and [prompt, edit, system] the number of the row, or -1."""

        def make() -> tuple[list[str], list[tuple[str, str]], NDArray[np.intp]]:
            rows = [row for row, name in enumerate(self.column("filter")) if name == filter_name]
            prompt, edit, rung, name = (self.column(each) for each in ("prompt_id", "edit", "rung", "name"))
            prompts = sorted({prompt[row] for row in rows})
            edits = sorted({(edit[row], rung[row]) for row in rows})
            at_prompt, at_edit, at_system = (
                {each: index for index, each in enumerate(names)} for names in (prompts, edits, self.systems)
            )
            places = np.full((len(prompts), len(edits), len(self.systems)), -1, np.intp)
            for row in rows:
                where = at_prompt[prompt[row]], at_edit[edit[row], rung[row]], at_system[name[row]]
                if places[where] >= 0:
                    raise ValueError(
                        f"two rows for prompt {prompt[row]!r}, edit {edit[row]!r}, {name[row]!r}"
                    )
                places[where] = row
            return prompts, edits, places

        return self.once(("places", filter_name), make)

    def mean(self, selection: Selection, system: str) -> Interval:
        """The mean of one system over prompts, with its interval."""
        return self.once(
            ("mean", selection, system),
            lambda: mean_interval(
                self.pairs(selection).system(system),
                largest=self.largest(selection, system),
                resamples=self.resamples,
                seed=self.seed,
            ),
        )

    def largest(self, selection: Selection, *systems: str) -> float | None:
        """`largest_of` the selected pairs of these systems together."""
        pairs = self.pairs(selection)
        return largest_of(
            selection.metric, pairs.values[:, :, [pairs.systems.index(name) for name in systems]]
        )

    def repetitions(self, system: str) -> int | None:
        """How often each prompt of the identical rung was repeated, the fewest; None where the rung was not run.

        A table of an earlier version does not say it, and has one.
        """

        def make() -> dict[str, int]:
            columns = [self.column(name) for name in ("name", "rung")]
            known = "repetitions" in self.table.column_names
            columns.append(self.column("repetitions") if known else [None] * len(columns[0]))
            found: dict[str, int] = {}
            for name, rung, count in zip(*columns, strict=True):
                if rung == NOISE_RUNG:
                    found[name] = min(found.get(name, count or 1), count or 1)
            return found

        return self.once("repetitions", make).get(system)

    def counts(self, selection: Selection, system: str) -> PairCounts:
        """What became of one system's pairs."""
        return self.pairs(selection).counts(system)

    def noise(self, selection: Selection, system: str) -> Interval:
        """The noise floor of one system: the identical rung in the metric and filter of a selection."""
        if not is_distance(selection.metric):
            return self._nothing(
                f"{selection.metric} is no distance of a pair, so that repetition has no floor in it."
            )
        if NOISE_RUNG not in self.rungs_of(system):
            return self._nothing("The identical rung was not run.")
        return self.mean(replace(selection, rung_set=NOISE_RUNG), system)

    def _nothing(self, reason: str) -> Interval:
        return replace(mean_interval([], resamples=self.resamples, seed=self.seed), reason=reason)


def largest_of(metric: str, pairs: Floats) -> float | None:
    """The largest value that a prompt's mean is taken to have: `largest_value` with the range of a metric.

    Args:
        metric: in the catalogue.
        pairs: its numbers, in any shape; NaN where there is none.

    Returns:
        In the unit of the metric; None where it has no largest value, or its smallest is not 0.

    Example:
        >>> pairs = np.array([[0.1, 0.3], [0.2, math.nan], [0.0, 0.1]])
        >>> largest_of("cosine_distance", pairs), largest_of("first_divergence", pairs)
        (1.0, None)
    """
    card = METRICS[metric]
    return largest_value(pairs, card.high) if card.low == 0 else None


def on_the_same_prompts(first: Partition, second: Partition, name: str) -> tuple[Floats, Floats]:
    """[prompt] means of one system in two tables, lined up; NaN where a prompt is missing in one.

    Example:
        >>> from lm_eval_sensitivity.stats import partition_by_prompt
        >>> first = partition_by_prompt(["a", "b"], ["x", "x"], ["m", "m"], [0.1, 0.2])
        >>> second = partition_by_prompt(["b"], ["y"], ["m"], [0.3])
        >>> [values.tolist() for values in on_the_same_prompts(first, second, "m")]
        [[0.1, 0.2], [nan, 0.3]]
    """
    prompts = sorted({*first.prompts, *second.prompts})
    columns = (
        dict(zip(table.prompts, table.system(name).tolist(), strict=True)) for table in (first, second)
    )
    a, b = (np.array([column.get(prompt, math.nan) for prompt in prompts]) for column in columns)
    return a, b
