"""The change in length of two outputs, by hand; its laws stand with those of the token path."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lm_eval_sensitivity.metrics.length_change import length_change


@pytest.mark.parametrize(
    ("y", "y_prime", "expected"),
    [([1, 2, 3, 4], [9, 9, 9], 0.25), ([1, 2], [3, 4], 0.0), ([], [1, 2], 1.0), ([1], [2] * 100, 0.99)],
)
def test_by_hand(y: list[int], y_prime: list[int], expected: float) -> None:
    assert (
        length_change(y, y_prime) == length_change(np.array(y_prime), np.array(y)) == pytest.approx(expected)
    )


def test_two_empty_outputs_have_no_length_to_change() -> None:
    assert math.isnan(length_change([], []))
