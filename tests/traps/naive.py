"""The naive probe: what a careful suite is measured against.

It does what a first script does: read the whole outputs, embed them, take the cosine distance of every
pair, and print the plain mean. It has no audit of what reached the model, no answer span, no reference,
no noise floor, no positive control, no count of what could not be compared. It reads nothing of a run but
the output texts, and which prompt and which edit each belongs to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.stats import wilcoxon

from lm_eval_sensitivity.embedder import Embedder, find_embedder
from lm_eval_sensitivity.types import MEANING_PRESERVING_RUNGS
from tests.running import Run


@dataclass(frozen=True)
class NaivePair:
    """One edit of one prompt, as the naive probe sees it."""

    prompt_id: str
    edit: str
    rung: str
    distance: float
    """Cosine distance of the whole outputs, from 0 (same) to 2."""


def naive_pairs(run: Run, *, rungs: Sequence[str] = MEANING_PRESERVING_RUNGS) -> list[NaivePair]:
    """Every pair of some rungs, none left out."""
    rows = [row for row in _rows(run) if row["doc"]["rung"] in rungs]
    distances = _distances([tuple(each[0] for each in row["resps"]) for row in rows])
    return [
        NaivePair(row["doc"]["prompt_id"], row["doc"]["edit"], row["doc"]["rung"], distance)
        for row, distance in zip(rows, distances, strict=True)
    ]


def naive_mean(
    run: Run, *, rungs: Sequence[str] = MEANING_PRESERVING_RUNGS, edits: Sequence[str] | None = None
) -> float:
    """The number that the naive probe prints: the mean over all pairs, of some edits where given."""
    pairs = [pair for pair in naive_pairs(run, rungs=rungs) if edits is None or pair.edit in edits]
    assert pairs, "no pair of these rungs and edits: a mean of nothing shows nothing"
    return float(np.mean([pair.distance for pair in pairs]))


def naive_drift(run: Run, reference: Run) -> float:
    """The mean distance between two runs' whole outputs to the same unedited prompts."""
    ours, theirs = base_outputs(run), base_outputs(reference)
    prompts = sorted(ours.keys() & theirs.keys())
    assert prompts, "the two runs share no prompt"
    return float(np.mean(_distances([(ours[prompt], theirs[prompt]) for prompt in prompts])))


def base_outputs(run: Run) -> dict[str, str]:
    """Prompt id -> whole output to the unedited prompt."""
    return {row["doc"]["prompt_id"]: row["resps"][0][0] for row in _rows(run)}


def _rows(run: Run) -> Iterator[dict]:
    for task in sorted(run.samples):
        yield from run.rows(task)


@cache
def _embedder() -> Embedder:
    return find_embedder().load()


def _distances(pairs: Sequence[tuple[str, ...]]) -> list[float]:
    """[pair] cosine distances. A text with nothing to embed is what a script makes of it: a vector of zeros."""
    texts = list(dict.fromkeys(text for pair in pairs for text in pair))
    vectors = dict(zip(texts, np.nan_to_num(_embedder().encode(texts)), strict=True))
    return [
        0.0 if base == variant else float(1 - vectors[base] @ vectors[variant]) for base, variant in pairs
    ]


def naive_winner(distances: Mapping[str, Sequence[float]]) -> tuple[str, float]:
    """Which of two systems a paired rank test calls more stable, and its p: Wilcoxon's signed ranks over prompts.

    Args:
        distances: system -> [prompt] distance; two systems, the same prompts.
    """
    (first, a), (second, b) = distances.items()
    differences = np.subtract(a, b)
    found = wilcoxon(differences)
    return (first if np.median(differences) < 0 else second), float(found.pvalue)
