"""Pairs tables made by hand: only the columns that an analysis reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from lm_eval_sensitivity.records.columns import SCHEMA


def row(
    name: str, rung: str, prompt: str, edit: str, value: float | None, *, erased: bool = False, **cells: Any
) -> dict[str, Any]:
    """One row of filter `answer`; None is unscored unless erased."""
    return {
        "name": name,
        "system": name,
        "rung": rung,
        "prompt_id": prompt,
        "edit": edit,
        "filter": "answer",
        "cosine_distance": value,
        "audit_status": "erased" if erased else "identical" if rung == "identical" else "survived",
        **cells,
    }


def table_of(rows: Iterable[dict[str, Any]]) -> pa.Table:
    """Rows as a pairs table; the columns they lack are null."""
    made = list(rows)
    return pa.table({field.name: pa.array([r.get(field.name) for r in made], field.type) for field in SCHEMA})
