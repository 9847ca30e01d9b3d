"""Prompts that nearly repeat another: each would count the same thing twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz, process, utils

from lm_eval_sensitivity.ladder.authoring.checks.violation import Violation, first_rows
from lm_eval_sensitivity.ladder.authoring.distances import Vectors
from lm_eval_sensitivity.progress import progress
from lm_eval_sensitivity.text.escape import quoted
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

Texts = dict[str, str]


def prompts_differ_in_words(pairs: Sequence[Pair]) -> Iterator[Violation]:
    """No base, and no authored topic control, has nearly the words of another prompt's base.

    Of each such text the nearest other one is named, and no more: prompts from one template are all near each other.

    Yields:
        One violation per text that is more similar than `MAX_WORD_SIMILARITY`, on a scale of 0 to 100.
    """
    for column, texts, bases in _compared(pairs):
        for row, other, similarity in _most_similar_words(texts, bases):
            problem = (
                f"has nearly the words of the base in row {quoted(other)} (similarity {similarity:.0f} of 100"
            )
            problem += f"; accepted are at most {MAX_WORD_SIMILARITY:.0f})."
            yield Violation("near_duplicates", problem, row, column)


def prompts_differ_in_meaning(pairs: Sequence[Pair], vectors: Vectors) -> Iterator[Violation]:
    """The same as `prompts_differ_in_words`, by sentence embeddings, which also see other words for the same request.

    Args:
        pairs: all pairs of a subset.
        vectors: of all their prompts, as `embed` gives them.

    Yields:
        One violation per text nearer than `MIN_DISTANCE`, a cosine distance.
    """
    for column, texts, bases in _compared(pairs):
        for row, other, distance in _closest_vectors(texts, bases, vectors):
            problem = f"asks for nearly what the base in row {quoted(other)} asks for (embedding distance "
            problem += f"{distance:.2f}; accepted is at least {MIN_DISTANCE})."
            yield Violation("near_duplicates", problem, row, column)


def _compared(pairs: Sequence[Pair]) -> list[tuple[str, Texts, Texts]]:
    """Column, the texts in it and the bases to compare them with, both by pair id."""
    bases = {pair.pair_id: pair.base for pair in first_rows(pairs)}
    topics = {pair.pair_id: pair.variant for pair in pairs if pair.edit == "control_topic"}
    return [("base", bases, bases), ("variant", topics, bases)]


def _most_similar_words(texts: Texts, bases: Texts) -> Iterator[tuple[str, str, float]]:
    """Each text that is too similar, with the base it is most similar to."""

    def words(text: str) -> str:
        return str(utils.default_process(text[:COMPARED_CHARACTERS]))

    # A base is compared with those before it, so that of two near ones the later is named, once.
    others = {} if texts is bases else _nonempty({row: words(text) for row, text in bases.items()})
    for row, text in progress("Comparing", len(texts), "prompt", iterable=texts.items()):
        own = words(text)
        if not own:
            continue  # `...` has no words, and is not similar to `!!!`
        # Two, because the best may be the base of the same prompt.
        found = process.extract(
            own, others, scorer=fuzz.token_sort_ratio, limit=2, score_cutoff=MAX_WORD_SIMILARITY
        )
        for _, similarity, other in found:
            if similarity > MAX_WORD_SIMILARITY and _prompt_of(row) != _prompt_of(other):
                yield row, other, similarity
                break
        if texts is bases:
            others[row] = own


def _nonempty(texts: Texts) -> Texts:
    return {row: text for row, text in texts.items() if text}


def _closest_vectors(texts: Texts, bases: Texts, vectors: Vectors) -> Iterator[tuple[str, str, float]]:
    """Each text that is too close, with the base it is closest to."""
    rows, others = list(texts), list(bases)
    if not rows:
        return
    matrix = _directions([vectors[bases[other]] for other in others])
    distances = 1.0 - _directions([vectors[texts[row]] for row in rows]) @ matrix.T
    # A text of which the embedder reads nothing has the vector nan, and nan is not near anything.
    distances = np.where(np.isnan(distances), np.inf, distances)
    if texts is bases:
        distances[np.triu_indices(len(rows))] = np.inf  # as above, with those before it
    else:
        base_of = {_prompt_of(other): j for j, other in enumerate(others)}
        distances[np.arange(len(rows)), [base_of[_prompt_of(row)] for row in rows]] = np.inf
    for i, j in enumerate(distances.argmin(axis=1)):
        if distances[i, j] < MIN_DISTANCE:
            yield rows[i], others[j], float(distances[i, j])


def _prompt_of(pair_id: str) -> str:
    return pair_id.rpartition("/")[0]


def _directions(vectors: Sequence[NDArray[np.floating]]) -> NDArray[np.float64]:
    matrix = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return matrix / np.where(lengths > 0, lengths, np.nan)
