"""The rungs of the ladder in words, for readers who have not seen one."""

from __future__ import annotations

from lm_eval_sensitivity.types import Rung

_THE_SAME = "The request is the same."
RUNG_WORDS: dict[Rung, tuple[str, str]] = {
    "identical": (
        "nothing: the same prompt, generated a second time",
        "What moves here is noise of the system, the noise floor.",
    ),
    "noop": ("formatting that a reader does not see, such as a space at the end", _THE_SAME),
    "punctuation": ("punctuation or layout, such as a missing question mark", _THE_SAME),
    "synonym": ("one word, by another of the same meaning", _THE_SAME),
    "paraphrase": ("the wording, not the request", _THE_SAME),
    "semantic_change": ("a small but real part of the request", "A good answer changes with it."),
    "positive_control": (
        "the request itself",
        "The output must move; a system whose output does not is not alive.",
    ),
}
"""By rung, mildest first: what an edit changes, a phrase; and what a good answer makes of that, a sentence."""
