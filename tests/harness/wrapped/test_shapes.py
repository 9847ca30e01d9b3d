"""Tasks in the shape of well-known ones, each through lm_eval's own command: rows as of the plain task."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.harness.conftest import Lmeval
from tests.harness.wrapped import made_tasks
from tests.harness.wrapped.made_tasks import ARC, arc_documents, gsm8k_documents

MMLU: dict[str, Any] = {
    "output_type": "multiple_choice",
    "description": "The following are multiple choice questions (with answers) about words.\n\n",
    "doc_to_text": "{{question.strip()}}\nA. {{choices[0]}}\nB. {{choices[1]}}\nC. {{choices[2]}}\nD. {{choices[3]}}\n"
    "Answer:",
    "doc_to_choice": ["A", "B", "C", "D"],
    "doc_to_target": "answer",
    "fewshot_split": "test",
    "fewshot_config": {"sampler": "first_n"},
    "num_fewshot": 2,
    "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
}
MMLU_DOCUMENTS = [
    {
        "question": each["question"],
        "subject": "words",
        "choices": each["choices"]["text"],
        "answer": index % 4,
    }
    for index, each in enumerate(arc_documents(6))
]
IFEVAL: dict[str, Any] = {
    "output_type": "generate_until",
    "doc_to_text": "prompt",
    "doc_to_target": 0,
    "generation_kwargs": {"until": [], "do_sample": False, "max_gen_toks": 8},
    "metric_list": [
        {"metric": "strict", "aggregation": "mean", "higher_is_better": True},
        {"metric": "parts", "higher_is_better": True},
    ],
}
IFEVAL_DOCUMENTS = [
    {"key": index, "prompt": f"Write about {index} rivers. Use no comma."} for index in range(6)
]
FUNCTIONS = """
def process_results(doc, results):
    text = results[0]
    return {"strict": len(text) % 2 == 0, "parts": ["a" in text, "e" in text]}


def mean_of_parts(items):
    flat = [part for parts in items for part in parts]
    return sum(flat) / len(flat)


def documents(dataset):
    return dataset.map(lambda doc: {"query": f"Q: {doc['question']} Well,"})
"""
CLASS = """
from lm_eval.api.instance import Instance
from lm_eval.api.task import ConfigurableTask


class OwnTask(ConfigurableTask):
    VERSION = 3

    def __init__(self, config=None):
        super().__init__(config={key: value for key, value in config.items() if key != "class"})

    def doc_to_text(self, doc, doc_to_text=None):
        return f"Say: {doc['question']}"

    def doc_to_target(self, doc, doc_to_target=None):
        return doc["answer"]

    def construct_requests(self, doc, ctx, **kwargs):
        metadata = kwargs["metadata"]
        return [
            Instance("generate_until", doc, (ctx, {"until": [], "max_gen_toks": 6}), 0, metadata=metadata),
            Instance("loglikelihood", doc, (ctx, " yes"), 1, metadata=metadata),
        ]

    def process_results(self, doc, results):
        text, (score, _) = results
        return {"length": len(text), "sure": score}

    def aggregation(self):
        return {"length": max, "sure": min}

    def higher_is_better(self):
        return {"length": True, "sure": True}
