"""The rungs of the ladder in words, for readers who have not seen one."""

from __future__ import annotations

from lm_eval_sensitivity.ladder.meanings import RUNG_MEANINGS
from lm_eval_sensitivity.types import RUNGS, Rung

_THE_SAME = "The request is the same."
_EXPECTED: dict[Rung, str] = {
    "identical": "What moves here is noise of the system, the noise floor.",
    "semantic_change": "A good answer changes with it.",
    "positive_control": "The output must move; a system whose output does not is not alive.",
}
RUNG_WORDS: dict[Rung, tuple[str, str]] = {
    rung: (RUNG_MEANINGS[rung], _EXPECTED.get(rung, _THE_SAME)) for rung in RUNGS
}
"""By rung, mildest first: what an edit changes, a phrase; and what a good answer makes of that, a sentence."""
