"""One attempt of a unit: a process of lm_eval, read back, and done only when everything is there."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.panel.child import MISTAKES
from lm_eval_sensitivity.panel.plan import Unit
from lm_eval_sensitivity.panel.read_back import read_back
from lm_eval_sensitivity.records.file_codec import Codec, read_stranger
from lm_eval_sensitivity.records.store import OutputCount
from lm_eval_sensitivity.text.escape import brief, shown_path

DONE = "done.json"
LOG = "lm_eval.log"

State = Literal["done", "failed", "refused", "stopped"]

_POLL_SECONDS = 0.2
_GRACE_SECONDS = 10.0
"""For lm_eval to end by itself once it was asked to."""
_LEAST_FREE_BYTES = 1_000_000
"""Results of the smallest runs are as large."""
_TAIL_BYTES = 20_000
_MOST_BYTES = 1_000_000
_ADVICE = "Remove its folder, and it is run again."


@dataclass(frozen=True)
class Done:
    """What is written down of a unit that was run and read back."""

    id: str
    """Of the unit, see `Unit.id`."""
    options: tuple[str, ...]
    """Its command line, to say what differs."""
    seconds: float
    """Of the last attempt."""
    n_outputs: int
    """That it added to the system's response store."""


_CODEC = Codec(Done, advice=_ADVICE)


@dataclass(frozen=True)
class Attempt:
    """What became of one attempt."""

    state: State
    """`refused`: a user's mistake, which another attempt would only repeat."""
    words: str = ""
    """Why it is not done."""


def read_done(unit: Unit) -> Done | None:
    """What was written down of a unit when it was done.

    Args:
        unit: of a panel.

    Returns:
        The record; None where the unit is still to be run.

    Raises:
        InputError: something was run there under other options.
    """
    if not unit.done.exists():
        return None
    place = shown_path(unit.done / DONE)
    done = _CODEC.load(read_stranger(unit.done / DONE, _MOST_BYTES, _ADVICE), place)
    if done.id != unit.id:
        other = sorted({*done.options} ^ {*unit.options}) or ["the environment"]
        raise InputError(
            f"{shown_path(unit.done)} holds results that were made with other options: {brief(' '.join(other))}. Give "
            "the system another name, or the panel another `output`, or remove that folder."
        )
    return done


def run_attempt(
    unit: Unit, stop: threading.Event | None = None, env: Mapping[str, str] | None = None
) -> Attempt:
    """Run lm_eval once.

    Args:
        unit: what is run.
        stop: set by whoever wants it to end.
        env: environment variables beside those of this process and of the unit.

    Returns:
        What became of it; nothing that goes wrong with one unit is raised.
    """
    try:
        unit.attempts.mkdir(parents=True, exist_ok=True)
        with _only_here(unit) as lock:
            if read_done(unit):
                return Attempt("done")
            return _run(unit, lock, stop or threading.Event(), {**os.environ, **(env or {}), **unit.env})
    except InputError as error:
        return Attempt("refused", str(error))
    except OSError as error:
        return Attempt(
            "failed", f"{shown_path(unit.attempts)} cannot be written ({error.strerror or error})."
        )


@contextmanager
def _only_here(unit: Unit) -> Iterator[IO[bytes]]:
    """A lock that lm_eval inherits: it is free when nobody is left who could write."""
    try:
        import fcntl
    except ImportError:
        raise InputError("A panel needs locks of POSIX: run it on Linux or macOS.") from None
    with (unit.attempts / "lock").open("ab") as lock:
        deadline = time.monotonic() + _GRACE_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise InputError(
                        f"{unit.name} is being run by another process. Wait for it, or end it."
                    ) from None
                time.sleep(_POLL_SECONDS)
        yield lock


def _run(unit: Unit, lock: IO[bytes], stop: threading.Event, env: Mapping[str, str]) -> Attempt:
    folder = _next_folder(unit)
    outputs = OutputCount(unit.responses)
    began, n_before = time.monotonic(), outputs.update()
    status = _lm_eval(unit, folder, lock, stop, env)
    if stop.is_set():
        return Attempt("stopped")
    if status in MISTAKES:
        return Attempt("refused", _last_words(folder / LOG))
    if status != 0:
        end = f"ended with status {status}" if status > 0 else f"was killed ({signal.Signals(-status).name})"
        return Attempt("failed", f"lm_eval {end}: {_last_words(folder / LOG)}{_room(folder)}")
    try:
        read_back(folder, unit.tasks)
    except InputError as error:
        return Attempt("failed", f"{error}{_room(folder)}")
    seconds, n_outputs = time.monotonic() - began, outputs.update() - n_before
    _write_down(unit, folder, Done(unit.id, unit.options, round(seconds, 1), n_outputs))
    return Attempt("done")


def _next_folder(unit: Unit) -> Path:
    numbers = [int(path.name[8:]) for path in unit.attempts.glob("attempt-*") if path.name[8:].isdigit()]
    folder = unit.attempts / f"attempt-{max(numbers, default=0) + 1}"
    folder.mkdir()
    unit.store.parent.mkdir(parents=True, exist_ok=True)
    return folder


def _lm_eval(unit: Unit, folder: Path, lock: IO[bytes], stop: threading.Event, env: Mapping[str, str]) -> int:
    """The exit status; whatever lm_eval started is gone with it."""
    line = [
        sys.executable,
        "-m",
        "lm_eval_sensitivity.panel.child",
        str(os.getpid()),
        *unit.arguments(folder),
    ]
    with (folder / LOG).open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command line, no shell
            line,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=unit.directory,
            env=env,
            pass_fds=[lock.fileno()],
            start_new_session=True,
        )
        try:
            while process.poll() is None and not stop.wait(_POLL_SECONDS):
                pass
        finally:
            _end(process)
    return process.returncode


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask lm_eval to end, where it has not, and kill what is left of its session."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            if sign == signal.SIGKILL or process.poll() is None:
                os.killpg(process.pid, sign)
                process.wait(_GRACE_SECONDS)
    process.wait()


def _last_words(log: Path) -> str:
    """The message of the exception that ended lm_eval, or the last line that it wrote."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        lines = [line for line in file.read().decode("utf-8", "replace").splitlines() if line.strip()]
    traces = [at for at, line in enumerate(lines) if line.startswith("Traceback ")]
    said = [line for line in lines[traces[-1] + 1 :] if line[0] != " "] if traces else lines[-1:]
    return f"{brief(' '.join(said)) or 'it left no word'}. See {shown_path(log)}."


def _room(folder: Path) -> str:
    """What lm_eval had no room to say."""
    return " Its disk is full." if shutil.disk_usage(folder).free < _LEAST_FREE_BYTES else ""


def _write_down(unit: Unit, folder: Path, done: Done) -> None:
    """Written aside and renamed, then the whole folder moved: what stands in `runs` is whole at any moment."""
    aside = folder / f"{DONE}.part"
    with aside.open("wb") as file:
        file.write(_CODEC.dump(done, indent=1))
        file.flush()
        os.fsync(file.fileno())
    aside.replace(folder / DONE)
    unit.done.parent.mkdir(parents=True, exist_ok=True)
    folder.rename(unit.done)
