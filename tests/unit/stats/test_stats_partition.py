"""From pairs to prompts: what counts, what falls out, and that nothing depends on the order of rows."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lm_eval_sensitivity.stats import PairCounts, Partition, contrast_table, partition_by_prompt

Row = tuple[str, str, str, float, str]

NAN = math.nan
ROWS: list[Row] = [
    ("a", "x", "m", 0.2, "scored"),
    ("a", "y", "m", 0.4, "scored"),
    ("a", "z", "m", 0.9, "erased"),  # an erased pair's number never counts
    ("a", "x", "n", 0.1, "scored"),
    ("a", "y", "n", NAN, "unscored"),
    ("a", "z", "n", 0.5, "scored"),
    ("b", "x", "m", 0.6, "scored"),
    ("b", "x", "n", 0.3, "scored"),
    ("b", "y", "m", 0.8, "scored"),  # n was never given this pair
    ("c", "x", "m", 0.7, "scored"),
    ("c", "x", "n", NAN, "erased"),
]


def table(rows: list[Row]) -> Partition:
    prompts, edits, systems, values, statuses = zip(*rows, strict=True)
    return partition_by_prompt(prompts, edits, systems, values, statuses)


def test_identical_systems_differ_by_exactly_nothing() -> None:
    """Sums of the same numbers in another order differ by rounding; here they must not."""
    values = [0.1, 0.2, 0.3, 0.7, 0.4]
    rows = [("a", f"e{i}", "m", value, "scored") for i, value in enumerate(values)]
    rows += [("a", f"e{i}", "n", value, "scored") for i, value in enumerate(values[::-1])]
    assert sum(values) != sum(values[::-1]) or 0.1 + 0.2 != 0.3
    assert table(rows).contrast("m", "n").differences.tolist() == [0.0]


def test_contrasts_of_all_pairs() -> None:
    rows = [*ROWS, ("a", "x", "l", 0.0, "scored")]
    partition = table(rows)
    everything = contrast_table(partition)
    assert everything.contrasts == (("l", "m"), ("l", "n"), ("m", "n"))
    for column, (first, second) in enumerate(everything.contrasts):
        contrast = partition.contrast(first, second)
        np.testing.assert_array_equal(everything.differences[:, column], contrast.differences)
        assert everything.counts[column] == contrast.counts


def test_by_default_a_number_is_scored_and_nan_is_not() -> None:
    partition = partition_by_prompt(["a", "b"], ["x", "x"], ["m", "m"], [0.1, NAN])
    assert partition.counts("m") == PairCounts(1, 1, 1, 0, 1, 0)


def test_an_empty_table_is_a_table() -> None:
    assert partition_by_prompt([], [], [], []).means().shape == (0, 0)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([*ROWS, ROWS[0]], "two rows for prompt 'a', edit 'x', system 'm'"),
        ([("a", "x", "m", NAN, "scored")], "no finite number"),
        ([("a", "x", "m", math.inf, "scored")], "no finite number"),
        ([("a", "x", "m", 0.1, "skipped")], "skipped"),
    ],
)
def test_refused_rows(rows: list[Row], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        table(rows)


def test_refused_columns_and_names() -> None:
    with pytest.raises(ValueError, match="equally long"):
        partition_by_prompt(["a"], ["x"], ["m"], [0.1, 0.2])
    with pytest.raises(ValueError, match="accepted: m, n"):
        table(ROWS).system("o")


def test_results_cannot_be_changed_in_place() -> None:
    partition = table(ROWS)
    with pytest.raises(ValueError, match="read-only"):
        partition.values[0, 0, 0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        partition.contrast("m", "n").differences[0] = 1.0
