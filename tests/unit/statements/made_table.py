"""Small pairs tables made by hand, with the columns that an analysis reads."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable

import pyarrow as pa

from lm_eval_sensitivity.records.columns import SCHEMA

Row = tuple[str, str, str, str, float | None]
"""System, prompt, rung, edit, number; None is unscored, NaN erased."""


def made_table(
    rows: Iterable[Row], *, metric: str = "cosine_distance", filter_name: str = "answer", shuffle: int = 0
) -> pa.Table:
    """A pairs table of one metric under one filter; `shuffle` gives another order of the same rows."""
    ordered = list(rows)
    if shuffle:
        random.Random(shuffle).shuffle(ordered)
    erased = [number is not None and math.isnan(number) for *_, number in ordered]
    made = pa.table(
        {
            "name": [row[0] for row in ordered],
            "prompt_id": [row[1] for row in ordered],
            "rung": [row[2] for row in ordered],
            "edit": [row[3] for row in ordered],
            "filter": [filter_name] * len(ordered),
            "audit_status": [
                "erased" if gone else "identical" if row[2] == "identical" else "survived"
                for gone, row in zip(erased, ordered, strict=True)
            ],
            metric: pa.array(
                [None if gone else row[4] for gone, row in zip(erased, ordered, strict=True)], pa.float64()
            ),
        }
    )
    for field in SCHEMA:  # the columns that nobody gave are null
        if field.name not in made.column_names:
            made = made.append_column(field, pa.nulls(len(ordered), field.type))
    return made


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
