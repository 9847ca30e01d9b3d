"""How far apart the two prompts of a pair are: the ladder's own scale, before any model has answered."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lm_eval_sensitivity.metrics.embedding import cosine_distance
from lm_eval_sensitivity.types import Pair, Rung

Encode = Callable[[Sequence[str]], NDArray[np.floating]]
"""Texts in; one vector per text out, shape [text, dimension]."""
Vectors = Mapping[str, NDArray[np.floating]]
"""By text, shape [dimension]."""
DIGITS = 4
"""Decimal places of what is kept in a file."""


@dataclass(frozen=True)
class EditDistances:
    """Prompt distances of one edit; None where no pair has one."""

    rung: Rung
    edit: str
    n_pairs: int
    n_distances: int
    """Pairs that have a distance: an embedder reads nothing of `...`."""
    lower_quartile: float | None
    median: float | None
    upper_quartile: float | None


def embed(pairs: Iterable[Pair], encode: Encode) -> Vectors:
    """The vector of every prompt of these rows, each encoded once.

    Args:
        pairs: ladder rows.
        encode: sentence embedder, for example `load_embedder().encode`; a row of nan for a text that it cannot read.

    Returns:
        Text to vector [dimension]; empty, and no call of `encode`, where there are no rows.

    Example:
        >>> embed([], lambda texts: np.zeros((len(texts), 2)))
        {}
    """
    texts = list(dict.fromkeys(text for pair in pairs for text in (pair.base, pair.variant)))
    return dict(zip(texts, encode(texts), strict=True)) if texts else {}


def prompt_distances(pairs: Iterable[Pair], vectors: Vectors) -> dict[str, float]:
    """Cosine distance between base and variant prompt, by pair id.

    Args:
        pairs: ladder rows.
        vectors: of all their prompts, as `embed` gives them.

    Returns:
        Distances in [0, 2]; exactly 0 for equal texts, nan where the embedder reads nothing of a text.
    """
    return {pair.pair_id: cosine_distance(vectors[pair.base], vectors[pair.variant]) for pair in pairs}


def distances_by_edit(pairs: Iterable[Pair], distances: Mapping[str, float]) -> list[EditDistances]:
    """Median and quartiles of the prompt distances of every edit.

    Args:
        pairs: ladder rows.
        distances: by pair id, as `prompt_distances` gives them.

    Returns:
        One record per rung and edit in ladder order; NaN distances are left out of its quartiles.
    """
    by_edit: dict[tuple[Rung, str], list[float]] = {}
    for pair in pairs:
        by_edit.setdefault((pair.rung, pair.edit), []).append(distances[pair.pair_id])
    found = []
    for (rung, edit), values in by_edit.items():
        there = _without_nan(values)
        quartiles = (None if value is None else round(value, DIGITS) for value in _quartiles(there))
        found.append(EditDistances(rung, edit, len(values), len(there), *quartiles))
    return found


def median_distances(pairs: Iterable[Pair], distances: Mapping[str, float]) -> dict[str, float | None]:
    """Median prompt distance by `group`.

    Args:
        pairs: ladder rows.
        distances: by pair id, as `prompt_distances` gives them.

    Returns:
        Group to median in cosine distance, 0 to 2, in ladder order. Pairs without a distance are left out; a group in
        which no pair has one has None.

    Example:
        >>> median_distances([], {})
        {}
    """
    by_group: dict[str, list[float]] = {}
    for pair in pairs:
        by_group.setdefault(group(pair), []).append(distances[pair.pair_id])
    return {name: _quartiles(_without_nan(values))[1] for name, values in by_group.items()}


def group(pair: Pair) -> str:
    """What prompt distances are summarized by.

    Returns:
        The rung of a pair; for a control its edit, because a reversal stays near and a topic goes far.
    """
    return pair.edit if pair.rung == "positive_control" else pair.rung


def _without_nan(values: Iterable[float]) -> list[float]:
    return [value for value in values if not math.isnan(value)]


def _quartiles(values: Sequence[float]) -> tuple[float, float, float] | tuple[None, None, None]:
    if not values:
        return None, None, None
    lower, median, upper = map(float, np.quantile(values, [0.25, 0.5, 0.75]))
    return lower, median, upper
