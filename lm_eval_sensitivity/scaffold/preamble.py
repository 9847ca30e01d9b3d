"""Detect a scaffold that no table knows: what a system's outputs to unrelated prompts share at their start.

Rule: of the beginnings of an output, in whole words, that at least `min_share` of all outputs have, take the
longest. While some outputs have a shorter one and go on otherwise behind it, and it is shorter by fewer than
`min_words` words, take that one. An output that was cut within the longest beginning does not go on otherwise.

The longest alone would take the first words of the answers with it where most of them happen to begin with "The" or
"It is the", and would then miss the preamble of the others. Fewer than `min_words` shared words are no preamble where
an output begins, and so none where an answer does.

Limits: words that all answers begin with cannot be told from the preamble, and are counted to it. So are `min_words`
words or more that most answers begin with; the other outputs then keep their preamble. Where an output leaves the
wording of the preamble fewer than `min_words` words before its end, those last words stay in the answers.

Source: none, this project's own; it is the text counterpart of a longest common prefix with tolerance for outliers.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
        min_words: "Sure! Here is the" is manners, not a scaffold. That holds for what answers begin with, too.
        min_characters: five short words ("1. A. I am a") still happen by chance.
        min_rest_share: a rest counts from this fraction of the shared text's characters on, and only
            if it holds a letter or a digit. One answer word after a sentence counts, a differing last
            word after a shared page does not.

    Returns:
        The preamble with its evidence, or None where there is none.

    Raises:
        InputError: one text instead of several, or a share or a number of outputs that decides nothing.

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
    shared = _most_shared_words(by_words, n_needed, min_words, min_characters)
    text = "".join(shared)
    if not _is_long_enough(shared, min_words, min_characters):
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


def _most_shared_words(
    by_words: list[list[str]], n_needed: int, min_words: int, min_characters: int
) -> list[str]:
    """The longest beginning that `n_needed` word lists share, less what only most of the answers begin with."""
    best = longest = _longest_shared_words(by_words, n_needed)
    for n_words in range(len(longest) - 1, 0, -1):
        shorter = longest[:n_words]
        if len(best) - n_words >= min_words or not _is_long_enough(shorter, min_words, min_characters):
            break
        if any(_goes_on_otherwise(words, longest, n_words) for words in by_words):
            best = shorter
    return best


def _longest_shared_words(by_words: list[list[str]], n_needed: int) -> list[str]:
    """More than half of the lists are needed, so that each next word is the most frequent one."""
    shared: list[str] = []
    sharing = by_words
    while True:
        following = Counter(words[len(shared)] for words in sharing if len(words) > len(shared))
        word, count = max(following.items(), key=lambda item: item[1], default=("", 0))
        if count < n_needed:
            return shared
        sharing = [words for words in sharing if words[len(shared) : len(shared) + 1] == [word]]
        shared.append(word)


def _goes_on_otherwise(words: list[str], longest: list[str], n_words: int) -> bool:
    """True if a list leaves the longest beginning after so many words, and not because it was cut there."""
    left = words[:n_words] == longest[:n_words] and words[: n_words + 1] != longest[: n_words + 1]
    return left and not "".join(longest).startswith("".join(words))


def _is_long_enough(shared: list[str], min_words: int, min_characters: int) -> bool:
    return len(shared) >= min_words and len("".join(shared)) >= min_characters


def _is_collapse(rests: list[str], min_rest_characters: float) -> bool:
    """True if most rests are (almost) nothing, or are one and the same text."""
    n_nothing = sum(
        len(rest.strip()) < min_rest_characters or not any(map(str.isalnum, rest)) for rest in rests
    )
    n_same = Counter(rests).most_common(1)[0][1]
    return 2 * max(n_nothing, n_same) > len(rests)
