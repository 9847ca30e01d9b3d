"""Rule-based edits: pure functions from a text to the replacements that edit it.

`EDITS` holds every edit by name, in the order of the ladder: first the rung `noop`, then
`punctuation`. Importing this folder fills it.
"""

from __future__ import annotations

# The order of these two imports is the order of the edits in the ladder.
from lm_eval_sensitivity.ladder.edits import noop, punctuation
from lm_eval_sensitivity.ladder.edits.protected import ProtectedSpan, Protection, protected_spans
from lm_eval_sensitivity.ladder.edits.registry import EDITS, Edit, register

__all__ = [
    "EDITS",
    "Edit",
    "ProtectedSpan",
    "Protection",
    "noop",
    "protected_spans",
    "punctuation",
    "register",
]
