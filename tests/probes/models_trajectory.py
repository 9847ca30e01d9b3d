"""Tiny models for `trajectory` and `recover`, with weights by hand where a closed form is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import transformers

from lm_eval_sensitivity.probes.outputs import RunOutput, RunOutputs, RunPair
from lm_eval_sensitivity.probes.probing import Probed, probed
from lm_eval_sensitivity.probes.result import ProbeResult
from lm_eval_sensitivity.records.run_metadata import LadderIdentity
from lm_eval_sensitivity.types import CATEGORIES, Pair

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
    torch.manual_seed(seed)
    model = transformers.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(4)
    return model.eval()


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


def greedy(model: Any, prompt: Sequence[int], n_steps: int) -> tuple[int, ...]:
    """The slow obvious way: the whole sequence again for every token."""
    ids = list(prompt)
    for _ in range(n_steps):
        with torch.no_grad():
            ids.append(int(model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
    return tuple(ids[len(prompt) :])


def recorded(model: Any, prompt: Sequence[int], output: Sequence[int]) -> dict[str, np.ndarray]:
    """What a run would have kept of each step, from whole log-probabilities in float64."""
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([[*prompt, *output[:-1]]]), use_cache=False).logits[0]
    log_p = torch.log_softmax(logits[len(prompt) - 1 :].double(), dim=-1)
    top = log_p.topk(2, dim=-1).values
    found = {
        "margins": top[:, 0] - top[:, 1],
        "entropies": -(log_p.exp() * log_p).sum(dim=-1),
        "top1_log_probabilities": top[:, 0],
    }
    return {name: values.float().numpy() for name, values in found.items()}


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
        category = CATEGORIES[number % 3]
        pair = Pair(
            f"p{number}/identical",
            f"p{number}",
            category,
            "identical",
            0,
            "identical",
            "a",
            "a",
            True,
            "rule",
            "",
            (),
            "1",
        )
        pairs.append(RunPair(pair, output, output, live=False, first_divergence=None))
    return RunOutputs(tuple(pairs), ())


def result_of(
    probe: Any, replay: Any, outputs: RunOutputs, settings: Any, name: str = "tiny"
) -> ProbeResult[Any]:
    """As the command makes one."""
    ladder = LadderIdentity("ladder", "mini", "1.0.0", "0" * 64)
    return probed(probe, replay, outputs, settings, Probed("0" * 16, name, ladder))
