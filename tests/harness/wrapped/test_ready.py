"""The installed tasks over lm_eval's own YAML files, with documents made in the form of their data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import pytest
from lm_eval.api.task import ConfigurableTask

from lm_eval_sensitivity.cli.tasks_path import tasks_path
from tests.harness.wrapped.scripted import Scripted, evaluate

QUESTION = 'Which of these is a river, if any is? Choose "one" of them.'
CHOICES = {"text": ["Rhine", "Alps", "Bonn", "Elbe"], "label": ["A", "B", "C", "D"]}
LABELED = {"id": "x", "choices": CHOICES, "answerKey": "A"}
DOCUMENTS: dict[str, tuple[dict[str, Any], str]] = {
    "arc_easy": ({**LABELED, "question": QUESTION}, "question"),
    "arc_challenge": ({**LABELED, "question": QUESTION}, "question"),
    "openbookqa": ({**LABELED, "question_stem": QUESTION}, "question_stem"),
    "commonsense_qa": (
        {
            **LABELED,
            "question": QUESTION,
            "choices": {"text": ["Rhine", "Alps", "Bonn", "Elbe", "Rome"], "label": list("ABCDE")},
        },
        "question",
    ),
    "hellaswag": (
        {
            "ind": 1,
            "activity_label": "Boating",
            "ctx_a": "A boat goes down a river, and it is fast.",
            "ctx_b": "the people",
            "ctx": "",
            "endings": ["row on.", "fly up.", "sleep.", "sing."],
            "label": "0",
        },
        "query",
    ),
    "boolq": (
        {"passage": "The Rhine is a river.", "question": "is the rhine a river or not", "idx": 1, "label": 1},
        "question",
    ),
    "piqa": (
        {"goal": "How do you cross a river, or a lake?", "sol1": "By boat.", "sol2": "By fire.", "label": 0},
        "goal",
    ),
    "sciq": (
        {
            "support": "Rivers flow.",
            "question": QUESTION,
            "distractor1": "Alps",
            "distractor2": "Bonn",
            "distractor3": "Rome",
            "correct_answer": "Rhine",
        },
        "question",
    ),
    "truthfulqa_mc1": (
        {"question": QUESTION, "mc1_targets": {"choices": ["Rhine", "Alps"], "labels": [1, 0]}},
        "question",
    ),
    "gsm8k": ({"question": QUESTION, "answer": "One. #### 1"}, "question"),
    "gsm8k_cot": ({"question": QUESTION, "answer": "One. #### 1"}, "question"),
    "mmlu_anatomy": (
        {
            "question": QUESTION,
            "subject": "anatomy",
            "choices": ["Rhine", "Alps", "Bonn", "Elbe"],
            "answer": 0,
        },
        "question",
    ),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_question_of_a_ready_task_is_found_and_edited(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document, field = DOCUMENTS[name]
    split = datasets.Dataset.from_list([document] * 7)
    data = datasets.DatasetDict(dict.fromkeys(("train", "validation", "test", "dev"), split))

    def download(self: ConfigurableTask, *_: Any, **__: Any) -> None:
        self.dataset = data

    monkeypatch.setattr(ConfigurableTask, "download", download)

    def say(context: str, choice: str | None) -> Any:
        return "#### 5" if choice is None else -len(choice)

    options: dict[str, Any] = {"limit": 2, "metadata": {"sensitivity_edits": ["rules", "format"]}}
    if name == "gsm8k":
        options["num_fewshot"] = 0
    folder = tasks_path() / "prompt_sensitivity" / "wrapped"
    found = evaluate(Scripted(say), f"sensitivity_{name}", folder, **options)
    wrapped = found["configs"][f"sensitivity_{name}"]["metadata"]["sensitivity"]["wrapped"]
    assert (wrapped["task"], wrapped["question"]) == (name, field)
    edits = found["samples"][f"sensitivity_{name}"][0]["edits"]
    asked = [edit for edit, each in edits.items() if each["status"] == "unknown"]
    assert {"double_space", "nbsp"} <= {*asked}
    assert any(edit.startswith("format_") for edit in asked) or name in ("hellaswag", "openbookqa")
