"""A run of two processes says what the run of one says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.harness.wrapped import made_tasks
from tests.harness.wrapped.made_tasks import GSM8K, gsm8k_documents
from tests.harness.wrapped.one_of_two import answer
from tests.harness.wrapped.scripted import Scripted, evaluate


def test_two_processes_find_what_one_finds(tmp_path: Path) -> None:
    tasks = made_tasks.make(
        tmp_path / "tasks", "gsm8k", {**GSM8K, "num_fewshot": 2, "fewshot_split": "test"}, gsm8k_documents(7)
    )
    out, line = (
        tmp_path / "out.json",
        [sys.executable, "-W", "ignore", "-m", "tests.harness.wrapped.one_of_two"],
    )
    running = [
        subprocess.Popen([*line, str(rank), str(tmp_path / "meeting"), str(tasks), str(out)])
        for rank in (0, 1)
    ]
    assert [each.wait(timeout=150) for each in running] == [0, 0]
    two: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    one = evaluate(Scripted(answer), "sensitivity_gsm8k", tasks)
    assert two["results"]["sensitivity_gsm8k"] == one["results"]["sensitivity_gsm8k"]
    assert two["results"]["sensitivity_gsm8k"]["flips,strict-match"].startswith("14 of 49")

    def rows(found: dict[str, Any]) -> dict[Any, Any]:
        samples = found["samples"]["sensitivity_gsm8k"]
        return {(row["doc_id"], row["filter"]): (row["unedited"], row["edits"]) for row in samples}

    ours, theirs = rows(two), rows(one)
    assert ours.keys() == theirs.keys() and len(ours) == 14
    said = [
        found["configs"]["sensitivity_gsm8k"]["metadata"]["sensitivity"]["summary"] for found in (two, one)
    ]
    assert said[0] == said[1]
    assert all(ours[key][0] == theirs[key][0] for key in ours)
