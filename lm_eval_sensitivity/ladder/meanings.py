"""What every rung and every edit changes, in words: the one source for cards, glossary and pages."""

from __future__ import annotations

from lm_eval_sensitivity.ladder.edits import EDITS
from lm_eval_sensitivity.types import Rung

CONTROL_MEANINGS = {
    "control_reversal": "the request, entirely: negated or turned round",
    "control_topic": "the request, entirely: another topic",
}
"""The two kinds of control, by edit."""
RUNG_MEANINGS: dict[Rung, str] = {
    "identical": "nothing; its pairs measure the noise of the system itself",
    "noop": "white space or Unicode spelling that a reader does not see",
    "punctuation": "a visible mark, or the layout of the text",
    "synonym": "one word, replaced by one word",
    "paraphrase": "wording and structure",
    "semantic_change": "the request, slightly: a number, a scope, an audience, a constraint",
    "positive_control": "the request, entirely: turned round, or another topic",
}
"""What the edits of a rung change, mildest first."""
AUTHORED_MEANINGS = {
    "identical": "No edit. The same prompt is generated a second time.",
    "synonym_1": "One word is replaced by one word, and the same answer is expected.",
    "synonym_2": "As `synonym_1`, at another word.",
    "paraphrase_1": "Reworded and restructured; request, numbers and names stay.",
    "paraphrase_2": "As `paraphrase_1`, in another way.",
    "semantic_1": "A small but real change of the request.",
    "control_reversal": "The request is negated or turned round.",
    "control_topic": "Another topic, in a prompt of similar length.",
}
"""The edits that no rule makes; a rule says in its docstring what it does."""


def edit_meaning(edit: str) -> str:
    """What an edit of the published ladder does.

    Args:
        edit: its id.

    Returns:
        A sentence or two.

    Example:
        >>> edit_meaning("leading_space")
        'One space before the text.'
    """
    rule = EDITS.get(edit)
    return str(rule.function.__doc__).strip().split("\n")[0] if rule else AUTHORED_MEANINGS[edit]
