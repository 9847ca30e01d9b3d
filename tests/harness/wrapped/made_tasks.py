"""Small tasks with local data in the shape of well-known ones, plain and wrapped."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

WORDS = ("magnets", "rivers", "candles", "planets", "rabbits", "engines", "mirrors", "clouds")
WRAPPED = "lm_eval_sensitivity.harness.WrappedTask"


def arc_documents(n: int) -> list[dict[str, Any]]:
    """Multiple choice, the choices nested in the document."""
    return [
        {
            "id": str(index),
            "question": f'Which of these {WORDS[index % 8]} is the largest, if one of them is "round"? Choose one.',
            "choices": {"text": [f"{word} {index}" for word in WORDS[:4]], "label": ["A", "B", "C", "D"]},
            "answerKey": "ABCD"[index % 4],
        }
        for index in range(n)
    ]


def gsm8k_documents(n: int) -> list[dict[str, Any]]:
    """Free answers after a mark."""
    return [
        {
            "question": f"Ann has {index} {WORDS[index % 8]}. She buys 3 more. How many does she have?",
            "answer": f"She has {index} + 3 = {index + 3}.\n#### {index + 3}",
        }
        for index in range(2, n + 2)
    ]


ARC: dict[str, Any] = {
    "output_type": "multiple_choice",
    "doc_to_text": "Question: {{question}}\nAnswer:",
    "doc_to_target": "{{choices.label.index(answerKey)}}",
    "doc_to_choice": "{{choices.text}}",
    "metric_list": [
        {"metric": "acc", "aggregation": "mean", "higher_is_better": True},
        {"metric": "acc_norm", "aggregation": "mean", "higher_is_better": True},
    ],
}
GSM8K: dict[str, Any] = {
    "output_type": "generate_until",
    "doc_to_text": "Question: {{question}}\nAnswer:",
    "doc_to_target": "{{answer}}",
    "metric_list": [
        {
            "metric": "exact_match",
            "aggregation": "mean",
            "higher_is_better": True,
            "regexes_to_ignore": [",", "(?s).*#### "],
        }
    ],
    "generation_kwargs": {"until": ["Question:"], "do_sample": False, "max_gen_toks": 8},
    "filter_list": [
        {
            "name": "strict-match",
            "filter": [
                {"function": "regex", "regex_pattern": "#### (\\-?[0-9]+)"},
                {"function": "take_first"},
            ],
        },
        {
            "name": "flexible-extract",
            "filter": [
                {"function": "regex", "group_select": -1, "regex_pattern": "([a-z]+)"},
                {"function": "take_first"},
            ],
        },
    ],
}


def make(
    folder: Path, name: str, settings: Mapping[str, Any], documents: Sequence[Any], **metadata: Any
) -> Path:
    """A plain task `<name>` and its wrapped one, `sensitivity_<name>`, in one folder for `--include_path`.

    Args:
        folder: is made.
        name: of the plain task.
        settings: of its YAML.
        documents: of its test split.
        metadata: of the wrapped task, beside what it needs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / f"{name}.jsonl"
    data.write_text("".join(json.dumps(each) + "\n" for each in documents), encoding="utf-8")
    plain = {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data)}},
        "test_split": "test",
        "metadata": {"version": 1.0},
        **settings,
    }
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(plain, sort_keys=False), encoding="utf-8")
    named = yaml.safe_dump(
        {"sensitivity_of": name, "sensitivity_yaml": f"{name}.yaml", **metadata}, sort_keys=False
    )
    lines = [f"task: sensitivity_{name}", f"class: !function {WRAPPED}", "metadata:"]
    lines += [f"  {line}" for line in named.splitlines()]
    (folder / f"sensitivity_{name}.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder
