"""Records as plain data, for JSON."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any


def plain(value: Any) -> Any:
    """Dataclasses as dictionaries, without the bulky arrays that are hidden in their `repr`, too.

    Example:
        >>> from lm_eval_sensitivity.stats import mean_interval
        >>> plain(mean_interval([0.1, 0.2, 0.3]))["reason"]
        '3 prompts have a number, at least 5 are needed.'
        >>> "distribution" in plain(mean_interval([0.1] * 4 + [0.2]))
        False
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value) if each.repr}
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(each) for each in value]
    return value
