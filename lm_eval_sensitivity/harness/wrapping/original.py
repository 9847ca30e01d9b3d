"""The task that is wrapped, as lm_eval itself builds it, and those that cannot be wrapped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lm_eval.tasks
from lm_eval.api.task import Task
from lm_eval.tasks._factory import TaskFactory
from lm_eval.tasks._index import Entry, Kind

from lm_eval_sensitivity.errors import InputError, unknown_name
from lm_eval_sensitivity.text.escape import shown

OF, YAML, FIELD = "sensitivity_of", "sensitivity_yaml", "sensitivity_field"
EDITS_WANTED, METRIC = "sensitivity_edits", "sensitivity_metric"
OWN = (OF, YAML, FIELD, EDITS_WANTED, METRIC)
"""Entries of a wrapped task's `metadata`."""

_STRUCTURE = ("task", "class", "metadata", "tag", "group")


def build_original(config: Mapping[str, Any]) -> Task:
    """Build the task that a wrapped one names.

    By the path of its YAML: a second index of all tasks would read some fourteen thousand files.

    Args:
        config: of the wrapped task. What it says beside names stands above what the original says.

    Returns:
        The original under its own name, with its data loaded.

    Raises:
        InputError: there is no such YAML, or a task of its kind cannot be wrapped.
    """
    metadata = dict(config.get("metadata") or {})
    name = str(config.get("task"))
    for needed in (OF, YAML):
        if not isinstance(metadata.get(needed), str):
            raise InputError(
                f"Task `{name}`: `metadata: {needed}` is {shown(metadata.get(needed))}; expected a text. Write the "
                "file with `lm-eval-sensitivity wrap`."
            )
    path = _found(name, metadata)
    overrides = {key: value for key, value in config.items() if key not in _STRUCTURE}
    meta = {key: value for key, value in metadata.items() if key not in OWN}
    entry = Entry(metadata[OF], Kind.TASK, path)
    original: Task = TaskFactory(meta=meta).build(entry, overrides=overrides, registry={})
    problem = cannot_be_wrapped(original)
    if problem:
        raise InputError(f"Task `{name}`: `{metadata[OF]}` cannot be wrapped: {problem}.")
    _check_metric(original, name, metadata.get(METRIC))
    original.config.metadata = {
        **(original.config.metadata or {}),
        **{k: metadata[k] for k in OWN if k in metadata},
    }
    return original


def _check_metric(task: Task, name: str, wanted: Any) -> None:
    known = tuple(map(str, task.aggregation()))
    if wanted is not None and wanted not in known:
        raise unknown_name(f"Task `{name}`: `metadata: {METRIC}`", str(wanted), known)


def _found(name: str, metadata: Mapping[str, Any]) -> Path:
    """The original's YAML, seen from the wrapped task's file, or from lm_eval's own tasks."""
    given = Path(metadata[YAML]).expanduser()
    beside = Path(str(metadata.get("config_source", "")))
    places = [beside.parent / given, Path(lm_eval.tasks.__file__).parent / given]
    for place in [given] if given.is_absolute() else places:
        if place.is_file():
            return place
    raise InputError(
        f"Task `{name}`: there is no `{YAML}: {shown(metadata[YAML])}`, neither beside its own file nor among the "
        f"tasks of lm_eval. Where another version has moved it, run `lm-eval-sensitivity wrap {metadata[OF]}` again."
    )


def cannot_be_wrapped(task: Task) -> str:
    """Why the prompts of a task cannot be edited; empty where they can.

    Args:
        task: as lm_eval built it.
    """
    config = task.config
    for is_so, reason in (
        (task.OUTPUT_TYPE == "loglikelihood_rolling", "it scores whole texts, and asks nothing"),
        (
            getattr(task, "multiple_input", 0),
            "its choices are contexts, so that there is no one prompt to edit",
        ),
        (getattr(task, "UNSAFE_CODE", False), "it runs code that a model wrote, once for every edit"),
        (getattr(task, "MULTIMODAL", False), "it has images or sounds"),
        (
            (config.repeats or 1) > 1,
            "it repeats each prompt (`repeats`), so that an edit and chance look alike",
        ),
    ):
        if is_so:
            return reason
    return ""


def check_decoding(task: Task) -> None:
    """Refuse sampled outputs, of which an edit cannot be told from chance.

    Raises:
        InputError: the task samples.
    """
    kwargs = task.config.generation_kwargs or {}
    if task.OUTPUT_TYPE == "generate_until" and kwargs.get("do_sample"):
        raise InputError(
            f"Task `{task.config.task}`: `do_sample` is {shown(kwargs['do_sample'])}. A sampled answer changes by "
            "itself: give `--gen_kwargs do_sample=False`."
        )
