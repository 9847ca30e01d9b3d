"""The tasks of the run that is going on: lm_eval tells a task nothing about the others."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Note = TypeVar("Note")
Made = TypeVar("Made")


@dataclass
class _Entry(Generic[Note]):
    """A task of a run."""

    task: weakref.ref[object]
    group: str
    collected: Sequence[Note]
    """The task's own list, which fills while its results are collected."""
    notes: list[Note] | None = None
    """None until it has finished."""


class RunLog(Generic[Note]):
    """The tasks of the run that is going on.

    A task is entered when its requests are built, fills its notes while its results are collected, and leaves
    them when these are aggregated. lm_eval takes all tasks through each of these steps before the next one,
    except that a task leaves its notes before the next is aggregated. With the last one of a group the group is
    over, and with the last group the log is empty for the next run. A run that fails in between never comes to its
    last task; its entries must not keep later runs from speaking.
    """

    def __init__(self) -> None:
        self._entries: dict[int, _Entry[Note]] = {}
        self._made: dict[str, Any] = {}
        self.n_groups = 0
        """Of the run that is going on."""

    def started(self, task: object, group: str = "", collected: Sequence[Note] = ()) -> None:
        """Enter a task. All tasks of a run start before the first of them collects anything.

        Args:
            task: only its identity counts.
            group: tasks of one group are looked at together by `of_run`.
            collected: a list that the task fills.
        """
        if any(entry.collected or entry.notes is not None for entry in self._entries.values()):
            self._entries.clear()
        self._made.clear()
        self._forget_the_gone()
        self._entries[id(task)] = _Entry(weakref.ref(task), group, collected)
        self.n_groups = len({entry.group for entry in self._entries.values()})

    def of_run(self, task: object, make: Callable[[list[Note]], Made]) -> Made | None:
        """What is made of all notes in the group of a task, once per run.

        Args:
            task: one whose results are being aggregated: those of all others are collected then.
            make: takes the notes.

        Returns:
            What `make` gave; None for a task not entered.
        """
        own = self._entries.get(id(task))
        if own is None:
            return None
        if own.group not in self._made:
            together = [each for each in self._entries.values() if each.group == own.group]
            self._made[own.group] = make([note for each in together for note in each.collected])
        made: Made = self._made[own.group]
        return made

    def finished(self, task: object, notes: Sequence[Note]) -> list[Note] | None:
        """Take a task's notes, and give out those of its group when it was the last one of it.

        Args:
            task: whose results are aggregated now.
            notes: its own.

        Returns:
            The notes of every task of the group, forgotten here; None while others are to come, and for a task not
            entered.
        """
        self._forget_the_gone()
        entry = self._entries.get(id(task))
        if entry is None:
            return None
        entry.notes = list(notes)
        group = {key: each for key, each in self._entries.items() if each.group == entry.group}
        if any(each.notes is None for each in group.values()):
            return None
        every = [note for each in group.values() for note in each.notes or ()]
        for key in group:
            del self._entries[key]
        self._made.pop(entry.group, None)
        return every

    def _forget_the_gone(self) -> None:
        """A task that is gone without having finished belongs to a run that failed."""
        gone = [key for key, each in self._entries.items() if each.notes is None and each.task() is None]
        for key in gone:
            del self._entries[key]
