"""Outputs that stopped being answers: empty, looping, cut."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from lm_eval_sensitivity.metrics._symbols import Symbols, as_list

LOOP_NGRAM = 4
LOOP_REPEATS = 6
"""A 4-gram this often, without overlap, is a frequent one."""
LOOP_COVERAGE = 0.8
"""Share of the last half that frequent 4-grams must cover. Frequency alone says little: of ordinary
512-token pieces of documentation a third to a half, and of source code half or more, repeat some 4-gram
six times (indentation, table rules, `(self,`). Such 4-grams cover a few per cent; a loop covers itself."""
LOOP_MIN_HALF = 16
"""Symbols in the last half below which its period says nothing: short lists and refrains are periodic."""


@dataclass(frozen=True)
class CollapseFlags:
    """What is wrong with one output. Several may be true."""

    empty: bool
    """No symbol at all."""
    loop: bool
    """See `has_loop`."""
    cut: bool
    """The token limit, not the model, ended it."""
    unclosed: bool
    """A reasoning scaffold was opened and never closed: there is no answer."""


def has_loop(
    sequence: Symbols,
    *,
    ngram: int = LOOP_NGRAM,
    repeats: int = LOOP_REPEATS,
    coverage: float = LOOP_COVERAGE,
    min_half: int = LOOP_MIN_HALF,
) -> bool:
    """Whether an output ends caught in a repetition.

    Formula: let s be the last floor(T/2) symbols. A loop is either (a) at least the share `coverage` of
        s inside occurrences of n-grams that the whole output has at least `repeats` times without
        overlap (which finds loops that count or vary a word), or (b) s with a period p, s[i] = s[i + p]
        for all i, that fits at least twice (2 p <= floor(T/2)) where s has at least `min_half` symbols
        (which finds a long passage said twice).
    Range: True or False. Time is linear in the length. 24 symbols is the shortest loop of (a), 32 of (b).
    Empty: False, an empty output repeats nothing.
    Identical: depends on one output only; equal outputs get equal flags.
    Source: this project; period by the failure function of Knuth, Morris & Pratt 1977.

    Args:
        sequence: [step] token ids or words of one output. Leave the end-of-turn token out: one
            symbol after a periodic half ends its period.
        ngram: length of the n-gram.
        repeats: occurrences that make an n-gram frequent.
        coverage: share of the last half that frequent n-grams must cover.
        min_half: shortest last half that is examined for a period.

    Returns:
        True where it ends in a loop.

    Raises:
        TypeError: a string; its characters are no tokens.

    Example:
        >>> has_loop([1, 2, 3, 4, 5] * 6)
        True
        >>> has_loop("the cat sat on the mat and the dog sat on the rug".split())
        False
    """
    symbols = as_list(sequence)
    half = len(symbols) // 2
    covered = _in_frequent_ngrams(symbols, ngram, repeats)[len(symbols) - half :]
    if half and sum(covered) >= coverage * half:
        return True
    return half >= min_half and 2 * _smallest_period(symbols[len(symbols) - half :]) <= half


def _in_frequent_ngrams(symbols: list[Hashable], ngram: int, repeats: int) -> list[bool]:
    """For every symbol whether it lies in an n-gram that occurs often, counted without overlap."""
    grams = [tuple(symbols[start : start + ngram]) for start in range(len(symbols) - ngram + 1)]
    counts: dict[tuple[Hashable, ...], int] = {}
    free_from: dict[tuple[Hashable, ...], int] = {}
    for start, gram in enumerate(grams):
        if start >= free_from.get(gram, 0):
            counts[gram] = counts.get(gram, 0) + 1
            free_from[gram] = start + ngram
    covered = [False] * len(symbols)
    for start, gram in enumerate(grams):
        if counts[gram] >= repeats:
            covered[start : start + ngram] = [True] * ngram
    return covered


def _smallest_period(symbols: list[Hashable]) -> int:
    """Smallest p > 0 with symbols[i] == symbols[i + p] for all i; the length itself if nothing repeats."""
    border = [0] * len(symbols)  # border[i]: longest proper prefix of symbols[:i+1] that is also its suffix
    length = 0
    for i in range(1, len(symbols)):
        while length and symbols[i] != symbols[length]:
            length = border[length - 1]
        length += symbols[i] == symbols[length]
        border[i] = length
    return len(symbols) - length


def collapse_flags(sequence: Symbols, *, cut: bool, unclosed: bool) -> CollapseFlags:
    """All flags of one output.

    Formula: empty iff it has no symbol; loop as `has_loop`; the two others are known to the caller.
    Range: four booleans; none true = nothing suspicious.
    Empty: only `empty` (and what the caller says).
    Identical: depends on one output only; equal outputs get equal flags.
    Source: this project.

    Args:
        sequence: [step] token ids without the end-of-turn token, or the words of the text where an
            engine gives no ids (`text.split()`, so that white space alone is empty).
        cut: the token limit ended the output.
        unclosed: its reasoning scaffold never closed.

    Returns:
        The four flags; see `CollapseFlags`.

    Example:
        >>> collapse_flags([], cut=False, unclosed=False)
        CollapseFlags(empty=True, loop=False, cut=False, unclosed=False)
    """
    loop = has_loop(sequence)
    return CollapseFlags(empty=len(sequence) == 0, loop=loop, cut=cut, unclosed=unclosed)
