"""Reference numbers of a real model: SmolLM2-135M-Instruct, nine base prompts of the mini ladder, float32, CPU."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from lm_eval_sensitivity.ladder import load_ladder
from lm_eval_sensitivity.probes.outputs import RunOutputs, RunPair
from lm_eval_sensitivity.probes.replay import Replay
from lm_eval_sensitivity.probes.stretch.disturbed import Disturbance
from lm_eval_sensitivity.probes.stretch.finding import NetworkGrowth, StretchFinding
from lm_eval_sensitivity.probes.stretch.measure import measure
from lm_eval_sensitivity.probes.stretch.settings import Settings
from tests.probes.real import MODEL, REAL, encoded, outputs_to, replay_of

pytestmark = [*REAL]
N_STEPS = 48


@pytest.fixture(scope="module")
def model() -> Any:
    return replay_of(MODEL).model


@pytest.fixture(scope="module")
def outputs() -> RunOutputs:
    """Greedy outputs of the bases, and the ids of two variants of each, which are not answered."""
    replay = replay_of(MODEL)
    pairs = [pair for pair in load_ladder(subset="mini").pairs if pair.edit in ("mid_newline", "synonym_1")]
    bases = outputs_to(replay, [(pair.prompt_id, pair.base) for pair in pairs], N_STEPS)
    made = []
    for pair in pairs:
        base = bases[pair.base]
        variant = replace(base, prompt_ids=encoded(replay.tokenizer, pair.variant))
        made.append(RunPair(pair, base, variant, live=True, first_divergence=None))
    return RunOutputs(tuple(made), ())


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
