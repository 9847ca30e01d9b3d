"""The same on a real Ray: its workers die, its driver dies, and nothing is lost, made twice or left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lm_eval_sensitivity.panel.run import run_panel
from tests.conftest import REPOSITORY
from tests.unit.panel.made_panel import assert_gone, assert_whole, panel, parent_of, pid_of

pytest.importorskip("ray", reason="needs Ray, which comes with the extra `panel`")

pytestmark = pytest.mark.slow

SECONDS = 1_800
"""Longest wait for anything; a busy machine is slow."""


@contextmanager
def started(output: Path, *faults: str) -> Iterator[subprocess.Popen[bytes]]:
    """A panel in a process of its own, which starts a Ray of its own."""
    code = (
        "from pathlib import Path; from tests.unit.panel.made_panel import panel; "
        "from lm_eval_sensitivity.panel.run import run_panel; "
        f"run_panel(panel(Path({str(output)!r}), *{faults!r}, executor='ray', address='local'))"
    )
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen([sys.executable, "-c", code], env=env)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_panel_on_ray_survives_the_death_of_its_worker(tmp_path: Path) -> None:
    faults = ("hangs@1", "killed@1", "mistake")
    asked = panel(tmp_path, *faults)
    with started(tmp_path, *faults) as process:
        child = pid_of(asked.units[0])
        os.kill(parent_of(child), signal.SIGKILL)
        assert process.wait(SECONDS) == 0
    assert_gone(child)
    # What is done is read; the mistake is tried again, in this process.
    assert_whole(run_panel(asked), asked, "ab")
    assert [len(list(unit.attempts.glob("attempt-*"))) for unit in asked.units] == [1, 1, 2]


def test_a_killed_panel_leaves_nothing_running_on_ray(tmp_path: Path) -> None:
    asked = panel(tmp_path, "hangs@1", "", executor="ray", address="local")
    with started(tmp_path, "hangs@1", ""):
        child = pid_of(asked.units[0])
        worker = parent_of(child)
    assert_gone(child)
    assert_gone(worker)
    assert_whole(run_panel(asked), asked, "ab")
