"""The base's tokens after edited prompts: exact conditions of a flip, and a pass that equals the slow obvious one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from lm_eval_sensitivity.metrics.logits import flip_floor_nats, kl_divergence
from lm_eval_sensitivity.probes.boundary.forcing import BaseSide, Fed, force, forced_numbers, own_numbers
from lm_eval_sensitivity.probes.replay import STEPS_PER_CHUNK, Replay
from tests.probes.models_boundary import HandReplay, greedy, output
from tests.probes.test_replay import model_of

FIELDS = (
    "margin",
    "rho",
    "shift",
    "gap",
    "runner_up_shift",
    "oscillation",
    "kl",
    "floor",
    "entropy",
    "flipped",
)


def numbers(base: Any, variant: Any) -> dict[str, np.ndarray]:
    found = forced_numbers(BaseSide.of(torch.as_tensor(base).float()), torch.as_tensor(variant).float())
    return dict(zip(FIELDS, found.numpy().T, strict=True))


def slow(z: list[float], other: list[float]) -> dict[str, float]:
    i = max(range(len(z)), key=lambda j: (z[j], -j))
    rest = [j for j in range(len(z)) if j != i]
    shift = {j: (other[j] - z[j]) - (other[i] - z[i]) for j in rest}
    gap = {j: z[i] - z[j] for j in rest}
    rho = {j: shift[j] / gap[j] if gap[j] else math.copysign(math.inf, shift[j] or -1.0) for j in rest}
    at = max(rest, key=lambda j: rho[j])
    second = max(rest, key=lambda j: (z[j], -j))
    delta = [b - a for a, b in zip(z, other, strict=True)]
    return {
        "margin": gap[second],
        "rho": rho[at],
        "shift": shift[at],
        "gap": gap[at],
        "runner_up_shift": shift[second],
        "oscillation": max(delta) - min(delta),
        "flipped": float(max(other) > other[i]),
    }


def test_numbers_of_a_step_are_those_of_the_slow_way() -> None:
    generator = np.random.default_rng(0)
    base = generator.normal(size=(300, 7)).astype(np.float32)
    base[:60] = base[:60].round()  # ties
    variant = base + generator.normal(size=(300, 7)).astype(np.float32)
    variant[:60] = variant[:60].round()
    found = numbers(base, variant)
    for at in range(300):
        expected = slow(base[at].astype(float).tolist(), variant[at].astype(float).tolist())
        for name, value in expected.items():
            assert found[name][at] == pytest.approx(value), (at, name)
        log_p, log_q = (torch.tensor(each[at]).double().log_softmax(-1).numpy() for each in (base, variant))
        p1, p2 = np.sort(np.exp(log_p))[::-1][:2]
        assert found["kl"][at] == pytest.approx(kl_divergence(log_p, log_q), abs=1e-12)
        assert found["floor"][at] == pytest.approx(flip_floor_nats(p1, p2), abs=1e-12)
        assert found["entropy"][at] == pytest.approx(-(np.exp(log_p) * log_p).sum())


def test_rho_above_1_is_a_flip_and_no_certificate_is_ever_wrong() -> None:
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(10_000, 12, generator=generator) * 3
    variant = (
        base + torch.randn(10_000, 12, generator=generator) * torch.rand(10_000, 1, generator=generator) * 3
    )
    found = numbers(base, variant)
    flipped = (base.argmax(-1) != variant.argmax(-1)).numpy()
    assert 1_000 < flipped.sum() < 9_000
    assert ((found["rho"] > 1) == flipped).all() and (found["flipped"].astype(bool) == flipped).all()
    by_range, by_kl = found["oscillation"] < found["margin"], found["kl"] < found["floor"]
    assert by_range.sum() > 500 and by_kl.sum() > 500, "certificates that certify nothing prove nothing"
    assert not (by_range & flipped).any() and not (by_kl & flipped).any()


def test_a_constant_and_an_identical_prompt_change_nothing() -> None:
    base = torch.randn(50, 9, generator=torch.Generator().manual_seed(1))
    same, raised = numbers(base, base), numbers(base, base + 4)
    assert not same["rho"].any() and not same["kl"].any() and not same["oscillation"].any()
    assert not raised["flipped"].any() and np.abs(raised["rho"]).max() < 1e-4 and raised["kl"].max() < 1e-9


def test_ties_break_and_what_is_forbidden_is_left_out() -> None:
    tie = numbers([[1.0, 1.0, 0.0]], [[1.0, 1.5, 0.0]])
    assert tie["margin"] == 0 and tie["rho"] == np.inf and tie["flipped"] == 1
    held = numbers([[1.0, 1.0, 0.0]], [[1.5, 1.0, 0.5]])
    assert held["rho"] == 0 and held["flipped"] == 0, "the tied token moves away and does not count"
    minus = -math.inf
    masked = numbers([[2.0, 1.0, minus]], [[1.0, 2.0, minus]])
    assert masked["rho"] == pytest.approx(2) and masked["oscillation"] == pytest.approx(2)
    assert np.isfinite([masked["kl"], masked["entropy"], masked["floor"]]).all()
    alone = numbers([[2.0, minus]], [[1.0, minus]])
    assert alone["margin"] == np.inf and alone["rho"] == minus and alone["flipped"] == 0


def test_gap_1_and_shift_2_give_rho_2() -> None:
    replay: Any = HandReplay({(1,): [[1.0, 0.0]] * 40, (2, 2): [[0.0, 1.0]] * 40})
    base = output("a", (1,), (0,) * 40)
    ((own, (steps,)),) = force(replay, [Fed(base, ((2, 2),))])
    assert (steps.rho == 2).all() and (steps.gap == 1).all() and (steps.shift == 2).all()
    assert steps.first_flip == 0 and (own.margins == 1).all() and own.runner_up_ids == (1,) * 40
    assert replay.most_rows == STEPS_PER_CHUNK, "no more rows of logits at a time"
    assert replay.waiting[-1] == 0, "no states are kept"


def test_whoever_comes_first_waits_for_its_partner_only() -> None:
    """Variants longer and shorter than the base, some of them in other batches."""
    generator = np.random.default_rng(2)
    bases = [output(f"p{n}", (n,) * (3 + n), (0,) * 4) for n in range(1, 4)]
    prompts = {each.prompt_ids: generator.normal(size=(4, 5)) for each in bases}
    variants = {
        each.prompt_id: tuple((9, n, *each.prompt_ids[:cut]) for n, cut in enumerate((1, 2, 9)))
        for each in bases
    }
    prompts |= {ids: generator.normal(size=(4, 5)) for group in variants.values() for ids in group}
    replay: Any = HandReplay(prompts, batch_size=3)
    found = force(replay, [Fed(each, variants[each.prompt_id]) for each in bases])
    assert replay.waiting[-1] == 0 and max(replay.waiting) < len(prompts) - 2
    for base, (own, forced) in zip(bases, found, strict=True):
        for ids, steps in zip(variants[base.prompt_id], forced, strict=True):
            expected = numbers(prompts[base.prompt_ids], prompts[ids])
            assert (
                steps.rho == pytest.approx(expected["rho"]) and (steps.flipped == expected["flipped"]).all()
            )
        assert own.margins == pytest.approx(numbers(*[prompts[base.prompt_ids]] * 2)["margin"])


@pytest.mark.parametrize("architecture", ["llama", "gemma2", "cohere"])
def test_a_pass_says_what_the_slow_way_says(architecture: str) -> None:
    """Gemma 2 caps its logits and Cohere scales them, behind the head."""
    model = model_of(architecture)
    prompts = [(5, 9, 200, 31), (5, 9, 7, 200, 31, 8)]
    base = greedy(model, "a", prompts[0], 20)
    replay = Replay(model, batch_size=2)
    ((own, (steps,)),) = force(replay, [Fed(base, (prompts[1],))])
    logits = []
    for prompt in prompts:
        rows = []
        for step in range(20):
            with torch.no_grad():
                ids = torch.tensor([[*prompt, *base.output_ids[:step]]])
                rows.append(model(input_ids=ids, use_cache=False).logits[0, -1].float())
        logits.append(torch.stack(rows))
    expected = numbers(*logits)
    assert own.margins == pytest.approx(base.margins, abs=1e-4)
    for name in ("rho", "shift", "gap", "oscillation", "kl"):
        assert getattr(steps, name) == pytest.approx(expected[name], abs=2e-3, rel=1e-2), name
    assert (steps.flipped == expected["flipped"].astype(bool)).all()
    assert replay.agreement.n_outputs == 1, "only the base is its own"


def test_own_numbers_name_the_second_token() -> None:
    found = own_numbers(BaseSide.of(torch.tensor([[0.0, 3.0, 1.0]])))
    assert found[0, 0] == 2 and found[0, 3] == 2
    assert found[0, 2] == pytest.approx(torch.tensor([0.0, 3.0, 1.0]).log_softmax(-1)[1].item())
