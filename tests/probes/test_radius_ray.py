"""Rays, curvature and calibration: closed forms, laws, and slow obvious twins. No model."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lm_eval_sensitivity.metrics.logits import js_divergence, kl_divergence
from lm_eval_sensitivity.probes.numbers import by_prompt, rank_correlation
from lm_eval_sensitivity.probes.radius.calibration import calibrated, relative_errors
from lm_eval_sensitivity.probes.radius.curvature import fisher_product, top_direction
from lm_eval_sensitivity.probes.radius.ray import Ray


def log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max()
    return shifted - np.log(np.exp(shifted).sum())


@st.composite
def rays(draw: st.DrawFn) -> Ray:
    """With a norm of either kind on the way, or none; with and without a cap."""
    draws = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(2, 20))
    x, v = draws.normal(size=(2, 5))
    quadratic = ((x @ x) / 5 + 1e-6, 2 * (x @ v) / 5, (v @ v) / 5) if draw(st.booleans()) else (1.0, 0.0, 0.0)
    start, toward, offset = draws.normal(0, draw(st.sampled_from([0.1, 1.0, 5.0])), (3, n))
    cap = draw(st.sampled_from([None, 0.5, 30.0]))
    return Ray(start, toward, quadratic, offset, draw(st.sampled_from([0.06, 1.0])), cap)


@given(rays(), st.floats(-20, 20))
def test_the_divergence_is_that_of_the_two_distributions(ray: Ray, eps: float) -> None:
    twin = kl_divergence(log_softmax(ray.logits(0)), log_softmax(ray.logits(eps)))
    assert ray.divergence(eps) == pytest.approx(twin, rel=1e-9, abs=1e-12)
    assert ray.divergence(0.0) == 0


def test_a_token_without_probability_may_take_over() -> None:
    ray = Ray(np.array([1e4, 0.0]), np.array([0.0, 1.0]))
    assert ray.probabilities.tolist() == [1.0, 0.0]
    assert ray.divergence(3e4) == pytest.approx(2e4)
    assert ray.measured([0.1], 1e5) == pytest.approx([1e4 + np.log(np.expm1(0.1))], rel=1e-5)


@given(rays(), st.floats(-3, 3))
def test_without_norm_and_cap_the_divergence_is_the_cumulant_generating_function(
    ray: Ray, eps: float
) -> None:
    plain = Ray(ray.start, ray.toward)
    p, a = plain.probabilities, plain.toward
    identity = np.log(p @ np.exp(eps * a)) - eps * (p @ a)
    assert plain.divergence(eps) == pytest.approx(identity, abs=1e-12)


@given(rays())
def test_slope_and_curvature_are_the_derivatives(ray: Ray) -> None:
    step = 1e-5
    assert np.allclose(ray.slope, (ray.logits(step) - ray.logits(-step)) / (2 * step), rtol=1e-5, atol=1e-7)
    p = ray.probabilities
    assert ray.curvature == pytest.approx(ray.slope @ fisher_product(p, ray.slope), rel=1e-9, abs=1e-12)
    around = (ray.divergence(1e-4) + ray.divergence(-1e-4)) / 1e-8
    assert around == pytest.approx(ray.curvature, rel=1e-3, abs=1e-9)


def test_four_times_the_jensen_shannon_divergence_is_the_divergence_nearby() -> None:
    ray = Ray(*np.random.default_rng(0).normal(size=(2, 30)))
    near, far = log_softmax(ray.logits(0)), log_softmax(ray.logits(1e-4))
    assert 4 * js_divergence(near, far) == pytest.approx(ray.divergence(1e-4), rel=1e-3)


@given(st.floats(0.01, 0.99), st.floats(-3, 3).filter(lambda gap: abs(gap) > 1e-3))
def test_two_tokens_have_a_closed_form(p: float, gap: float) -> None:
    ray = Ray(np.array([np.log(p), np.log(1 - p)]), np.array([gap, 0.0]))
    assert ray.curvature == pytest.approx(p * (1 - p) * gap**2)


@settings(max_examples=40)
@given(rays())
def test_the_measured_radius_is_the_first_crossing_on_the_nearer_side(ray: Ray) -> None:
    """The slow way: look everywhere."""
    taus = [0.001, 0.1]
    found = ray.measured(taus, 20.0)
    grid = np.concatenate([np.linspace(0, 20, 1001)[1:], np.geomspace(1e-6, 20, 801)])
    grid.sort()
    heights = np.array([max(ray.divergence(eps), ray.divergence(-eps)) for eps in grid])
    for tau, radius in zip(taus, found, strict=True):
        crossed = np.flatnonzero(heights >= tau)
        if not len(crossed) or grid[crossed[0]] > 19:
            assert radius > 18
            continue
        at = crossed[0]
        low = grid[at - 1] if at else 0.0
        assert low * (1 - 1e-4) <= radius <= grid[at] * (1 + 1e-4)


def test_the_error_of_the_formula_goes_down_with_the_root_of_tau() -> None:
    draws = np.random.default_rng(0)
    ray = Ray(*draws.normal(size=(2, 50)))
    taus = [1e-10, 1e-8, 1e-6, 1e-4]
    radii = ray.measured(taus, 1e3)
    errors = [ray.predicted(tau) / radius - 1 for tau, radius in zip(taus, radii, strict=True)]
    # The search itself ends at a relative width of 1e-6.
    assert abs(errors[3] / errors[2]) == pytest.approx(10, rel=0.1)
    assert abs(errors[2]) > 1e-5 > abs(errors[0])


def test_what_is_never_reached_is_infinite() -> None:
    capped = Ray(np.zeros(2), np.array([1.0, -1.0]), soft_cap=0.1)
    near, far = capped.measured([0.001, 0.5], 1000.0)
    assert near == pytest.approx(0.1 * np.arctanh(np.arccosh(np.exp(0.001)) / 0.1), rel=1e-5)
    assert far == np.inf
    still = Ray(np.zeros(3), np.zeros(3))
    assert still.measured([0.1], 1000.0) == [np.inf] == [still.predicted(0.1)]


@pytest.mark.parametrize("seed", range(3))
def test_lanczos_finds_what_a_full_decomposition_finds(seed: int) -> None:
    draws = np.random.default_rng(seed)
    basis = np.linalg.qr(draws.normal(size=(64, 64)))[0]
    values = np.geomspace(1e-8, 1, 64)
    matrix = basis * values @ basis.T
    top = top_direction(lambda v: matrix @ v, draws.normal(size=64), 40)
    assert top.value == pytest.approx(1, rel=1e-6)
    assert abs(top.direction @ basis[:, -1]) == pytest.approx(1, abs=1e-6)
    assert np.linalg.norm(matrix @ top.direction - top.value * top.direction) <= 1.1 * max(
        top.residual, 1e-12
    )


def test_lanczos_ends_where_there_is_nothing_more() -> None:
    v = np.array([3.0, 4.0])
    assert top_direction(lambda x: 0 * x, v, 9).value == 0
    one = top_direction(lambda x: v * (v @ x), v, 9)
    assert (one.value, one.n_steps) == (pytest.approx(25), 1)
    assert top_direction(lambda x: 2 * x, np.ones(1), 9).value == pytest.approx(2)


def test_calibration_removes_what_prompts_share_and_not_what_is_one_prompts_own() -> None:
    draws = np.random.default_rng(0)
    measured = np.exp(draws.normal(size=160))
    prompts = [f"p{n % 16}" for n in range(160)]
    shared = relative_errors(calibrated(2 * measured, measured, prompts), measured)
    assert np.median(shared) < 0.1
    own = np.array([8.0 if name == "p3" else 1.0 for name in prompts])
    errors = relative_errors(calibrated(own * measured, measured, prompts), measured)
    assert np.median(errors[own == 8]) > 0.8
    assert np.median(errors[own == 1]) < 0.1
    assert np.isnan(calibrated([1.0, 2.0], [1.0, 2.0], ["a", "a"])).all()


def test_means_of_prompts_and_ranks_leave_out_what_is_missing() -> None:
    assert list(by_prompt([1.0, np.nan, np.nan], ["a", "a", "b"]).values()) == [
        1.0,
        pytest.approx(np.nan, nan_ok=True),
    ]
    assert np.isnan(rank_correlation([1, 2, 3, 4, np.nan], [1, 2, 3, 4, 5]))
    assert np.isnan(rank_correlation([1, 1, 1, 1, 1], [1, 2, 3, 4, 5]))
    assert rank_correlation([1, 2, 3, 4, 5], [5, 4, 3, 2, 1]) == -1
