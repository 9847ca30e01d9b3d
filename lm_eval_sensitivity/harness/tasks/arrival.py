"""Whether a text arrives whole behind a chat template, which is a program and may leave out what it likes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from lm_eval_sensitivity.harness.generate.plan import context_text
from lm_eval_sensitivity.types import Missing

Arrival = Literal["whole", "cut", "lost"]

MARK = "zqvxkj"
"""A word that no template and no prompt holds; letters only, so that a template that changes case leaves it one."""

CUT = Missing("cut", "the chat template leaves out a part of the prompt")
LOST = Missing("lost", "the chat template leaves out the prompt")


def arrival(render: Callable[[str], Any], text: str) -> Arrival:
    """What a template lets through of a text, seen by a mark at either end of it.

    Args:
        render: puts a text into its place in the template.
        text: of a message.

    Returns:
        `whole` where both marks arrive, or the text does and leaves no room for them; `lost` where not even a mark
        alone arrives; else `cut`. A part that is left out in the middle is not seen.

    Example:
        >>> arrival("<user>{}".format, "Why?"), arrival(lambda text: text[:9], "Why is it blue?")
        ('whole', 'cut')
        >>> arrival(lambda text: "<user>", "Why?")
        'lost'
    """

    def arrives(part: str, message: str) -> bool:
        return part.casefold() in context_text(render(message)).casefold()

    if arrives(MARK, f"{MARK} {text}") and arrives(MARK, f"{text} {MARK}"):
        return "whole"
    if not arrives(MARK, MARK):
        return "lost"
    return "whole" if arrives(text.strip(), text) else "cut"


OBSTACLES: dict[Arrival, Missing | None] = {"whole": None, "cut": CUT, "lost": LOST}
"""Why nothing is scored of a prompt that did not arrive whole."""