"""


def with_function(path: Path, **fields: str) -> None:
    """Fields of a YAML file that name functions, which no dumper writes."""
    lines = "".join(f"{name}: !function {value}\n" for name, value in fields.items())
    path.write_text(path.read_text(encoding="utf-8") + lines, encoding="utf-8")


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tasks")
    (folder / "shaped.py").write_text(FUNCTIONS + CLASS, encoding="utf-8")
    some = {"sensitivity_edits": ["rules", "format_upper"]}
    made_tasks.make(folder, "mmlu_words", MMLU, MMLU_DOCUMENTS, **some)
    made_tasks.make(folder, "ifeval_words", IFEVAL, IFEVAL_DOCUMENTS, **some)
    file = folder / "ifeval_words.yaml"
    text = file.read_text(encoding="utf-8").replace(
        "- metric: parts\n", "- metric: parts\n  aggregation: !function shaped.mean_of_parts\n"
    )
    file.write_text(text, encoding="utf-8")
    with_function(file, process_results="shaped.process_results")
    hellaswag = {**ARC, "doc_to_text": "{{query}}"}
    made_tasks.make(folder, "hellaswag_words", hellaswag, arc_documents(5), **some)
    with_function(folder / "hellaswag_words.yaml", process_docs="shaped.documents")
    made_tasks.make(folder, "own_class", {"output_type": "generate_until"}, gsm8k_documents(4), **some)
    with_function(folder / "own_class.yaml", **{"class": "shaped.OwnTask"})
    return folder


NAMES = ("mmlu_words", "ifeval_words", "hellaswag_words", "own_class")


@pytest.mark.parametrize("with_template", [False, True])
def test_rows_are_those_of_the_plain_tasks(
    with_template: bool, tasks: Path, demo: Path, run_once: Lmeval
) -> None:
    options = {"gen_kwargs": None, "apply_chat_template": with_template, "include_path": tasks}
    plain = run_once(demo, tasks=",".join(NAMES), **options)
    wrapped = run_once(demo, tasks=",".join(f"sensitivity_{name}" for name in NAMES), **options)
    for name in NAMES:
        expected, found = plain.results["results"][name], wrapped.results["results"][f"sensitivity_{name}"]
        kept = expected.keys() - {"name", "alias"}
        assert {key: found[key] for key in kept} == {key: expected[key] for key in kept}, name
        assert plain.results["versions"][name] == wrapped.results["versions"][f"sensitivity_{name}"]
        for ours, theirs in zip(wrapped.samples[f"sensitivity_{name}"], plain.samples[name], strict=True):
            assert ours["resps"] == theirs["resps"] and ours["arguments"] == theirs["arguments"]
            assert ours["target"] == theirs["target"] and ours["doc"] == theirs["doc"]
        whole = wrapped.table(f"sensitivity_{name}")
        reach = whole[next(key for key in whole if key.startswith("reach,"))]
        assert "survived" in reach, name
    assert "parts_edited,none" in wrapped.table("sensitivity_ifeval_words")
    fields = {
        name: wrapped.results["configs"][f"sensitivity_{name}"]["metadata"]["sensitivity"]["wrapped"][
            "question"
        ]
        for name in NAMES
    }
    assert fields == {
        "mmlu_words": "question",
        "ifeval_words": "prompt",
        "hellaswag_words": "query",
        "own_class": "question",
    }


def test_the_task_judges_a_text_without_an_extracted_answer(
    tasks: Path, demo: Path, run_once: Lmeval
) -> None:
    options = {"gen_kwargs": None, "apply_chat_template": False, "include_path": tasks}
    wrapped = run_once(demo, tasks=",".join(f"sensitivity_{name}" for name in NAMES), **options)
    for sample in wrapped.samples["sensitivity_ifeval_words"]:
        judged = {"strict": sample["unedited"]["answer"], **sample["unedited"]["other_answers"]}
        assert {name: json.loads(each) for name, each in judged.items()} == {
            "strict": sample["strict"],
            "parts": sample["parts"],
        }


def test_options_of_the_command_reach_the_task(tasks: Path, demo: Path, run_once: Lmeval) -> None:
    options: dict[str, Any] = {"apply_chat_template": False, "include_path": tasks}
    run = run_once(
        demo,
        tasks="sensitivity_mmlu_words",
        num_fewshot=1,
        limit=3,
        gen_kwargs=None,
        metadata={"sensitivity_edits": "nbsp"},
        **options,
    )
    samples = run.samples["sensitivity_mmlu_words"]
    assert [sample["edits"].keys() for sample in samples] == [{"identical", "nbsp"}] * 3
    assert all(sample["arguments"]["gen_args_0"]["arg_0"].count("Answer:") == 2 for sample in samples)


def test_gen_kwargs_reach_the_task(tasks: Path, demo: Path, run_once: Lmeval) -> None:
    run = run_once(
        demo,
        tasks="sensitivity_ifeval_words",
        gen_kwargs="max_gen_toks=2",
        apply_chat_template=False,
        include_path=tasks,
        limit=2,
    )
    summary = run.results["configs"]["sensitivity_ifeval_words"]["metadata"]["sensitivity"]
    assert summary["decoding"]["max_gen_toks"] == 2
