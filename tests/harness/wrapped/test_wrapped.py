"""Wrapped tasks through the real lm_eval: the plain task's own row, and what edits do to its answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.harness.conftest import Lmeval, Run
from tests.harness.wrapped import made_tasks
from tests.harness.wrapped.made_tasks import ARC, GSM8K, arc_documents, gsm8k_documents

PLAIN: dict[str, Any] = {"gen_kwargs": None, "apply_chat_template": False}


def metrics_of(run: Run, task: str) -> dict[str, Any]:
    """The numbers of a task's row."""
    row = run.results["results"][task]
    return {name: value for name, value in row.items() if name not in ("name", "alias")}


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tasks")
    made_tasks.make(folder, "arc", ARC, arc_documents(12))
    return made_tasks.make(
        folder, "gsm8k", {**GSM8K, "num_fewshot": 2, "fewshot_split": "test"}, gsm8k_documents(7)
    )


@pytest.fixture(scope="module")
def plain(tasks: Path, model: Path, run_once: Lmeval) -> Run:
    return run_once(model, tasks="arc,gsm8k", include_path=tasks, **PLAIN)


@pytest.fixture(scope="module")
def wrapped(tasks: Path, model: Path, run_once: Lmeval) -> Run:
    return run_once(model, tasks="sensitivity_arc,sensitivity_gsm8k", include_path=tasks, **PLAIN)


@pytest.mark.parametrize("task", ["arc", "gsm8k"])
def test_the_unedited_rows_are_those_of_the_plain_task_bit_for_bit(
    task: str, plain: Run, wrapped: Run
) -> None:
    expected, found = metrics_of(plain, task), metrics_of(wrapped, f"sensitivity_{task}")
    assert {name: found[name] for name in expected} == expected
    for ours, theirs in zip(wrapped.samples[f"sensitivity_{task}"], plain.samples[task], strict=True):
        names = theirs.keys() - {"metrics"}
        assert {name: ours[name] for name in names} == {name: theirs[name] for name in names}
