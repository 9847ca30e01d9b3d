"""Steps of a benchmark that has little time: processes with limits, and what each left when it ended or was ended."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from benchmarks.measuring import ENVIRONMENT, REPOSITORY

Status = Literal["done", "cut", "failed", "not begun"]
Command = tuple[str, Sequence[str]]
"""Name of its files, and the command line."""


@dataclass(frozen=True)
class Step:
    """Some processes, and what is read from the files that they leave."""

    name: str
    seconds: float
    commands: Callable[[argparse.Namespace, Path], list[Command]]
    figures: Callable[[argparse.Namespace, Path], dict[str, Any]]
    """From what is there: nothing is made up for what was cut."""


@dataclass(frozen=True)
class Ended:
    """What became of a process."""

    status: Status
    seconds: float = 0
    said: str = ""
    """Why it did not do what it should: the end of what it printed."""


@dataclass
class Outcome:
    """What became of a step."""

    name: str
    allowed_seconds: float = 0
    processes: dict[str, Ended] = field(default_factory=dict)
    unread: str = ""
    """Why there are no figures, where the files that it left cannot be read."""
    figures: dict[str, Any] = field(default_factory=dict)


def run_steps(
    steps: Sequence[Step], options: argparse.Namespace, folder: Path, share: float = 1.0
) -> Iterator[list[Outcome]]:
    """Run all steps, and give what is known after every process.

    Args:
        steps: most worth first; time that one leaves, the next ones have.
        options: of the command line.
        folder: for the files of the processes.
        share: of the time that each step says.
    """
    outcomes = [Outcome(step.name) for step in steps]
    began, allowed = time.monotonic(), 0.0
    for step, outcome in zip(steps, outcomes, strict=True):
        allowed += step.seconds * share
        outcome.allowed_seconds = round(allowed - (time.monotonic() - began), 1)
        for name, line in step.commands(options, folder):
            left = allowed - (time.monotonic() - began)
            print(f"{step.name}: {name}, at most {left:.0f} s ...", file=sys.stderr, flush=True)
            outcome.processes[name] = _watched(name, line, folder, left)
            try:
                outcome.figures = step.figures(options, folder)
            except (ValueError, LookupError, OSError, StopIteration) as error:
                outcome.unread = f"{type(error).__name__}: {error}"
            yield outcomes


def _watched(name: str, line: Sequence[str], folder: Path, seconds: float) -> Ended:
    """One process with all that it starts, ended when its time is over."""
    if seconds <= 0:
        return Ended("not begun", said="no time was left")
    path, since = folder / f"{name}.log", time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), **ENVIRONMENT}
    with path.open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            line, stdout=log, stderr=log, cwd=REPOSITORY, env=environment, start_new_session=True
        )
        try:
            status: Status = "failed" if process.wait(timeout=seconds) else "done"
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            status = "cut"
    said = "" if status == "done" else path.read_text(encoding="utf-8", errors="replace").strip()[-1000:]
    return Ended(status, round(time.monotonic() - since, 1), said)
