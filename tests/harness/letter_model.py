"""A model of letters: small enough that every number it should lead to can be computed beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from lm_eval.api.model import LM
from numpy.typing import NDArray

ALPHABET = "abcdefghijklmnopqrstuvwxyz .\n"


class LetterModel(LM):
    """A token is a letter; the next one depends on how often each stands there, and on the last three.

    Args:
        sharpness: of its distributions; the more, the less the five leading letters leave.
    """

    tokenizer_name = "none"

    def __init__(self, sharpness: float) -> None:
        super().__init__()
        draw = np.random.default_rng(0)
        size = len(ALPHABET)
        self.sharpness, self.n_generated = sharpness, 0
        self.counts, self.last = draw.normal(size=(size, size)), draw.normal(size=(3, size, size))

    def tok_encode(self, text: str) -> list[int]:
        """White space around a prompt is lost, as in many a template."""
        return [max(ALPHABET.find(letter), 0) for letter in text.strip().lower()]

    def tok_decode(self, tokens: Sequence[int], skip_special_tokens: bool = True) -> str:
        return "".join(ALPHABET[token] for token in tokens)

    def log_probabilities(self, ids: Sequence[int]) -> NDArray[np.float64]:
        """[vocabulary] of the next letter."""
        logits = self.counts @ np.bincount(ids, minlength=len(ALPHABET)) / math.sqrt(len(ids))
        logits = self.sharpness * (
            logits + sum(each[i] for each, i in zip(self.last, ids[-3:], strict=False))
        )
        log: NDArray[np.float64] = logits - np.logaddexp.reduce(logits)
        return log

    def greedy(self, prompt: Sequence[int], n_steps: int) -> tuple[list[int], NDArray[np.float64]]:
        """[step] letters, and [step, vocabulary] log-probabilities."""
        ids, steps = list(prompt), []
        for _ in range(n_steps):
            steps.append(self.log_probabilities(ids))
            ids.append(int(steps[-1].argmax()))
        self.n_generated += 1
        return ids[len(prompt) :], np.stack(steps)

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        raise NotImplementedError

    loglikelihood = loglikelihood_rolling = generate_until
