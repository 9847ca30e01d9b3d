"""The head as a function: against the real modules of real architectures, and against autograd."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.probes.radius.at_state import Move, look_at
from lm_eval_sensitivity.probes.radius.head import Head, OutputRows, check_head, find_norm
from lm_eval_sensitivity.probes.radius.local import Local, Side
from lm_eval_sensitivity.probes.radius.rows import radius_rows, shift_rows, state_rows
from lm_eval_sensitivity.probes.replay import Replay
from tests.harness.tiny_models import CONFIGS, SMALL
from tests.probes.models_radius import OnePlusWeight, linear, norm_of, random_local

MORE = {
    "granite": lambda v: transformers.GraniteConfig(
        vocab_size=v, num_key_value_heads=2, logits_scaling=5.0, **SMALL
    ),
    "cohere": lambda v: transformers.CohereConfig(
        vocab_size=v, num_key_value_heads=2, logit_scale=0.3, pad_token_id=0, **SMALL
    ),
    "olmo": lambda v: transformers.OlmoConfig(vocab_size=v, num_key_value_heads=2, pad_token_id=0, **SMALL),
    "phi": lambda v: transformers.PhiConfig(vocab_size=v, pad_token_id=0, **SMALL),
}
ARCHITECTURES = {**CONFIGS, **MORE}


def replay_of(architecture: str, dtype: str = "float32", cap: float | None = None) -> Replay:
    """A random model whose norms and biases are not 1 and 0."""
    config = ARCHITECTURES[architecture](300)
    if cap is not None:
        config.final_logit_softcapping = cap
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4) if parameter.dim() > 1 else parameter.add_(0.3 * torch.randn_like(parameter))
    return Replay(model.to(getattr(torch, dtype)).eval())


def head_of(replay: Replay) -> Head:
    parts = replay.architecture
    return Head(parts.norm, parts.head, parts.scale, parts.soft_cap)


def of_modules(replay: Replay, state: np.ndarray) -> np.ndarray:
    """Logits of a residual by the model's own modules."""
    states = torch.tensor(state, dtype=torch.float32)[None, None]
    return replay.logits(replay.normalized(states))[0, 0].double().numpy()


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_a_ray_is_what_the_real_modules_compute(architecture: str) -> None:
    replay = replay_of(architecture, cap=2.0 if architecture == "gemma2" else None)
    draws = np.random.default_rng(0)
    local = Local(head_of(replay), draws.normal(0.4, 3, 48), "pre")
    vector = draws.normal(size=48)
    ray = local.rays(vector[None])[0]
    for eps in (0.0, 1e-3, -0.7, 2.0, -40.0, 1e4):
        wanted = of_modules(replay, local.state + eps * vector)
        assert np.abs(ray.logits(eps) - wanted).max() < 1e-5 * np.abs(wanted).max()


def test_architectures_differ_in_what_is_found() -> None:
    """A test over heads that are all alike would show nothing."""
    heads = {name: head_of(replay_of(name)) for name in ("llama", "gemma2", "gpt2", "granite", "phi")}
    assert [heads[name].norm.kind for name in heads] == ["rms", "rms", "layer", "rms", "layer"]
    assert heads["gemma2"].soft_cap == 30
    assert heads["granite"].scale == pytest.approx(0.2)
    assert heads["gpt2"].norm.bias.any()
    assert np.ptp(heads["phi"].bias) > 0.1


@pytest.mark.parametrize("width", [1, 2, 5, 8])
def test_a_gain_is_what_a_norm_does_and_not_what_its_weight_is(width: int) -> None:
    module = OnePlusWeight(width)
    norm = find_norm(module, width)
    assert norm.kind == "rms"
    assert norm.gain == pytest.approx(1 + module.shift.detach().double().numpy(), rel=1e-9)
    assert norm.epsilon == pytest.approx(3e-5, rel=1e-6)
    assert not norm.bias.any()


def test_a_layer_norm_is_found_with_its_bias() -> None:
    module: Any = norm_of("layer", 6)
    norm = find_norm(module, 6)
    assert (norm.kind, round(norm.epsilon, 9)) == ("layer", 1e-5)
    assert norm.gain == pytest.approx(module.weight.detach().numpy())
    assert norm.bias == pytest.approx(module.bias.detach().numpy())


class Halved(torch.nn.Module):
    """A norm that is none: it halves what it is given."""

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return states / 2


