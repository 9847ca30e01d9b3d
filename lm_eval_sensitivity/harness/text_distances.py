"""Embedding distances between texts, each text embedded once per process."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lm_eval_sensitivity.embedder import Embedder
from lm_eval_sensitivity.metrics import cosine_distance


class TextDistances:
    """Cosine distances between texts under one sentence embedder.

    Args:
        embedder: text to unit vectors.
    """

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
        self._vectors: dict[str, NDArray[np.float32]] = {}

    def prepare(self, texts: Iterable[str]) -> None:
        """Embed all texts in one go; `distance` then only looks them up."""
        new = [text for text in dict.fromkeys(texts) if text.strip() and text not in self._vectors]
        if new:
            self._vectors.update(zip(new, self.embedder.encode(new), strict=True))

    def distance(self, text: str, other: str) -> float:
        """Cosine distance of two texts, in [0, 2]: exactly 0 for equal texts, NaN if one is empty."""
        if not text.strip() or not other.strip():
            return float("nan")
        if text == other:
            return 0.0
        self.prepare((text, other))
        return cosine_distance(self._vectors[text], self._vectors[other])

    def identity(self) -> dict[str, Any]:
        """Name, revision and weight hash of the embedder, for result files."""
        from dataclasses import asdict

        return asdict(self.embedder.identity)
