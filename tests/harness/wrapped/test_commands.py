"""`wrap` writes what lm_eval runs, `flips` reads what it left; ready tasks name tasks that are there."""

from __future__ import annotations

import fnmatch
import json
from pathlib import Path
from typing import Any

import lm_eval.tasks
import pytest
import yaml

from lm_eval_sensitivity.cli.tasks_path import tasks_path
from lm_eval_sensitivity.errors import InputError
from tests.harness.conftest import Lmeval, Run
from tests.harness.wrapped import made_tasks
from tests.harness.wrapped.made_tasks import ARC, GSM8K, arc_documents, gsm8k_documents
from tests.harness.wrapped.scripted import Scripted, evaluate
from tests.running import command


def test_ready_tasks_name_tasks_of_lm_eval() -> None:
    own = Path(lm_eval.tasks.__file__).parent
    files = list((tasks_path() / "prompt_sensitivity" / "wrapped").glob("*.yaml"))
    texts = {file.stem: file.read_text(encoding="utf-8").replace("!function", "") for file in files}
    assert len(texts) > 70
    assert not fnmatch.filter(texts, "mmlu*"), "a user's `--tasks mmlu_*` asks for lm_eval's own"
    for name, text in texts.items():
        found = yaml.safe_load(text)
        if "group" in found:
            assert found["group"] == name and {*found["task"]} <= texts.keys()
            metrics = [each["metric"] for each in found["aggregate_metric_list"]]
            assert metrics == ["acc", "acc_edited"], "a group's smallest value is not that of its tasks"
        else:
            assert found.keys() == {"task", "class", "metadata"}, (
                "an `include` would bring the tag of the original"
            )
            assert found["task"] == name == f"sensitivity_{found['metadata']['sensitivity_of']}"
            assert (own / found["metadata"]["sensitivity_yaml"]).is_file()


def test_wrap_writes_tasks_and_groups_that_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = made_tasks.make(tmp_path / "own", "arc_a", ARC, arc_documents(3))
    made_tasks.make(own, "arc_b", ARC, arc_documents(5))
    for file in own.glob("sensitivity_*"):
        file.unlink()
    metrics = [{"metric": "acc", "aggregation": "mean", "weight_by_size": True}]
    group = {"group": "both", "task": ["arc_a", "arc_b"], "aggregate_metric_list": metrics}
    (own / "both.yaml").write_text(yaml.safe_dump(group), encoding="utf-8")
    wrapped = tmp_path / "wrapped"
    options = ("--field", "question", "--edits", "double_space,nbsp")
    assert command("wrap", "both", "--include_path", own, "-o", wrapped, *options) == 0
    assert "--tasks sensitivity_both" in capsys.readouterr().out

    def say(context: str, choice: str | None) -> float:
        return (
            -float("magnets" not in str(choice))
            if "  " not in context
            else -float("rivers" not in str(choice))
        )

    results = evaluate(Scripted(say), "sensitivity_both", wrapped)["results"]
    by_task = [results[f"sensitivity_arc_{name}"] for name in "ab"]
    for metric in ("acc", "acc_edited"):
        mean = sum(n * row[f"{metric},none"] for n, row in zip((3, 5), by_task, strict=True)) / 8
        assert results["sensitivity_both"][f"{metric},none"] == pytest.approx(mean)
    assert "acc_lowest,none" not in results["sensitivity_both"]


def test_wrap_names_mistakes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no task, group or tag `prompt_sensitivty`.*Did you mean"):
        command("wrap", "prompt_sensitivty", "-o", tmp_path)
    with pytest.raises(InputError, match="Did you mean 'nbsp'"):
        command("wrap", "prompt_sensitivity", "-o", tmp_path, "--edits", "nbps")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, model: Path, run_once: Lmeval) -> Run:
    folder = tmp_path_factory.mktemp("tasks")
    made_tasks.make(folder, "arc", ARC, arc_documents(12))
    made_tasks.make(folder, "gsm8k", GSM8K, gsm8k_documents(7))
    tasks = "sensitivity_arc,sensitivity_gsm8k"
    return run_once(model, tasks=tasks, include_path=folder, gen_kwargs=None, apply_chat_template=False)


def test_flips_says_what_the_run_said(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("flips", run.folder, "--format", "json") == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    for each in found["answers"]:
        statement, row = each["statement"], run.table(f"sensitivity_{each['statement']['task']}")
        name = statement["filter_name"]
        for score in statement["scores"]:
            assert score["unedited"] == row[f"{score['metric']},{name}"]
            assert max(value for _, value in score["by_edit"]) == row[f"{score['metric']}_highest,{name}"]
        every = statement["every"]
        words = f"{every['n_flipped']} of {every['n_asked']} edited prompts"
        assert row[f"flips,{name}"].startswith(words)
    assert command("flips", run.folder) == 0
    assert "arc acc" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda row: row.pop("unedited"), "`unedited` is missing"),
        (lambda row: row["edits"].update(strange={"status": "survived"}), "names no such edit"),
        (lambda row: row["edits"]["nbsp"].update(status="fine"), "`edits.nbsp.status` is 'fine'"),
        (lambda row: row["unedited"].update(choice_probabilities=[2.0]), "choice_probabilities"),
    ],
)
def test_flips_refuses_changed_files(run: Run, tmp_path: Path, change: Any, words: str) -> None:
    (results,) = run.folder.rglob("results_*.json")
    (samples,) = run.folder.rglob("samples_sensitivity_arc_*.jsonl")
    lines = [json.loads(line) for line in samples.read_text(encoding="utf-8").splitlines()]
    change(lines[0])
    (tmp_path / results.name).write_bytes(results.read_bytes())
    (tmp_path / samples.name).write_text("".join(json.dumps(each) + "\n" for each in lines), encoding="utf-8")
    with pytest.raises(InputError, match=words):
        command("flips", tmp_path)


def test_flips_needs_a_wrapped_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No wrapped task"):
        command("flips", tmp_path)
