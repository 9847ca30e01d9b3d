"""Divergences at the prompt end: edge cases, two libraries as oracles, and real vocabulary sizes."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from lm_eval_sensitivity.metrics import (
    PromptEnd,
    compare_prompt_ends,
    flip_floor_nats,
    js_divergence,
    kl_divergence,
    top1,
)

Floats = NDArray[np.float32]


def log_softmax(logits: NDArray[np.float64]) -> Floats:
    shifted = logits - logits.max()
    log_p: Floats = (shifted - np.log(np.exp(shifted).sum())).astype(np.float32)
    return log_p


def logs(*probabilities: float) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        values: NDArray[np.float64] = np.log(np.array(probabilities))
    return values


def test_distributions_with_nothing_in_common_are_ln2_apart() -> None:
    assert js_divergence(logs(1.0, 0.0), logs(0.0, 1.0)) == math.log(2)


def test_probabilities_below_the_smallest_float_do_not_turn_into_nan() -> None:
    certain = np.array([0.0, -2000.0, -3000.0])
    other = np.array([0.0, -3000.0, -2000.0])
    assert kl_divergence(certain, other) == 0.0
    assert js_divergence(certain, other) == 0.0


def test_float32_rounding_does_not_show_as_divergence() -> None:
    """log_softmax in float32 is off by a common constant; two such constants are no difference."""
    log_p = log_softmax(np.random.default_rng(0).normal(size=50_000) * 3)
    shifted = (log_p.astype(np.float64) + 3e-6).tolist()
    assert kl_divergence(log_p, shifted) < 1e-14
    assert js_divergence(log_p, shifted) < 1e-14


@pytest.mark.parametrize(
    "bad",
    [[], [math.nan, 0.0], [math.inf, 0.0], [-math.inf, -math.inf]],
    ids=["empty", "nan", "inf", "no mass"],
)
def test_what_is_no_distribution_is_undefined(bad: list[float]) -> None:
    good = logs(0.5, 0.5) if bad else np.array([])
    for first, second in ((bad, good), (good, bad)):
        assert math.isnan(kl_divergence(first, second))
        assert math.isnan(js_divergence(first, second))
        end = compare_prompt_ends(first, second)
        assert end.flipped is None
        assert end.top1_id_base == end.top1_id_variant == -1
        floats = [value for value in dataclasses.astuple(end) if isinstance(value, float)]
        assert len(floats) == 6
        assert all(math.isnan(value) for value in floats)
    identifier, probability = top1(bad)
    assert identifier == -1
    assert math.isnan(probability)


def test_two_vocabularies_are_refused() -> None:
    with pytest.raises(ValueError, match="one vocabulary"):
        compare_prompt_ends(logs(0.5, 0.5), logs(0.25, 0.25, 0.5))
    with pytest.raises(ValueError, match="shape"):
        kl_divergence(np.zeros((1, 2)), np.zeros((1, 2)))


def test_lowest_id_wins_a_tie() -> None:
    identifier, probability = top1(logs(0.2, 0.4, 0.4))
    assert (identifier, round(probability, 12)) == (1, 0.4)


@pytest.mark.parametrize(
    ("p1", "p2", "expected"),
    [
        (1.0, 0.0, math.log(2)),
        (0.5, 0.5, 0.0),
        (0.3, 0.3, 0.0),
        (0.0, 0.0, math.nan),
        (math.nan, 0.1, math.nan),
    ],
)
def test_flip_floor_at_its_ends(p1: float, p2: float, expected: float) -> None:
    assert flip_floor_nats(p1, p2) == pytest.approx(expected, abs=1e-15, nan_ok=True)


def test_the_cheapest_flip_costs_the_floor() -> None:
    p = np.array([0.5, 0.3, 0.15, 0.05])
    q = np.array([0.4 - 1e-9, 0.4 + 1e-9, 0.15, 0.05])
    assert q.argmax() != p.argmax()
    assert kl_divergence(np.log(p), np.log(q)) == pytest.approx(flip_floor_nats(0.5, 0.3), abs=1e-9)


def test_comparison_agrees_with_the_single_functions_at_a_real_vocabulary_size() -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(size=152_064) * 4
    log_p, log_q = log_softmax(logits), log_softmax(logits + rng.normal(size=152_064))
    end = compare_prompt_ends(log_p, log_q)
    assert end.kl_forward == kl_divergence(log_p, log_q)
    assert end.kl_backward == kl_divergence(log_q, log_p)
    assert end.js_divergence == js_divergence(log_p, log_q)
    assert (end.top1_id_base, end.top1_probability_base) == top1(log_p)
    assert (end.top1_id_variant, end.top1_probability_variant) == top1(log_q)
    second = np.sort(np.exp(log_p.astype(np.float64)))[-2]
    assert end.flip_floor_nats == pytest.approx(flip_floor_nats(end.top1_probability_base, second), abs=1e-6)


def test_identical_prompt_ends_have_moved_by_exactly_nothing() -> None:
    log_p = log_softmax(np.random.default_rng(4).normal(size=152_064) * 4)
    end = compare_prompt_ends(log_p, log_p.copy())
    assert (end.kl_forward, end.kl_backward, end.js_divergence, end.flipped) == (0.0, 0.0, 0.0, False)


def test_a_vocabulary_of_one_token() -> None:
    end = compare_prompt_ends([0.0], [0.0])
    assert end.flipped is False
    assert end.flip_floor_nats == pytest.approx(math.log(2))


def test_a_record_survives_the_way_through_a_dictionary() -> None:
    end = compare_prompt_ends(logs(0.75, 0.25), logs(0.25, 0.75))
    assert end.flipped is True
    assert PromptEnd(**dataclasses.asdict(end)) == end
    assert {type(value) for value in dataclasses.astuple(end)} == {float, int, bool}
