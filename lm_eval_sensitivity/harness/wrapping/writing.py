"""The YAML files of wrapped tasks: a name, the class, and which task is wrapped."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lm_eval.tasks
import yaml
from lm_eval.tasks import TaskManager
from lm_eval.tasks._index import Entry, Kind
from lm_eval.tasks._yaml_loader import load_yaml

from lm_eval_sensitivity.errors import InputError, did_you_mean
from lm_eval_sensitivity.harness.wrapping.original import OF, YAML
from lm_eval_sensitivity.harness.wrapping.table import EDITED
from lm_eval_sensitivity.records.answers import PREFIX
from lm_eval_sensitivity.text.escape import shown_path

CLASS = "lm_eval_sensitivity.harness.WrappedTask"


@dataclass(frozen=True)
class TaskFile:
    """One file to be written."""

    name: str
    """Of the wrapped task or group."""
    text: str
    """YAML."""


def wrapped_files(
    names: Sequence[str], metadata: Mapping[str, Any], include_path: Path | None = None
) -> list[TaskFile]:
    """The files of some tasks, of groups with all that is in them.

    Args:
        names: of tasks, groups and tags of lm_eval's.
        metadata: of the wrapped tasks, beside what names the original.
        include_path: folder of further tasks.

    Returns:
        Files, each once.

    Raises:
        InputError: there is no such task, or a group defines tasks of its own.
    """
    level = logging.getLogger("lm_eval").level
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    index = TaskManager(include_path=None if include_path is None else str(include_path)).task_index
    logging.getLogger("lm_eval").setLevel(level)
    files: dict[str, TaskFile] = {}
    for name in names:
        if name not in index:
            raise InputError(
                f"There is no task, group or tag `{name[:80]}` in lm_eval.{did_you_mean(name, tuple(index))} See "
                "`lm_eval ls tasks`; tasks of your own need `--include_path FOLDER`."
            )
        for each in _files(index[name], index, metadata):
            files.setdefault(each.name, each)
    return list(files.values())


def _files(entry: Entry, index: Mapping[str, Entry], metadata: Mapping[str, Any]) -> Iterator[TaskFile]:
    if entry.kind is Kind.TAG:
        for name in sorted(entry.tags):
            yield from _files(index[name], index, metadata)
    elif entry.kind is Kind.GROUP and entry.yaml_path is not None:
        yield from _group_files(entry, load_yaml(entry.yaml_path, resolve_func=False), index, metadata)
    elif entry.yaml_path is not None:
        yield _task_file(entry.name, entry.yaml_path, metadata)


def _group_files(
    entry: Entry, group: Mapping[str, Any], index: Mapping[str, Entry], metadata: Mapping[str, Any]
) -> Iterator[TaskFile]:
    """The group's file, and those of its members; a tag in it is written out."""
    members: list[str] = []
    for member in group.get("task") or []:
        if not isinstance(member, str) or member not in index:
            raise InputError(
                f"Group `{entry.name}` defines a task of its own ({str(member)[:80]}). Wrap its tasks one by one."
            )
        own = index[member]
        members += sorted(own.tags) if own.kind is Kind.TAG else [member]
        yield from _files(own, index, metadata)
    wanted = [each for each in group.get("aggregate_metric_list") or [] if isinstance(each, dict)]
    # A group's smallest value is not that of its tasks: only what is a mean of documents is averaged.
    metrics = [{**each, "metric": f"{each['metric']}{end}"} for each in wanted for end in ("", EDITED)]
    found = {
        "group": PREFIX + entry.name,
        "task": [PREFIX + member for member in members],
        # Of no task: without a list, lm_eval's logger for W&B looks for samples of the group, and stops.
        "aggregate_metric_list": metrics or [{"metric": "none"}],
    }
    yield TaskFile(PREFIX + entry.name, yaml.safe_dump(found, sort_keys=False, allow_unicode=True))


def _task_file(name: str, path: Path, metadata: Mapping[str, Any]) -> TaskFile:
    own = Path(lm_eval.tasks.__file__).parent.resolve()
    place = path.resolve()
    shown = place.relative_to(own).as_posix() if place.is_relative_to(own) else str(place)
    entries = yaml.safe_dump({OF: name, YAML: shown, **metadata}, sort_keys=False, allow_unicode=True)
    lines = [
        f"task: {PREFIX}{name}",
        f"class: !function {CLASS}",
        "metadata:",
        *(f"  {each}" for each in entries.splitlines()),
    ]
    return TaskFile(PREFIX + name, "\n".join(lines) + "\n")


def write_files(files: Sequence[TaskFile], folder: Path) -> None:
    """Write them into one folder.

    Raises:
        InputError: the folder takes no files.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for each in files:
            (folder / f"{each.name}.yaml").write_text(each.text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"`-o {shown_path(folder)}` cannot be written ({error.strerror}).") from None
