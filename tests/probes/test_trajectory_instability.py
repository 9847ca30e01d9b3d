"""Length times turn: paths whose numbers are known in closed form, a slow twin, and what must not change it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lm_eval_sensitivity.probes.trajectory.analysis import legacy_label
from lm_eval_sensitivity.probes.trajectory.instability import (
    clipped,
    describe,
    isotropic,
    robust_scale,
    shuffled,
    turning,
)

Floats = NDArray[np.float64]


def in_a_plane(steps: list[float], width: int = 7, seed: int = 0) -> Floats:
    """States that turn by these angles, in a random plane, at random lengths."""
    generator = np.random.default_rng(seed)
    plane, _ = np.linalg.qr(generator.standard_normal((width, 2)))
    angles = np.cumsum([0.3, *steps])
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1) @ plane.T
    return directions * generator.uniform(0.5, 3.0, (len(angles), 1))


def random_states(n_states: int, width: int, seed: int) -> Floats:
    return np.random.default_rng(seed).standard_normal((n_states, width))


def slow(states: Floats) -> list[float]:
    """The definition, one step after the other."""
    found = []
    u = [[x / math.sqrt(sum(y * y for y in row)) for x in row] for row in states.tolist()]
    for t in range(2, len(u)):
        step = [a - b for a, b in zip(u[t], u[t - 1], strict=True)]
        before = [a - b for a, b in zip(u[t - 1], u[t - 2], strict=True)]
        length, length_before = (math.sqrt(sum(x * x for x in each)) for each in (step, before))
        if length < 1e-6 or length_before < 1e-6:
            found.append(0.0)
        else:
            inner = sum(a * b for a, b in zip(step, before, strict=True))
            found.append(length * (1 - inner / (length * length_before)))
    return found


@given(st.integers(1, 12), st.integers(1, 6), st.integers(0, 10_000))
def test_it_is_its_definition(n_states: int, width: int, seed: int) -> None:
    states = random_states(n_states, width, seed)
    if n_states > 4:
        states[3] = 2 * states[2]  # no step of directions
    assert turning(states).tolist() == pytest.approx(slow(states), abs=1e-9)


@pytest.mark.parametrize("angle", [0.1, 1.0, 2.5])
def test_a_constant_turn_has_a_ratio_of_one(angle: float) -> None:
    ct = turning(in_a_plane([angle] * 20))
    expected = 2 * math.sin(angle / 2) * (1 - math.cos(angle))
    assert ct.tolist() == pytest.approx([expected] * 19)
    found = describe(ct)
    assert (found.ratio, found.p95_over_median) == pytest.approx((1, 1))
    assert found.late == pytest.approx(expected)


@pytest.mark.parametrize(("n_states", "angle", "spike"), [(12, 0.2, 1.5), (40, 0.05, 0.6), (40, 0.6, 3.0)])
def test_one_spike_in_a_constant_turn(n_states: int, angle: float, spike: float) -> None:
    steps = [angle] * (n_states - 1)
    steps[n_states // 2] = spike
    bend = 1 - math.cos((angle + spike) / 2)  # directions of two steps differ by the mean of their angles
    at_spike, after = 2 * math.sin(spike / 2) * bend, 2 * math.sin(angle / 2) * bend
    plain = 2 * math.sin(angle / 2) * (1 - math.cos(angle))
    mean = (at_spike + after + (n_states - 4) * plain) / (n_states - 2)
    found = describe(turning(in_a_plane(steps)))
    assert (found.mean, found.ratio) == pytest.approx((mean, at_spike / mean))


def test_states_that_do_not_move() -> None:
    found = describe(turning(np.outer([1.0, 2.0, 0.5, 3.0, 1.0], [0.3, -1.0, 2.0])))
    assert (found.mean, found.late) == (0, 0)
    assert math.isnan(found.ratio) and math.isnan(found.p95_over_median)


def test_back_and_forth() -> None:
    u, v = np.array([1.0, 0.0]), np.array([math.cos(0.7), math.sin(0.7)])
    ct = turning(np.stack([u, v] * 6))
    assert ct.tolist() == pytest.approx([2 * np.linalg.norm(u - v)] * 10)
    assert describe(ct).ratio == pytest.approx(1)
    opposite = turning(np.stack([u, -u] * 3))
    assert opposite.tolist() == pytest.approx([4.0] * 4), "the largest there is"


@given(st.integers(0, 1_000), st.floats(1e-3, 1e3))
def test_raw_knows_neither_length_nor_rotation(seed: int, factor: float) -> None:
    states = random_states(9, 5, seed)
    rotation, _ = np.linalg.qr(random_states(5, 5, seed + 1))
    lengths = np.random.default_rng(seed).uniform(0.1, 10, (9, 1))
    assert turning(factor * lengths * states @ rotation).tolist() == pytest.approx(turning(states).tolist())


@given(st.integers(0, 1_000), st.integers(0, 19))
def test_scaling_a_coordinate_changes_raw_and_not_clipped(seed: int, coordinate: int) -> None:
    outputs = [random_states(n_states, 20, seed + n_states).astype(np.float32) for n_states in (12, 30)]
    scaled = [each.copy() for each in outputs]
    for each in scaled:
        each[:, coordinate] *= 50
    before, after = (
        [turning(clipped(each, robust_scale(pool))) for each in pool] for pool in (outputs, scaled)
    )
    for one, two in zip(before, after, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-6)
    ratios = [[describe(turning(each)).ratio for each in pool] for pool in (outputs, scaled)]
    assert any(abs(one - two) > 1e-3 for one, two in zip(*ratios, strict=True))


def test_the_robust_scale_is_median_and_deviation_of_the_pool() -> None:
    pool = [random_states(7, 300, 0), random_states(4, 300, 1)]
    pool[0][:, 270] = pool[1][:, 270] = 5.0
    found = robust_scale(pool)
    whole = np.concatenate(pool)
    assert found.kept.tolist() == [each for each in range(300) if each != 270]
    column = whole[:, 299]
    assert found.center[-1] == pytest.approx(np.median(column))
    assert found.deviation[-1] == pytest.approx(1.4826 * np.median(np.abs(column - np.median(column))))
    far = clipped(whole + 1e6, found)
    assert far.shape == (11, 299) and far.max() == far.min() == 5.0


def test_isotropic_states_in_high_dimension() -> None:
    states = random_states(128, 8192, 0)
    directions = states / np.linalg.norm(states, axis=1, keepdims=True)
    lengths = np.linalg.norm(np.diff(directions, axis=0), axis=1)
    assert lengths.mean() == pytest.approx(math.sqrt(2), abs=0.003)
    assert (turning(states) / lengths[1:]).mean() == pytest.approx(1.5, abs=0.01)
    mean, ratio = isotropic([128], 576, 8)[128]
    assert mean == pytest.approx(1.5 * math.sqrt(2), abs=0.01)
    assert ratio == pytest.approx(1.08, abs=0.02)


def test_a_shorter_isotropic_path_is_the_beginning_of_a_longer_one() -> None:
    both, one = isotropic([20, 9, 3], 11, 5), isotropic([9], 11, 5)
    assert both[20] != both[9] and math.isnan(both[3][1])
    assert one[9][1] < both[20][1]


@given(st.integers(4, 20), st.integers(0, 1_000))
def test_the_shuffled_null_is_the_same_number_in_random_order(n_states: int, seed: int) -> None:
    states = random_states(n_states, 6, seed)
    orders = np.argsort(np.random.default_rng(seed).random((5, n_states)), axis=1)
    each = [describe(turning(states[order])) for order in orders]
    mean, ratio = shuffled(states, 5, np.random.default_rng(seed))
    assert mean == pytest.approx(np.mean([one.mean for one in each]))
    assert ratio == pytest.approx(np.mean([one.ratio for one in each]))


def test_order_in_time_is_what_shuffling_takes_away() -> None:
    slow_path = in_a_plane([0.05] * 60)
    mean, ratio = shuffled(slow_path, 50, np.random.default_rng(0))
    found = describe(turning(slow_path))
    assert found.ratio == pytest.approx(1) and ratio > 1.5
    assert found.mean < 0.01 * mean


@pytest.mark.parametrize("n_states", [0, 1, 2, 3])
def test_too_few_states(n_states: int) -> None:
    states = random_states(n_states, 4, 0)
    found = describe(turning(states))
    assert math.isnan(found.ratio)
    assert math.isnan(found.mean) == (n_states < 3)
    assert all(map(math.isnan, shuffled(states, 3, np.random.default_rng(0))))


def test_a_state_without_a_direction_leaves_no_number() -> None:
    states = random_states(6, 4, 0)
    states[2] = 0
    assert math.isnan(describe(turning(states)).ratio)
    with pytest.raises(ValueError, match=r"got \(3,\)"):
        turning([1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("ratio", "label"),
    [
        (1.959, "UNDERACTIVE"),
        (1.96, "ADAPTIVE"),
        (2.944, "ADAPTIVE"),
        (2.945, "TRANSITION"),
        (3.62, "CHAOTIC"),
    ],
)
def test_published_names(ratio: float, label: str) -> None:
    assert legacy_label(ratio) == label
