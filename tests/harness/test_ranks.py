"""Two processes over gloo: every number, word and count is that of the run of one process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from lm_eval.tasks import TaskManager

from lm_eval_sensitivity.errors import InputError
from tests.conftest import REPOSITORY
from tests.harness.conftest import FOUR_RUNGS, Lmeval, Run, arguments, read_run
from tests.running import command

SETTINGS: dict[str, Any] = {**FOUR_RUNGS, "limit": 9, "metadata": {"table": "full"}}
TASKS = str(SETTINGS["tasks"]).split(",")


def of_two(model: Path, folder: Path, **options: Any) -> tuple[Run | None, str]:
    """A run of two processes; None where it failed. With what both printed."""
    folder.mkdir(exist_ok=True)
    line = arguments(model, folder / "run", **{"model": "hf-gloo", **options})
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.harness.two_ranks", str(rank), str(folder / "meeting"), *line],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        said = [process.communicate(timeout=170) for process in processes]
    finally:
        for process in processes:
            process.kill()
    words = "\n".join(text for both in said for text in both)
    if any(process.returncode for process in processes):
        return None, words
    return read_run(folder / "run", said[0][0], words), words


@pytest.fixture(scope="module")
def both(demo: Path, run_once: Lmeval, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    """(one process, two processes)."""
    found, words = of_two(demo, tmp_path_factory.mktemp("two"), **SETTINGS)
    assert found is not None, words
    return run_once(demo, **SETTINGS), found


@pytest.mark.parametrize("filter_name", ["raw", "answer"])
def test_every_pair_is_measured_once_and_alike(both: tuple[Run, Run], filter_name: str) -> None:
    for task in TASKS:
        rows = [sorted(run.rows(task, filter_name), key=lambda row: row["doc_id"]) for run in both]
        assert len(rows[0]) == len(rows[1])
        for mine, theirs in zip(*rows, strict=True):
            assert mine["doc"] == theirs["doc"] and mine["resps"] == theirs["resps"]
            assert mine["pair"]["missing"] == theirs["pair"]["missing"]
            assert mine["pair"]["audit"] == theirs["pair"]["audit"]
            assert mine["pair"]["scores"] == pytest.approx(theirs["pair"]["scores"], abs=1e-5, nan_ok=True)


def test_it_is_one_system_with_all_counts(both: tuple[Run, Run]) -> None:
    for task in TASKS:
        one, two = (run.results["configs"][task]["metadata"]["sensitivity"] for run in both)
        identities = [{**each["identity"], "engine": ""} for each in (one, two)]
        assert identities[0] == identities[1]
        assert one["audit"] == two["audit"]


def test_the_words_about_the_whole_run_are_the_same(both: tuple[Run, Run]) -> None:
    one, two = both
    for task in TASKS:
        mine, theirs = one.table(task), two.table(task)
        assert mine.keys() == theirs.keys()
        for name, value in mine.items():
            if isinstance(value, float):
                assert theirs[name] == pytest.approx(value, abs=1e-5, nan_ok=True), name
            elif name != "sample_len":
                assert theirs[name] == value, name
    assert two.value(TASKS[1], "verdict") != "not judged: several processes"


def test_the_last_screen_is_the_same_and_is_said_once(both: tuple[Run, Run]) -> None:
    screens = []
    for run in both:
        summary = run.results["configs"][TASKS[-1]]["metadata"]["sensitivity"]["summary"]
        screens.append([line for line in summary if "Files:" not in line and "Next:" not in line])
    assert screens[0] == screens[1]
    assert both[1].log.count("Prompt sensitivity of ") == 1


def test_commands_read_it_as_any_run(both: tuple[Run, Run], capsys: pytest.CaptureFixture[str]) -> None:
    printed = []
    for run in both:
        assert command("clusters", run.folder, "--format", "csv") == 0
        printed.append(capsys.readouterr().out.splitlines()[0])
    assert printed[0] == printed[1]


def test_the_longest_prompt_of_all_decides_the_limit(demo: Path, tmp_path: Path) -> None:
    """One process alone would have room for more, and be another system."""
    options = {"tasks": TASKS[0], "limit": 4, "model_args": f"pretrained={demo},max_length=120"}
    found, words = of_two(demo, tmp_path, **options, gen_kwargs="max_gen_toks=100")
    assert found is not None, words
    limits = {
        line.split("max_gen_toks is ")[1].split()[0]
        for line in words.splitlines()
        if "max_gen_toks is " in line
    }
    assert len(limits) == 1
    assert words.count("every row stands in the table") == 1
    rows = found.rows(TASKS[0])
    assert len({row["pair"]["system"] for row in rows}) == 1


def test_a_process_without_a_pair_is_refused() -> None:
    task = TaskManager().load([TASKS[0]])["tasks"][TASKS[0]]
    with pytest.raises(InputError, match="has no pair for process 3 of 3"):
        task.build_all_requests(limit=2, rank=2, world_size=3)
