"""A run counts when everything that was asked is in it. Files that are cut or gone: test_run.py."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.panel.read_back import read_back
from tests.unit.panel.made_panel import RECORDED

DATE = "2026-11-30T12-00-00.000000"


def run(folder: Path, rows: dict[str, Sequence[str]], groups: dict[str, list[str]], **more: Any) -> Path:
    """A run of two documents of tasks that are none of this package's: task -> filters of its rows."""
    folder.mkdir()
    results = {
        "results": {task: {"acc,none": 1.0} for task in rows},
        "configs": {task: {} for task in rows},
        "group_subtasks": groups,
        "n-samples": {task: {"original": 2, "effective": 2} for task in rows},
        **more,
    }
    (folder / f"results_{DATE}.json").write_text(json.dumps(results), encoding="utf-8")
    for task, filters in rows.items():
        lines = (json.dumps({"doc_id": n, "filter": name}) for name in filters for n in range(2))
        (folder / f"samples_{task}_{DATE}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


ROWS = {"arc_easy": ("none",), "gsm8k": ("strict", "flexible"), "mmlu_law": ("none",)}
GROUPS = {"mmlu": ["mmlu_law_group"], "mmlu_law_group": ["mmlu_law"]}


@pytest.mark.parametrize(
    "tasks",
    [
        ["arc_easy", "gsm8k", "mmlu"],
        ["arc_easy", "gsm8k", "mmlu_*"],
        ["arc_easy", "a_tag_of_gsm8k", "mmlu"],
        ["arc_easy", "gsm8k", "my/folder/law.yaml"],
    ],
)
def test_names_groups_patterns_tags_and_files_are_found(tmp_path: Path, tasks: list[str]) -> None:
    read_back(run(tmp_path / "run", ROWS, GROUPS), tasks)


@pytest.mark.parametrize(
    ("rows", "groups", "tasks", "missing"),
    [
        (ROWS, GROUPS, ["arc_easy", "gsm8k", "mmlu", "piqa"], "piqa"),
        ({"arc_easy": ("none",)}, GROUPS, ["arc_easy", "mmlu"], "mmlu_law"),
        ({"arc_easy": ("none",)}, {}, ["arc_easy", "mmlu_*"], r"mmlu_\*"),
        (ROWS, {**GROUPS, "mmlu_law_group": ["mmlu_law", "mmlu_art"]}, ["mmlu"], "mmlu_art"),
        (ROWS, {"mmlu": ["mmlu", "mmlu_gone"]}, ["mmlu"], "mmlu_gone"),
    ],
)
def test_a_task_that_is_missing_is_named(
    tmp_path: Path,
    rows: dict[str, Sequence[str]],
    groups: dict[str, list[str]],
    tasks: list[str],
    missing: str,
) -> None:
    with pytest.raises(InputError, match=f"the task '{missing}' is missing from `configs`"):
        read_back(run(tmp_path / "run", rows, groups), tasks)


def test_a_count_that_the_rows_do_not_have_is_refused(tmp_path: Path) -> None:
    counts = {task: {"original": 9, "effective": 3} for task in ROWS}
    with pytest.raises(InputError, match="3 documents were run, rows: 2 under `none`"):
        read_back(run(tmp_path / "run", ROWS, GROUPS, **{"n-samples": counts}), list(ROWS))


def test_a_recorded_run_is_whole(tmp_path: Path) -> None:
    read_back(RECORDED, ["prompt_sensitivity_mini"])
    with pytest.raises(InputError, match="holds no results"):
        read_back(tmp_path, ["prompt_sensitivity_mini"])
