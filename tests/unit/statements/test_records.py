"""Statements are plain: pydantic writes them as JSON and reads them back the same, NaN included."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import TypeAdapter

from lm_eval_sensitivity.statements import Selection, TablePartition
from lm_eval_sensitivity.statements.clusters import clusters_statement
from lm_eval_sensitivity.statements.compare import comparison_statement
from lm_eval_sensitivity.statements.drift import drift_statement
from lm_eval_sensitivity.statements.drift_distance import BASE, Drift
from lm_eval_sensitivity.statements.heatmap import heatmap_statement
from lm_eval_sensitivity.statements.profiles import rung_profiles, window_profiles
from lm_eval_sensitivity.statements.records import Statement
from lm_eval_sensitivity.types import Missing
from tests.unit.statements.made_table import made_table, panel


def statements() -> Iterator[Statement]:
    rows = [row for row in panel({"m": 0.1, "n": 0.3}) if (row[0], row[2]) != ("n", "noop")]
    rows += [("m", f"q{index}", "positive_control", "control_topic", 0.5) for index in range(7)]
    partition = TablePartition(made_table(rows), resamples=99)
    yield clusters_statement(partition, Selection(), draws=99)
    yield clusters_statement(TablePartition(made_table(panel({"m": 0.1})), resamples=99), Selection())
    yield comparison_statement(partition, "m", "n", Selection(), draws=99)
    yield drift_statement(partition, ["m", "n"], Selection())
    texts: dict[tuple[str, str], float | Missing] = {(f"q{index}", BASE): 0.1 for index in range(6)}
    away = Drift("n", {**texts, ("q7", BASE): Missing("empty")}, "by hand")
    yield drift_statement(partition, ["n"], Selection(), reference="m", drifts={"n": away})
    yield heatmap_statement(partition, "cosine_distance", "answer")
    yield rung_profiles(partition, "cosine_distance", "answer")
    yield window_profiles(partition, "answer", "meaning_preserving")


def leaves(value: Any) -> Iterator[Any]:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from leaves(getattr(value, field.name))
    elif isinstance(value, tuple):
        for each in value:
            yield from leaves(each)
    else:
        yield value


@pytest.mark.parametrize("made", tuple(statements()), ids=lambda made: type(made).__name__)
def test_a_statement_survives_json(made: Statement) -> None:
    assert {type(each) for each in leaves(made)} <= {str, int, float, bool, type(None)}
    adapter: TypeAdapter[Any] = TypeAdapter(type(made))
    read = adapter.validate_json(json.dumps(adapter.dump_python(made)))
    # NaN is not equal to itself, so the texts are compared.
    assert repr(read) == repr(made)


def test_some_number_is_missing() -> None:
    """Else the test above would not see whether NaN survives."""
    missing = [any(isinstance(each, float) and math.isnan(each) for each in leaves(s)) for s in statements()]
    assert sum(missing) > len(missing) / 2
