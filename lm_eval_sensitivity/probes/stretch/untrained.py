"""The same architecture with random weights, of which only one block exists at a time."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterable
from typing import Any

import torch

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.probes.replay import Replay


def untrained_like(replay: Replay, token_ids: Iterable[int], seed: int) -> Replay:
    """An untrained twin of a loaded model, in float32.

    Weights come from the architecture's own initialization. A block's are drawn right before it computes and dropped
    right behind it, from a seed of its own, so that every pass meets the same network. Of the token embedding there are
    only the rows that are fed, and no output embedding at all.

    Args:
        replay: of the loaded model.
        token_ids: all that will be fed.
        seed: of the weights.

    Returns:
        A replay whose states can be read; it has no logits.

    Raises:
        InputError: the model's class cannot be made from its configuration.
    """
    model = replay.model.get_base_model() if hasattr(replay.model, "get_base_model") else replay.model
    names = {id(module): name for name, module in model.named_modules()}
    parts = replay.architecture
    try:
        with torch.random.fork_rng(devices=[]):
            twin = _empty(model)
            head = torch.nn.Linear(parts.width, 1, bias=False)
        blocks = [twin.get_submodule(names[id(each)]) for each in parts.blocks]
        norm = twin.get_submodule(names[id(parts.norm)])
    except Exception as error:  # making a model from its config runs its own code, which may raise anything
        raise InputError(f"No untrained {type(model).__name__} can be made: {error}") from error
    twin.set_output_embeddings(head)
    device = replay.device
    for module in twin.modules():
        for name, buffer in module._buffers.items():
            module._buffers[name] = None if buffer is None else buffer.to(device)
    for layer, block in enumerate(blocks):
        _born_late(twin, block, device, seed * 10_007 + layer + 1)
    inside = {id(each) for block in blocks for each in block.modules()}
    _fewer_rows(twin.get_input_embeddings(), token_ids)
    _draw(twin, [each for each in twin.modules() if id(each) not in inside], device, seed * 10_007)
    architecture = dataclasses.replace(parts, blocks=torch.nn.ModuleList(blocks), norm=norm, head=head)
    return Replay(twin, batch_size=replay.batch_size, architecture=architecture)


def _empty(model: Any) -> Any:
    """The class of a model with parameters that have shapes only; what it computes without weights is there."""
    from accelerate import init_empty_weights

    config = copy.deepcopy(model.config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    with init_empty_weights(include_buffers=False):
        twin = type(model)._from_config(config, dtype=torch.float32)
    return twin.eval()


def _fewer_rows(embedding: Any, token_ids: Iterable[int]) -> None:
    """A token embedding of the tokens that are fed. Rows are drawn alike, so that those left out change nothing."""
    known = torch.tensor(sorted({0, *token_ids}))  # 0 fills up shorter rows
    width = embedding.weight.shape[1]
    embedding.weight = torch.nn.Parameter(
        torch.empty((len(known), width), device="meta"), requires_grad=False
    )
    embedding.num_embeddings, embedding.padding_idx = len(known), None

    def numbered(module: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (torch.searchsorted(known.to(args[0].device), args[0]), *args[1:])

    embedding.register_forward_pre_hook(numbered)


def _born_late(twin: Any, block: torch.nn.Module, device: torch.device, seed: int) -> None:
    modules = list(block.modules())
    block.register_forward_pre_hook(lambda *_: _draw(twin, modules, device, seed))
    block.register_forward_hook(lambda *_: _drop(modules), always_call=True)


def _draw(twin: Any, modules: list[torch.nn.Module], device: torch.device, seed: int) -> None:
    """Draw the weights of some modules, children before their parents as the architecture's own initialization does."""
    _replace(modules, device)
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices), torch.no_grad():
        torch.manual_seed(seed)
        for module in reversed(modules):
            twin._init_weights(module)


def _drop(modules: list[torch.nn.Module]) -> None:
    _replace(modules, torch.device("meta"))


def _replace(modules: list[torch.nn.Module], device: torch.device) -> None:
    for module in modules:
        for name, parameter in module._parameters.items():
            if parameter is not None:
                empty = torch.empty(parameter.shape, dtype=parameter.dtype, device=device)
                module._parameters[name] = torch.nn.Parameter(empty, requires_grad=False)
