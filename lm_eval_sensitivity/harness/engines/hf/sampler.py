"""Exact ancestral sampling whose random stream belongs to a sample and to nothing else.

A batch sampled from the library's generator gives a row other numbers in another batch, and so another output.
Here every row brings its own numbers, one per step, and a token is where its number falls on the cumulated
probabilities (inverse CDF). Another batch size or order changes an output only where floating-point noise in the
logits moves a boundary across its number.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import LogitsProcessor

Uniforms = NDArray[np.float64]


def uniforms(seed: int, prompt: Sequence[int], replicate: int, n_steps: int) -> Uniforms:
    """[step] numbers in [0, 1) of one sample: the first ones are the same however many are asked for.

    Args:
        seed: of the run.
        prompt: [position] token ids.
        replicate: which sample of this prompt.
        n_steps: most tokens of the output.

    Returns:
        [step] float64 in [0, 1).

    Example:
        >>> bool((uniforms(0, [1, 2], 0, 9)[:4] == uniforms(0, [1, 2], 0, 4)).all())
        True
    """
    name = json.dumps(["sample", seed, [int(token) for token in prompt], replicate])
    key = int.from_bytes(hashlib.sha256(name.encode("ascii")).digest()[:16], "little")
    return np.random.Generator(np.random.Philox(key=key)).random(n_steps)


def choose_tokens(logits: torch.Tensor, temperature: float, numbers: torch.Tensor) -> torch.Tensor:
    """[row] token whose share of softmax(logits / temperature) holds the row's number, ids in ascending order.

    Args:
        logits: [row, vocabulary]; -inf has no probability. A row that is not finite gives some valid id.
        temperature: above 0.
        numbers: [row] in [0, 1), float64.

    Returns:
        [row] token ids.
    """
    # Single precision would make the rarest tokens of a large vocabulary unreachable; Apple's GPUs have no double.
    device = torch.device("cpu") if logits.device.type == "mps" else logits.device
    scores = logits.to(device, torch.float64)
    # From the largest logit, so that a tiny temperature gives -inf and not infinity minus infinity.
    scores = (scores - scores.amax(dim=-1, keepdim=True)) / temperature
    cumulated = scores.exp().cumsum(dim=-1)
    targets = numbers.to(device)[:, None] * cumulated[:, -1:]
    # right: the first id whose cumulated probability is above the target, so that one with none is never chosen.
    chosen = torch.searchsorted(cumulated, targets, right=True)[:, 0]
    return chosen.clamp_(max=logits.shape[-1] - 1).to(logits.device)


class ChooseTokens(LogitsProcessor):
    """Leaves generate one token per row: the sampled one.

    Args:
        temperature: above 0.
        numbers: [row, step] in [0, 1).
    """

    def __init__(self, temperature: float, numbers: Uniforms) -> None:
        self._temperature = temperature
        self._numbers = torch.from_numpy(numbers)
        self._step = 0

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        numbers = self._numbers[:, self._step]
        self._step += 1
        chosen = choose_tokens(scores, self._temperature, numbers)
        return torch.full_like(scores, -torch.inf).scatter_(1, chosen[:, None], 0.0)
