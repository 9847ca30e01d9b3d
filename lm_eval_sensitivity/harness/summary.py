"""Aggregations for lm_eval's table: means over what was scored, and coverage in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any


def mean_of_scored(values: Sequence[float]) -> float:
    """Mean of the values that are not NaN; NaN when there are none.

    lm_eval's own `nanmean` is bootstrapped 100,000 times per metric for a standard error that would treat
    the edits of one prompt as independent; intervals over prompts are made from the samples instead.

    Example:
        >>> mean_of_scored([0.25, float("nan"), 0.75])
        0.5
    """
    scored = [value for value in values if not math.isnan(value)]
    return math.fsum(scored) / len(scored) if scored else math.nan


def pairs_in_words(records: Sequence[Mapping[str, Any]]) -> str:
    """How many pairs a mean stands for, and what became of the others.

    Example:
        >>> pairs_in_words([{"missing": {}, "audit": {"status": "survived"}}])
        '1 of 1 pairs scored'
    """
    kinds: dict[str, int] = {}
    for record in records:
        reason = record["missing"].get("cosine_distance")
        if reason is not None:
            kind = reason.split(":")[-2].strip() if ":" in reason else reason
            kinds[kind] = kinds.get(kind, 0) + 1
    scored = len(records) - sum(kinds.values())
    words = [f"{scored} of {len(records)} pairs scored"]
    words += [f"{count} {kind.replace('_', ' ')}" for kind, count in sorted(kinds.items())]
    return ", ".join(words)
