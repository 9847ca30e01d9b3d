"""The edits that a wrapped task makes, by family."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lm_eval_sensitivity.errors import InputError, unknown_name
from lm_eval_sensitivity.harness.wrapping.original import EDITS as OPTION
from lm_eval_sensitivity.ladder.edits import EDITS
from lm_eval_sensitivity.records.answers import EditOfTask
from lm_eval_sensitivity.text.escape import shown

RULES = (
    *("leading_space", "trailing_space", "double_space", "mid_newline", "nbsp"),
    *("duplicate_period", "drop_final_period", "curly_quotes"),
)
"""Eight of the ladder's rules, five of white space: a run with all of them would take twice as long."""


def chosen_edits(metadata: Mapping[str, Any]) -> tuple[EditOfTask, ...]:
    """The edits that a task's `metadata` asks for.

    Returns:
        In the order of the ladder; `RULES` where it asks for none.

    Raises:
        InputError: an edit that does not exist.

    Example:
        >>> [edit.name for edit in chosen_edits({"sensitivity_edits": ["nbsp"]})]
        ['nbsp']
    """
    asked = metadata.get(OPTION, "rules")
    asked = [asked] if isinstance(asked, str) else asked
    if not isinstance(asked, (list, tuple)) or not asked or not all(isinstance(each, str) for each in asked):
        raise InputError(f"`{OPTION}` is {shown(asked)}; expected `rules`, or a list of names of edits.")
    names = [name for each in asked for name in (RULES if each == "rules" else [each])]
    for name in names:
        if name not in EDITS:
            raise unknown_name(f"`{OPTION}`: an edit", name, ("rules", *EDITS))
    return tuple(
        EditOfTask(name=name, family="rules", rung=EDITS[name].rung) for name in EDITS if name in names
    )
