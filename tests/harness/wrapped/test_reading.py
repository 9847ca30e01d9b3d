"""The commands over runs read wrapped ones: a document is a prompt, and its distance is whether the answer changes."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

import lm_eval_sensitivity as les
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.runs import load_runs
from tests.harness import tiny_models
from tests.harness.conftest import Lmeval, Run
from tests.harness.wrapped import made_tasks
from tests.harness.wrapped.made_tasks import ARC, GSM8K, arc_documents, gsm8k_documents
from tests.running import command

FAST = ("--resamples", "999")


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tasks")
    first_word = [{"name": "first-word", "filter": GSM8K["filter_list"][1]["filter"]}]
    made_tasks.make(folder, "arc", ARC, arc_documents(6), sensitivity_edits=["nbsp"])
    return made_tasks.make(folder, "words", {**GSM8K, "filter_list": first_word}, gsm8k_documents(12))


@pytest.fixture(scope="module")
def runs(tasks: Path, tmp_path_factory: pytest.TempPathFactory, run_once: Lmeval) -> list[Run]:
    folder = tmp_path_factory.mktemp("models")
    models = [tiny_models.build(folder / name, name) for name in ("llama", "gpt2")]
    options: dict[str, Any] = {"gen_kwargs": None, "apply_chat_template": False, "include_path": tasks}
    return [run_once(model, tasks="sensitivity_words", **options) for model in models]


def test_the_pairs_are_documents_and_edits(runs: list[Run]) -> None:
    table = load_runs([run.folder for run in runs]).table.to_pylist()
    for run, name in zip(runs, ("llama", "gpt2"), strict=True):
        samples = run.samples["sensitivity_words"]
        for sample in samples:
            for edit, found in sample["edits"].items():
                pair_id = f"words/{sample['doc_id']}/{edit}"
                rows = [row for row in table if row["pair_id"] == pair_id and row["name"].startswith(name)]
                if found["status"] == "no place":
                    assert not rows
                    continue
                differs = found["answer"] != sample["unedited"]["answer"]
                assert {row["filter"] for row in rows} == {"raw", "answer"}
                assert all(row["answer_flip"] == differs and row["cosine_distance"] is None for row in rows)
                assert all(row["missing_choice_js_divergence"].startswith("no choices") for row in rows)


def printed(capsys: pytest.CaptureFixture[str], *line: object) -> str:
    capsys.readouterr()
    assert command(*line, *FAST) == 0
    return capsys.readouterr().out


def test_clusters_heatmap_and_compare_speak_of_answers(
    runs: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [run.folder for run in runs]
    found = json.loads(printed(capsys, "clusters", *folders, "--format", "json"))
    assert [row["counts"]["n_prompts"] for row in found["selections"][0]["systems"]] == [12, 12]
    heat = printed(capsys, "heatmap", *folders, "--format", "csv")
    by_edit = {(row["edit"], row["system"]): row for row in csv.DictReader(StringIO(heat))}
    flips = json.loads(printed_json(capsys, folders))
    for each in flips["answers"]:
        for count in each["statement"]["by_edit"]:
            if count["n_asked"] >= 5:
                mean = float(by_edit[count["name"], each["system"]]["mean"])
                assert mean == pytest.approx(count["n_flipped"] / count["n_asked"])
    assert "the share of edits that change its answer" in " ".join(
        printed(capsys, "clusters", *folders).split()
    )
    assert "answer_flip" in printed(capsys, "compare", *folders)


def printed_json(capsys: pytest.CaptureFixture[str], folders: list[Path]) -> str:
    capsys.readouterr()
    assert command("flips", *folders, "--format", "json") == 0
    return capsys.readouterr().out


def test_drift_is_the_share_of_other_answers(runs: list[Run], capsys: pytest.CaptureFixture[str]) -> None:
    first, second = runs
    out = printed(capsys, "drift", second.folder, "--reference", first.folder, "--format", "json")
    (system,) = [each for each in json.loads(out)["drift"]["systems"] if not each["is_reference"]]
    pairs = list(zip(first.samples["sensitivity_words"], second.samples["sensitivity_words"], strict=True))
    by_document = []
    for ours, theirs in pairs:
        assert ours["doc_id"] == theirs["doc_id"]
        answers = [(ours["unedited"]["answer"], theirs["unedited"]["answer"])]
        answers += [
            (ours["edits"][edit]["answer"], theirs["edits"][edit]["answer"])
            for edit, found in ours["edits"].items()
            if found["status"] == "survived"
        ]
        by_document.append(sum(a != b for a, b in answers) / len(answers))
    assert system["drift"]["mean"]["estimate"] == pytest.approx(sum(by_document) / len(by_document))


def test_a_report_has_the_scores_at_its_top_and_a_section_of_answers(runs: list[Run], tmp_path: Path) -> None:
    folders = [run.folder for run in runs]
    assert command("report", *folders, "--reference", folders[0], "-o", tmp_path, *FAST) == 0
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "What edits do to the answers of the task" in page and "exact_match" in page
    assert "Harmless edits change the answers of 2 systems in this share of prompts" in page


def test_one_table_holds_one_task(
    tasks: Path, model: Path, run_once: Lmeval, capsys: pytest.CaptureFixture[str]
) -> None:
    both = "sensitivity_arc,sensitivity_words"
    run = run_once(model, tasks=both, gen_kwargs=None, apply_chat_template=False, include_path=tasks)
    with pytest.raises(InputError, match="choose with `--subset`"):
        command("heatmap", run.folder)
    found = printed(capsys, "heatmap", run.folder, "--subset", "arc", "--metric", "choice_js_divergence")
    assert "nbsp" in found and "double_space" not in found


def test_answers_are_not_asked_of_other_runs(demo_of_four_rungs: Run) -> None:
    with pytest.raises(InputError, match="belongs to runs of wrapped tasks"):
        command("heatmap", demo_of_four_rungs.folder, "--metric", "answer_flip")


def test_what_needs_outputs_says_so(runs: list[Run], tmp_path: Path) -> None:
    folder = runs[0].folder
    for line in (
        ("probe", "stretch", folder),
        ("rescore", folder, "-o", tmp_path / "r"),
    ):
        with pytest.raises(InputError, match=r"of the wrapped task sensitivity_words\. Use `flips`"):
            command(*line)


def test_a_notebook_reads_answers_too(runs: list[Run], capsys: pytest.CaptureFixture[str]) -> None:
    folders = [run.folder for run in runs]
    assert "answer_flip" in str(les.clusters(folders, resamples=999))
    assert "exact_match" in str(les.summary(folders[0]))
    assert "Answers that an edit changes" in printed(capsys, "show", folders[0])
    assert "answers only" not in command_output(capsys, "pairs", folders[0])


def command_output(capsys: pytest.CaptureFixture[str], *line: object) -> str:
    capsys.readouterr()
    assert command(*line) == 0
    return capsys.readouterr().out
