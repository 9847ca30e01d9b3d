"""Panels of real runs that are hit where it hurts: no generation is lost or made twice, and nothing is left running.

What a panel does after each kind of failure is in tests/unit/panel, quickly. These take minutes: `make test-slow`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from lm_eval_sensitivity.demo import demo_model_path
from lm_eval_sensitivity.panel.estimate import estimate
from lm_eval_sensitivity.panel.panel_file import read_panel
from lm_eval_sensitivity.panel.plan import Panel, Unit
from lm_eval_sensitivity.records.store import OutputCount
from lm_eval_sensitivity.runs import load_runs
from tests.unit.panel.made_panel import answers, assert_gone, parent_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="children die with their parent on Linux only"),
]

DEMO = {"pretrained": str(demo_model_path()), "dtype": "float32"}
SECONDS = 3_600
"""Longest wait for anything; a busy machine is slow."""


def written(folder: Path, **content: object) -> Path:
    """A panel of the demonstration model, under two names, and of one that is nowhere."""
    content = {
        "output": str(folder / "out"),
        "defaults": {
            **{"model": "hf", "device": "cpu", "batch_size": 4, "apply_chat_template": True},
            **{"model_args": DEMO, "gen_kwargs": {"max_gen_toks": 12}},
        },
        "tasks": [["prompt_sensitivity_mini_identical", "prompt_sensitivity_mini_punctuation"]],
        "systems": [
            {"name": "one"},
            {"name": "nowhere", "run": {"model_args": {"pretrained": str(folder / "no_such_model")}}},
            {"name": "two", "run": {"apply_chat_template": None}},
        ],
        "reference": "one",
        **content,
    }
    file = folder / "panel.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return file


Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """The command, in a process of its own, which does not outlive its test."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(file: Path, *options: str) -> subprocess.Popen[bytes]:
        line = [sys.executable, "-m", "lm_eval_sensitivity.cli.main", "panel", str(file), *options]
        started.append(subprocess.Popen(line, env={**os.environ, "OMP_NUM_THREADS": "1"}))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait()


def until(what: str, condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Wait for a condition while a panel runs."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert process.poll() is None, f"the panel ended before {what}"
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def generating(unit: Unit, attempt: int, process: subprocess.Popen[bytes]) -> int:
    """The process of lm_eval of this attempt, once it has made some of its generations and not all."""
    outputs = OutputCount(unit.responses)
    before = outputs.update()
    folder = unit.attempts / f"attempt-{attempt}"
    until(f"{folder} generates", lambda: folder.exists() and outputs.update() > before + 4, process)
    return child_of(folder)


def child_of(folder: Path) -> int:
    """Who writes to an attempt: the process that has its folder on the command line."""
    for path in Path("/proc").iterdir():
        try:
            words = (path / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if str(folder).encode() in words and b"lm_eval_sensitivity.panel.child" in words:
            return int(path.name)
    raise AssertionError(f"nobody writes to {folder}")


def assert_whole(panel: Panel, *systems: str) -> None:
    """Each of these has every generation once, and is read as a whole run."""
    expected = {each.system: each for each in estimate(panel)}
    for unit in panel.units:
        if unit.system not in systems:
            continue
        made = answers(unit)
        assert set(made.values()) == {1}, "a record is written once"
        assert OutputCount(unit.responses).update() == expected[unit.system].n_outputs
        (system,) = load_runs(panel.runs_of(unit.system)).systems
        assert not system.partial
    assert {path.name for path in panel.output.glob("runs/*")} == set(systems)


def n_attempts(panel: Panel) -> Counter[str]:
    """Attempts that are not done, by system."""
    return Counter({unit.system: len(list(unit.attempts.glob("attempt-*"))) for unit in panel.units})


def test_lm_eval_and_then_the_panel_are_killed(tmp_path: Path, start: Start) -> None:
    file = written(tmp_path)
    panel = read_panel(file)
    one, _, two = panel.units
    process = start(file)
    os.kill(generating(one, 1, process), signal.SIGKILL)
    until("one is done", one.done.exists, process)
    child = generating(two, 1, process)
    process.kill()
    process.wait()
    assert_gone(child)
    assert n_attempts(panel) == {"one": 1, "nowhere": 2, "two": 1}
    assert start(file).wait(SECONDS) == 1, "what cannot load is missing"
    assert_whole(panel, "one", "two")
    assert not (panel.output / "report").exists(), "not without being told to leave it out"
    assert start(file, "--allow-missing").wait(SECONDS) == 1
    assert (panel.output / "report" / "index.html").exists()
    assert (panel.output / "results" / "manifest.json").exists()
    assert_whole(panel, "one", "two")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that can be made larger."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a file system of its own takes rights that are not here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_the_disk_is_full(
    small_disk: Path, tmp_path: Path, start: Start, capfd: pytest.CaptureFixture[str]
) -> None:
    """Too small for the answers, then too small for the results, then large enough."""
    file = written(
        tmp_path, output=str(small_disk / "out"), systems=[{"name": "one"}], retries=0, report=False
    )
    panel = read_panel(file)
    (unit,) = panel.units
    made = []
    for size, is_enough in (("100k", False), ("600k", False), ("100m", True)):
        subprocess.run(["mount", "-o", f"remount,size={size}", str(small_disk)], check=True)
        assert start(file).wait(SECONDS) == int(not is_enough)
        assert ("Its disk is full." in capfd.readouterr().err) != is_enough
        made.append(OutputCount(unit.responses).update())
    assert made[0] < made[1] == made[2]
    assert_whole(panel, "one")


def test_a_worker_of_ray_and_then_the_panel_are_killed(tmp_path: Path, start: Start) -> None:
    pytest.importorskip("ray", reason="comes with the extra `panel`")
    two_systems = [{"name": "one"}, {"name": "two", "run": {"apply_chat_template": None}}]
    file = written(tmp_path, executor="ray", address="local", systems=two_systems)
    panel = read_panel(file)
    one, two = panel.units
    process = start(file)
    child = generating(one, 1, process)
    os.kill(parent_of(child), signal.SIGKILL)
    assert_gone(child)
    children = [
        generating(one, 2, process),
        *([] if two.done.exists() else [child_of(two.attempts / "attempt-1")]),
    ]
    process.kill()
    process.wait()
    for child in children:
        assert_gone(child)
    assert start(file).wait(SECONDS) == 0
    assert_whole(panel, "one", "two")
    assert n_attempts(panel)["one"] == 2
    assert (panel.output / "report" / "index.html").exists()
