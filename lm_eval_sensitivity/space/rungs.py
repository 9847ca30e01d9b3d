"""The rungs of the ladder in words, for readers who have not seen one."""

from __future__ import annotations

from dataclasses import dataclass

from lm_eval_sensitivity.types import Rung


@dataclass(frozen=True)
class RungWords:
    """One rung."""

    changed: str
    """What an edit of it changes: a phrase."""
    meant: str
    """What a good answer makes of that: a sentence."""


_THE_SAME = "The request is the same."
RUNG_WORDS: dict[Rung, RungWords] = {
    "identical": RungWords(
        "nothing: the same prompt, generated a second time",
        "What moves here is noise of the system, the noise floor.",
    ),
    "noop": RungWords("formatting that a reader does not see, such as a space at the end", _THE_SAME),
    "punctuation": RungWords("punctuation or layout, such as a missing question mark", _THE_SAME),
    "synonym": RungWords("one word, by another of the same meaning", _THE_SAME),
    "paraphrase": RungWords("the wording, not the request", _THE_SAME),
    "semantic_change": RungWords("a small but real part of the request", "A good answer changes with it."),
    "positive_control": RungWords(
        "the request itself", "The output must move; a system whose output does not is not alive."
    ),
}
"""By rung, mildest first."""
