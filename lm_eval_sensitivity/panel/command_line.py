"""Options of a panel's file as lm_eval's command line has them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lm_eval_sensitivity.errors import InputError

_OF_THE_PANEL = ("tasks", "output_path", "log_samples", "use_cache")
_NOT_TAKEN = {
    **dict.fromkeys(_OF_THE_PANEL, "the panel gives it itself"),
    "config": "its file may hold those that the panel gives itself; write its options here",
    "predict_only": "a run without scores cannot be read back",
}
"""Options of lm_eval that stand in no panel, and why."""


def command_line(options: Mapping[str, Any]) -> list[str]:
    """Options of lm_eval as its command line has them.

    Args:
        options: values by name, without dashes. True is a flag, null and false leave an option out, a mapping is
            `name=value,...` or, for `metadata`, JSON.

    Returns:
        Arguments, in the order of the names.

    Raises:
        InputError: an option that cannot stand in a panel.

    Example:
        >>> command_line({"model": "hf", "log": True, "model_args": {"pretrained": "m", "dtype": "float32"}})
        ['--log', '--model', 'hf', '--model_args', 'pretrained=m,dtype=float32']
    """
    line: list[str] = []
    for name, value in sorted(options.items()):
        if name in _NOT_TAKEN:
            raise InputError(f"The option `{name}` cannot stand in a panel: {_NOT_TAKEN[name]}. Take it out.")
        if value is True:
            line.append(f"--{name}")
        elif value is not None and value is not False:
            line += [f"--{name}", _value(name, value)]
    return line


def _value(name: str, value: Any) -> str:
    if not isinstance(value, Mapping):
        return str(value)
    if name == "metadata":
        return json.dumps(value, sort_keys=True)
    return ",".join(f"{key}={each}" for key, each in value.items())
