"""Divergences against scipy, their laws, and the theorem that a flip has a price."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon
from scipy.special import log_softmax
from scipy.stats import entropy

from lm_eval_sensitivity.metrics import compare_prompt_ends, flip_floor_nats, js_divergence, kl_divergence
from lm_eval_sensitivity.metrics.logits import KNOWN_WITHIN, compare_top_prompt_ends, js_bounds

Floats = NDArray[np.float64]
LN2 = math.log(2.0)

logits = st.floats(-40, 40, width=32) | st.just(-math.inf)


@st.composite
def pairs(draw: st.DrawFn, *, n: int = 2) -> tuple[Floats, ...]:
    """Log-probabilities over one vocabulary, some tokens excluded, the first never."""
    size = draw(st.integers(2, 12))
    raw = [draw(arrays(np.float32, size, elements=logits)) for _ in range(n)]
    for values in raw:
        values[0] = draw(st.floats(-5, 5, width=32))
    return tuple(log_softmax(values.astype(np.float64)) for values in raw)


@given(pairs())
@settings(deadline=None)
def test_against_scipy(pair: tuple[Floats, Floats]) -> None:
    log_p, log_q = pair
    p, q = np.exp(log_p), np.exp(log_q)
    assert kl_divergence(log_p, log_q) == pytest.approx(float(entropy(p, q)), rel=1e-9, abs=1e-12)
    with np.errstate(invalid="ignore"):  # scipy takes the root of its own rounding error
        expected = float(jensenshannon(p, q)) ** 2
    assert js_divergence(log_p, log_q) == pytest.approx(0.0 if math.isnan(expected) else expected, abs=1e-12)


@given(pairs())
@settings(deadline=None)
def test_laws(pair: tuple[Floats, Floats]) -> None:
    log_p, log_q = pair
    js = js_divergence(log_p, log_q)
    assert 0.0 <= js <= LN2
    assert js == pytest.approx(js_divergence(log_q, log_p), abs=1e-15)
    assert js_divergence(log_p, log_p) == 0.0
    assert kl_divergence(log_p, log_p) == 0.0
    assert kl_divergence(log_p, log_q) >= 0.0
    # The mixture gives q at least half its weight, and the other way round (Lin 1991, theorem 3).
    assert js <= 0.25 * (kl_divergence(log_p, log_q) + kl_divergence(log_q, log_p)) + 1e-12


@given(pairs(n=3))
@settings(deadline=None)
def test_the_root_of_js_satisfies_the_triangle_inequality(triple: tuple[Floats, Floats, Floats]) -> None:
    a, b, c = triple
    assert (
        math.sqrt(js_divergence(a, c))
        <= math.sqrt(js_divergence(a, b)) + math.sqrt(js_divergence(b, c)) + 1e-7
    )


@given(pairs(), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_the_vocabulary_does_not_matter(pair: tuple[Floats, Floats], random: Random) -> None:
    order = random.sample(range(len(pair[0])), len(pair[0]))
    before, after = (compare_prompt_ends(p, q) for p, q in (pair, (pair[0][order], pair[1][order])))
    assert after.js_divergence == pytest.approx(before.js_divergence, abs=1e-12)
    assert after.kl_forward == pytest.approx(before.kl_forward, rel=1e-9, abs=1e-12)
    assert after.top1_probability_base == pytest.approx(before.top1_probability_base, rel=1e-9)


@given(pairs())
@settings(deadline=None, max_examples=300)
def test_a_flip_is_never_cheaper_than_its_floor(pair: tuple[Floats, Floats]) -> None:
    end = compare_prompt_ends(*pair)
    if end.flipped:
        assert end.kl_forward >= end.flip_floor_nats - 1e-12


def test_flips_near_the_floor_exist_and_none_lies_below() -> None:
    """Random distributions close to the boundary, so that a floor that is too high would be caught."""
    rng = np.random.default_rng(7)
    ratios = []
    for _ in range(3000):
        p = rng.dirichlet(np.full(6, 0.7))
        q = p * np.exp(rng.normal(scale=rng.uniform(0.01, 1.0), size=6))
        q /= q.sum()
        if p.argmax() == q.argmax():
            continue
        p2, p1 = np.sort(p)[-2:]
        ratios.append(kl_divergence(np.log(p), np.log(q)) / flip_floor_nats(p1, p2))
    assert len(ratios) > 200
    assert min(ratios) >= 1.0 - 1e-9
    assert min(ratios) < 1.2


@given(pairs(), st.integers(1, 12))
@settings(deadline=None)
def test_what_leading_tokens_leave_open_holds_the_truth(pair: tuple[Floats, Floats], n_top: int) -> None:
    """The divergence of the whole distributions lies between the bounds, and is both where nothing is hidden."""
    ids = [np.argsort(-log, kind="stable")[:n_top] for log in pair]
    tops = [each for log, top in zip(pair, ids, strict=True) for each in (top, log[top])]
    truth, whole = js_divergence(*pair), compare_prompt_ends(*pair)
    lower, upper = js_bounds(*tops)
    assert 0.0 <= lower <= truth + 1e-12
    assert truth - 1e-12 <= upper <= LN2
    assert js_bounds(*tops[2:], *tops[:2]) == pytest.approx((lower, upper), abs=1e-12)
    assert js_bounds(*tops[:2], *tops[:2])[0] == 0.0
    end = compare_top_prompt_ends(*tops)
    assert (end.top1_id_base, end.top1_id_variant) == (whole.top1_id_base, whole.top1_id_variant)
    assert end.top1_probability_base == pytest.approx(whole.top1_probability_base)
    if n_top > 1:
        assert end.flip_floor_nats == pytest.approx(whole.flip_floor_nats, abs=1e-9)
    if n_top >= len(pair[0]):
        assert lower == pytest.approx(truth, abs=1e-12)
        assert upper == pytest.approx(truth, abs=1e-12)
        assert end.js_divergence == pytest.approx(truth, abs=1e-12)
    elif upper - lower <= KNOWN_WITHIN:
        assert abs(end.js_divergence - truth) <= KNOWN_WITHIN / 2 + 1e-9
    else:
        assert math.isnan(end.js_divergence)


@pytest.mark.parametrize(("ids", "logs"), [([1, 1], [-1.0, -1.0]), ([1], [-1.0, -2.0]), ([[1]], [[-1.0]])])
def test_what_is_no_list_of_leading_tokens_is_refused(ids: list[int], logs: list[float]) -> None:
    with pytest.raises(ValueError, match="distinct ids"):
        js_bounds(ids, logs, [1], [-1.0])


@pytest.mark.parametrize("logs", [[], [math.nan], [math.inf], [-math.inf]])
def test_leading_tokens_without_probability_bound_nothing(logs: list[float]) -> None:
    ids = list(range(len(logs)))
    assert all(map(math.isnan, js_bounds(ids, logs, [1], [-1.0])))
    end = compare_top_prompt_ends([1], [-1.0], ids, logs)
    assert (end.top1_id_base, end.flipped) == (-1, None)
    assert math.isnan(end.js_lower)
