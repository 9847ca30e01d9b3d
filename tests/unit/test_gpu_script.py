"""`benchmarks/gpu.py` and its steps: what it keeps when a process is slow or fails, and what it reads from runs."""

from __future__ import annotations

import json
import shutil
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

import lm_eval_sensitivity as les
from benchmarks import gpu
from benchmarks.steps import Outcome, Step, run_steps
from tests.golden.doors import RUNS

LONG = 60.0


def step(name: str, seconds: float, *codes: str) -> Step:
    """Processes of Python code; what they wrote into `<name>.json` are the figures."""
    return Step(
        name,
        seconds,
        lambda options, folder: [
            (f"{name}{place}", [sys.executable, "-S", "-c", f"folder = {str(folder)!r}; {code}"])
            for place, code in enumerate(codes)
        ],
        lambda options, folder: gpu._read(folder / f"{name}.json") or {},
    )


def write(name: str, text: str) -> str:
    return f"open(folder + '/{name}.json', 'w').write({text!r})"


def statuses(outcomes: list[Outcome]) -> dict[str, str]:
    return {name: ended.status for outcome in outcomes for name, ended in outcome.processes.items()}


def test_a_slow_process_is_ended_with_all_that_it_started_and_the_rest_goes_on(tmp_path: Path) -> None:
    child = (
        "import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', 'import time; time.sleep(600)'])"
    )
    steps = (
        step("slow", 1, f"{write('slow', '{}')}; {child}", "pass"),
        step("next", LONG, write("next", '{"ratio": 1.5}')),
    )
    *_, outcomes = run_steps(steps, Namespace(), tmp_path)
    assert statuses(outcomes) == {"slow0": "cut", "slow1": "not begun", "next0": "done"}
    assert outcomes[1].figures == {"ratio": 1.5}


def test_what_is_known_is_given_after_every_process(tmp_path: Path) -> None:
    steps = (
        step("a", LONG, write("a", '{"x": 1}'), "raise SystemExit('no such device')"),
        step("b", 1, write("b", "no JSON")),
    )
    seen = [(statuses(outcomes), outcomes[0].figures) for outcomes in run_steps(steps, Namespace(), tmp_path)]
    assert seen == [
        ({"a0": "done"}, {"x": 1}),
        ({"a0": "done", "a1": "failed"}, {"x": 1}),
        ({"a0": "done", "a1": "failed", "b0": "done"}, {"x": 1}),
    ]
    *_, outcomes = run_steps(steps, Namespace(), tmp_path)
    assert outcomes[0].processes["a1"].said == "no such device"
    assert outcomes[1].unread.startswith("JSONDecodeError") and outcomes[1].figures == {}


def test_all_steps_together_take_no_longer_than_they_may(tmp_path: Path) -> None:
    steps = (step("a", LONG, "pass"), step("b", LONG, "pass"))
    *_, outcomes = run_steps(steps, Namespace(), tmp_path, share=0)
    assert statuses(outcomes) == {"a0": "not begun", "b0": "not begun"}
    assert sum(each.seconds for each in gpu.STEPS) == gpu.SECONDS <= 7.5 * 60


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two finished runs in the places of those that the script makes."""
    for name, run in (("float32", "demo"), ("bfloat16", "rounded"), ("bfloat16-batch-8", "rounded")):
        shutil.copytree(RUNS / "greedy" / run, tmp_path / "runs" / name)
    return tmp_path


OPTIONS = Namespace(
    model=Path("demo"),
    tasks="prompt_sensitivity_mini",
    batch_size=64,
    max_new_tokens=96,
    device="cpu",
    limit=None,
)


def test_the_figures_of_the_ladder_are_those_of_the_commands(folder: Path) -> None:
    found = gpu._ladder(OPTIONS, folder)
    clusters = les.clusters(
        [str(folder / "runs" / dtype) for dtype in gpu.DTYPES],
        labels={str(folder / "runs" / dtype): dtype for dtype in gpu.DTYPES},
    ).statement
    means = {row.system: row.mean.estimate for row in clusters.systems}
    assert {each["system"]: each["mean"][0] for each in found["systems"]} == pytest.approx(means, abs=1e-4)
    assert found["systems"][1]["difference"][0] == pytest.approx(
        means["bfloat16"] - means["float32"], abs=1e-4
    )
    shutil.rmtree(folder / "runs" / "float32")
    (alone,) = gpu._ladder(OPTIONS, folder)["systems"]
    assert (alone["system"], "verdict" in alone) == ("bfloat16", False)


def test_the_noise_of_two_sizes_of_batches_stands_beside_each_other(folder: Path) -> None:
    found = gpu._noise(OPTIONS, folder)
    assert set(found) == {"bfloat16", "bfloat16-batch-8", "equal_first_outputs"}
    assert found["bfloat16"] == found["bfloat16-batch-8"]
    assert found["bfloat16"]["mean_distance"] == 0.0 and found["bfloat16"]["prompts_with_another_output"] == 0
    n = found["bfloat16"]["prompts"]
    assert found["equal_first_outputs"] == f"{n} of {n}" and n >= 2


def test_the_record_is_one_table(tmp_path: Path) -> None:
    (tmp_path / "probes.json").write_text(
        json.dumps(
            [
                {"name": name, "seconds": seconds, "peak_bytes": 4, "added_bytes": 0}
                for name, seconds in (("generation", 2.0), ("replay", 0.5))
            ]
        )
    )
    figures = gpu._probes(OPTIONS, tmp_path)
    assert figures["replay"]["time_of_generation"] == 0.25
    record: dict[str, Any] = {
        "settings": {"device": "cpu"},
        "versions": {"torch": "2"},
        "steps": [
            {
                "name": "probes",
                "processes": {"probes": {"status": "cut", "seconds": 9.0, "said": "a | b\nc"}},
                "unread": "",
                "figures": figures,
            }
        ],
    }
    lines = gpu.in_markdown(record).splitlines()
    assert lines[2] == "| probes | probes: cut | after 9.0 s: a / b c |"
    assert "| probes | replay, time_of_generation | 0.25 |" in lines
    assert {line.count("|") for line in lines if line.startswith("|")} == {4}


@pytest.mark.slow
def test_the_whole_script_on_the_cpu(tmp_path: Path) -> None:
    gpu.main(
        [
            *("--device", "cpu", "--model-shape", "tiny", "--batch-size", "8", "--max-new-tokens", "12"),
            *("--n-prompts", "1", "--tasks", "prompt_sensitivity_mini", "--limit", "3", "--seconds", "9000"),
            *("--output", str(tmp_path)),
        ]
    )
    record = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))
    ended = {
        name: each["status"] for outcome in record["steps"] for name, each in outcome["processes"].items()
    }
    assert set(ended.values()) == {"done"}, ended
    assert not any(outcome["unread"] for outcome in record["steps"])
    overhead, ladder, noise, probes = (outcome["figures"] for outcome in record["steps"])
    assert overhead["suite_over_generate_wall_time"] > 0
    assert [each["system"] for each in ladder["systems"]] == ["float32", "bfloat16"]
    assert len(noise) == 3
    assert {"generation", "replay", "stretch", "cards"} <= set(probes)
