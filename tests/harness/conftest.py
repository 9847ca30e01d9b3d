"""Runs of the real lm_eval that the tests of the harness share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lm_eval_sensitivity.demo import demo_model_path
from lm_eval_sensitivity.harness.tasks.options import Options
from lm_eval_sensitivity.records.packing import unpack
from tests.harness import tiny_models
from tests.running import Run, arguments, execute, only_our_tasks, read_run
from tests.traps.conftest import once

__all__ = ["Lmeval", "Run", "arguments", "ids", "read_run", "unread"]

Lmeval = Callable[..., Run]

FOUR_RUNGS: dict[str, Any] = {
    "tasks": ",".join(
        f"prompt_sensitivity_mini_{rung}"
        for rung in ("identical", "punctuation", "synonym", "positive_control")
    ),
    "gen_kwargs": "max_gen_toks=12",
    "batch_size": 64,
}
"""Options of a run that says all that a verdict needs."""


def unread(*texts: str) -> set[str]:
    """Those of the outputs of a pair that the default embedder cannot read; random and rounded weights make such."""
    return {*Options().distances().unreadable(texts)}


@pytest.fixture(scope="session", autouse=True)
def _read_only_our_tasks() -> Iterator[None]:
    with only_our_tasks():
        yield


@pytest.fixture
def lm_eval(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Lmeval:
    """Run lm_eval's own command line in this process."""
    counter = iter(range(1000))

    def run(model: Path | str, /, *, folder: Path | None = None, **options: Any) -> Run:
        target = folder or tmp_path / f"run{next(counter)}"
        execute(arguments(model, target, **options))
        return read_run(target, capsys.readouterr().out)

    return run


@pytest.fixture(scope="session")
def run_once(shared_home: Path) -> Lmeval:
    """The same for tests that only read what a run left: the same line runs once, whichever test process asks first."""
    read: dict[str, Run] = {}

    def run(model: Path | str, /, **options: Any) -> Run:
        name = hashlib.sha256(repr((str(model), sorted(options.items()))).encode()).hexdigest()[:16]
        if name not in read:
            home, folder = shared_home / "harness" / name, f"run_{name}"
            once(home, lambda home: execute(arguments(model, home / folder, **options)))
            read[name] = read_run(home / folder)
        return read[name]

    return run


@pytest.fixture(scope="session")
def demo() -> Path:
    """The embedded demonstration model."""
    return demo_model_path()


@pytest.fixture(scope="session")
def model(shared_home: Path) -> Path:
    """A small random model."""
    home = shared_home / "models"
    once(home, lambda folder: tiny_models.build(folder / "llama", "llama"))
    return home / "llama"


@pytest.fixture(scope="session")
def demo_run(demo: Path, run_once: Lmeval) -> Run:
    """One full run of the demonstration model."""
    return run_once(demo, gen_kwargs="max_gen_toks=96", batch_size=64)


@pytest.fixture(scope="session")
def demo_of_four_rungs(demo: Path, run_once: Lmeval) -> Run:
    """A short run of it, to compare others with."""
    return run_once(demo, **FOUR_RUNGS)


def ids(row: Mapping[str, Any], side: str, field: str = "token_ids") -> list[Any]:
    """An array of one side of a sample row."""
    values: list[Any] = unpack(row["pair"][side][field]).tolist()
    return values
