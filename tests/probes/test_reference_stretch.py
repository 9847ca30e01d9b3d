"""Reference numbers of a real model: SmolLM2-135M-Instruct, nine base prompts of the mini ladder, float32, CPU."""

from __future__ import annotations

import os
from pathlib import Path as Folder
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from lm_eval_sensitivity.ladder import load_ladder
from lm_eval_sensitivity.probes.outputs import RunOutput, RunOutputs, RunPair
from lm_eval_sensitivity.probes.replay import Replay
from lm_eval_sensitivity.probes.stretch.disturbed import Disturbance
from lm_eval_sensitivity.probes.stretch.finding import NetworkGrowth, StretchFinding
from lm_eval_sensitivity.probes.stretch.measure import measure
from lm_eval_sensitivity.probes.stretch.settings import Settings

MODELS = Folder(os.environ.get("LM_EVAL_SENSITIVITY_REAL_MODELS", "none"))
MODEL = MODELS / "smollm2-135m-it"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not MODEL.is_dir(), reason="needs a folder with smollm2-135m-it, see docs/probes.md"),
]
N_STEPS = 48


@pytest.fixture(scope="module")
def model() -> Any:
    return transformers.AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def outputs(model: Any) -> RunOutputs:
    """Greedy outputs of the bases, and the ids of two variants of each, which are not answered."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(MODEL)

    def ids(prompt: str) -> tuple[int, ...]:
        message = [{"role": "user", "content": prompt}]
        text = tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
        return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])

    pairs = []
    bases: dict[str, RunOutput] = {}
    for pair in load_ladder(subset="mini").pairs:
        if pair.edit not in ("mid_newline", "synonym_1"):
            continue
        if pair.prompt_id not in bases:
            prompt = ids(pair.base)
            with torch.no_grad():
                whole = model.generate(
                    torch.tensor([prompt]), max_new_tokens=N_STEPS, do_sample=False, pad_token_id=0
                )
            steps = tuple(whole[0, len(prompt) :].tolist())
            bases[pair.prompt_id] = RunOutput(pair.prompt_id, prompt, steps, "", "length")
        base = bases[pair.prompt_id]
        variant = RunOutput(pair.prompt_id, ids(pair.variant), base.output_ids, "", "length")
        pairs.append(RunPair(pair, base, variant, live=True, first_divergence=None))
    return RunOutputs(tuple(pairs), ())


def factors(network: NetworkGrowth, quantity: str) -> dict[str, float]:
    return {each.range: getattr(each, quantity).estimate for each in network.ranges}


def shares(network: NetworkGrowth) -> dict[str, list[float]]:
    return {
        each.convention: [100 * part.estimate for part in (each.embedding, each.attention, each.mlp)]
        for each in network.shares
    }


def shared_directions(self: Disturbance, n_positions: int, width: int) -> np.ndarray:
    """The same two directions for every prompt, as the reference numbers were made."""
    drawn = torch.randn((n_positions, width), generator=torch.Generator().manual_seed(self.seed[1]))
    unit: np.ndarray = (drawn / drawn.norm(dim=-1, keepdim=True)).numpy()
    return unit


@pytest.fixture(scope="module")
def at_the_end(model: Any, outputs: RunOutputs) -> StretchFinding:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Disturbance, "directions", shared_directions)
        asked = Settings(positions="prompt_end", untrained_prompts=0)
        return measure(Replay(model), outputs, asked).finding


def test_growth_at_the_prompt_end(at_the_end: StretchFinding) -> None:
    loaded = at_the_end.loaded
    magnitude = {"all": 1.2059, "first ten": 1.4321, "first": 10.809, "last": 1.1888}
    assert factors(loaded, "magnitude") == pytest.approx({**magnitude, "inner": 1.1156}, rel=1e-4)
    disturbance = factors(loaded, "disturbance")
    assert [disturbance[name] for name in ("all", "first ten", "inner")] == pytest.approx(
        [1.1712, 1.3014, 1.1175], rel=2e-4
    )
    frobenius = factors(loaded, "frobenius")
    assert [frobenius[name] for name in ("all", "first ten")] == pytest.approx([1.2013, 1.4262], rel=2e-4)
    assert factors(loaded, "relative_total")["all"] == pytest.approx(0.417, rel=5e-3)
    assert factors(loaded, "relative")["inner"] == pytest.approx(1.0017, rel=2e-4)


def test_shares_at_the_prompt_end(at_the_end: StretchFinding) -> None:
    found = shares(at_the_end.loaded)
    assert found["projection"] == pytest.approx([0.0635, -0.10, 100.04], abs=0.01)
    assert found["squared"] == pytest.approx([0.00079, 20.49, 79.51], rel=5e-3)
    assert found["norm"] == pytest.approx([0.208, 33.57, 66.22], rel=5e-3)
    assert at_the_end.loaded.sum_error < 2e-7


def test_edits_at_the_prompt_end(at_the_end: StretchFinding) -> None:
    newline, synonym = at_the_end.edits
    sizes = [newline.sizes[layer] for layer in (0, 1, 7, 15, 22, 30)]
    assert sizes == pytest.approx([0, 0.0055, 0.0448, 0.0760, 0.0784, 0.0778], abs=1e-4)
    assert newline.normalized == pytest.approx(0.0619, abs=1e-4) and newline.peak == 10
    sizes = [synonym.sizes[layer] for layer in (0, 1, 7, 15, 22, 30)]
    assert sizes == pytest.approx([0, 0.0029, 0.0127, 0.0230, 0.0390, 0.0647], abs=1e-4)
    assert synonym.normalized == pytest.approx(0.0617, abs=1e-4) and synonym.peak == 30


def test_generated_positions(model: Any, outputs: RunOutputs) -> None:
    loaded = measure(Replay(model), outputs, Settings(untrained_prompts=0, edits=())).finding.loaded
    magnitude = {"all": 1.2042, "first ten": 1.4766, "inner": 1.1060, "first": 15.604, "last": 1.0053}
    assert factors(loaded, "magnitude") == pytest.approx(magnitude, rel=2e-4)
    # A disturbance shrinks relative to the residual, which it does not at the prompt end.
    assert factors(loaded, "relative")["inner"] == pytest.approx(0.9824, rel=2e-3)
    found = shares(loaded)
    assert found["squared"] == pytest.approx([0.00131, 41.01, 58.99], rel=5e-3)
    assert found["norm"] == pytest.approx([0.254, 45.19, 54.56], rel=5e-3)
    assert found["projection"] == pytest.approx([0.0268, 38.07, 61.90], rel=5e-3)


def test_an_untrained_network(model: Any, outputs: RunOutputs, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the weights of one seed, all at once, as the reference numbers were made."""
    monkeypatch.setattr(Disturbance, "directions", shared_directions)
    torch.manual_seed(0)
    untrained = transformers.AutoModelForCausalLM.from_config(model.config).eval()
    asked = Settings(positions="prompt_end", untrained_prompts=0, edits=())
    found = measure(Replay(untrained), outputs, asked).finding.loaded
    magnitude = factors(found, "magnitude")
    assert [magnitude[name] for name in ("all", "first ten", "first")] == pytest.approx(
        [1.1478, 1.4178, 5.1475], rel=2e-4
    )
    disturbance = factors(found, "disturbance")
    assert [disturbance[name] for name in ("all", "first ten", "inner")] == pytest.approx(
        [1.1610, 1.4687, 1.0995], rel=2e-4
    )
    assert factors(found, "relative_total")["all"] == pytest.approx(1.408, rel=5e-3)
    assert shares(found)["projection"] == pytest.approx([0.124, 83.20, 16.68], rel=1e-2)


def test_the_twin_grows_as_networks_drawn_at_once_do(model: Any, outputs: RunOutputs) -> None:
    """Eight whole networks gave 1.298 to 1.510 in total, and 1.4178 to 1.4269 over the first ten layers."""
    found = measure(Replay(model), outputs, Settings(positions="prompt_end", edits=())).finding.untrained
    assert found is not None
    assert factors(found, "magnitude")["first ten"] == pytest.approx(1.42, abs=0.02)
    assert 1.1 < factors(found, "relative_total")["all"] < 1.9
