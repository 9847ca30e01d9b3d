"""Rule-based edits: pure functions from a text to the replacements that edit it.

    formats.py               Edits of the format around a question: the names of its fields
    noop.py                  No-op edits: a reader sees the same prompt, a tokenizer may not
    notation.py              Mathematics and code that stand in a prompt without a fence
    parentheses.py           Which words of English prose may be put in parentheses
    positions.py             Finding the place of an edit: word gaps, brackets, the middle
    protected.py             Protected spans: the parts of a prompt that no edit may change
    punctuation.py           Punctuation and structural edits: visible, small, and without another meaning
    registry.py              The registry of rule-based edits
    request_and_material.py  Telling the request of a prompt from the material it hands over: lists, data
    words.py                 English word lists for the edits that must tell words apart

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
