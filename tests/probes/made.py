"""What the tests of every probe are made of: pairs, greedy outputs by the slow obvious way, results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import transformers

from lm_eval_sensitivity.probes.outputs import RunOutput, RunPair
from lm_eval_sensitivity.probes.probing import Probed, probed
from lm_eval_sensitivity.probes.result import ProbeResult
from lm_eval_sensitivity.records.run_metadata import LadderIdentity
from lm_eval_sensitivity.types import RUNGS, Pair

LADDER = LadderIdentity("ladder", "mini", "1.0.0", "0" * 64)


def loud(config: transformers.PretrainedConfig, seed: int = 0) -> Any:
    """A model with random weights that are large enough for prompts to differ."""
    torch.manual_seed(seed)
    model = transformers.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(4)
    return model.eval()


def pair_of(prompt_id: str, edit: str = "identical", rung: Any = "identical", **more: Any) -> Pair:
    """A row of a ladder of which only the names matter."""
    usual: dict[str, Any] = {
        "category": "factual",
        "base": "a",
        "variant": "b",
        "meaning_preserving": rung != "positive_control",
        "origin": "rule",
        "reason": "",
        "replacements": (),
        "ladder_version": "1",
    }
    names = {"pair_id": f"{prompt_id}/{edit}", "prompt_id": prompt_id, "edit": edit, "rung": rung}
    return Pair(**{**usual, **names, "rung_index": RUNGS.index(rung), **more})


def greedy(model: Any, prompt: Sequence[int], n_steps: int) -> tuple[int, ...]:
    """Output tokens: the whole sequence again for every one of them."""
    ids = list(prompt)
    for _ in range(n_steps):
        with torch.inference_mode():
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


def output_of(model: Any, prompt_id: str, prompt: Sequence[int], n_steps: int = 12) -> RunOutput:
    """A greedy output that the token limit cut."""
    return RunOutput(prompt_id, tuple(prompt), greedy(model, prompt, n_steps), "", "length")


def run_pair(pair: Pair, base: RunOutput, variant: RunOutput) -> RunPair:
    """Two outputs, with where they part."""
    same = sum(np.cumprod([a == b for a, b in zip(base.output_ids, variant.output_ids, strict=False)]))
    parts = same < max(len(base.output_ids), len(variant.output_ids))
    live = base.prompt_ids != variant.prompt_ids
    return RunPair(pair, base, variant, live=live, first_divergence=int(same) if parts else None)


def result_of(
    probe: Any, replay: Any, outputs: Any, settings: Any, name: str = "a model"
) -> ProbeResult[Any]:
    """As the command makes one."""
    return probed(probe, replay, outputs, settings, Probed("f" * 16, name, LADDER))
