"""Runs of a wrapped task as lm_eval leaves them, made without a model.

`tests/harness/wrapped/test_page.py` goes the same way with real runs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lm_eval_sensitivity import __version__
from lm_eval_sensitivity.records.answers import AGAIN, AnswerRow, EditOfTask, decode_answers
from tests.unit.runs.made_run import IDENTITY, MadeRun, write_rows

TASK, N_DOCUMENTS = "science", 14
EDITS = tuple(
    EditOfTask(name=name, family="rules", rung=rung)
    for name, rung in (("double_space", "noop"), ("nbsp", "noop"), ("drop_final_period", "punctuation"))
)
CHOICES = ("rain", "the sun", "a magnet", "ice")
NO_ANSWER, NO_PLACE, ERASED, FLIPPED = 11, 3, 4, (0, 5)
"""Documents: no answer to any prompt; no place for `drop_final_period`; `nbsp` is erased; flipped by `double_space`."""


def make_answers(
    folder: Path,
    *,
    model: str = "org/Model-4B",
    seed: int = 0,
    task: str = TASK,
    n_documents: int = N_DOCUMENTS,
    filters: Sequence[str] = ("none",),
    identity: dict[str, Any] | None = None,
    date: str = "2026-08-02T10-00-00.000001",
    texts: Sequence[str] = ("Which of these is warm, number {}?",),
    choices: Sequence[str] = CHOICES,
) -> MadeRun:
    """Write results and samples of one run; a document whose number is `seed` plus a flipped one flips.

    Args:
        folder: the run folder.
        model: its name.
        seed: moves answers and which documents flip.
        task: the task that is wrapped.
        n_documents: of it.
        filters: of it.
        identity: of the model, beside the usual one.
        date: of the run.
        texts: questions, in turn, with a place for the number of the document.
        choices: texts of the choices.
    """
    identity = {**IDENTITY, **(identity or {})}
    home = folder / model.replace("/", "__")
    home.mkdir(parents=True, exist_ok=True)
    lines = [
        _line(index, name, seed, texts[index % len(texts)].format(index), choices)
        for name in filters
        for index in range(n_documents)
    ]
    name = f"sensitivity_{task}"
    samples = home / f"samples_{name}_{date}.jsonl"
    write_rows(samples, lines)
    rows = [decode_answers(line, "a made line") for line in lines]
    decoding = {"max_gen_toks": 1, "until": [], "greedy": True}
    summary = {
        "package_version": __version__,
        "system": hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16],
        "identity": identity,
        "notes": {"model": model, "revision": "main", "peft": None, "delta": None},
        "ladder": {
            "name": f"answers of {task}",
            "subset": task,
            "version": "1",
            "hash": hashlib.sha256(task.encode()).hexdigest(),
        },
        "audit": {"survived": n_documents},
        "decoding_requested": decoding,
        "decoding": decoding,
        "embedder": {"name": "none: answers are compared", "weights_sha256": "none", "max_tokens": None},
        "reference": None,
        "wrapped": {
            "task": task,
            "question": "question",
            "edits": [vars(edit) for edit in EDITS],
            "metric": "acc",
            "scores": {
                each: {"acc": _scores([row for row in rows if row.filter == each])} for each in filters
            },
        },
    }
    results = {
        "results": {name: {"alias": name}},
        "configs": {name: {"task": name, "metadata": {"sensitivity": summary}}},
        "n-samples": {name: {"original": n_documents, "effective": n_documents}},
        "config": {"model": "hf", "model_args": {"pretrained": model}, "limit": None},
    }
    path = home / f"results_{date}.json"
    path.write_text(json.dumps(results), encoding="utf-8")
    return MadeRun(folder, path, {name: samples})


def _line(index: int, filter_name: str, seed: int, question: str, choices: Sequence[str]) -> dict[str, Any]:
    target = index % len(choices)
    usual = target if (index + seed) % 3 else (target + 1) % len(choices)
    edits: dict[str, Any] = {AGAIN: _answered(AGAIN, f"Question: {question}", index, usual, target, choices)}
    for edit in EDITS:
        if edit.name == "drop_final_period" and index == NO_PLACE:
            edits[edit.name] = {"status": "no place"}
            continue
        text = {
            "double_space": question.replace(" ", "  ", 1),
            "nbsp": question.replace(" ", "\u00a0", 1),
            "drop_final_period": question.rstrip("?."),
        }[edit.name]
        if edit.name == "nbsp" and index == ERASED:
            edits[edit.name] = {"status": "erased", "text": text}
            continue
        flips = edit.name == "double_space" and index - seed in FLIPPED
        answer = (usual + 1) % len(choices) if flips else usual
        edits[edit.name] = _answered("survived", text, index, answer, target, choices)
    return {
        "doc_id": index,
        "doc": {"question": question},
        "target": target,
        "filter": filter_name,
        "unedited": _answered(AGAIN, question, index, usual, target, choices),
        "edits": edits,
        "choices": list(choices),
    }


def _answered(
    status: str, text: str, index: int, answer: int, target: int, choices: Sequence[str]
) -> dict[str, Any]:
    if index == NO_ANSWER:
        return {"status": status, "text": text, "answer": None, "metrics": {"acc": 0.0}}
    rest = 0.4 / (len(choices) - 1)
    return {
        "status": status,
        "text": text,
        "answer": str(answer),
        "metrics": {"acc": float(answer == target)},
        "choice_probabilities": [0.6 if at == answer else rest for at in range(len(choices))],
    }


def _scores(rows: Sequence[AnswerRow]) -> dict[str, float]:
    """The mean of every edit, by a second way."""
    found = {AGAIN: [row.unedited.metrics["acc"] for row in rows]}
    for edit in EDITS:
        found[edit.name] = [(row.edits[edit.name].metrics or row.unedited.metrics)["acc"] for row in rows]
    return {name: sum(float(each or 0) for each in values) / len(values) for name, values in found.items()}
