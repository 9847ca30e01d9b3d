"""Run a panel: every unit until it is done, has been tried often enough, or is a mistake that nobody should repeat."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

from lm_eval_sensitivity.panel.attempt import Attempt, read_done
from lm_eval_sensitivity.panel.check_options import check_options
from lm_eval_sensitivity.panel.local import LocalExecutor
from lm_eval_sensitivity.panel.plan import Panel, Unit
from lm_eval_sensitivity.panel.ray_cluster import RayExecutor

_TICK_SECONDS = 1.0


class Executor(Protocol):
    """Where attempts are made."""

    capacity: int
    """Attempts at the same time."""

    def submit(self, unit: Unit) -> Future[Attempt]:
        """Begin one attempt."""

    def result(self, future: Future[Attempt]) -> Attempt:
        """What became of a finished one."""

    def close(self) -> None:
        """End what is running, and wait for it."""


@dataclass(frozen=True)
class Progress:
    """Something that a watcher may want to show; one comes about every second."""

    unit: Unit | None = None
    """What it is about; None for the passing of time."""
    attempt: Attempt | None = None
    """What became of it; None where it begins."""
    running: frozenset[str] = frozenset()
    """Systems that run, where it is about the passing of time."""


@dataclass(frozen=True)
class PanelRun:
    """What a panel has after a run of it."""

    done: tuple[Unit, ...]
    """In the order of the panel."""
    missing: tuple[tuple[Unit, Attempt], ...]
    """The others, each with its last attempt."""


def run_panel(panel: Panel, watch: Callable[[Progress], object] = lambda progress: None) -> PanelRun:
    """Run what is not done yet; the same call again goes on.

    Args:
        panel: to be run.
        watch: is told what begins, what ends, and that time passes.

    Returns:
        What is done, and what is not.

    Raises:
        InputError: an option that lm_eval does not have, or results that were made with other options.
    """
    check_options(panel)
    units = panel.units
    todo = [unit for unit in units if read_done(unit) is None]
    ended: dict[str, Attempt] = {}
    if todo:
        with closing(executor_of(panel)) as executor:
            ended = run_units(todo, executor, panel.retries, watch)
    done = tuple(unit for unit in units if unit.name not in ended or ended[unit.name].state == "done")
    return PanelRun(done, tuple((unit, ended[unit.name]) for unit in units if unit not in done))


def executor_of(panel: Panel) -> Executor:
    """The executor that a panel names."""
    return RayExecutor(panel.address) if panel.executor == "ray" else LocalExecutor(panel.workers)


def run_units(
    units: Sequence[Unit], executor: Executor, retries: int, watch: Callable[[Progress], object]
) -> dict[str, Attempt]:
    """Run units; those of one system one after the other, as they share its answers.

    Returns:
        The last attempt of each, by the unit's name.
    """
    queues = {unit.system: deque(each for each in units if each.system == unit.system) for unit in units}
    tries: dict[str, int] = {}
    ended: dict[str, Attempt] = {}
    running: dict[Future[Attempt], Unit] = {}
    while running or any(queues.values()):
        for unit in _next(queues, running.values(), executor.capacity - len(running)):
            tries[unit.name] = tries.get(unit.name, 0) + 1
            watch(Progress(unit))
            running[executor.submit(unit)] = unit
        finished, _ = wait(running, _TICK_SECONDS, FIRST_COMPLETED)
        for future in finished:
            unit, attempt = running.pop(future), executor.result(future)
            watch(Progress(unit, attempt))
            if attempt.state == "failed" and tries[unit.name] <= retries:
                continue
            ended[unit.name] = attempt
            queues[unit.system].popleft()
        watch(Progress(running=frozenset(unit.system for unit in running.values())))
    return ended


def _next(queues: dict[str, deque[Unit]], running: Iterable[Unit], n_free: int) -> list[Unit]:
    """The first unit of each system that is idle, as many as there is room for."""
    busy = {unit.system for unit in running}
    heads = [queue[0] for system, queue in queues.items() if queue and system not in busy]
    return heads[: max(0, n_free)]
