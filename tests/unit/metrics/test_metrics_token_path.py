"""Edit-distance curve, its reference line, and first divergence on written-out sequences."""

from __future__ import annotations

import numpy as np
import pytest

from lm_eval_sensitivity.metrics import (
    FirstDivergence,
    edit_distance_curve,
    first_divergence,
    trivial_shift_reference,
)


def test_any_sequence_type_gives_the_same_curve() -> None:
    y, y_prime = [10**12, 5, 3, 3], [5, 10**12, 3]
    curve = edit_distance_curve(y, y_prime)
    assert curve.dtype == np.int32
    expected = curve.tolist()
    assert edit_distance_curve(np.array(y), tuple(y_prime)).tolist() == expected
    assert edit_distance_curve([str(t) for t in y], [str(t) for t in y_prime]).tolist() == expected


@pytest.mark.parametrize("shift", [0, 1, 3])
def test_shifted_outputs_lie_on_the_reference_line(shift: int) -> None:
    text = list(range(100, 140))
    late = [-k for k in range(1, shift + 1)] + text
    curve = edit_distance_curve(text, late[:40])
    assert curve.tolist() == trivial_shift_reference(40, shift=shift).tolist()


def test_reference_line_is_empty_for_no_step() -> None:
    assert trivial_shift_reference(0).tolist() == []
    assert trivial_shift_reference(3).dtype == np.int32


@pytest.mark.parametrize(
    ("y", "y_prime", "cut", "expected"),
    [
        ([1, 2], [1, 2], (False, False), FirstDivergence(None, False)),
        ([1, 2], [1, 2], (False, True), FirstDivergence(None, True)),
        # One output ended by itself where the other goes on: they part there.
        ([1, 2], [1, 2, 3], (False, True), FirstDivergence(2, False)),
        ([1, 2, 3], [1, 2], (True, False), FirstDivergence(2, False)),
        # The shorter one was cut: what it would have said next is not known.
        ([1, 2], [1, 2, 3], (True, False), FirstDivergence(None, True)),
        ([1, 2, 3], [1, 2], (False, True), FirstDivergence(None, True)),
        # A difference that was seen is never censored.
        ([1, 2], [1, 3, 4], (True, True), FirstDivergence(1, False)),
    ],
)
def test_first_divergence_where_one_side_was_cut(
    y: list[int], y_prime: list[int], cut: tuple[bool, bool], expected: FirstDivergence
) -> None:
    assert first_divergence(y, y_prime, cut=cut) == expected
