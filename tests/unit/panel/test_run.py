"""A panel over children that fail: what is done, what is tried again, and what is left running. The real lm_eval is in
tests/harness/test_panel.py."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.panel.attempt import read_done, run_attempt
from lm_eval_sensitivity.panel.plan import Unit
from lm_eval_sensitivity.panel.run import Progress, run_panel
from lm_eval_sensitivity.records.store import OutputCount
from tests.conftest import REPOSITORY
from tests.unit.panel.made_panel import alive, answers, assert_gone, assert_whole, panel, pid_of
from tests.unit.panel.stand_in import N_ANSWERS

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="locks of POSIX")


def attempts(unit: Unit) -> list[str]:
    return sorted(path.name for path in unit.attempts.glob("attempt-*"))


def test_a_panel_runs_once(tmp_path: Path) -> None:
    asked = panel(tmp_path, "", "")
    begun: list[Progress] = []
    found = run_panel(asked, begun.append)
    assert_whole(found, asked, "ab")
    assert not found.missing
    assert [each.unit.name for each in begun if each.unit and not each.attempt] == [
        f"{system} on prompt_sensitivity_mini" for system in "ab"
    ]
    record = read_done(found.done[0])
    assert record and record.n_outputs == N_ANSWERS
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    again: list[Progress] = []
    assert run_panel(asked, again.append) == found
    assert not again and before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("killed", "was killed (SIGKILL)"),
        ("error", "OSError: no such model"),
        ("no results", "holds no results"),
        ("cut results", "cannot be read as JSON"),
        ("no samples", "the samples file of `prompt_sensitivity_mini_identical` is missing"),
        ("cut samples", "cannot be read as JSON"),
        ("rows of one filter", "6 documents were run, rows: 5 under `answer`"),
    ],
)
def test_what_fails_is_tried_again_and_goes_on_from_its_answers(
    tmp_path: Path, fault: str, words: str
) -> None:
    asked = panel(tmp_path, f"{fault}@1", "")
    ended: list[str] = []
    found = run_panel(
        asked, lambda each: each.attempt and ended.append(f"{each.attempt.state} {each.attempt.words}")
    )
    assert_whole(found, asked, "ab")
    assert ended[0].startswith("failed") and words in ended[0]
    assert attempts(found.done[0]) == ["attempt-1"], "the failed one stays, with its words"


@pytest.mark.parametrize("fault", ["killed", "no results"])
def test_a_failure_names_the_disk_only_where_that_is_full(
    tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = []
    for free in (0, 2**40):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: SimpleNamespace(free=free))
        found = run_panel(panel(tmp_path / str(free), fault, retries=0))
        said += [attempt.words.endswith(" Its disk is full.") for _, attempt in found.missing]
    assert said == [True, False]


def test_what_fails_always_is_named_and_the_others_finish(tmp_path: Path) -> None:
    asked = panel(tmp_path, "killed", "", retries=2)
    found = run_panel(asked)
    assert_whole(found, asked, "b")
    ((unit, attempt),) = found.missing
    assert (unit.system, attempt.state) == ("a", "failed")
    assert attempts(unit) == ["attempt-1", "attempt-2", "attempt-3"]
    assert answers(unit) == {"key0": 1, "key1": 1}


def test_a_mistake_is_not_repeated(tmp_path: Path) -> None:
    asked = panel(tmp_path, "mistake", "", retries=5)
    found = run_panel(asked)
    assert_whole(found, asked, "b")
    ((unit, attempt),) = found.missing
    assert attempt.state == "refused" and "`lader` is not an option" in attempt.words
    assert attempts(unit) == ["attempt-1"]


def test_other_options_are_refused_where_results_stand(tmp_path: Path) -> None:
    asked = panel(tmp_path, "")
    run_panel(asked)
    other = replace(asked, defaults={"batch_size": 3})
    with pytest.raises(InputError, match="other options: --batch_size 3"):
        run_panel(other)
    with pytest.raises(InputError, match="other options: the environment"):
        run_panel(replace(asked, env={"A": "1"}))
    # Where nothing is done, they are taken, and no answer of the old ones.
    begun = panel(tmp_path / "new", "killed", retries=0)
    run_panel(begun)
    (unit,) = replace(begun, defaults={"batch_size": 3}).units
    assert unit.responses != begun.units[0].responses


def test_a_folder_that_no_panel_wrote_is_refused_before_anything_runs(tmp_path: Path) -> None:
    asked = panel(tmp_path, "")
    asked.units[0].done.mkdir(parents=True)
    with pytest.raises(InputError, match=r"done\.json cannot be read"):
        run_panel(asked)
    assert not asked.units[0].attempts.exists()


def test_shards_of_a_system_run_one_after_the_other(tmp_path: Path) -> None:
    shards = (("prompt_sensitivity_mini",), ("prompt_sensitivity_mini_noop",))
    asked = panel(tmp_path, "", "", tasks=shards, workers=4)
    events: list[tuple[str, bool]] = []
    found = run_panel(
        asked, lambda each: each.unit and events.append((each.unit.system, each.attempt is None))
    )
    assert [unit.shard for unit in found.done[:2]] == [names[0] for names in shards]
    for system in "ab":
        assert [begins for name, begins in events if name == system] == [True, False, True, False]
        assert (
            list(answers(next(each for each in found.done if each.system == system)).values())
            == [1] * N_ANSWERS
        )
    assert [begins for _, begins in events[:2]] == [True, True], "two systems at the same time"


def test_a_unit_that_is_being_run_is_not_run_beside_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lm_eval_sensitivity.panel.attempt._GRACE_SECONDS", 0.5)
    (unit,) = panel(tmp_path, "hangs").units
    stop = threading.Event()
    thread = threading.Thread(target=run_attempt, args=(unit, stop))
    thread.start()
    child = pid_of(unit)
    assert "is being run by another process" in run_attempt(unit).words
    stop.set()
    thread.join()
    assert not alive(child)
    assert attempts(unit) == ["attempt-1"]


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_panel_that_is_killed_takes_its_child_along_and_goes_on(
    tmp_path: Path, sign: signal.Signals
) -> None:
    code = (
        # Where the tests run in the background, a child is born deaf to it.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from pathlib import Path; from tests.unit.panel.made_panel import panel; "
        "from lm_eval_sensitivity.panel.run import run_panel; run_panel(panel(Path('out'), 'hangs@1', ''))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}
    )
    asked = panel(tmp_path / "out", "hangs@1", "")
    child = pid_of(asked.units[0])
    process.send_signal(sign)
    process.wait()
    assert_gone(child)
    found = run_panel(asked)
    assert_whole(found, asked, "ab")


def test_where_room_is_short_nothing_is_lost_but_what_did_not_fit(tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk: too small for the answers, then for the results."""
    resource = pytest.importorskip("resource")
    # Half a module in Python's cache would break every later process.
    asked = panel(tmp_path, "", "", retries=0, env={"PYTHONDONTWRITEBYTECODE": "1"})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    made = []
    for room, done in ((150, ""), (20_000, ""), (soft, "ab")):
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
            found = run_panel(asked)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        made.append(OutputCount(asked.units[0].responses).update())
        assert "".join(unit.system for unit in found.done) == done
        assert {attempt.state for _, attempt in found.missing} <= {"failed"}
    assert made[0] < made[1] == N_ANSWERS
    assert_whole(found, asked, "ab")