def test_what_has_no_closed_form_is_refused_by_its_class() -> None:
    with pytest.raises(InputError, match="`Halved`"):
        find_norm(Halved(), 6)
    quantized = linear(np.eye(3))
    quantized.weight = torch.nn.Parameter(torch.ones(3, 3, dtype=torch.int8), requires_grad=False)
    for output in (quantized, torch.nn.Linear(3, 3, device="meta"), torch.nn.Identity()):
        with pytest.raises(InputError, match=f"`{type(output).__name__}`"):
            Head(norm_of("rms", 3), output)
    with pytest.raises(InputError, match=r"`Linear`.*0\.5 of the largest"):
        check_head(np.array([1.0, 0.5]), np.array([1.0, 1.0]), 1e-4, "Linear")
    with pytest.raises(InputError, match="nan"):
        check_head(np.array([np.nan]), np.array([1.0]), 1e-4, "Linear")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_products_in_pieces_are_the_products(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lm_eval_sensitivity.probes.radius.head.NUMBERS_AT_A_TIME", 10)
    draws = np.random.default_rng(0)
    weight = torch.tensor(draws.normal(size=(11, 4)), dtype=dtype)
    rows, matrix = OutputRows(weight), weight.double().numpy()
    vectors, values = draws.normal(size=(2, 4)), draws.normal(size=11)
    assert rows.times(vectors, precise=True) == pytest.approx(vectors @ matrix.T, rel=1e-12)
    assert rows.times(vectors) == pytest.approx(vectors @ matrix.T, rel=1e-5)
    assert rows.transposed(values) == pytest.approx(values @ matrix, rel=1e-4, abs=1e-6)
    assert rows.row(3).tolist() == matrix[3].tolist()
    far = np.linalg.norm(values[:, None] * matrix - vectors[0], axis=1)
    assert rows.distances(vectors[0], values) == pytest.approx(far, rel=1e-5)
    assert rows.distances(rows.row(3))[3] == 0


HEADS = [
    (kind, side, cap, scale)
    for kind in ("rms", "layer", "one plus weight")
    for side in ("pre", "post")
    for cap, scale in ((None, 1.0), (1.5, 0.4))
]


@pytest.mark.parametrize(("kind", "side", "cap", "scale"), HEADS)
def test_the_curvature_is_the_hessian_of_the_divergence(
    kind: str, side: Side, cap: float | None, scale: float
) -> None:
    norm, output, local = random_local(kind, side, cap=cap, scale=scale)

    def divergence(state: torch.Tensor) -> torch.Tensor:
        hidden = norm(state) if side == "pre" else state
        logits = output(hidden) * scale
        logits = logits if cap is None else cap * torch.tanh(logits / cap)
        log = torch.log_softmax(logits, -1)
        here = torch.tensor(local.still.here)
        p = torch.log_softmax(here, -1)
        return (p.exp() * (p - log)).sum()

    hessian = torch.autograd.functional.hessian(divergence, torch.tensor(local.state)).numpy()
    slopes = np.stack([ray.slope for ray in local.rays(np.eye(7))])
    p = local.still.probabilities
    ours = slopes @ (np.diag(p) - np.outer(p, p)) @ slopes.T
    assert np.abs(ours - hessian).max() <= 1e-12 * max(np.abs(hessian).max(), 1)
    products = np.stack([local.curvature_product(each) for each in np.eye(7)])
    assert np.abs(products - hessian).max() < 1e-5 * np.abs(hessian).max()
    values, vectors = np.linalg.eigh(hessian)
    top = local.top(np.arange(7.0), 7)
    assert abs(top.direction @ vectors[:, -1]) == pytest.approx(1, abs=1e-4)
    assert local.rays(top.direction[None])[0].curvature == pytest.approx(values[-1], rel=1e-4)


@pytest.mark.parametrize("kind", ["rms", "layer"])
def test_the_radial_direction_is_flat(kind: str) -> None:
    _, _, local = random_local(kind, "pre")
    radial = local.state - (local.state.mean() if kind == "layer" else 0)
    across, along = local.rays(
        np.stack([local.top(np.arange(7.0), 7).direction, radial / np.linalg.norm(radial)])
    )
    # What is left is the epsilon of the norm.
    assert along.curvature < 1e-9 * across.curvature
    shift = local.rays(np.ones((1, 7)))[0]
    assert (shift.curvature < 1e-20) == (kind == "layer"), "a layer norm takes the mean off"


def test_two_tokens_and_a_diagonal_embedding_have_a_closed_form() -> None:
    local = Local(Head(norm_of("rms", 2), linear([[2.0, 0.0], [0.0, -1.0]])), np.array([0.3, 0.8]), "post")
    vector = np.array([0.6, 0.8])
    p = 1 / (1 + math.exp(-(2 * local.hidden[0] + local.hidden[1])))
    assert local.rays(vector[None])[0].curvature == pytest.approx(p * (1 - p) * (2 * 0.6 + 0.8) ** 2)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("cap", [None, 1.5])
def test_the_argmax_radius_is_where_another_token_takes_over(seed: int, cap: float | None) -> None:
    _, output, local = random_local("rms", "post", cap=cap, seed=seed)
    weight, bias = (each.detach().numpy() for each in (output.weight, output.bias))
    before = weight @ local.hidden + bias
    top = before.argmax()
    radii = [
        (before[top] - before[j]) / np.linalg.norm(weight[top] - weight[j]) for j in range(12) if j != top
    ]
    assert local.argmax_radius == pytest.approx(min(radii), rel=1e-5)
    nearest = [j for j in range(12) if j != top][int(np.argmin(radii))]
    toward = (weight[nearest] - weight[top]) / np.linalg.norm(weight[nearest] - weight[top])
    ray = local.rays(toward[None])[0]
    tokens = [ray.logits(local.argmax_radius * share).argmax() for share in (0.999, 1.001)]
    assert tokens == [top, nearest]
    assert local.margin == pytest.approx(-np.diff(np.sort(local.still.here))[-1] * -1)


def test_equal_rows_are_no_boundary() -> None:
    weight = np.array([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    local = Local(Head(norm_of("rms", 2), linear(weight)), np.array([1.0, 1.0]), "post")
    ahead = abs(local.hidden[0])
    assert local.argmax_radius == pytest.approx(ahead)
    same = Local(Head(norm_of("rms", 2), linear(weight[:2])), np.array([1.0, 1.0]), "post")
    assert same.argmax_radius == math.inf


@pytest.mark.parametrize("certain", [1.0, 80.0])
@pytest.mark.parametrize("cap", [None, 1.5])
def test_the_constraint_bound_is_the_norm_of_the_jacobian_of_the_probabilities(
    cap: float | None, certain: float
) -> None:
    _, output, local = random_local("rms", "post", cap=cap, scale=certain)
    assert (local.still.probabilities.max() > 0.999) == (certain > 1 and cap is None)

    def probabilities(hidden: torch.Tensor) -> torch.Tensor:
        logits = output(hidden) * certain
        return torch.softmax(logits if cap is None else cap * torch.tanh(logits / cap), -1)

    jacobian = torch.autograd.functional.jacobian(probabilities, torch.tensor(local.hidden))
    assert local.constraint_bound == pytest.approx(1 / float(torch.linalg.norm(jacobian)), rel=1e-5)


def test_arithmetic_of_32_bits_is_enough_for_the_products() -> None:
    """The heads above are in float64 throughout; models are not."""
    draws = np.random.default_rng(0)
    weight, x = draws.normal(size=(300, 16)), draws.normal(size=16)
    norm = norm_of("rms", 16)
    exact, ours = (
        Local(Head(norm, linear(weight, dtype=dtype)), x, "pre") for dtype in (torch.float64, torch.float32)
    )
    vectors = draws.normal(size=(3, 16))
    for a, b in zip(exact.rays(vectors), ours.rays(vectors), strict=True):
        assert b.curvature == pytest.approx(a.curvature, rel=1e-5)
        assert b.measured([0.001, 0.5], 1e3) == pytest.approx(a.measured([0.001, 0.5], 1e3), rel=2e-5)
    start = draws.normal(size=16)
    assert abs(ours.top(start, 16).direction @ exact.top(start, 16).direction) == pytest.approx(1, abs=1e-6)
    assert ours.argmax_radius == pytest.approx(exact.argmax_radius, rel=1e-5)
    assert ours.constraint_bound == pytest.approx(exact.constraint_bound, rel=1e-5)


def test_a_certain_state_is_flat_and_has_an_argmax_radius_all_the_same() -> None:
    _, _, local = random_local("rms", "pre", scale=1e4)
    found = look_at(local, ("p", 0), [Move("e", "edit", np.ones(7))], [0.01, 0.1], 7, 0)
    assert [line.flat for line in found.lines] == [True] * 3
    assert np.isnan([(*line.predicted, *line.measured) for line in found.lines]).all()
    assert found.state.top_probability == 1
    assert 0 < found.state.argmax_radius < 1
    assert np.isnan(found.state.constraint_bound)
    rows = radius_rows(found.lines, [0.01, 0.1])
    assert [(row.n_lines, row.n_flat, row.n_unreachable) for row in rows] == [(0, 1, 0)] * 6
    assert all(np.isnan(row.error) for row in rows)
    assert [row.states for row in state_rows([found.state])] == ["all", "nearly certain"]
    assert np.isnan(shift_rows(found.edits)[0].quotient)
