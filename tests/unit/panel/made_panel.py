"""Panels whose children find `stand_in.py` instead of lm_eval, and what they leave."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path
from shutil import copyfile
from typing import Any

from lm_eval_sensitivity.panel.attempt import DONE, LOG
from lm_eval_sensitivity.panel.plan import Panel, PanelSystem, Unit
from lm_eval_sensitivity.panel.run import PanelRun
from lm_eval_sensitivity.runs import load_runs
from tests.conftest import REPOSITORY
from tests.unit.panel.stand_in import N_ANSWERS

(RECORDED,) = (REPOSITORY / "tests/golden/runs/greedy/demo").glob("*/")


def panel(output: Path, *faults: str, **options: Any) -> Panel:
    """A panel of one system for each fault, named a, b, ...; an empty one is none."""
    env = {**stand_in(output), "STAND_IN_RUN": str(RECORDED)}
    systems = [
        PanelSystem(name, env={**env, "SYSTEM": name, "STAND_IN": fault})
        for name, fault in zip("abcdef", faults, strict=False)
    ]
    return Panel(output, tuple(systems), **{"tasks": (("prompt_sensitivity_mini",),), **options})


def stand_in(folder: Path) -> dict[str, str]:
    """Environment in which a child finds the stand-in as its lm_eval."""
    package = folder / "stand_in" / "lm_eval"
    package.mkdir(parents=True, exist_ok=True)
    copyfile(Path(__file__).with_name("stand_in.py"), package / "__main__.py")
    (package / "__init__.py").touch()
    # Where files may not grow, what Python compiles would be kept cut short, and broken for everybody after it.
    return {
        "PYTHONPATH": os.pathsep.join([str(package.parent), str(REPOSITORY)]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def answers(unit: Unit) -> Counter[str]:
    """How often each answer stands in the store of a unit: once, where nothing was lost or made twice."""
    lines = [line for path in unit.responses.glob("*.log") for line in path.read_text().splitlines()]
    return Counter(line.partition('"key": "')[2].partition('"')[0] for line in lines)


def alive(process: int) -> bool:
    """Whether a process runs; a dead one that nobody asked for is not running."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False


def parent_of(process: int) -> int:
    """Process id of a process's parent."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("\nPPid:\t")[2].partition("\n")[0])


def assert_gone(process: int) -> None:
    """It ends within a minute."""
    deadline = time.monotonic() + 60
    while alive(process) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(process)


def pid_of(unit: Unit) -> int:
    """Of the child of attempt 1, once it is there."""
    file = unit.attempts / "attempt-1" / "pid"
    for _ in range(2_400):
        if file.exists() and file.read_text():
            return int(file.read_text())
        time.sleep(0.05)
    raise AssertionError("no child came up")


def assert_whole(found: PanelRun, asked: Panel, done: str) -> None:
    """These systems are done, each answer was made once, and no attempt stands where runs are read."""
    assert "".join(unit.system for unit in found.done) == done
    for unit in found.done:
        assert list(answers(unit).values()) == [1] * N_ANSWERS
        assert {path.name for path in unit.done.iterdir()} == {"model", DONE, LOG}
        assert len(load_runs(asked.runs_of(unit.system)).systems) == 1
    assert {path.name for path in asked.output.glob("runs/*")} == set(done)
