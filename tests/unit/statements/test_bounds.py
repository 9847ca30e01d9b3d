"""No bound of a distance lies outside its range, in whatever statement it stands."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from lm_eval_sensitivity.statements import Selection
from lm_eval_sensitivity.statements.clusters import clusters_statement
from lm_eval_sensitivity.statements.compare import comparison_statement
from lm_eval_sensitivity.statements.drift import drift_statement
from lm_eval_sensitivity.statements.drift_distance import BASE, Drift
from lm_eval_sensitivity.statements.heatmap import heatmap_statement
from lm_eval_sensitivity.statements.profiles import rung_profiles
from lm_eval_sensitivity.statements.records import Statement
from lm_eval_sensitivity.stats import MIN_PROMPTS, Interval
from tests.unit.statements.made_table import Row, made_table, partition_of

SIGNED = ("difference", "interval")
CONTRASTS = ("bounds", "above_minus_margin", "below_plus_margin")
"""Of means with factors, which have no range of their own."""


def intervals(value: Any, name: str = "") -> Iterator[tuple[str, Interval]]:
    if isinstance(value, Interval):
        yield name, value
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from intervals(getattr(value, field.name), field.name)
    elif isinstance(value, tuple):
        for each in value:
            yield from intervals(each, name)


def statements(moved: int) -> Iterator[Statement]:
    """Nine prompts, of which so many have moved, and far."""
    rows: list[Row] = [
        (system, f"q{i}", rung, edit, 0.1 + 0.1 * i if i < moved - (system == "n") else 0.0)
        for system in "mn"
        for i in range(9)
        for rung, edit in (("identical", "identical"), ("noop", "nfd"), ("positive_control", "control_topic"))
    ]
    partition = partition_of(made_table(rows), 199)
    yield clusters_statement(partition, Selection(), draws=99)
    yield comparison_statement(partition, "m", "n", Selection(), draws=99)
    yield heatmap_statement(partition, "cosine_distance", "answer")
    yield rung_profiles(partition, "cosine_distance", "answer")
    away = Drift("n", {(f"q{i}", BASE): 0.9 if i < moved else 0.0 for i in range(9)}, "by hand")
    yield drift_statement(partition, ["n"], Selection(), reference="m", drifts={"n": away})


@pytest.mark.parametrize("moved", [0, 1, 2, 5])
def test_bounds_stay_in_the_range(moved: int) -> None:
    seen: Counter[tuple[str, str]] = Counter()
    for statement in statements(moved):
        for name, found in intervals(statement):
            if name not in CONTRASTS and found.n >= MIN_PROMPTS:
                low = -1.0 if name in SIGNED else 0.0
                assert low <= found.lower <= found.estimate <= found.upper <= 1.0, (type(statement), name)
                seen[type(statement).__name__, name] += 1
    assert seen["DriftStatement", "mean"] == 7  # p, c and f of both systems, and b of one
    assert seen.total() > 20
