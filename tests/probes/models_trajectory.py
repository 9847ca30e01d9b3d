"""Tiny models for `trajectory` and `recover`, with weights by hand where a closed form is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import transformers

from lm_eval_sensitivity.probes.outputs import RunOutput, RunOutputs, RunPair
from lm_eval_sensitivity.types import CATEGORIES
from tests.probes.made import greedy, loud, pair_of, recorded

VOCABULARY = 300
PROMPTS = tuple(tuple(range(10 + 7 * row, 15 + 9 * row)) for row in range(6))


def llama(n_layers: int = 3, width: int = 48, seed: int = 0, vocabulary: int = VOCABULARY) -> Any:
    """Random weights, large enough for prompts to differ."""
    config = transformers.LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=96,
        num_hidden_layers=n_layers,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=512,
        bos_token_id=None,
        eos_token_id=None,
    )
    return loud(config, seed)


def without_attention(n_layers: int = 3) -> Any:
    """Every position by itself: nothing that happened before is ever seen."""
    model = llama(n_layers)
    with torch.no_grad():
        for block in model.model.layers:
            block.self_attn.o_proj.weight.zero_()
    return model


def memory(strength: float, reader: int, n_layers: int = 3, width: int = 48) -> Any:
    """Linear, and all blocks idle but one, which adds `strength` times the mean of all positions up to its own."""
    model = llama(n_layers, width)
    identity = torch.eye(width)
    with torch.no_grad():
        for number, block in enumerate(model.model.layers):
            block.input_layernorm = torch.nn.Identity()
            for each in (block.self_attn.q_proj, block.self_attn.k_proj, block.self_attn.o_proj):
                each.weight.zero_()  # equal scores: a uniform mean
            block.self_attn.v_proj.weight.copy_(identity)
            if number == reader:
                block.self_attn.o_proj.weight.copy_(strength * identity)
            block.mlp.down_proj.weight.zero_()
        model.model.norm = torch.nn.Identity()
    return model


def run_of(
    model: Any,
    n_steps: Sequence[int] = (14, 14, 14, 9, 14, 14),
    *,
    prompts: Sequence[Sequence[int]] = PROMPTS,
    steps: bool = True,
) -> RunOutputs:
    """A run of the identical rung; an output shorter than the longest ended by itself."""
    pairs = []
    for number, (prompt, count) in enumerate(zip(prompts, n_steps, strict=False)):
        ids = greedy(model, prompt, count)
        output = RunOutput(
            f"p{number}",
            tuple(prompt),
            ids,
            "",
            "length" if count == max(n_steps) else "stop_string",
            **(recorded(model, prompt, ids) if steps else {}),
        )
        pair = pair_of(f"p{number}", category=CATEGORIES[number % 3], variant="a")
        pairs.append(RunPair(pair, output, output, live=False, first_divergence=None))
    return RunOutputs(tuple(pairs), ())
