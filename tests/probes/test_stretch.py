"""Stretching of models whose growth is known."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from lm_eval_sensitivity.probes.architecture import find_architecture
from lm_eval_sensitivity.probes.replay import Replay
from lm_eval_sensitivity.probes.stretch.finding import NetworkGrowth, StretchFinding
from lm_eval_sensitivity.probes.stretch.measure import measure
from lm_eval_sensitivity.probes.stretch.settings import Settings
from tests.probes import models_stretch as models

QUICK = {"untrained_prompts": 0, "edits": ()}


def found(model: Any, positions: str = "generated", **settings: Any) -> StretchFinding:
    asked = Settings(positions=positions, **{**QUICK, **settings})
    # Sublayers that add nothing cannot be told apart by what they add.
    architecture = dataclasses.replace(find_architecture(model), sublayers=("self_attn", "mlp"))
    replay = Replay(model, architecture=architecture)
    return measure(replay, models.outputs(models.random_prompts()), asked).finding


def factors(network: NetworkGrowth) -> set[tuple[float, float, float, float]]:
    return {
        tuple(
            round(each.estimate, 4)
            for each in (growth.magnitude, growth.disturbance, growth.frobenius, growth.relative)
        )
        for growth in network.ranges
    }


def shares(network: NetworkGrowth) -> dict[str, list[float]]:
    return {
        each.convention: [round(part.estimate, 5) for part in (each.embedding, each.attention, each.mlp)]
        for each in network.shares
    }


@pytest.mark.parametrize("positions", ["generated", "prompt_end"])
def test_sublayers_that_add_nothing(positions: str) -> None:
    loaded = found(models.still(4), positions).loaded
    assert factors(loaded) == {(1, 1, 1, 1)}
    assert set(map(tuple, shares(loaded).values())) == {(1, 0, 0)}


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_every_block_multiplies(factor: float) -> None:
    loaded = found(models.scaling(factor, 4)).loaded
    assert factors(loaded) == {(factor, factor, factor, 1)}
    embedding = 1 / factor**4
    assert shares(loaded)["projection"] == [round(embedding, 5), 0, round(1 - embedding, 5)]
