"""Embedding distances between texts, each text embedded once per process."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lm_eval_sensitivity.embedder.base import Embedder, ReadingEmbedder
from lm_eval_sensitivity.embedder.reading import UNREAD_LIMIT, letters_of
from lm_eval_sensitivity.metrics import METRICS, cosine_distance
from lm_eval_sensitivity.text.format import percent
from lm_eval_sensitivity.types import Missing

EMPTY = Missing.from_text(METRICS["cosine_distance"].undefined)
UNREADABLE = "unreadable"
"""Kind of the reason where an embedder cannot read a text."""
SAME_IDS = Missing(UNREADABLE, "different texts reach the embedder as the same token ids")


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

    def distance(self, text: str, other: str) -> float | Missing:
        """Cosine distance of two texts, in [0, 2]: exactly 0 for equal texts.

        Args:
            text: one of two.
            other: the other one.

        Returns:
            1 minus the cosine of their vectors, symmetric, no unit; or why there is none: a text is empty, or the
            embedder cannot read it. Equal texts that cannot be read have none either: as the others have none, a
            mean would be over equal ones alone, and 0.
        """
        if not text.strip() or not other.strip():
            return EMPTY
        for reason in self.unreadable((text, other)).values():
            return reason
        distance = 0.0 if text == other else cosine_distance(*self.embedder.encode((text, other)))
        return EMPTY if math.isnan(distance) else distance

    def unreadable(self, texts: Iterable[str]) -> dict[str, Missing]:
        """Those of some texts of which distances between them would say nothing.

        Args:
            texts: to be compared with each other; blank ones are left out.

        Returns:
            By text the reason: the embedder loses too much of it, or another text has the same token ids although
            they differ in more than white space, letter case and composition of accents.
        """
        if not isinstance(self.embedder, ReadingEmbedder):
            return {}
        distinct = [text for text in dict.fromkeys(texts) if text.strip()]
        found: dict[str, Missing] = {}
        alike: defaultdict[bytes, list[str]] = defaultdict(list)
        for text, reading in zip(distinct, self.embedder.readings(distinct), strict=True):
            if reading.unread > UNREAD_LIMIT:
                found[text] = _lost(reading.unread)
            alike[reading.ids_digest].append(text)
        for same in alike.values():
            if len(same) > 1 and len(set(map(letters_of, same))) > 1:
                found = {**dict.fromkeys(same, SAME_IDS), **found}
        return found

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


def readable_vectors(embedder: Embedder, texts: Sequence[str]) -> NDArray[np.float32]:
    """The vectors of what an embedder can read.

    Args:
        embedder: in memory.
        texts: any.

    Returns:
        float32 [text, dim]; rows of nan for texts of which it loses more than `UNREAD_LIMIT`, and for empty ones.
    """
    vectors = embedder.encode(texts)
    if isinstance(embedder, ReadingEmbedder):
        vectors[[reading.unread > UNREAD_LIMIT for reading in embedder.readings(texts)]] = np.nan
    return vectors


def _lost(share: float) -> Missing:
    return Missing(
        UNREADABLE,
        f"the embedder loses {percent(share)} of the characters of a text as unknown or dropped (limit "
        f"{percent(UNREAD_LIMIT)})",
    )
