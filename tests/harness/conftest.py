"""Runs of the real lm_eval that the tests of the harness share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lm_eval_sensitivity.demo import demo_model_path
from lm_eval_sensitivity.records.packing import unpack
from tests.running import Run, arguments, execute, only_our_tasks, read_run

__all__ = ["Lmeval", "Run", "arguments", "ids", "read_run"]

Lmeval = Callable[..., Run]


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
def demo() -> Path:
    """The embedded demonstration model."""
    return demo_model_path()


@pytest.fixture(scope="session")
def demo_run(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One full run of the demonstration model, shared by the tests that only read it."""
    folder = tmp_path_factory.mktemp("demo_run")
    execute(arguments(demo, folder, gen_kwargs="max_gen_toks=96", batch_size=16))
    return read_run(folder)


def ids(row: Mapping[str, Any], side: str, field: str = "token_ids") -> list[Any]:
    """An array of one side of a sample row."""
    values: list[Any] = unpack(row["pair"][side][field]).tolist()
    return values
