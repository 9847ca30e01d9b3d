"""Heads and runs whose radii are known, for the radius probe."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from lm_eval_sensitivity.probes.outputs import RunOutputs, RunPair
from lm_eval_sensitivity.probes.radius.head import Head
from lm_eval_sensitivity.probes.radius.local import Local, Side
from lm_eval_sensitivity.types import Rung
from tests.probes.made import output_of, pair_of


class OnePlusWeight(torch.nn.Module):
    """A root-mean-square norm that multiplies by 1 + weight, under a name that nobody knows."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.shift = torch.nn.Parameter(torch.linspace(-0.5, 2, width))

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        root = torch.sqrt(states.pow(2).mean(-1, keepdim=True) + 3e-5)
        return states / root * (1 + self.shift)


def linear(weight: Any, bias: Any = None, dtype: torch.dtype = torch.float64) -> torch.nn.Linear:
    """An output embedding [vocabulary, width]."""
    rows = torch.as_tensor(np.asarray(weight), dtype=dtype)
    layer = torch.nn.Linear(rows.shape[1], rows.shape[0], bias=bias is not None, dtype=dtype)
    with torch.no_grad():
        layer.weight.copy_(rows)
        if bias is not None:
            layer.bias.copy_(torch.as_tensor(np.asarray(bias), dtype=dtype))
    return layer


def norm_of(kind: str, width: int) -> torch.nn.Module:
    """A norm with weights that are not 1, in float64."""
    torch.manual_seed(1)
    norms = {
        "rms": lambda: torch.nn.RMSNorm(width, eps=1e-6),
        "layer": lambda: torch.nn.LayerNorm(width, eps=1e-5),
        "one plus weight": lambda: OnePlusWeight(width),
    }
    module = norms[kind]().double()
    if kind != "one plus weight":
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.copy_(torch.randn_like(parameter))
    return module


def random_local(
    kind: str, side: Side, *, cap: float | None = None, scale: float = 1.0, seed: int = 0
) -> Any:
    """A random state in front of a random head of 12 tokens: (norm, output, local)."""
    draws = np.random.default_rng(seed)
    norm, output = norm_of(kind, 7), linear(draws.normal(size=(12, 7)), draws.normal(size=12))
    return norm, output, Local(Head(norm, output, scale, cap), draws.normal(0.3, 2, 7), side)


def run_of(replay: Any, prompts: dict[str, dict[str, tuple[int, ...]]], n_steps: int) -> RunOutputs:
    """Greedy outputs of prompts, `base` and edits by name, as a run would have left them."""
    rungs: dict[str, Rung] = {
        "mid_newline": "noop",
        "synonym_1": "synonym",
        "synonym_2": "synonym",
        "control_topic": "positive_control",
    }
    pairs = []
    for prompt_id, sides in prompts.items():
        outputs = {name: output_of(replay.model, prompt_id, ids, n_steps) for name, ids in sides.items()}
        base = outputs.pop("base")
        for edit, variant in outputs.items():
            pairs.append(RunPair(pair_of(prompt_id, edit, rungs[edit]), base, variant, True, None))
    return RunOutputs(tuple(pairs), ())
