"""Real runs of wrapped tasks on the page, alone and beside the ladder, and through every command over runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lm_eval_sensitivity.results import Results, open_results
from lm_eval_sensitivity.results.recompute import check_some
from lm_eval_sensitivity.space.page import render, views_of
from tests.harness.conftest import FOUR_RUNGS, Lmeval, Run
from tests.harness.wrapped import made_tasks
from tests.harness.wrapped.made_tasks import ARC, GSM8K, arc_documents, gsm8k_documents
from tests.running import command
from tests.unit.space.reading import Element, read_page

FAST = ("--resamples", "999")
EVIL = "<script>alert(1)</script> {{ 7*7 }} \u202e"


def evil_documents(n: int) -> list[dict[str, Any]]:
    """Their questions and choices want to be markup, code or control characters."""
    documents = arc_documents(n)
    for each in documents:
        each["question"] = f"{EVIL} {each['question']}"
        each["choices"]["text"] = [f"<img src=x onerror=alert({word!r})>" for word in each["choices"]["text"]]
    return documents


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tasks")
    made_tasks.make(folder, "arc", ARC, arc_documents(12))
    made_tasks.make(
        folder, "evil", ARC, evil_documents(6), sensitivity_edits=["trailing_space", "format_upper"]
    )
    return made_tasks.make(folder, "gsm8k", GSM8K, gsm8k_documents(7))


@pytest.fixture(scope="module")
def both(tasks: Path, demo: Path, run_once: Lmeval) -> list[Run]:
    """The ladder and two wrapped tasks in one call, of the demonstration model and of its rounded weights."""
    options = {**FOUR_RUNGS, "tasks": f"{FOUR_RUNGS['tasks']},sensitivity_arc,sensitivity_gsm8k"}
    return [
        run_once(demo, **options, include_path=tasks, model_args=f"pretrained={demo},dtype={dtype}")
        for dtype in ("float32", "bfloat16")
    ]


def words_of(found: Element) -> str:
    return " ".join(found.text().split())


def exported(folder: Path, *line: object) -> Results:
    assert command("export", *line, "-o", folder, *FAST, "--draws", "999") == 0
    results = open_results(folder, everything=True)
    check_some(results, folder)
    return results


def test_the_page_begins_with_what_the_run_ended_with(
    tasks: Path, model: Path, run_once: Lmeval, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"gen_kwargs": None, "apply_chat_template": False, "include_path": tasks}
    run = run_once(model, tasks="sensitivity_arc,sensitivity_gsm8k", **options)
    summary = run.results["configs"]["sensitivity_gsm8k"]["metadata"]["sensitivity"]["summary"]
    for task in ("arc", "gsm8k"):
        results = exported(tmp_path / task, run.folder, "--subset", task)
        page = read_page(render(results, {}))
        first = words_of(page.every("p", css="finding")[0])
        assert first in " ".join(" ".join(summary).split()) and first.startswith(task)
        row, said_of = run.table(f"sensitivity_{task}"), results.statements.answers[0].statement
        metric, filter_name = said_of.metric, said_of.filter_name
        shown = words_of(page.one("table", id="systems").one("tbody"))
        for end in ("", "_lowest", "_highest"):
            assert f"{row[f'{metric}{end},{filter_name}']:.3f}" in shown
        samples = [each for each in run.samples[f"sensitivity_{task}"] if each["filter"] == filter_name]
        for sample in samples:
            one = read_page(
                render(results, {"view": "pairs", "pair": f"{task}/{sample['doc_id']}/double_space"})
            )
            before, after = (words_of(each) for each in one.every("div", css="text"))
            edited = sample["edits"]["double_space"]
            assert _is_said(sample, sample["unedited"].get("answer"), before)
            assert edited["status"] == "survived" and _is_said(sample, edited.get("answer"), after)
            assert str(sample["target"]).split("\n")[0] in words_of(one.one("ul", css="facts"))


def _is_said(sample: dict[str, Any], answer: str | None, words: str) -> bool:
    if answer is None:
        return words == "no answer"
    return words == (f"{answer}: {sample['choices'][int(answer)]}" if sample["choices"] else answer)


def test_what_a_data_set_holds_is_no_markup(
    tasks: Path, model: Path, run_once: Lmeval, tmp_path: Path
) -> None:
    run = run_once(
        model, tasks="sensitivity_evil", gen_kwargs=None, apply_chat_template=False, include_path=tasks
    )
    results = exported(tmp_path / "results", run.folder)
    pairs = [{"view": "pairs", "pair": f"evil/0/{edit}"} for edit in ("trailing_space", "format_upper")]
    for query in (*({"view": view} for view in views_of(results)), *pairs):
        html = render(results, query)
        assert "<script" not in html and "<img" not in html and "\u202e" not in html
    before, after = (words_of(read_page(render(results, each)).one("blockquote")) for each in pairs)
    assert EVIL.split(" ")[0] in before and "QUESTION" in after, "a format edits the prompt"


def said(capsys: pytest.CaptureFixture[str], *line: object) -> Any:
    capsys.readouterr()
    assert command(*line, "--format", "json") == 0
    return json.loads(capsys.readouterr().out)


def test_every_command_over_runs_takes_a_run_of_both(
    both: list[Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tables are of the ladder, or of the task that was asked for; what is read as a whole has the answers, too."""
    one, two = (run.folder for run in both)
    said_of = [each["metadata"]["sensitivity"]["identity"] for each in both[0].results["configs"].values()]
    assert len({json.dumps({**each, "decoding": None}, sort_keys=True) for each in said_of}) == 1
    shown = said(capsys, "show", one, *FAST)
    assert [each["axes"]["system"] for each in shown["summaries"]] == [shown["answers"][0]["system"]]
    assert [each["statement"]["task"] for each in shown["answers"]] == ["arc", "gsm8k", "gsm8k"]
    assert not shown["left_out"]
    of_ladder, of_task = ({"n": 9, "metric": "cosine_distance"}, {"n": 12, "metric": "answer_flip"})
    for expected, options in ((of_ladder, ()), (of_task, ("--subset", "arc"))):
        clusters = said(capsys, "clusters", one, two, *FAST, *options)
        (found,) = clusters["selections"]
        assert found["selection"]["metric"] == expected["metric"]
        assert len(found["systems"]) == 2
        assert {row["counts"]["n_prompts"] for row in found["systems"]} == {expected["n"]}
        assert ("sensitivity_arc" in str(clusters["left_out"])) == (expected is of_ladder)
        compared = said(capsys, "compare", one, two, *FAST, *options)
        assert compared["comparison"]["selection"]["metric"] == expected["metric"]
        drift = said(capsys, "drift", two, "--reference", one, *FAST, *options)
        (other,) = [each for each in drift["drift"]["systems"] if not each["is_reference"]]
        assert other["drift"]["counts"]["n_prompts"] == expected["n"]
        heat = said(capsys, "heatmap", one, two, *FAST, *options)
        assert heat["heatmaps"][0]["metric"] == expected["metric"]
    assert command("report", one, two, "--reference", one, "-o", tmp_path / "report", *FAST) == 0
    report = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert "What edits do to the answers of the task" in report and "in cosine_distance" in report
    results = exported(tmp_path / "results", one, two, "--reference", one)
    assert len(results.drift) == 2 and len(results.statements.answers) == 6 and not results.manifest.left_out
    page = read_page(render(results, {}))
    (beside,) = page.every("p", css="of-tasks")
    assert "in 2 systems; under harmless edits" in words_of(beside)
    one_answer = render(results, {"view": "answers", "task": "arc", "pair": "arc/0/double_space"})
    assert "Answer to the edited prompt" in one_answer
