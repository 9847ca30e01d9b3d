"""What a static check sees of a model with fewer bits: its perplexity, and its distribution beside the reference's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lm_eval_sensitivity.probes.bits.rounding import matrices_of
from lm_eval_sensitivity.probes.replay import Batch, Path, Reader, Replay

Floats = NDArray[np.float64]

WINDOW = 256
"""Tokens that are read together: within the context of every model, and enough windows for an interval."""


def windows_of(tokenizer: Any, text: str) -> list[Path]:
    """A text cut into windows of the same number of tokens, each after what the tokenizer begins a text with.

    Args:
        tokenizer: of transformers.
        text: of any length; what fills no window is left out.

    Returns:
        Paths; without such a beginning the first token of a window is not predicted.
    """
    ids = tokenizer(text, add_special_tokens=False, verbose=False).input_ids
    start = tokenizer.bos_token_id
    begins = start is not None and tokenizer("a").input_ids[0] == start
    windows = [ids[first : first + WINDOW] for first in range(0, len(ids) - WINDOW + 1, WINDOW)]
    return [Path((start,), tuple(each)) if begins else Path((each[0],), tuple(each[1:])) for each in windows]


class _Surprise(Reader):
    """[path] sum of -log p over its steps, nats."""

    wants_logits = True

    def __init__(self, n_paths: int) -> None:
        self.sums: Floats = np.zeros(n_paths)

    def start(self, batch: Batch) -> None:
        self._batch = batch

    def steps(self, row: int, first: int, logits: torch.Tensor, states: torch.Tensor) -> None:
        tokens = self._batch.paths[row].output_ids[first : first + len(logits)]
        chosen = torch.tensor(tokens, device=logits.device)[:, None]
        log_p = torch.log_softmax(logits, dim=-1).gather(1, chosen)
        self.sums[self._batch.numbers[row]] -= float(log_p.double().sum())


def surprise(replay: Replay, windows: Sequence[Path]) -> Floats:
    """Mean surprise of a token, window by window.

    Formula: -1/T sum_t log p(y_t | y_<t); the exponential of its mean over windows is the perplexity.

    Args:
        replay: of a loaded model.
        windows: from `windows_of`.

    Returns:
        [window] nats.
    """
    reader = _Surprise(len(windows))
    replay.run(windows, [reader], "Perplexity")
    found: Floats = reader.sums / np.array([len(each.output_ids) for each in windows])
    return found


class _Beside(Reader):
    """Another model on the same tokens: KL(this, other) and another most probable token, sums over steps."""

    wants_logits = True

    def __init__(self, other: Replay, n_paths: int) -> None:
        self._other = other
        self.divergence: Floats = np.zeros(n_paths)
        self.disagreement: Floats = np.zeros(n_paths)

    def start(self, batch: Batch) -> None:
        self._batch = batch
        with self._other.arithmetic():
            self._steps = batch.at_steps(self._other.states(batch))

    def steps(self, row: int, first: int, logits: torch.Tensor, states: torch.Tensor) -> None:
        theirs = self._other.logits(self._steps[row, first : first + len(logits)])
        log_p, log_q = torch.log_softmax(logits, dim=-1), torch.log_softmax(theirs, dim=-1)
        # A token that is ruled out has p = 0 and adds nothing.
        each = torch.where(log_p.isinf(), 0, log_p.exp() * (log_p - log_q)).sum(-1)
        number = self._batch.numbers[row]
        self.divergence[number] += float(each.double().sum())
        self.disagreement[number] += float((logits.argmax(-1) != theirs.argmax(-1)).sum())


def beside(replay: Replay, other: Replay, paths: Sequence[Path]) -> tuple[Floats, Floats]:
    """Both models teacher-forced on what the first of them said.

    Args:
        replay: of the reference.
        other: of a width; the same tokens, on the same device.
        paths: outputs of the reference.

    Returns:
        [path] KL(reference, width), nats, and the share of steps with another most probable token; means over steps.
    """
    reader = _Beside(other, len(paths))
    replay.run(paths, [reader], "Beside the reference")
    steps = np.array([len(each.output_ids) for each in paths])
    # A mean of numbers that are not negative; rounding may leave -1e-8.
    return np.maximum(reader.divergence, 0) / steps, reader.disagreement / steps


def weight_error(replay: Replay, other: Replay) -> float | None:
    """|W_b - W| / |W| over the linear layers of the blocks.

    Args:
        replay: of the reference.
        other: of a width.

    Returns:
        From 0; None where the layers are not the same, as where a library has packed them.
    """
    ours, theirs = (matrices_of(each.architecture.blocks) for each in (replay, other))
    if [(name, weight.shape) for name, weight in ours] != [(name, weight.shape) for name, weight in theirs]:
        return None
    moved = whole = 0.0
    for (_, weight), (_, copy) in zip(ours, theirs, strict=True):
        moved += float((copy.double() - weight.double()).square().sum())
        whole += float(weight.double().square().sum())
    return (moved / whole) ** 0.5 if whole else None


def sizes(replay: Replay) -> tuple[int, int]:
    """Weights in the linear layers of the blocks, and of the whole model."""
    rounded = sum(weight.numel() for _, weight in matrices_of(replay.architecture.blocks))
    return rounded, sum(each.numel() for each in replay.model.parameters())
