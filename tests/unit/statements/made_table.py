"""Pairs tables made by hand, with the columns that a statement reads; the others are null."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from lm_eval_sensitivity.records.columns import SCHEMA
from lm_eval_sensitivity.statements import TablePartition

Row = tuple[str, str, str, str, float | None]
"""System, prompt, rung, edit, number; None is unscored, NaN erased."""


def row(
    name: str,
    rung: str,
    prompt: str,
    edit: str,
    value: float | None,
    *,
    metric: str = "cosine_distance",
    **cells: Any,
) -> dict[str, Any]:
    """One row, of filter `answer` where nothing else is said; None is unscored, NaN erased."""
    erased = value is not None and math.isnan(value)
    return {
        "name": name,
        "system": name,
        "rung": rung,
        "prompt_id": prompt,
        "edit": edit,
        "filter": "answer",
        metric: None if erased else value,
        "audit_status": "erased" if erased else "identical" if rung == "identical" else "survived",
        **cells,
    }


def table_of(rows: Iterable[dict[str, Any]]) -> pa.Table:
    """Rows as a pairs table."""
    made = list(rows)
    return pa.table({field.name: pa.array([r.get(field.name) for r in made], field.type) for field in SCHEMA})


def made_table(
    rows: Iterable[Row], *, metric: str = "cosine_distance", filter_name: str = "answer", shuffle: int = 0
) -> pa.Table:
    """A pairs table of one metric under one filter; `shuffle` gives another order of the same rows."""
    ordered = [
        row(name, rung, prompt, edit, number, metric=metric, filter=filter_name)
        for name, prompt, rung, edit, number in rows
    ]
    if shuffle:
        random.Random(shuffle).shuffle(ordered)
    return table_of(ordered)


def partition_of(rows: Iterable[dict[str, Any]] | pa.Table, resamples: int = 999) -> TablePartition:
    """A table, or rows, partitioned."""
    return TablePartition(rows if isinstance(rows, pa.Table) else table_of(rows), resamples)


def panel(levels: dict[str, float], *, n_prompts: int = 9, noise: float = 0.0, seed: int = 1) -> list[Row]:
    """Systems whose distances lie around a level; prompts and edits move all systems alike."""
    generator = random.Random(seed)
    rows: list[Row] = []
    for index in range(n_prompts):
        prompt, own = f"q{index}", generator.uniform(-0.02, 0.02)
        rows += [(system, prompt, "identical", "identical", noise) for system in levels]
        for rung, edit in (("synonym", "synonym_1"), ("synonym", "synonym_2"), ("noop", "leading_space")):
            for system, level in levels.items():
                number = level + own + generator.uniform(-0.005, 0.005)
                rows.append((system, prompt, rung, edit, number))
    return rows
