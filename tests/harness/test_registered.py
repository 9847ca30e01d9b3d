"""Our metrics by name in a task that somebody else wrote, through the real lm_eval."""

from __future__ import annotations

import json
import math
from pathlib import Path
from statistics import mean, stdev

import pytest

from lm_eval_sensitivity import __version__
from lm_eval_sensitivity.embedder import TextDistances, load_embedder
from tests.conftest import REPOSITORY
from tests.harness.conftest import Lmeval, Run

FOLDER = "examples/distance_to_answers"
TASK = "distance_to_answers"


@pytest.fixture
def run_task(lm_eval: Lmeval, demo: Path, monkeypatch: pytest.MonkeyPatch) -> Lmeval:
    """A task of a folder, from the root of a checkout, as its YAML says."""
    monkeypatch.chdir(REPOSITORY)

    def run(folder: Path | str) -> Run:
        return lm_eval(demo, tasks=TASK, include_path=str(folder), gen_kwargs="max_gen_toks=24")

    return run


def test_the_example_measures_how_far_answers_are_from_given_ones(run_task: Lmeval) -> None:
    run = run_task(FOLDER)
    distances = TextDistances(load_embedder)
    expected = [distances.distance(row["resps"][0][0], row["target"]) for row in run.samples[TASK]]
    assert len(expected) == 6
    assert [row["answer_cosine_distance"] for row in run.samples[TASK]] == expected
    found = run.results["results"][TASK]
    assert found["answer_cosine_distance,none"] == pytest.approx(mean(expected))
    assert found["answer_cosine_distance_stderr,none"] == pytest.approx(stdev(expected) / math.sqrt(6))
    assert found["missing_answer_cosine_distance,none"] == "6 of 6 documents scored"
    # Names, not functions, stand in the results, with the version that computed them.
    config = run.results["configs"][TASK]
    assert config["metric_list"][0]["metric"] == "answer_cosine_distance"
    assert config["metadata"]["lm_eval_sensitivity"] == __version__


def test_a_document_without_a_number_is_left_out_and_counted(run_task: Lmeval, tmp_path: Path) -> None:
    documents = [{"question": "Why?", "answer": ""}, {"question": "Why rain?", "answer": "Why rain?"}]
    (tmp_path / "documents.jsonl").write_text("\n".join(map(json.dumps, documents)), encoding="utf-8")
    task = (REPOSITORY / FOLDER / f"{TASK}.yaml").read_text(encoding="utf-8")
    task = task.replace(f"data_files: {FOLDER}/answers.jsonl", f"data_files: {tmp_path}/documents.jsonl")
    task = task.replace("answer_cosine_distance", "answer_text_edit_distance")
    (tmp_path / f"{TASK}.yaml").write_text(task, encoding="utf-8")
    run = run_task(tmp_path)
    first, second = run.samples[TASK]
    assert math.isnan(first["answer_text_edit_distance"])
    assert first["missing_answer_text_edit_distance"] == "empty: one of the texts has nothing to embed"
    found = run.results["results"][TASK]
    assert found["answer_text_edit_distance,none"] == second["answer_text_edit_distance"] > 0
    assert found["missing_answer_text_edit_distance,none"] == "1 of 2 documents scored, 1 empty"
