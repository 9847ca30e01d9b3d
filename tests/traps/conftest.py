"""Models and runs that the traps share: each is made once, whichever test process needs it first."""

from __future__ import annotations

import hashlib
import importlib.metadata
import inspect
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pytest
from filelock import FileLock, Timeout

from lm_eval_sensitivity import ladder
from lm_eval_sensitivity.cli import main as cli
from lm_eval_sensitivity.demo import demo_model_path
from lm_eval_sensitivity.ladder import load_ladder
from tests.running import Run, arguments, execute_and_listen, only_our_tasks, read_run

DONE = "done.json"
"""Written last and at once: a folder without it was left by a process that was killed."""

LIBRARIES = ("torch", "transformers", "tokenizers", "safetensors")


class TrapRun(Protocol):
    """`trap_run(name, model, **options)`: the run of that name, made unless it is there."""

    def __call__(self, name: str, model: Path | str, /, **options: Any) -> Run: ...


Suite = Callable[..., str]


class BuiltModel(Protocol):
    """`built_model(name, build)`: the folder that `build(folder)` fills, kept between test runs."""

    def __call__(self, name: str, build: Callable[[Path], object], /) -> Path: ...


@pytest.fixture(scope="session", autouse=True)
def _read_only_our_tasks() -> Iterator[None]:
    with only_our_tasks():
        yield


@pytest.fixture(scope="session")
def trap_run(shared_home: Path) -> TrapRun:
    """Run lm_eval's own command line once per session under a name, and read it back.

    `run.output` holds the printed table, `run.log` the closing words among the other messages. The options
    are those of `tests.running.arguments`; a name stands for one command line.
    """
    return runs_in(shared_home)


def runs_in(shared_home: Path) -> TrapRun:
    """What `trap_run` gives, with the runs in a folder."""
    read: dict[str, Run] = {}

    def run(name: str, model: Path | str, /, **options: Any) -> Run:
        home = shared_home / name
        line = arguments(model, home / "run", **options)
        if name not in read:
            once(home, lambda folder: _execute(line, folder), note={"line": line})
            printed, logged = ((home / kind).read_text(encoding="utf-8") for kind in ("stdout", "log"))
            read[name] = read_run(home / "run", printed, logged)
        done = json.loads((home / DONE).read_text(encoding="utf-8"))
        assert done["line"] == line, f"two command lines under the name {name!r}"
        return read[name]

    return run


def _execute(line: list[str], folder: Path) -> None:
    for kind, text in zip(("stdout", "log"), execute_and_listen(line), strict=True):
        (folder / kind).write_text(text, encoding="utf-8")


@pytest.fixture
def suite(capsys: pytest.CaptureFixture[str]) -> Suite:
    """Run a command of `lm-eval-sensitivity`, `suite("clusters", run.folder)`, and return what it prints."""

    def command(*line: object) -> str:
        capsys.readouterr()
        assert cli.main([*map(str, line)]) == 0
        return capsys.readouterr().out

    return command


@pytest.fixture(scope="session")
def built_model(request: pytest.FixtureRequest, shared_home: Path) -> BuiltModel:
    """Build a model once, and again when its builder or a library has changed.

    `build` is a function of a module, or a `functools.partial` of one; it gets an empty folder to fill.
    """
    cache = getattr(request.config, "cache", None)  # there is none with `-p no:cacheprovider`
    return models_in(shared_home if cache is None else cache.mkdir("traps"))


def models_in(home: Path) -> BuiltModel:
    """What `built_model` gives, with the models in a folder."""

    def model(name: str, build: Callable[[Path], object], /) -> Path:
        # The last part of a path is the name of a system: the hash is no part of it.
        folder = home / _builder_hash(build) / name
        folder.parent.mkdir(exist_ok=True)
        if once(folder, build):
            _prune(home, folder)
        return folder

    return model


def _prune(home: Path, built: Path) -> None:
    """Remove earlier builds of a model: every change of a builder would leave hundreds of megabytes.

    Only whoever has just built it comes here, so that a run which finds its model removes nothing. A build that another
    process is at work on stays, too.
    """
    for folder in home.glob(f"*/{built.name}"):
        if folder != built:
            lock = FileLock(f"{folder}.lock", timeout=0)
            with suppress(Timeout), lock:
                shutil.rmtree(folder)
                Path(lock.lock_file).unlink(missing_ok=True)
            with suppress(OSError):  # it holds another model
                folder.parent.rmdir()


def once(folder: Path, make: Callable[[Path], object], note: object = None) -> bool:
    """Let `make` fill an empty folder unless it is done, one process at a time; whether it was filled now."""
    with FileLock(f"{folder}.lock"):
        if (folder / DONE).exists():
            return False
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        make(folder)
        unfinished = folder / f"{DONE}.unfinished"
        unfinished.write_text(json.dumps(note), encoding="utf-8")
        unfinished.replace(folder / DONE)
        return True


def _builder_hash(build: Callable[[Path], object]) -> str:
    """Of everything that a built model or ladder depends on: code, arguments, libraries, demo model, prompts."""
    function, given = build, ""
    if isinstance(build, partial):
        function, given = build.func, repr((build.args, sorted(build.keywords.items())))
    digest = hashlib.sha256(f"{function.__qualname__} {given}".encode())
    for library in LIBRARIES:
        digest.update(f"{library} {importlib.metadata.version(library)}".encode())
    sources = {Path(inspect.getfile(function)), *Path(__file__).parent.glob("models/*.py")}
    sources |= {
        Path(cli.__file__).parents[1] / "probes" / "bits" / "rounding.py",
        *demo_model_path().iterdir(),
    }
    # Scripts are written for the prompts of this ladder, and `ladder build` makes one.
    digest.update(load_ladder(None, "mini").content_hash.encode())
    sources |= set(Path(ladder.__file__).parent.rglob("*.py"))
    for source in sorted(sources):
        digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()[:16]
