"""A panel: which systems are measured on which tasks, how, and where its files stand."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lm_eval_sensitivity.errors import InputError, unknown_name
from lm_eval_sensitivity.ladder.tasks import ALL_RUNGS
from lm_eval_sensitivity.panel.command_line import command_line
from lm_eval_sensitivity.records.store import SUFFIX
from lm_eval_sensitivity.text.escape import shown

Executor = Literal["local", "ray"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,79}")
"""Of a folder on any system, and of a label."""


@dataclass(frozen=True)
class PanelSystem:
    """One system of a panel."""

    name: str
    """Of its folder, and its label in the report."""
    run: Mapping[str, Any] = field(default_factory=dict)
    """Options of lm_eval, which go before those that all systems share; null takes one away, and where both are
    mappings, as of `model_args`, this one is added to the other."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Environment variables of its processes, likewise."""
    gpus: float = 0
    """That Ray reserves for one of its processes."""
    cpus: float = 1
    """The same, of processors."""


@dataclass(frozen=True)
class Panel:
    """Systems, tasks, and how they are run.

    Raises:
        InputError: two systems of one name, a name that is no folder's, a reference that is no system, ...
    """

    output: Path
    """Folder of everything that the panel writes."""
    systems: tuple[PanelSystem, ...]
    tasks: tuple[tuple[str, ...], ...] = ((ALL_RUNGS,),)
    """Shards: the tasks of one process each."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Options of lm_eval that all systems share."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Environment variables of all processes."""
    executor: Executor = "local"
    workers: int = 1
    """Systems at the same time, where the executor is `local`."""
    address: str | None = None
    """Of a Ray cluster; None takes that of `RAY_ADDRESS`, or starts Ray on this machine."""
    retries: int = 1
    """Further attempts of a process that failed through no mistake of the user's."""
    reference: str | None = None
    """Name of the system that drift is measured from."""
    report: bool = True
    """Whether a report and a results folder are made when everything is there."""

    def __post_init__(self) -> None:
        names = [system.name for system in self.systems]
        for name in names:
            if not _NAME.fullmatch(name):
                raise InputError(
                    f"`systems`: the name {shown(name)} cannot be a folder's. Accepted: at most 80 letters, digits, "
                    "`.`, `_`, `+` and `-`, a letter or digit first."
                )
            # Folders of many file systems do not tell upper from lower case.
            if sum(name.lower() == other.lower() for other in names) > 1:
                raise InputError(
                    f"`systems`: the name {name!r} stands there twice. Two systems need two names."
                )
        if not names or not self.tasks or not all(self.tasks):
            raise InputError("A panel needs one system and one task at least. Give `systems` and `tasks`.")
        if self.reference is not None and self.reference not in names:
            raise unknown_name("`reference`", self.reference, names)
        if len({shard_name(tasks) for tasks in self.tasks}) < len(self.tasks):
            raise InputError("`tasks`: one of them stands there twice. Give each task once.")
        first: dict[Path, str] = {}
        for unit in self.units:
            # Their answers would be in one store, and no report can tell them apart.
            other = first.setdefault(unit.store.with_name(unit.store.name.rpartition("-")[2]), unit.system)
            if other != unit.system:
                raise InputError(
                    f"`systems`: {other!r} and {unit.system!r} have the same options. One system needs one name."
                )

    @property
    def units(self) -> tuple[Unit, ...]:
        """What is run: each system on each shard, system by system."""
        return tuple(
            Unit(
                system=system.name,
                tasks=tasks,
                options=tuple(command_line(_joined(self.defaults, system.run))),
                env={**self.env, **system.env},
                root=self.output.absolute(),
                directory=Path.cwd(),
                gpus=system.gpus,
                cpus=system.cpus,
            )
            for system in self.systems
            for tasks in self.tasks
        )

    def runs_of(self, system: str) -> Path:
        """The folder of all finished runs of a system: a RUN of every other command."""
        return self.output / "runs" / system


def _joined(shared: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    both = {
        name: {**shared[name], **value}
        for name, value in own.items()
        if isinstance(value, Mapping) and isinstance(shared.get(name), Mapping)
    }
    return {**shared, **own, **both}


@dataclass(frozen=True)
class Unit:
    """One system on one shard of the tasks: one process of lm_eval."""

    system: str
    tasks: tuple[str, ...]
    options: tuple[str, ...]
    """Of lm_eval's command line, but for tasks and folders."""
    env: Mapping[str, str]
    root: Path
    """Output folder of the panel."""
    directory: Path
    """Working folder of its process, which paths of models begin from."""
    gpus: float = 0
    cpus: float = 1

    @property
    def shard(self) -> str:
        """Name of the shard's folders."""
        return shard_name(self.tasks)

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.system} on {','.join(self.tasks)}"

    @property
    def id(self) -> str:
        """16 hex digits of what is run; another place of the output folder changes nothing."""
        return _digest([self.tasks, self.options, sorted(self.env.items())])

    @property
    def done(self) -> Path:
        """Where the run stands once it was read back; below it is a RUN of every other command."""
        return self.root / "runs" / self.system / self.shard

    @property
    def attempts(self) -> Path:
        """Folder of the attempts that are not done."""
        return self.root / "attempts" / self.system / self.shard

    @property
    def store(self) -> Path:
        """`--use_cache`, shared by the shards of a system.

        lm_eval's own cache knows no options, so that the same system under other options has another.
        """
        return (
            self.root / "responses" / f"{self.system}-{_digest([self.options, sorted(self.env.items())])[:8]}"
        )

    @property
    def responses(self) -> Path:
        """Folder of the response store, beside lm_eval's own cache."""
        return self.store.with_name(self.store.name + SUFFIX)

    def arguments(self, folder: Path) -> list[str]:
        """The arguments of lm_eval for one attempt.

        Args:
            folder: of the attempt.
        """
        places = ["--output_path", str(folder), "--log_samples", "--use_cache", str(self.store)]
        return ["--tasks", ",".join(self.tasks), *self.options, *places]


def shard_name(tasks: Sequence[str]) -> str:
    """The name of a shard's folders.

    Args:
        tasks: names, patterns or files of lm_eval tasks.

    Returns:
        The tasks, where that is a short name of a folder, else with a digest.

    Example:
        >>> shard_name(["prompt_sensitivity"]), shard_name(["a", "b"]), shard_name(["mmlu_*"])
        ('prompt_sensitivity', 'a+b', 'mmlu_-98c9d872')
    """
    plain = "+".join(tasks)
    if _NAME.fullmatch(plain):
        return plain
    return f"{re.sub('[^A-Za-z0-9._+-]', '', plain)[:60]}-{_digest(list(tasks))[:8]}"


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()[:16]
