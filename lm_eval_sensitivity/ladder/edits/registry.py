"""The registry of rule-based edits: a dictionary that each definition fills beside itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lm_eval_sensitivity.ladder.replacements import apply_replacements
from lm_eval_sensitivity.types import Replacement, Rung

EditFunction = Callable[[str], tuple[Replacement, ...] | None]
"""Text in; sorted replacements out, or None where the edit is not applicable to this text."""


@dataclass(frozen=True)
class Edit:
    """One rule-based edit."""

    name: str
    """Edit id, also the last part of a pair id."""
    rung: Rung
    function: EditFunction
    """Pure and deterministic: where several places would do, it takes the middle-most one."""

    def __call__(self, text: str) -> tuple[Replacement, ...] | None:
        """The replacements, or None where the edit is not applicable."""
        return self.function(text)

    def variant(self, text: str) -> str | None:
        """Edit a text.

        Returns:
            The edited text, or None where the edit is not applicable.

        Example:
            >>> from lm_eval_sensitivity.ladder.edits import EDITS
            >>> EDITS["leading_space"].variant("Hello")
            ' Hello'
        """
        replacements = self.function(text)
        return None if replacements is None else apply_replacements(text, replacements)


EDITS: dict[str, Edit] = {}
"""Every rule-based edit by name, in the order of definition."""


def register(rung: Rung) -> Callable[[EditFunction], EditFunction]:
    """Decorator that enters a function in `EDITS` under its own name and returns it unchanged.

    Args:
        rung: the rung on which the edit's pairs stand.

    Returns:
        The decorator.

    Raises:
        ValueError: the name is already taken.
    """

    def enter(function: EditFunction) -> EditFunction:
        name = function.__name__
        if name in EDITS:
            raise ValueError(f"an edit named {name!r} is already registered; choose another name")
        EDITS[name] = Edit(name, rung, function)
        return function

    return enter
