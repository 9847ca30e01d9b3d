"""The models and runs of the traps outside pytest: the tests' own fixtures, called with folders that stay."""

from __future__ import annotations

import hashlib
import importlib.metadata
import inspect
import io
import json
import shutil
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.cli import main as cli
from tests.conftest import REPOSITORY
from tests.traps.conftest import LIBRARIES, BuiltModel, TrapRun, models_in, runs_in

CACHE = REPOSITORY / ".pytest_cache" / "d"
"""Where pytest keeps what lasts; the models are those of the tests."""


@dataclass(frozen=True)
class Workshop:
    """What a fixture of a trap asks for, by the same names."""

    cache: Path = CACHE

    @cached_property
    def built_model(self) -> BuiltModel:
        """As the fixture of that name."""
        folder = self.cache / "traps"
        folder.mkdir(parents=True, exist_ok=True)
        return models_in(folder)

    @cached_property
    def shared_home(self) -> Path:
        """A folder for the runs of this state of the code; those of an earlier one are removed."""
        home = self.cache / "traps_runs"
        folder = home / _state_of_the_code()
        folder.mkdir(parents=True, exist_ok=True)
        for other in home.iterdir():
            if other != folder:
                shutil.rmtree(other)
        return folder

    @cached_property
    def trap_run(self) -> TrapRun:
        """As the fixture of that name."""
        return runs_in(self.shared_home)

    def fixture(self, fixture: Any, **more: Any) -> Any:
        """What a fixture of a test module returns: its function is called with what it asks for by name."""
        function = inspect.unwrap(fixture)
        wanted = inspect.signature(function).parameters
        return function(**{name: more[name] if name in more else getattr(self, name) for name in wanted})


def said_by(*line: object) -> str:
    """What a command of `lm-eval-sensitivity` prints."""
    stream = io.StringIO()
    with redirect_stdout(stream):
        code = cli.main([*map(str, line)])
    assert code == 0, stream.getvalue()
    return stream.getvalue()


def data_of(*line: object) -> Any:
    """The same as JSON."""
    return json.loads(said_by(*line, "--format", "json"))


def _state_of_the_code() -> str:
    """Of everything that a run depends on. Pages and cards read runs and change none."""
    digest = hashlib.sha256()
    for library in (*LIBRARIES, "lm_eval"):
        digest.update(f"{library} {importlib.metadata.version(library)}".encode())
    package = REPOSITORY / "lm_eval_sensitivity"
    readers = {package / name for name in ("space", "report", "results", "commands")}
    sources = {path for path in package.rglob("*.py") if not readers & set(path.parents)}
    traps = REPOSITORY / "tests" / "traps"
    sources |= {*traps.glob("test_*.py"), *traps.glob("models/*.py"), REPOSITORY / "tests" / "running.py"}
    for source in sorted(sources):
        digest.update(str(source.relative_to(REPOSITORY)).encode() + source.read_bytes())
    return digest.hexdigest()[:16]
