"""A partition in which every system has its column, also one without a pair on these rungs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lm_eval_sensitivity.statements.selection import Selection, partition
from lm_eval_sensitivity.stats import Partition, partition_by_prompt
from lm_eval_sensitivity.stats.sample import Floats


def partition_of_all(table: pa.Table, selection: Selection, systems: Sequence[str]) -> Partition:
    """The selected numbers of these systems; one that was not run on these rungs has nothing but absent pairs.

    Args:
        table: from `load_pairs`.
        selection: which numbers.
        systems: display names in the table.
    """
    rows = table.filter(
        pc.and_(
            pc.is_in(table["name"], pa.array(list(systems), pa.string())),
            pc.is_in(table["rung"], pa.array(selection.rungs, pa.string())),
        )
    )
    present = sorted(set(pc.unique(rows["name"]).to_pylist()))
    found = partition(table, selection, systems=present) if present else partition_by_prompt([], [], [], [])
    return with_systems(found, systems)


def with_systems(found: Partition, systems: Sequence[str]) -> Partition:
    """The same partition with a column for each of these systems.

    Example:
        >>> with_systems(partition_by_prompt(["a"], ["x"], ["m"], [0.1]), ["n"]).counts("n").n_pairs
        0
    """
    names = tuple(sorted({*found.systems, *systems}))
    shape = (len(found.prompts), len(found.edits), len(names))
    places = [names.index(name) for name in found.systems]
    values, status = np.full(shape, np.nan), np.zeros(shape, np.int8)  # 0 is ABSENT
    values[:, :, places], status[:, :, places] = found.values, found.status
    values.setflags(write=False)
    status.setflags(write=False)
    return replace(found, systems=names, values=values, status=status)


def on_the_same_prompts(first: Partition, second: Partition, name: str) -> tuple[Floats, Floats]:
    """[prompt] means of one system in two tables, lined up; NaN where a prompt is missing in one.

    Example:
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
