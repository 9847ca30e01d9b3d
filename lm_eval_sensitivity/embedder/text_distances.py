"""Embedding distances between texts, each text embedded once per process."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import cached_property
from typing import Any

from lm_eval_sensitivity.embedder.base import Embedder
from lm_eval_sensitivity.metrics import cosine_distance


class TextDistances:
    """Cosine distances between texts under one sentence embedder, which is loaded when it is first needed.

    Args:
        load: makes the embedder. Called after generation, when the memory that took is free again.
    """

    def __init__(self, load: Callable[[], Embedder]) -> None:
        self._load = load

    @cached_property
    def embedder(self) -> Embedder:
        """Text to unit vectors."""
        return self._load()

    def prepare(self, texts: Iterable[str]) -> None:
        """Embed all texts in one go; the embedder remembers them, so `distance` is cheap afterwards."""
        self.embedder.encode([text for text in dict.fromkeys(texts) if text.strip()])

    def distance(self, text: str, other: str) -> float:
        """Cosine distance of two texts, in [0, 2]: exactly 0 for equal texts, NaN if one is empty."""
        if not text.strip() or not other.strip():
            return float("nan")
        if text == other:
            return 0.0
        return cosine_distance(*self.embedder.encode((text, other)))

    def identity(self) -> dict[str, Any]:
        """Name, revision and weight hash of the embedder, for result files."""
        return asdict(self.embedder.identity)
