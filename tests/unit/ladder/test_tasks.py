"""Which part of a ladder a task asks is what its file says."""

from __future__ import annotations

from typing import Any

import yaml

from lm_eval_sensitivity.ladder.tasks import rungs_of_tasks
from lm_eval_sensitivity.types import RUNGS
from tests.conftest import REPOSITORY

FOLDER = REPOSITORY / "tasks" / "prompt_sensitivity"


def test_every_task_of_greedy_outputs_is_known_and_no_other() -> None:
    loader = type("Loader", (yaml.SafeLoader,), {})
    loader.add_constructor("!function", lambda loader, node: node.value)
    files: list[dict[str, Any]] = [
        yaml.load(path.read_text(encoding="utf-8"), loader)  # noqa: S506 - a safe one
        for path in FOLDER.glob("*.yaml")
        if not path.name.startswith(("_", "sampling", "prompt_sensitivity_sampling"))
    ]
    tasks = {each["task"]: each["dataset_kwargs"] for each in files if "dataset_kwargs" in each}
    groups = {each["group"]: each["task"] for each in files if "group" in each}

    def leaves(name: str) -> list[str]:
        return [name] if name in tasks else [leaf for each in groups[name] for leaf in leaves(each)]

    known = rungs_of_tasks()
    assert set(known) == {*tasks, *groups}
    for name, (subset, rungs) in known.items():
        asked = [tasks[leaf] for leaf in leaves(name)]
        assert {each["subset"] for each in asked} == {subset}
        assert sorted((each["rung"] for each in asked), key=RUNGS.index) == list(rungs)
