"""The same on a real Ray: its workers die, its driver dies, and nothing is lost, made twice or left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lm_eval_sensitivity.panel.run import run_panel
from tests.conftest import REPOSITORY
from tests.unit.panel.made_panel import alive, assert_whole, panel, pid_of

ray = pytest.importorskip("ray")

pytestmark = pytest.mark.slow


def parent(process: int) -> int:
    """Process id of a process's parent."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("\nPPid:\t")[2].partition("\n")[0])


def start(folder: Path, *faults: str) -> subprocess.Popen[bytes]:
    """A panel in a process of its own, which starts a Ray of its own."""
    code = (
        "from pathlib import Path; from tests.unit.panel.made_panel import panel; "
        "from lm_eval_sensitivity.panel.run import run_panel; "
        f"run_panel(panel(Path({str(folder / 'out')!r}), *{faults!r}, executor='ray', address='local'))"
    )
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen([sys.executable, "-c", code], env=env)


def gone(process: int, seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while alive(process) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not alive(process)


def test_a_panel_on_ray_survives_the_death_of_its_worker(tmp_path: Path) -> None:
    process = start(tmp_path, "hangs@1", "killed@1", "mistake")
    asked = panel(tmp_path / "out", "hangs@1", "killed@1", "mistake")
    child = pid_of(asked.units[0])
    os.kill(parent(child), signal.SIGKILL)
    assert process.wait(120) == 0
    assert gone(child)
    # What is done is read; the mistake is tried again, in this process.
    found = run_panel(asked)
    assert_whole(found, asked, "ab")
    assert [len(list(unit.attempts.glob("attempt-*"))) for unit in asked.units] == [1, 1, 2]


def test_a_killed_panel_leaves_nothing_running_on_ray(tmp_path: Path) -> None:
    process = start(tmp_path, "hangs@1", "")
    asked = panel(tmp_path / "out", "hangs@1", "", executor="ray", address="local")
    child = pid_of(asked.units[0])
    worker = parent(child)
    process.kill()
    process.wait()
    assert gone(child) and gone(worker)
    assert_whole(run_panel(asked), asked, "ab")
