"""Rescoring real runs of lm_eval: with the same embedder every number comes back.

Up to the last digits of a distance: which texts share an embedder's batch changes those.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lm_eval_sensitivity.embedder import TextDistances, load_embedder
from lm_eval_sensitivity.harness.rescore import NOT_RESCORED, RESCORED, Settings, rescore_run
from lm_eval_sensitivity.records.columns import DRIFTS
from lm_eval_sensitivity.runs import load_reference, load_runs
from tests.harness.conftest import Lmeval, Run, read_run
from tests.harness.test_pairs_table import with_drift

GROUP = "prompt_sensitivity_mini_meaning_preserving"


@dataclass(frozen=True)
class Runs:
    """A reference, and a system with drift from it."""

    reference: Run
    drifting: Run


@pytest.fixture(scope="module")
def runs(demo: Path, run_once: Lmeval) -> Runs:
    return Runs(*with_drift(demo, run_once, tasks=GROUP, limit=2))


@pytest.fixture(scope="module")
def distances() -> TextDistances:
    embedder = load_embedder()
    return TextDistances(lambda: embedder)


def sample_rows(folder: Path) -> dict[str, list[Any]]:
    """Every samples file below a folder, by its place."""
    return {
        str(path.relative_to(folder)): [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        for path in sorted(folder.rglob("samples_*"))
    }


def same(first: Any, second: Any) -> bool:
    """Equal, numbers to seven digits; NaN is the same as NaN."""
    if isinstance(first, float) and isinstance(second, float):
        return math.isclose(first, second, rel_tol=1e-6, abs_tol=1e-6) or (
            first != first and second != second
        )
    if isinstance(first, dict) and isinstance(second, dict):
        return list(first) == list(second) and all(same(first[key], second[key]) for key in first)
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(same, first, second))
    return bool(first == second)


def without_origin(results: dict[str, Any]) -> dict[str, Any]:
    for config in results["configs"].values():
        block = config.get("metadata", {}).get("sensitivity")
        if block is not None:
            assert block.pop("rescored_by") == block["package_version"]
            origin = block.pop("rescored_from")
            assert origin["embedder"] == block["embedder"] and origin["system"] == block["system"]
            if block["reference"] is not None:
                block["reference"].pop("folder")
    return results


def test_the_same_embedder_gives_the_same_run(runs: Runs, distances: TextDistances, tmp_path: Path) -> None:
    for run, reference in ((runs.reference, None), (runs.drifting, load_reference(runs.reference.folder))):
        new = tmp_path / ("drifting" if reference else "reference")
        rescore_run(run.folder, new, Settings(distances, reference=reference))
        assert same(sample_rows(new), sample_rows(run.folder))
        old_results = json.loads(json.dumps(run.results))
        for config in old_results["configs"].values():
            block = config.get("metadata", {}).get("sensitivity", {})
            if block.get("reference"):
                block["reference"].pop("folder")
        for task in (task for task in old_results["results"] if task in run.samples):
            # What was said of the whole run is withdrawn; all else is as it was.
            said = {f"{row},{name}" for row in ("noise", "verdict") for name in ("raw", "answer")}
            summary = old_results["configs"][task]["metadata"]["sensitivity"]
            assert said <= summary["rows"].keys()
            summary["rows"] |= dict.fromkeys(said, RESCORED)
            summary.pop("summary", None)
        new_results = without_origin(read_run(new).results)
        assert same(new_results, old_results)
        assert run.results["groups"][GROUP]["cosine_distance,answer"] > 0
        assert same(load_runs([new]).table.to_pylist(), load_runs([run.folder]).table.to_pylist())


def test_with_answers_as_found_a_rule_that_finds_the_same_changes_nothing(
    runs: Runs, distances: TextDistances, tmp_path: Path
) -> None:
    """The demonstration model writes no scaffold: whatever is looked for, the answer is the whole output."""
    for rule in ("none", "think"):
        rescore_run(runs.reference.folder, tmp_path / rule, Settings(distances, rule=rule))
        assert same(sample_rows(tmp_path / rule), sample_rows(runs.reference.folder))
        found = read_run(tmp_path / rule)
        for task in runs.reference.samples:
            assert found.value(task, "window") == runs.reference.value(task, "window")


def test_drift_of_the_old_embedder_does_not_stay(
    runs: Runs, distances: TextDistances, tmp_path: Path
) -> None:
    rescore_run(runs.drifting.folder, tmp_path / "new", Settings(distances))
    new = read_run(tmp_path / "new")
    for rows in new.samples.values():
        for row in rows:
            assert row["baseline_drift"] != row["baseline_drift"]
            for name in DRIFTS:
                assert row["pair"]["scores"][name] is None
                assert row["pair"]["missing"][name].startswith("not rescored:")
    table = load_runs([tmp_path / "new"]).table
    assert set(table["missing_baseline_drift"].to_pylist()) == {NOT_RESCORED}
    assert set(table["baseline_drift"].to_pylist()) == {None}


def test_drift_of_a_run_that_had_none_is_that_of_a_run_that_had_it(
    runs: Runs, distances: TextDistances, tmp_path: Path, demo: Path
) -> None:
    """The way through rescoring and the way through lm_eval meet."""
    reference = load_reference(runs.reference.folder)
    rescore_run(runs.drifting.folder, tmp_path / "lost", Settings(distances))
    rescore_run(tmp_path / "lost", tmp_path / "found", Settings(distances, reference=reference))
    assert same(sample_rows(tmp_path / "found"), sample_rows(runs.drifting.folder))
    found = read_run(tmp_path / "found")
    for task in found.samples:
        assert found.value(task, "baseline_drift") == pytest.approx(
            runs.drifting.value(task, "baseline_drift")
        )
    rescore_run(runs.reference.folder, tmp_path / "itself", Settings(distances, reference=reference))
    itself = read_run(tmp_path / "itself")
    for task, rows in itself.samples.items():
        assert all(
            row["baseline_drift"] == 0 and row["metrics"][-2:] == ["baseline_drift", "pair"] for row in rows
        )
        assert itself.value(task, "baseline_drift") == 0
        assert itself.results["higher_is_better"][task].keys() >= {"baseline_drift"}
    assert set(load_runs([tmp_path / "itself"]).table["baseline_drift"].to_pylist()) == {0.0}


def test_an_engine_that_returns_text_only(distances: TextDistances, tmp_path: Path, run_once: Lmeval) -> None:
    run = run_once(
        "unused",
        tasks="prompt_sensitivity_mini_synonym",
        model="dummy",
        model_args="x=1",
        apply_chat_template=None,
        limit=3,
    )
    for rule in (None, "none"):
        new = tmp_path / f"new_{rule}"
        rescore_run(run.folder, new, Settings(distances, rule=rule))
        assert same(sample_rows(new), sample_rows(run.folder))
