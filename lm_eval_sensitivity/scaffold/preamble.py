"""Detect a scaffold that no table knows: what a system's outputs to unrelated prompts share at their start.

Formula: with word-prefixes q (a beginning of an output that ends where one of its words ends), the
preamble is, among all q that at least `min_share` of all outputs begin with, the one with the largest
(outputs that begin with q) x (words of q), the longer one of equals. Merely the longest q would take the
first word of the answers with it where most of them happen to begin with "The", and would then miss the
preamble of the others. Source: none, this project's own; it is the text counterpart of a longest common
prefix with tolerance for outliers.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lm_eval_sensitivity.errors import InputError

_WORD = re.compile(r"\s*\S+")
"""One word with the white space before it, so that equal words in different layout stay different."""


@dataclass(frozen=True)
class SharedPreamble:
    """A preamble, and the evidence for it."""

    text: str
    """What the outputs share, from their first character on; ends with a word, never with white space."""
    n_outputs: int
    """Outputs looked at, empty ones included."""
    n_sharing: int
    """Outputs that begin with `text`, ending there or going on with white space."""
    share: float
    """`n_sharing / n_outputs`."""
    n_words: int
    """White-space separated words in `text`."""


def detect_shared_preamble(
    outputs: Mapping[str, str] | Sequence[str],
    *,
    min_outputs: int = 5,
    min_share: float = 0.8,
    min_words: int = 5,
    min_characters: int = 20,
    min_rest_share: float = 0.05,
) -> SharedPreamble | None:
    """The beginning, in whole words, that most outputs of unrelated prompts have in common.

    Pass one output per prompt, and only outputs in which `find_answer` sees no scaffold: variants of
    one prompt share their start for a good reason, and known delimiters are the table's business.

    None means: fewer than `min_outputs` outputs, nothing shared, or **collapse**: if more than half of
    the sharing outputs hold (almost) nothing behind the shared text, or the very same rest, then
    unrelated prompts get the same output. That is a finding of its own and no scaffold; cutting it
    off would leave nothing to score. Outputs all cut inside a long preamble look the same and
    give None too. Languages written without spaces have too few "words" to be found.

    Args:
        outputs: texts by prompt id, or a sequence of texts.
        min_outputs: below five, one chance agreement is already a large share.
        min_share: above 0.5, so that there is one preamble and not several; below 1, because some
            outputs break off or refuse before the preamble.
        min_words: "Sure! Here is the" is manners, not a scaffold.
        min_characters: five short words ("1. A. I am a") still happen by chance.
        min_rest_share: a rest counts from this fraction of the shared text's characters on, and only
            if it holds a letter or a digit. One answer word after a sentence counts, a differing last
            word after a shared page does not.

    Example:
        >>> answers = ["Paris.", "Four.", "Blue, mostly.", "I do not know.", "In 1969."]
        >>> found = detect_shared_preamble(["Let me go through this step by step. " + a for a in answers])
        >>> found.text, found.n_sharing, found.n_outputs, found.n_words
        ('Let me go through this step by step.', 5, 5, 8)
        >>> detect_shared_preamble(["Let me go through this step by step."] * 5) is None
        True
        >>> detect_shared_preamble(answers) is None
        True
    """
    texts = _checked_texts(outputs, min_outputs, min_share)
    if len(texts) < min_outputs:
        return None
    # 1e-9: 0.56 of 25 outputs is 14 of them, although the product is 14.000000000000002.
    n_needed = max(1, math.ceil(min_share * len(texts) - 1e-9))
    by_words = sorted(_WORD.findall(text) for text in texts)
    shared = _most_shared_words(by_words, n_needed)
    text = "".join(shared)
    if len(shared) < min_words or len(text) < min_characters:
        return None
    rests = ["".join(words[len(shared) :]) for words in by_words if words[: len(shared)] == shared]
    if _is_collapse(rests, min_rest_characters=min_rest_share * len(text)):
        return None
    return SharedPreamble(text, len(texts), len(rests), len(rests) / len(texts), len(shared))


def _checked_texts(
    outputs: Mapping[str, str] | Sequence[str], min_outputs: int, min_share: float
) -> list[str]:
    if isinstance(outputs, str):
        raise InputError(
            f"`outputs` is one text of {len(outputs)} characters; accepted: a mapping from prompt id to "
            "output, or a sequence of outputs. Pass one output per prompt."
        )
    if not 0.5 < min_share <= 1.0:
        raise InputError(
            f"`min_share` is {min_share}; accepted: above 0.5 (or two different preambles could both "
            "qualify) up to 1. The default is 0.8."
        )
    if min_outputs < 2:
        raise InputError(
            f"`min_outputs` is {min_outputs}; accepted: 2 or more, because one output shares its start "
            "with nothing. The default is 5."
        )
    return list(outputs.values() if isinstance(outputs, Mapping) else outputs)


def _most_shared_words(by_words: list[list[str]], n_needed: int) -> list[str]:
    """Of the first words that at least `n_needed` of the sorted word lists share, the best by lists x words.

    Lists with a common beginning stand together once sorted, and a window of them shares what the neighbours
    in it share at least.
    """
    shared_with_next = [_n_common(first, second) for first, second in pairwise(by_words)]
    best, chosen = (0, 0), by_words[0][:0]
    for start in range(len(by_words) - n_needed + 1):
        n_words = min(shared_with_next[start : start + n_needed - 1], default=len(by_words[start]))
        for end in range(start + n_needed, len(by_words) + 1):
            if end > start + n_needed:
                n_words = min(n_words, shared_with_next[end - 2])
            if n_words and (score := ((end - start) * n_words, n_words)) > best:
                best, chosen = score, by_words[start][:n_words]
    return chosen


def _n_common(first: Sequence[str], second: Sequence[str]) -> int:
    """First words that two lists share."""
    return next(
        (n for n, (word, other) in enumerate(zip(first, second, strict=False)) if word != other),
        min(len(first), len(second)),
    )


def _is_collapse(rests: list[str], min_rest_characters: float) -> bool:
    """True if most rests are (almost) nothing, or are one and the same text."""
    n_nothing = sum(
        len(rest.strip()) < min_rest_characters or not any(map(str.isalnum, rest)) for rest in rests
    )
    n_same = Counter(rests).most_common(1)[0][1]
    return 2 * max(n_nothing, n_same) > len(rests)
