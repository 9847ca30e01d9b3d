"""Embedding distances between texts, each text embedded once per process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
        """Text to unit vectors.

        Returns:
            Loaded at the first use.
        """
        return self._load()

    def prepare(self, texts: Iterable[str]) -> None:
        """Embed all texts in one go; the embedder remembers them, so `distance` is cheap afterwards.

        Args:
            texts: repeated and empty ones included.
        """
        self.embedder.encode([text for text in dict.fromkeys(texts) if text.strip()])

    def distance(self, text: str, other: str) -> float:
        """Cosine distance of two texts, in [0, 2]: exactly 0 for equal texts, NaN if one is empty.

        Args:
            text: one of two.
            other: the other one.

        Returns:
            1 minus the cosine of their vectors; symmetric, no unit.
        """
        if not text.strip() or not other.strip():
            return float("nan")
        if text == other:
            return 0.0
        return cosine_distance(*self.embedder.encode((text, other)))

    def pairwise(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """[text, text] the same distances of all of them at once: exactly 0 for equal texts.

        Args:
            texts: none of them empty; repeated ones are embedded once.

        Returns:
            [text, text] in [0, 2], symmetric, no unit.

        Raises:
            ValueError: a text is empty.
        """
        if not all(text.strip() for text in texts):
            raise ValueError("a text with nothing to embed has no distance from another")
        names = list(dict.fromkeys(texts))
        place = {text: index for index, text in enumerate(names)}
        vectors = self.embedder.encode(names).astype(np.float64)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        distances = np.clip(1.0 - vectors @ vectors.T, 0.0, 2.0)
        np.fill_diagonal(distances, 0.0)
        rows = [place[text] for text in texts]
        every: NDArray[np.float64] = distances[np.ix_(rows, rows)]
        return every

    def identity(self) -> dict[str, Any]:
        """Name, revision and weight hash of the embedder, for result files.

        Returns:
            The fields of `EmbedderIdentity` by name.
        """
        return asdict(self.embedder.identity)
