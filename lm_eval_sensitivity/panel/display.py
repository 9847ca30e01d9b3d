"""What a panel shows while it runs: one bar for each system, or lines where nobody watches a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from lm_eval_sensitivity.panel.estimate import Estimate
from lm_eval_sensitivity.panel.plan import Panel
from lm_eval_sensitivity.panel.run import Progress
from lm_eval_sensitivity.records.store import OutputCount
from lm_eval_sensitivity.text.escape import inert


class Display:
    """A watcher for `run_panel`, to be used in `with`.

    Args:
        panel: that runs.
        estimates: [system] how many outputs each will have.
    """

    def __init__(self, panel: Panel, estimates: tuple[Estimate, ...]) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as Bars

        self._console = Console(stderr=True)
        self._bars = Bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[state]}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._counts = {unit.system: OutputCount(unit.responses) for unit in panel.units}
        self._left = {each.system: each.n_units - each.n_done for each in estimates}
        self._tasks: Mapping[str, Any] = {
            each.system: self._bars.add_task(
                each.system,
                start=False,
                total=_total(each),
                completed=each.n_there,
                state="done" if each.n_done == each.n_units else "waits",
            )
            for each in estimates
        }

    def __enter__(self) -> Display:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def __call__(self, progress: Progress) -> None:
        """Show one thing that happened, or how far the running systems are."""
        unit, attempt = progress.unit, progress.attempt
        if unit is None:
            for system in progress.running:
                self._bars.update(self._tasks[system], completed=self._counts[system].update())
            return
        task, state = self._tasks[unit.system], "runs" if attempt is None else attempt.state
        self._bars.start_task(task)
        n_outputs = self._counts[unit.system].update()
        self._bars.update(task, state=state, completed=n_outputs)
        if state == "done":
            self._left[unit.system] -= 1
            if not self._left[unit.system]:
                self._bars.update(task, total=n_outputs)
                self._bars.stop_task(task)
        words = "" if attempt is None or not attempt.words else f": {inert(attempt.words)}"
        if words or not self._console.is_terminal:
            self._console.print(f"{unit.name}: {state}{words}", markup=False, highlight=False, soft_wrap=True)


def _total(estimate: Estimate) -> int | None:
    """What is there, of a system that is done: an edit that a template erases has no output of its own."""
    if estimate.n_done == estimate.n_units:
        return estimate.n_there
    return estimate.n_outputs
