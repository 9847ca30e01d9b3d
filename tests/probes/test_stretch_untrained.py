"""The untrained network: the same architecture, one block at a time, always the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lm_eval_sensitivity.probes.replay import Batch, Path, Replay
from lm_eval_sensitivity.probes.stretch.measure import measure
from lm_eval_sensitivity.probes.stretch.settings import Settings
from lm_eval_sensitivity.probes.stretch.untrained import untrained_like
from tests.probes import models_stretch as models

PATH = Path((5, 9, 20, 31), (7,))


def states(replay: Replay) -> torch.Tensor:
    with replay.arithmetic():
        return replay.states(Batch.of([PATH], [0], replay.device))


def real_numbers(modules: Any) -> int:
    return sum(each.numel() for each in modules.parameters() if not each.is_meta)


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gpt_neox", "gemma3"])
def test_it_is_one_network_with_the_scale_of_its_architecture(architecture: str) -> None:
    replay = Replay(models.of_architecture(architecture))
    twin, same, other = (untrained_like(replay, PATH.fed, seed) for seed in (0, 0, 1))
    assert torch.equal(states(twin), states(twin))
    assert torch.equal(states(twin), states(same))
    assert not torch.equal(states(twin), states(other))
    deviation = replay.model.config.initializer_range
    assert float(twin.model.get_input_embeddings().weight.std()) == pytest.approx(deviation, rel=0.2)


def test_only_one_block_exists_at_a_time() -> None:
    replay = Replay(models.of_architecture("llama"))
    twin = untrained_like(replay, PATH.fed, 0)
    blocks = twin.architecture.blocks
    seen: list[list[int]] = []
    for block in blocks:
        block.register_forward_pre_hook(lambda *_: seen.append([real_numbers(each) for each in blocks]))
    assert [real_numbers(each) for each in blocks] == [0, 0]
    states(twin)
    size = real_numbers(replay.architecture.blocks[0])
    assert seen == [[size, 0], [0, size]]
    assert [real_numbers(each) for each in blocks] == [0, 0]
    # Five rows of the embedding, the final norm, and a stand-in for the output embedding.
    assert real_numbers(twin.model) == (5 + 1 + 1) * replay.architecture.width


def test_it_computes_what_a_whole_network_of_its_weights_computes() -> None:
    replay = Replay(models.of_architecture("gpt2"))
    twin = untrained_like(replay, range(models.VOCABULARY), 3)
    expected = states(twin)
    whole = models.of_architecture("gpt2")
    drawn: dict[str, torch.Tensor] = {}
    names = {id(module): name for name, module in twin.model.named_modules()}
    for block in twin.architecture.blocks:
        place = names[id(block)]

        def keep(module: Any, args: Any, kwargs: Any, place: str = place) -> None:
            drawn.update({f"{place}.{name}": value.clone() for name, value in module.named_parameters()})

        block.register_forward_pre_hook(keep, with_kwargs=True)
    states(twin)
    rest = {name: value for name, value in twin.model.named_parameters() if not value.is_meta}
    whole.load_state_dict({**rest, **drawn, "lm_head.weight": whole.lm_head.weight}, strict=False)
    whole.transformer.wte.weight.data.copy_(rest["transformer.wte.weight"])
    torch.testing.assert_close(states(Replay(whole)), expected)


def test_residual_projections_are_drawn_as_the_architecture_draws_them() -> None:
    """GPT-2 draws what it adds to the residual with a deviation that falls with depth."""
    twin = untrained_like(Replay(models.of_architecture("gpt2")), PATH.fed, 0)
    found: dict[str, float] = {}
    twin.architecture.blocks[0].mlp.register_forward_pre_hook(
        lambda module, _: found.update(
            {name: float(value.std()) for name, value in module.named_parameters()}
        )
    )
    states(twin)
    assert found["c_fc.weight"] == pytest.approx(0.02, rel=0.05)
    assert found["c_proj.weight"] == pytest.approx(0.02 / np.sqrt(2 * 2), rel=0.05)


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gpt_neox", "gemma3"])
def test_all_of_it_is_on_the_device_of_the_model(architecture: str) -> None:
    """A device that holds shapes only stands for an accelerator: what were left on the CPU would be seen."""

    class Elsewhere(Replay):
        device = torch.device("meta")

    twin = untrained_like(Elsewhere(models.of_architecture(architecture)), PATH.fed, 0).model
    assert {each.device.type for each in (*twin.parameters(), *twin.buffers())} == {"meta"}


def test_the_loaded_model_and_the_random_numbers_of_its_owner_stay_as_they_are() -> None:
    model = models.of_architecture("llama")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(7)
    state = torch.random.get_rng_state()
    measure(Replay(model), models.outputs(models.random_prompts()), Settings(edits=()))
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in model.modules())


def test_a_model_that_cannot_be_made_again_is_left_out() -> None:
    model = models.of_architecture("llama")

    class Changed(type(model)):
        def __init__(self, config: Any) -> None:
            raise RuntimeError("made by hand")

    model.__class__ = Changed
    result = measure(Replay(model), models.outputs(models.random_prompts()), Settings(edits=()))
    assert result.finding.untrained is None
    assert [str(note) for note in result.notes] == [
        "The untrained network: No untrained Changed can be made: made by hand"
    ]


def test_it_can_be_left_out() -> None:
    asked = Settings(edits=(), untrained_prompts=0)
    result = measure(Replay(models.llama(2)), models.outputs(models.random_prompts()), asked)
    assert result.finding.untrained is None and result.notes == ()
