"""lm_eval's trackers over our tasks, as a user starts them: nothing of a run is lost, and nothing raises.

Needs `wandb` and `trackio`, of the versions in constraints.txt.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import datasets
import pytest

from lm_eval_sensitivity.runs import load_runs
from tests.golden.doors import RUNS as RECORDED
from tests.harness.conftest import Run, arguments, read_run
from tests.harness.wrapped import made_tasks
from tests.harness.wrapped.made_tasks import ARC, arc_documents

RUNS: dict[str, tuple[dict[str, Any], str]] = {
    "group": ({"tasks": "prompt_sensitivity_mini", "limit": 2}, "cosine_distance"),
    "sampled": (
        {"tasks": "prompt_sensitivity_sampling", "limit": 2, "metadata": {"n_samples": 2}},
        "excess_distance",
    ),
    "wrapped": ({"tasks": "sensitivity_arc", "gen_kwargs": None, "apply_chat_template": False}, "acc"),
    "predicted": ({"tasks": "prompt_sensitivity_mini", "limit": 2, "predict_only": True}, "labels"),
}
"""Options of a run, and a column that W&B has of its samples."""


def start(model: Path, folder: Path, variables: dict[str, str], status: int = 0, **options: Any) -> Run:
    """A fresh lm_eval."""
    line = [sys.executable, "-m", *arguments(model, folder, **options)]
    done = subprocess.run(line, capture_output=True, text=True, env={**os.environ, **variables})
    assert done.returncode == status, done.stderr[-4000:]
    return read_run(folder, done.stdout, done.stderr)


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_trackers_take_all_samples_without_a_network(name: str, demo: Path, tmp_path: Path) -> None:
    for library in ("wandb", "trackio"):
        pytest.importorskip(library, reason="no extra of ours brings a tracker")
    options, column = RUNS[name]
    if name == "wrapped":
        tasks = made_tasks.make(tmp_path / "tasks", "arc", ARC, arc_documents(4))
        options = {**options, "include_path": tasks}
    wandb, trackio = tmp_path / "wandb", tmp_path / "trackio"
    wandb.mkdir()
    own = {f"WANDB_{what}": str(wandb) for what in ("DIR", "DATA_DIR", "CACHE_DIR", "CONFIG_DIR")}
    run = start(
        demo,
        tmp_path / "run",
        {**own, "WANDB_MODE": "offline", "TRACKIO_DIR": str(trackio)},
        wandb_args="project=ours",
        wandb_config_args="purpose=test",
        trackio_args="project=ours",
        **options,
    )
    assert "Logging to" not in run.log and "Failed to build trace" not in run.log
    assert name == "predicted" or "Files:" in run.output, "the last screen"
    n_rows = sum(map(len, run.samples.values()))
    assert n_rows > 3

    # W&B: every sample in full, and a table of base outputs for each task.
    kept = [_json(path) for path in (wandb / "artifacts" / "staging").iterdir()]
    kept = [[_of_run(row) for row in each] for each in kept if isinstance(each, list)]
    for rows in run.samples.values():
        assert [_of_run(row) for row in rows] in kept
    tables = [_json(path) for path in wandb.rglob("*_eval_results_*.table.json")]
    tables = [table for table in tables if "raw_predictions" in table["columns"]]
    assert sum(len(table["data"]) for table in tables) == n_rows
    assert all(column in table["columns"] for table in tables)

    # Trackio: one trace for each sample, which names its task.
    traces = [
        json.loads(path.read_text(encoding="utf-8").splitlines()[0])["trackio"]["metadata"]
        for path in trackio.rglob("*.jsonl")
    ]
    assert len(traces) == n_rows and {trace["task"] for trace in traces} == set(run.samples)
    assert name == "wrapped" or all(trace["pair"]["schema_version"] for trace in traces)


@pytest.mark.slow
def test_where_the_hub_cannot_be_reached_the_run_folder_is_whole(demo: Path, tmp_path: Path) -> None:
    """lm_eval ends with an error of its own, after it has written everything."""
    run = start(
        demo,
        tmp_path / "run",
        {"HF_TOKEN": "hf_none", "HF_HUB_OFFLINE": "1"},
        status=1,
        tasks="prompt_sensitivity_mini_noop",
        limit=2,
        hf_hub_log_args="hub_results_org=me,push_results_to_hub=True,push_samples_to_hub=True",
    )
    assert "Could not save results aggregated" in run.log  # which is not so
    assert len(run.rows("prompt_sensitivity_mini_noop")) == 2
    assert "Files:" in run.output
    assert not load_runs(tmp_path / "run").left_out


def test_the_library_that_makes_the_hubs_viewer_reads_results_and_samples(tmp_path: Path) -> None:
    (results,) = (RECORDED / "greedy" / "demo").rglob("results_*.json")
    # lm_eval writes [null, "None"] for a tokenizer without a start token, which the library cannot read.
    found = {name: value for name, value in _json(results).items() if name != "tokenizer_bos_token"}
    (tmp_path / "results.json").write_text(json.dumps(found, indent=2), encoding="utf-8")
    for path in (tmp_path / "results.json", next(results.parent.glob("samples_*_noop_*.jsonl"))):
        read = datasets.load_dataset(
            "json", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache")
        )
        assert read.num_rows > 0


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _of_run(row: dict[str, Any]) -> str:
    """What of a sample is the same in a file and in an artifact, where arguments are lists and targets numbers."""
    made_flat = ("arguments", "resps", "filtered_resps", "target")
    return json.dumps({name: row[name] for name in row if name not in made_flat})
