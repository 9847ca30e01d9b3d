"""Two processes over gloo: every number, word and count is that of the run of one process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lm_eval.tasks import TaskManager

from lm_eval_sensitivity.errors import InputError
from tests.harness.conftest import FOUR_RUNGS, Lmeval, Run, arguments
from tests.harness.two_ranks import WRAPPED, WRAPPED_TASKS, answer, make_runs, run_of
from tests.harness.wrapped import made_tasks
from tests.harness.wrapped.made_tasks import ARC, GSM8K, arc_documents, gsm8k_documents
from tests.harness.wrapped.scripted import Scripted, evaluate
from tests.running import command, table_of

SETTINGS: dict[str, Any] = {**FOUR_RUNGS, "limit": 9, "metadata": {"table": "full"}}
TASKS = str(SETTINGS["tasks"]).split(",")


@pytest.fixture(scope="module")
def two(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of two processes, by name."""
    folder = tmp_path_factory.mktemp("two")
    of_two = {"model": "hf-gloo"}
    short = {"tasks": TASKS[0], "limit": 4, "model_args": f"pretrained={demo},max_length=120"}
    lines = {
        "whole": arguments(demo, folder / "whole" / "run", **SETTINGS, **of_two),
        "short": arguments(demo, folder / "short" / "run", **short, **of_two, gen_kwargs="max_gen_toks=100"),
    }
    make_runs(folder, lines, made_wrapped(folder / "tasks"))
    return folder


def made_wrapped(folder: Path) -> Path:
    """A task of seven documents with examples, and one of choices, plain and wrapped."""
    shots = {**GSM8K, "num_fewshot": 2, "fewshot_split": "test"}
    made_tasks.make(folder, "gsm8k", shots, gsm8k_documents(7))
    return made_tasks.make(folder, "arc", ARC, arc_documents(5))


@pytest.fixture(scope="module")
def both(demo: Path, run_once: Lmeval, two: Path) -> tuple[Run, Run]:
    """(one process, two processes)."""
    return run_once(demo, **SETTINGS), run_of(two, "whole")


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


def test_the_longest_prompt_of_all_decides_the_limit(two: Path) -> None:
    """One process alone would have room for more, and be another system."""
    found = run_of(two, "short")
    limits = {
        line.split("max_gen_toks is ")[1].split()[0]
        for line in found.log.splitlines()
        if "max_gen_toks is " in line
    }
    assert len(limits) == 1
    rows = found.rows(TASKS[0])
    assert len({row["pair"]["system"] for row in rows}) == 1


def test_two_processes_find_of_wrapped_tasks_what_one_finds(two: Path) -> None:
    found: dict[str, Any] = json.loads((two / f"{WRAPPED}.json").read_text(encoding="utf-8"))
    one = evaluate(Scripted(answer), WRAPPED_TASKS, two / "tasks")
    for task, n, flips in (("gsm8k", 14, "flips,strict-match"), ("arc", 5, "flips,none")):
        name = f"sensitivity_{task}"
        assert found["results"][name] == one["results"][name]
        assert table_of(found, name) == table_of(one, name)
        assert table_of(found, name)[flips].startswith(("14 of 49", "10 of 40"))
        ours, theirs = rows_of(found, name), rows_of(one, name)
        assert ours.keys() == theirs.keys() and len(ours) == n
        assert all(ours[key][0] == theirs[key][0] for key in ours)
    said = [
        [each["metadata"]["sensitivity"].get("summary") for each in of["configs"].values()]
        for of in (found, one)
    ]
    assert said[0] == said[1] and sum(map(bool, said[0])) == 1, "all tasks once, with the last of them"


def rows_of(found: dict[str, Any], task: str) -> dict[Any, Any]:
    """(document, filter) -> answers."""
    return {(row["doc_id"], row["filter"]): (row["unedited"], row["edits"]) for row in found["samples"][task]}


def test_a_process_without_a_pair_is_refused() -> None:
    task = TaskManager().load([TASKS[0]])["tasks"][TASKS[0]]
    with pytest.raises(InputError, match="has no pair for process 3 of 3"):
        task.build_all_requests(limit=2, rank=2, world_size=3)
