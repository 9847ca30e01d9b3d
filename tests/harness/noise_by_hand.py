"""What the row `noise` must say of a run in which no repetition differs, from its distances alone."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from scipy.stats import beta

from lm_eval_sensitivity.stats import REPETITION_DRAWS
from tests.running import Run


def noise_by_hand(run: Run, task: str, filter_name: str) -> str:
    """No repetition differs here: an exchange is as extreme where it puts another 0 in its place."""
    by_prompt: dict[str, list[float]] = {}
    for row in run.rows(task, filter_name):
        if not math.isnan(row["cosine_distance"]):  # two bits say things that no embedder reads
            by_prompt.setdefault(row["doc"]["prompt_id"], []).append(row["cosine_distance"])
    p = math.prod((1 + row.count(0.0)) / (1 + len(row)) for row in by_prompt.values())
    error = 5 * math.sqrt(p * (1 - p) / REPETITION_DRAWS)
    assert task.endswith("identical") or abs(p - 0.05) > error, "too near to the limit to be foretold"
    n, means = len(by_prompt), [float(np.mean(row)) for row in by_prompt.values()]
    farthest = max(1.0, *(value for row in by_prompt.values() for value in row))
    weights = np.random.default_rng(1).dirichlet([1.0] * n + [0.5], 100_000)
    lower = float(np.quantile(weights @ [*means, -farthest], 0.05))
    assert task.endswith("identical") or abs(lower) > 0.002, "too near to 0 to be foretold"
    if task.endswith("identical") or (p < 0.05 and lower > 0):
        return "noise floor 0.0000 (9 prompts, one repetition each)"
    said = run.value(task, "noise", filter_name)
    if p == 1:
        return "within the noise floor 0.0000"
    # Half a point at the farthest distance beside nine at 0: its weight is beta-distributed.
    hidden = farthest * float(beta(0.5, n).ppf(0.95))
    if hidden > float(np.mean(means)):
        shown = re.fullmatch(r"may be noise: up to (\d\.\d{4}) not excluded", said)
        assert shown and float(shown[1]) == pytest.approx(hidden, abs=0.012)
    else:
        shown = re.fullmatch(r"may be noise: not settled \(p (<?)(\d\.\d\d)\)", said)
        assert shown
        near = p < float(shown[2]) if shown[1] else abs(float(shown[2]) - p) < error + 0.005
        assert near, (said, p)
    return str(said)
