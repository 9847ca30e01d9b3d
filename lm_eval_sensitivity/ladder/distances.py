"""How far apart the two prompts of a pair are: the ladder's own scale, before any model has answered."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lm_eval_sensitivity.metrics.embedding import cosine_distance
from lm_eval_sensitivity.types import Pair, Rung

Encode = Callable[[Sequence[str]], NDArray[np.floating]]
"""Texts in; one vector per text out, shape [text, dimension]."""


@dataclass(frozen=True)
class EditDistances:
    """Prompt distances of one edit."""

    rung: Rung
    edit: str
    n_pairs: int
    lower_quartile: float
    median: float
    upper_quartile: float


def prompt_distances(pairs: Iterable[Pair], encode: Encode) -> dict[str, float]:
    """Cosine distance between base and variant prompt, by pair id.

    Every distinct prompt is encoded once, in ladder order.

    Args:
        pairs: ladder rows.
        encode: sentence embedder, for example `load_embedder().encode`.

    Returns:
        Distances in [0, 2]; exactly 0 for equal texts.

    Example:
        >>> prompt_distances([], lambda texts: np.zeros((len(texts), 2)))
        {}
    """
    pairs = list(pairs)
    texts = list(dict.fromkeys(text for pair in pairs for text in (pair.base, pair.variant)))
    if not texts:
        return {}
    vectors = dict(zip(texts, encode(texts), strict=True))
    return {pair.pair_id: cosine_distance(vectors[pair.base], vectors[pair.variant]) for pair in pairs}


def distances_by_edit(pairs: Iterable[Pair], distances: Mapping[str, float]) -> list[EditDistances]:
    """Median and quartiles of the prompt distances of every edit, in ladder order.

    Args:
        pairs: ladder rows.
        distances: by pair id, as `prompt_distances` gives them.
    """
    found: dict[tuple[Rung, str], list[float]] = {}
    for pair in pairs:
        found.setdefault((pair.rung, pair.edit), []).append(distances[pair.pair_id])
    return [
        EditDistances(rung, edit, len(values), *_quartiles(values)) for (rung, edit), values in found.items()
    ]


def _quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    if len(values) == 1:
        return values[0], values[0], values[0]
    lower, median, upper = statistics.quantiles(values, n=4, method="inclusive")
    return lower, median, upper
