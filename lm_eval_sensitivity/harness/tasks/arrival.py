"""Whether a text arrives whole behind a chat template, which is a program and may leave out what it likes."""

from __future__ import annotations

import re
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
    """What a template lets through of a text: the text itself, or, where it is changed, a mark at either end of it.

    Args:
        render: puts a text into its place in the template.
        text: of a message.

    Returns:
        `lost` where not even a mark alone arrives; `whole` where the text does, whatever becomes of its case and the
        white space around it, or most of its words and a mark at both ends; else `cut`.

    Example:
        >>> arrival("<user>{}".format, "Why?"), arrival(lambda text: text[:9], "Why is it blue?")
        ('whole', 'cut')
        >>> arrival(lambda text: "<user>", "Why?")
        'lost'
    """

    def rendered(message: str) -> str:
        return context_text(render(message)).casefold()

    if MARK not in rendered(MARK):
        return "lost"
    found = rendered(text)
    if text.strip().casefold() in found:
        return "whole"
    words = re.findall(r"\w+", text.casefold())
    there = sum(word in found for word in words)
    marked = all(MARK in rendered(message) for message in (f"{MARK} {text}", f"{text} {MARK}"))
    return "whole" if marked and 2 * there > len(words) else "cut"


OBSTACLES: dict[Arrival, Missing | None] = {"whole": None, "cut": CUT, "lost": LOST}
"""Why nothing is scored of a prompt that did not arrive whole."""
