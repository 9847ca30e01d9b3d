"""A run of two processes says what the run of one says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.harness.wrapped import made_tasks
from tests.harness.wrapped.made_tasks import ARC, GSM8K, arc_documents, gsm8k_documents
from tests.harness.wrapped.one_of_two import answer
from tests.harness.wrapped.scripted import Scripted, evaluate
from tests.running import table_of


def test_two_processes_find_what_one_finds(tmp_path: Path) -> None:
    few_shot = {**GSM8K, "num_fewshot": 2, "fewshot_split": "test"}
    tasks = made_tasks.make(tmp_path / "tasks", "gsm8k", few_shot, gsm8k_documents(7))
    made_tasks.make(tasks, "arc", ARC, arc_documents(5))
    out = tmp_path / "out.json"
    line = [sys.executable, "-W", "ignore", "-m", "tests.harness.wrapped.one_of_two"]
    running = [
        subprocess.Popen([*line, str(rank), str(tmp_path / "meeting"), str(tasks), str(out)])
        for rank in (0, 1)
    ]
    assert [each.wait(timeout=150) for each in running] == [0, 0]
    two: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    one = evaluate(Scripted(answer), "sensitivity_gsm8k,sensitivity_arc", tasks)
    for task, n, flips in (("gsm8k", 14, "flips,strict-match"), ("arc", 5, "flips,none")):
        name = f"sensitivity_{task}"
        assert two["results"][name] == one["results"][name]
        assert table_of(two, name) == table_of(one, name)
        assert table_of(two, name)[flips].startswith(("14 of 49", "5 of 40"))
        ours, theirs = rows_of(two, name), rows_of(one, name)
        assert ours.keys() == theirs.keys() and len(ours) == n
        assert all(ours[key][0] == theirs[key][0] for key in ours)
    said = [
        [each["metadata"]["sensitivity"].get("summary") for each in found["configs"].values()]
        for found in (two, one)
    ]
    assert said[0] == said[1] and sum(map(bool, said[0])) == 1, "all tasks once, with the last of them"


def rows_of(found: dict[str, Any], task: str) -> dict[Any, Any]:
    """(document, filter) -> answers."""
    return {(row["doc_id"], row["filter"]): (row["unedited"], row["edits"]) for row in found["samples"][task]}
