"""Models whose stretching is known: real Llamas with parts replaced by maps that can be written down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import transformers

from lm_eval_sensitivity.probes.outputs import RunOutput, RunOutputs, RunPair
from tests.harness.tiny_models import CONFIGS, SMALL
from tests.probes.made import loud, pair_of

VOCABULARY = 50
WIDTH = 16


class Nothing(torch.nn.Module):
    """Attention that adds nothing."""

    def forward(self, hidden_states: torch.Tensor, **_: Any) -> tuple[torch.Tensor, None]:
        return torch.zeros_like(hidden_states), None


class Constant(torch.nn.Module):
    """Adds the same vector to every position."""

    def __init__(self, vector: torch.Tensor) -> None:
        super().__init__()
        self.vector = torch.nn.Parameter(vector, requires_grad=False)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return self.vector.expand_as(states)


def llama(n_layers: int, seed: int = 0, vocabulary: int = VOCABULARY) -> Any:
    config = transformers.LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=WIDTH,
        intermediate_size=24,
        num_hidden_layers=n_layers,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=128,
    )
    torch.manual_seed(seed)
    return transformers.AutoModelForCausalLM.from_config(config).eval()


def written(n_layers: int, mlp: Callable[[int], torch.nn.Module]) -> Any:
    """x_{l+1} = x_l + mlp(l)(x_l): no attention, and no norm before the MLP."""
    model = llama(n_layers)
    for layer, block in enumerate(model.model.layers):
        block.self_attn = Nothing()
        block.post_attention_layernorm = torch.nn.Identity()
        block.mlp = mlp(layer)
    return model


def linear(matrix: torch.Tensor) -> torch.nn.Module:
    """states -> matrix @ states."""
    layer = torch.nn.Linear(*matrix.shape[::-1], bias=False)
    with torch.no_grad():
        layer.weight.copy_(matrix)
    return layer


def scaling(factor: float, n_layers: int) -> Any:
    """x_{l+1} = factor x_l."""
    return written(n_layers, lambda layer: linear((factor - 1) * torch.eye(WIDTH)))


def still(n_layers: int) -> Any:
    """Both sublayers project to 0."""
    model = llama(n_layers)
    with torch.no_grad():
        for block in model.model.layers:
            block.self_attn.o_proj.weight.zero_()
            block.mlp.down_proj.weight.zero_()
    return model


def outputs(
    prompts: Sequence[Sequence[int]],
    n_steps: int = 3,
    variants: Sequence[Sequence[int]] = (),
    edit: str = "mid_newline",
) -> RunOutputs:
    """Of prompts p0, p1, ..., each with one pair; without variants a pair is of equal prompts, and not live."""
    made = [
        RunOutput(f"p{number}", tuple(ids), tuple(range(1, n_steps + 1)), "", "length")
        for number, ids in enumerate(prompts)
    ]
    pairs = []
    for number, base in enumerate(made):
        variant = tuple(variants[number]) if variants else base.prompt_ids
        pair = pair_of(base.prompt_id, edit, "noop")
        other = RunOutput(base.prompt_id, variant, base.output_ids, "", "length")
        pairs.append(RunPair(pair, base, other, live=bool(variants), first_divergence=None))
    return RunOutputs(tuple(pairs), ())


def random_prompts(n: int = 6, seed: int = 0) -> list[list[int]]:
    """Of different lengths."""
    generator = np.random.default_rng(seed)
    return [generator.integers(1, VOCABULARY, size).tolist() for size in generator.integers(3, 9, n)]


def of_architecture(name: str) -> Any:
    return loud(CONFIGS[name](VOCABULARY))


def granite() -> Any:
    """What its sublayers give is multiplied before it is added."""
    config = transformers.GraniteConfig(
        vocab_size=VOCABULARY, num_key_value_heads=2, residual_multiplier=0.3, **SMALL
    )
    return loud(config)


def mixtral() -> Any:
    return loud(
        transformers.MixtralConfig(
            vocab_size=VOCABULARY,
            num_key_value_heads=2,
            num_local_experts=4,
            num_experts_per_tok=2,
            pad_token_id=0,
            **SMALL,
        )
    )
