"""What the row `noise` must say of a run in which no repetition differs, from its distances alone."""

from __future__ import annotations

import math
import re

import pytest

from lm_eval_sensitivity.stats import REPETITION_DRAWS
from tests.running import Run


def noise_by_hand(run: Run, task: str, filter_name: str) -> str:
    """No repetition differs here: an exchange is as extreme where it puts another 0 in its place."""
    by_prompt: dict[str, list[float]] = {}
    for row in run.rows(task, filter_name):
        by_prompt.setdefault(row["doc"]["prompt_id"], []).append(row["cosine_distance"])
    p = math.prod((1 + row.count(0.0)) / (1 + len(row)) for row in by_prompt.values())
    error = 5 * math.sqrt(p * (1 - p) / REPETITION_DRAWS)
    assert task.endswith("identical") or abs(p - 0.05) > error, "too near to the limit to be foretold"
    if task.endswith("identical") or p < 0.05:
        return "noise floor 0.0000 (9 prompts)"
    said = run.value(task, "noise", filter_name)
    if p == 1:
        return "within the noise floor 0.0000"
    shown = float(re.fullmatch(r"may be noise \(p (0\.\d\d)\): noise floor 0\.0000", said)[1])
    assert shown == pytest.approx(p, abs=error + 0.005)
    return said
