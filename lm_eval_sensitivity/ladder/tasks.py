"""Which lm_eval tasks can run a ladder: one task per rung, and groups of them."""

from __future__ import annotations

from collections.abc import Iterable

from lm_eval_sensitivity.types import RUNGS, Rung

ALL_RUNGS = "prompt_sensitivity"
RULE_RUNGS = "prompt_sensitivity_rules"
"""Group of the rungs that rules build from any prompt."""


def task_names(rungs: Iterable[Rung]) -> str:
    """What to give `--tasks` for a ladder that has these rungs: a group where one fits, else the tasks.

    Returns:
        One group's name, or the tasks' names with commas between them.

    Example:
        >>> task_names(["identical", "noop", "punctuation"])
        'prompt_sensitivity_rules'
        >>> task_names(["noop", "synonym"])
        'prompt_sensitivity_noop,prompt_sensitivity_synonym'
    """
    present = [rung for rung in RUNGS if rung in set(rungs)]
    if present == list(RUNGS):
        return ALL_RUNGS
    if present == ["identical", "noop", "punctuation"]:
        return RULE_RUNGS
    return ",".join(f"prompt_sensitivity_{rung}" for rung in present)
