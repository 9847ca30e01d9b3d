"""Run the real lm_eval on real models in this process, and read back what it wrote."""

from __future__ import annotations

import json
import logging
import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Run:
    """One finished lm_eval run."""

    folder: Path
    results: dict[str, Any]
    samples: dict[str, list[dict[str, Any]]]
    """Task -> rows, both filters."""
    output: str
    """What lm_eval printed on stdout."""
    log: str = ""
    """What was logged; empty where nobody listened."""

    @property
    def last_screen(self) -> list[str]:
        """What stands below the table, sentence by sentence."""
        _, title, rest = self.output.partition("Prompt sensitivity of ")
        sentences = f"{title}{rest}".replace("\n    ", " ").splitlines()
        return [" ".join(each.split()) for each in sentences]

    @property
    def words(self) -> str:
        """What was printed and logged, in one line: sentences break where a terminal ends."""
        return " ".join(f"{self.output} {self.log}".split())

    def rows(self, task: str, filter_name: str = "raw") -> list[dict[str, Any]]:
        """The rows of one task under one filter, in document order."""
        return [row for row in self.samples[task] if row["filter"] == filter_name]

    def value(self, task: str, metric: str, filter_name: str = "raw") -> Any:
        """An aggregated value."""
        return self.table(task)[f"{metric},{filter_name}"]

    def table(self, task: str) -> dict[str, Any]:
        """Aggregated values by `metric,filter`: those of lm_eval's table, and those that it leaves out."""
        return table_of(self.results, task)


def table_of(results: Mapping[str, Any], task: str) -> dict[str, Any]:
    """The same of results that no run folder holds."""
    config = results["configs"].get(task, {})
    rows = config.get("metadata", {}).get("sensitivity", {}).get("rows") or {}
    missing = {name: math.nan if value is None else value for name, value in rows.items()}
    return {**missing, **results["results"][task]}


def arguments(model: Path | str, folder: Path, /, **options: Any) -> list[str]:
    """The command line of a run: `key=value` options become `--key value`, True becomes a bare flag."""
    settings: dict[str, Any] = {
        "tasks": "prompt_sensitivity_mini",
        "model": "hf",
        "model_args": f"pretrained={model}",
        "device": "cpu",
        "batch_size": 32,
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


def command(*line: object) -> int:
    """A command of `lm-eval-sensitivity`; unlike `main` it lets errors through."""
    from lm_eval_sensitivity.cli.main import build_parser

    words = [*map(str, line)]
    options = build_parser(words[0]).parse_args(words)
    return int(options.run(options))


def execute(line: list[str]) -> None:
    """Run a command line of lm_eval's in this process (a fresh one costs ten seconds of imports)."""
    from lm_eval._cli import HarnessCLI

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", list(line))  # which lm_eval changes
        harness = HarnessCLI()
        harness.execute(harness.parse_args())


def execute_and_listen(line: list[str]) -> tuple[str, str]:
    """The same, for fixtures that outlive a test: what was printed on stdout, and what was logged."""
    printed, logged = StringIO(), StringIO()
    handler = logging.StreamHandler(logged)
    logger = logging.getLogger("lm_eval")  # of which the package's own logger is a child
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)  # what a user of the command gets
    try:
        with redirect_stdout(printed):
            execute(line)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    return printed.getvalue(), logged.getvalue()


def read_run(folder: Path, output: str = "", log: str = "") -> Run:
    """The newest run below a folder."""
    results_file = max(folder.rglob("results_*.json"), key=lambda path: path.name)
    date = results_file.stem.removeprefix("results_")
    samples = {
        path.name.removeprefix("samples_").removesuffix(f"_{date}.jsonl"): [
            json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()
        ]
        for path in results_file.parent.glob(f"samples_*_{date}.jsonl")
    }
    return Run(folder, json.loads(results_file.read_text(encoding="utf-8")), samples, output, log)


@contextmanager
def only_our_tasks() -> Iterator[None]:
    """Reading lm_eval's other twelve thousand YAML files takes longer than most of these runs.

    So does asking pip for all packages at the end of each; it is asked once.
    """
    from lm_eval import tasks
    from lm_eval.tasks._index import TaskIndex
    from torch.utils import collect_env

    find = TaskIndex._iter_yaml_files
    every = Path(tasks.__file__).parent

    def find_ours(root: Path) -> Iterator[Path]:
        return find(root / "prompt_sensitivity" if root == every else root)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TaskIndex, "_iter_yaml_files", staticmethod(find_ours))
        patch.setattr(collect_env, "get_pretty_env_info", cache(collect_env.get_pretty_env_info))
        yield


@contextmanager
def one_embedder() -> Iterator[None]:
    """Every run of this process, and the probe beside it, share one sentence embedder: a text is embedded once."""
    from lm_eval_sensitivity.embedder.load import EmbedderFiles

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EmbedderFiles, "load", cache(EmbedderFiles.load))
        yield
