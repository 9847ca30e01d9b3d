"""Prompts that nearly repeat another: each would count the same thing twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder.checks.prompts import first_rows
from lm_eval_sensitivity.ladder.checks.violation import Violation, shown
from lm_eval_sensitivity.types import Pair

MAX_COMPARED = 2_000
"""Most prompts that are compared with each other: the work grows with the square, to seconds here."""

COMPARED_CHARACTERS = 2_000
"""Start of a prompt whose words are compared: published prompts end before, and the work grows with the length."""

MAX_WORD_SIMILARITY = 70.0
"""Highest accepted `token_sort_ratio` (0 to 100) of two prompts. Of the published ladder's own texts, prompts
about different things reach 60, while single-word edits of one prompt start at 85 and small changes at 72.
`token_set_ratio` is not used: it calls a short prompt equal to any long one that holds its words."""

MIN_DISTANCE = 0.3
"""Least accepted cosine distance of two prompts' sentence embeddings (all-MiniLM-L6-v2). In the published
ladder different prompts start at 0.44, and paraphrases of one prompt end at 0.19."""

Vectors = Mapping[str, NDArray[np.floating]]
Texts = dict[str, str]


def prompts_differ_in_words(pairs: Sequence[Pair]) -> Iterator[Violation]:
    """No base, and no authored topic control, has nearly the words of another prompt's base.

    Raises:
        InputError: rapidfuzz is not installed.
    """
    for column, texts, bases in _compared(pairs):
        for row, other, similarity in _similar_words(texts, bases):
            problem = (
                f"has nearly the words of the base in row {shown(other)} (similarity {similarity:.0f} of 100"
            )
            yield Violation(
                "near_duplicates", f"{problem}; accepted are at most {MAX_WORD_SIMILARITY:.0f}).", row, column
            )


def prompts_differ_in_meaning(pairs: Sequence[Pair], vectors: Vectors) -> Iterator[Violation]:
    """The same by the distance of sentence embeddings, which also sees other words for the same request."""
    for column, texts, bases in _compared(pairs):
        for row, other, distance in _close_vectors(texts, bases, vectors):
            problem = f"asks for nearly what the base in row {shown(other)} asks for (embedding distance "
            yield Violation(
                "near_duplicates",
                f"{problem}{distance:.2f}; accepted is at least {MIN_DISTANCE}).",
                row,
                column,
            )


def _compared(pairs: Sequence[Pair]) -> list[tuple[str, Texts, Texts]]:
    """Column, the texts in it and the bases to compare them with, both by pair id."""
    bases = {pair.pair_id: pair.base for pair in first_rows(pairs)}
    topics = {pair.pair_id: pair.variant for pair in pairs if pair.edit == "control_topic"}
    return [("base", bases, bases), ("variant", topics, bases)]


def _similar_words(texts: Texts, bases: Texts) -> Iterator[tuple[str, str, float]]:
    try:
        from rapidfuzz import fuzz, process, utils  # an extra: only this check needs it
    except ImportError:
        raise InputError(
            "Comparing the words of prompts needs the rapidfuzz package, which is not installed. Install it "
            'with: pip install "lm-eval-sensitivity[ladder]"'
        ) from None
    # A base is compared with those before it, so that of two near ones the later is named, once.
    others = (
        {}
        if texts is bases
        else {row: utils.default_process(text[:COMPARED_CHARACTERS]) for row, text in bases.items()}
    )
    for row, text in tqdm(texts.items(), desc="Comparing", unit="prompt", delay=2, disable=None):
        words = utils.default_process(text[:COMPARED_CHARACTERS])
        found = process.extract(
            words,
            others,
            scorer=fuzz.token_sort_ratio,
            limit=None,
            score_cutoff=MAX_WORD_SIMILARITY,
        )
        for _, similarity, other in found:
            if similarity > MAX_WORD_SIMILARITY and _prompt_of(row) != _prompt_of(other):
                yield row, other, similarity
        if texts is bases:
            others[row] = words


def _close_vectors(texts: Texts, bases: Texts, vectors: Vectors) -> Iterator[tuple[str, str, float]]:
    rows, others = list(texts), list(bases)
    if not rows:
        return
    matrix = _directions([vectors[bases[other]] for other in others])
    distances = 1.0 - _directions([vectors[texts[row]] for row in rows]) @ matrix.T
    # A text of which the embedder reads nothing has the vector nan, and nan is not near anything.
    near = distances < MIN_DISTANCE
    for i, j in np.argwhere(np.tril(near, k=-1) if texts is bases else near):
        if _prompt_of(rows[i]) != _prompt_of(others[j]):
            yield rows[i], others[j], float(distances[i, j])


def _prompt_of(pair_id: str) -> str:
    return pair_id.rpartition("/")[0]


def _directions(vectors: Sequence[NDArray[np.floating]]) -> NDArray[np.float64]:
    matrix = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return matrix / np.where(lengths > 0, lengths, np.nan)
