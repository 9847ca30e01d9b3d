"""`panel.yaml`: strict keys, and messages with the line."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, TypeAdapter, ValidationError

from lm_eval_sensitivity.errors import InputError, unknown_name
from lm_eval_sensitivity.ladder.files import decode_text, read_limited
from lm_eval_sensitivity.ladder.tasks import ALL_RUNGS
from lm_eval_sensitivity.panel.plan import Executor, Panel, PanelSystem
from lm_eval_sensitivity.records.codec import first_mistake
from lm_eval_sensitivity.text.escape import brief, shown_path

_ADVICE = "`lm-eval-sensitivity panel init` writes an example."
_MOST_VALUES, _DEEPEST = 100_000, 50
"""Of a file with its references resolved: a few lines of YAML can name more than any memory holds, or themselves."""
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")

_Value = str | int | float | bool | None
_Options = dict[str, _Value | dict[str, Any]]
_Names = Annotated[list[str], Field(min_length=1)]


@dataclass(frozen=True)
class _SystemEntry:
    """One entry of `systems`."""

    name: str
    run: _Options = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    gpus: Annotated[float, Field(ge=0)] = 0
    cpus: Annotated[float, Field(ge=0)] = 1


@dataclass(frozen=True)
class _File:
    """The whole file."""

    output: str
    systems: Annotated[list[_SystemEntry], Field(min_length=1)]
    tasks: Annotated[list[str | _Names], Field(min_length=1)] = field(default_factory=lambda: [ALL_RUNGS])
    defaults: _Options = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    executor: Executor = "local"
    workers: Annotated[int, Field(ge=1)] = 1
    address: str | None = None
    retries: Annotated[int, Field(ge=0)] = 1
    reference: str | None = None
    report: bool = True


_FILE = TypeAdapter(_File)


def read_panel(path: Path) -> Panel:
    """Read a panel's file.

    Args:
        path: of the YAML file.

    Returns:
        The panel; `${NAME}` stands for an environment variable, and paths are those of the working folder.

    Raises:
        InputError: no YAML, a key that is none, a value that is not accepted; with the line.
    """
    place = shown_path(path)
    try:
        text = decode_text(read_limited(path, "panel file"), path)
        tree = yaml.compose(text, yaml.SafeLoader)
        _check_keys(tree, place)
        if _n_values(tree, {}, 0) > _MOST_VALUES:
            raise RecursionError
        content = _expanded(yaml.safe_load(text), place)
    except RecursionError:
        raise InputError(
            f"{place}: this is nested or refers to itself beyond what a panel can mean; accepted are {_MOST_VALUES:,} "
            f"values, {_DEEPEST} deep. {_ADVICE}"
        ) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = place if mark is None else f"{place}, line {mark.line + 1}"
        problem = getattr(error, "problem", None) or str(error)
        raise InputError(f"{where}: this is no YAML ({brief(problem)}). {_ADVICE}") from None
    try:
        found = _FILE.validate_json(json.dumps(content, default=str), strict=True)
    except ValidationError as error:
        line = _line(tree, error.errors(include_url=False)[0]["loc"])
        raise first_mistake(error, f"{place}, line {line}", advice=_ADVICE) from None
    return _panel(found, place)


def _panel(found: _File, place: str) -> Panel:
    plain = {each.name: getattr(found, each.name) for each in fields(found)}
    try:
        return Panel(
            **{
                **plain,
                "output": Path(found.output),
                "systems": tuple(PanelSystem(**vars(system)) for system in found.systems),
                "tasks": tuple((each,) if isinstance(each, str) else tuple(each) for each in found.tasks),
            }
        )
    except InputError as error:
        raise InputError(f"{place}: {error}") from None


def _check_keys(tree: yaml.Node | None, place: str) -> None:
    """Names that are none of ours, and those that stand there twice, of which YAML keeps the last."""
    _check_mapping(tree, _File, place)
    for key, value in getattr(tree, "value", []):
        if key.value == "systems" and isinstance(value, yaml.SequenceNode):
            for entry in value.value:
                _check_mapping(entry, _SystemEntry, place)


def _check_mapping(node: yaml.Node | None, kind: type, place: str) -> None:
    if not isinstance(node, yaml.MappingNode):
        line = 1 if node is None else node.start_mark.line + 1
        raise InputError(
            f"{place}, line {line}: accepted are keys with values, as in `name: qwen3-4b`. {_ADVICE}"
        )
    seen = set()
    for key, value in node.value:
        line = f"{place}, line {key.start_mark.line + 1}"
        known = [each.name for each in fields(kind)]
        if key.value not in known:
            raise unknown_name(f"{line}: a key", str(key.value), known)
        if key.value in seen:
            raise InputError(f"{line}: `{key.value}` stands there twice. Give it once.")
        seen.add(key.value)
        if isinstance(value, yaml.MappingNode):
            names = [each.value for each, _ in value.value]
            twice = [name for name in names if names.count(name) > 1]
            if twice:
                raise InputError(f"{line}: {twice[0]!r} stands there twice. Give it once.")


def _n_values(node: yaml.Node | None, known: dict[int, int], depth: int) -> int:
    """How many values a node is; one that is referred to is counted each time, and walked through once."""
    if depth > _DEEPEST:
        raise RecursionError
    if not isinstance(node, yaml.CollectionNode):
        return 1
    if id(node) not in known:
        parts = [part for each in node.value for part in (each if isinstance(each, tuple) else (each,))]
        known[id(node)] = 1 + sum(_n_values(part, known, depth + 1) for part in parts)
    return known[id(node)]


def _line(tree: yaml.Node | None, location: tuple[int | str, ...]) -> int:
    """The line of what a location names, or of the nearest thing around it."""
    node = tree
    for part in location:
        if isinstance(node, yaml.MappingNode):
            node = next((value for key, value in node.value if key.value == part), node)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
    return 1 if node is None else node.start_mark.line + 1


def _expanded(value: Any, place: str) -> Any:
    """Environment variables, as paths of models are not the same on two machines."""
    if isinstance(value, Mapping):
        return {key: _expanded(each, place) for key, each in value.items()}
    if isinstance(value, list):
        return [_expanded(each, place) for each in value]
    if not isinstance(value, str):
        return value
    for name in _VARIABLE.findall(value):
        if name not in os.environ:
            raise InputError(
                f"{place}: `${{{name}}}` names an environment variable that is not set. Set it first."
            )
    return _VARIABLE.sub(lambda match: os.environ[match[1]], value)
