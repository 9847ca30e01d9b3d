"""Which lm_eval tasks can run a ladder: one task per rung, and groups of them."""

from __future__ import annotations

from collections.abc import Iterable

from lm_eval_sensitivity.ladder.sources import FULL, SMALLER_SUBSETS, SPREAD
from lm_eval_sensitivity.types import MEANING_PRESERVING_RUNGS, RUNGS, Rung

ALL_RUNGS = "prompt_sensitivity"
RULE_RUNGS = "prompt_sensitivity_rules"
"""Group of the rungs that rules build from any prompt."""


def task_names(rungs: Iterable[Rung]) -> str:
    """What to give `--tasks` for a ladder that has these rungs.

    Returns:
        The group of the rungs that rules build where there are no others, else that of all rungs: it leaves out those
        that a ladder lacks.

    Example:
        >>> task_names(["identical", "noop", "punctuation"])
        'prompt_sensitivity_rules'
        >>> task_names(["identical", "noop", "synonym"])
        'prompt_sensitivity'
    """
    return RULE_RUNGS if set(rungs) <= {"identical", "noop", "punctuation"} else ALL_RUNGS


def group_of_subset(subset: str) -> str:
    """What to give `--tasks` for all rungs of a published subset.

    Example:
        >>> group_of_subset("spread"), group_of_subset("mini")
        ('prompt_sensitivity', 'prompt_sensitivity_mini')
    """
    return ALL_RUNGS if subset == SPREAD else f"{ALL_RUNGS}_{subset}"


def rungs_of_tasks() -> dict[str, tuple[str, tuple[Rung, ...]]]:
    """Which part of a ladder each task and group of greedy outputs asks.

    Returns:
        Subset and rungs by name.

    Example:
        >>> rungs_of_tasks()["prompt_sensitivity_mini_noop"]
        ('mini', ('noop',))
    """
    found: dict[str, tuple[str, tuple[Rung, ...]]] = {
        RULE_RUNGS: (SPREAD, ("identical", "noop", "punctuation"))
    }
    for subset in (FULL, SPREAD, *SMALLER_SUBSETS):
        group = group_of_subset(subset)
        found |= {group: (subset, RUNGS), f"{group}_meaning_preserving": (subset, MEANING_PRESERVING_RUNGS)}
        found |= {f"{group}_{rung}": (subset, (rung,)) for rung in RUNGS}
    return found
