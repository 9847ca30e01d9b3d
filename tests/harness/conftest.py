"""Run the real lm_eval on real models, and read back what it wrote."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lm_eval_sensitivity.demo import demo_model_path
from lm_eval_sensitivity.packing import unpack


@dataclass(frozen=True)
class Run:
    """One finished lm_eval run."""

    folder: Path
    results: dict[str, Any]
    samples: dict[str, list[dict[str, Any]]]
    """Task -> rows, both filters."""
    output: str
    """What lm_eval printed on stdout."""

    def rows(self, task: str, filter_name: str = "raw") -> list[dict[str, Any]]:
        """The rows of one task under one filter, in document order."""
        return [row for row in self.samples[task] if row["filter"] == filter_name]

    def value(self, task: str, metric: str, filter_name: str = "raw") -> Any:
        """An aggregated value as lm_eval reports it."""
        return self.results["results"][task][f"{metric},{filter_name}"]


Lmeval = Callable[..., Run]


@pytest.fixture(scope="session", autouse=True)
def _index_lm_evals_tasks_once() -> Iterator[None]:
    """Reading lm_eval's twelve thousand YAML files takes longer than most of these runs; they do not change."""
    from lm_eval.tasks._index import TaskIndex

    build = TaskIndex.build
    found: dict[tuple[Any, ...], Any] = {}

    def build_once(paths: Any, **options: Any) -> Any:
        key = (*map(str, paths), *sorted(options.items()))
        if key not in found:
            found[key] = build(paths, **options)
        return dict(found[key])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TaskIndex, "build", staticmethod(build_once))
        yield


def read_run(folder: Path, output: str = "") -> Run:
    """The newest run below a folder."""
    results_file = max(folder.rglob("results_*.json"), key=lambda path: path.name)
    date = results_file.stem.removeprefix("results_")
    samples = {
        path.name.removeprefix("samples_").removesuffix(f"_{date}.jsonl"): [
            json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()
        ]
        for path in results_file.parent.glob(f"samples_*_{date}.jsonl")
    }
    return Run(folder, json.loads(results_file.read_text(encoding="utf-8")), samples, output)


def arguments(model: Path | str, folder: Path, /, **options: Any) -> list[str]:
    """The command line of a run: `key=value` options become `--key value`, True becomes a bare flag."""
    settings: dict[str, Any] = {
        "tasks": "prompt_sensitivity_mini",
        "model": "hf",
        "model_args": f"pretrained={model}",
        "device": "cpu",
        "batch_size": 8,
        "gen_kwargs": "max_gen_toks=12",
        "apply_chat_template": True,
        "output_path": str(folder),
        "log_samples": True,
        **options,
    }
    line = ["lm_eval"]
    for name, value in settings.items():
        if value is True:
            line.append(f"--{name}")
        elif value is not None and value is not False:
            line += [f"--{name}", json.dumps(value) if isinstance(value, Mapping) else str(value)]
    return line


@pytest.fixture
def lm_eval(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Lmeval:
    """Run lm_eval's own command line in this process (a fresh process costs ten seconds of imports)."""
    from lm_eval._cli import HarnessCLI

    counter = iter(range(1000))

    def run(model: Path | str, /, *, folder: Path | None = None, **options: Any) -> Run:
        target = folder or tmp_path / f"run{next(counter)}"
        monkeypatch.setattr(sys, "argv", arguments(model, target, **options))
        harness = HarnessCLI()
        harness.execute(harness.parse_args())
        return read_run(target, capsys.readouterr().out)

    return run


@pytest.fixture(scope="session")
def demo() -> Path:
    """The embedded demonstration model."""
    return demo_model_path()


@pytest.fixture(scope="session")
def demo_run(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One full run of the demonstration model, shared by the tests that only read it."""
    from lm_eval._cli import HarnessCLI

    folder = tmp_path_factory.mktemp("demo_run")
    before = sys.argv
    sys.argv = arguments(demo, folder, gen_kwargs="max_gen_toks=96", batch_size=16)
    try:
        harness = HarnessCLI()
        harness.execute(harness.parse_args())
    finally:
        sys.argv = before
    return read_run(folder)


def ids(row: Mapping[str, Any], side: str, field: str = "token_ids") -> list[Any]:
    """An array of one side of a sample row."""
    values: list[Any] = unpack(row["pair"][side][field]).tolist()
    return values
