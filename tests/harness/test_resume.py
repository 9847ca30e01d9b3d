"""`--use_cache`: a killed run continues where it stopped, and no other system sees its answers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lm_eval_sensitivity.harness.engines.hf.decoder import Decoder
from tests.harness import tiny_models
from tests.harness.conftest import Lmeval, Run, arguments

TASKS = "prompt_sensitivity_mini_identical,prompt_sensitivity_mini_noop"
WHOLE: dict[str, Any] = {"tasks": TASKS, "gen_kwargs": "max_gen_toks=4", "batch_size": 8}
SHORT: dict[str, Any] = {**WHOLE, "limit": 9}
"""One pair of every prompt in both tasks."""


class KilledError(BaseException):
    """Stands for the power cut."""


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Counts generated prompts, and cuts the power after `stop_after` batches."""
    state = {"batches": 0, "prompts": 0, "stop_after": -1}
    generate = Decoder.generate

    def counting(self: Decoder, batch: list[list[int]]) -> Any:
        if state["batches"] == state["stop_after"]:
            raise KilledError
        state["batches"] += 1
        state["prompts"] += len(batch)
        return generate(self, batch)

    monkeypatch.setattr(Decoder, "generate", counting)
    return state


def measured(run: Run) -> list[dict[str, Any]]:
    """Everything that was measured, without what names the run."""
    return [
        {key: row[key] for key in ("resps", "pair", "cosine_distance", "filter")}
        for task in TASKS.split(",")
        for row in run.samples[task]
    ]


def asked(row: dict[str, Any]) -> list[tuple[str, int]]:
    """Both prompts, with the number of the replicate."""
    sides = (row["arguments"][f"gen_args_{index}"] for index in range(2))
    return [(side["arg_0"], side["arg_2"]) for side in sides]


def same(one: Run, other: Run) -> bool:
    # NaN is not equal to itself; its text is.
    return repr(measured(one)) == repr(measured(other))


@pytest.mark.parametrize("stop_after", [1, 9])
def test_a_killed_run_resumes_to_identical_results(
    stop_after: int, lm_eval: Lmeval, run_once: Lmeval, model: Path, tmp_path: Path, batches: dict[str, int]
) -> None:
    whole = run_once(model, **WHOLE)
    n_prompts = len(
        {prompt for task in TASKS.split(",") for row in whole.rows(task) for prompt in asked(row)}
    )
    cache = tmp_path / "cache"
    batches.update(batches=0, prompts=0, stop_after=stop_after)
    with pytest.raises(KilledError):
        lm_eval(model, **WHOLE, use_cache=cache)
    done = batches["prompts"]
    assert 0 < done < n_prompts
    batches.update(batches=0, prompts=0, stop_after=-1)
    resumed = lm_eval(model, **WHOLE, use_cache=cache)
    assert batches["prompts"] == n_prompts - done, "only what was missing is generated"
    assert same(whole, resumed)
    batches.update(prompts=0)
    assert same(whole, lm_eval(model, **WHOLE, use_cache=cache))
    assert batches["prompts"] == 0, "a finished run generates nothing again"


def test_a_torn_last_record_is_generated_again(
    lm_eval: Lmeval, model: Path, tmp_path: Path, batches: dict[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    cache = tmp_path / "cache"
    whole = lm_eval(model, **SHORT, use_cache=cache)
    (segment,) = (tmp_path / "cache.sensitivity").glob("*.log")
    lines = segment.read_bytes().splitlines(keepends=True)
    last = max(index for index, line in enumerate(lines) if b'"token_ids"' in line)
    segment.write_bytes(b"".join(lines[:last]) + lines[last][:200])
    batches.update(prompts=0)
    repaired = lm_eval(model, **SHORT, use_cache=cache)
    assert "cut off or damaged" in caplog.text
    assert batches["prompts"] == 1
    assert [row["resps"] for row in measured(whole)] == [row["resps"] for row in measured(repaired)]
    for one, other in zip(measured(whole), measured(repaired), strict=True):
        if one["filter"] == "raw" and one["pair"]["prompt_end"] is not None:
            assert one["pair"]["prompt_end"]["js_divergence"] == pytest.approx(
                other["pair"]["prompt_end"]["js_divergence"], abs=1e-6
            )


def test_another_model_on_the_same_path_gets_its_own_answers(
    lm_eval: Lmeval, model: Path, tmp_path: Path
) -> None:
    other = tiny_models.build(tmp_path / "other", "llama", seed=1)
    cache = tmp_path / "cache"
    first = lm_eval(model, **SHORT, use_cache=cache)
    second = lm_eval(other, **SHORT, use_cache=cache)
    assert same(second, lm_eval(other, **SHORT))
    assert not same(first, second)


def test_a_model_retrained_in_place_gets_its_own_answers(lm_eval: Lmeval, tmp_path: Path) -> None:
    folder = tiny_models.build(tmp_path / "model", "llama")
    cache = tmp_path / "cache"
    lm_eval(folder, **SHORT, use_cache=cache)
    tiny_models.build(folder, "llama", seed=2)
    assert same(lm_eval(folder, **SHORT, use_cache=cache), lm_eval(folder, **SHORT))


def test_another_rung_on_the_same_path_reuses_the_bases(
    lm_eval: Lmeval, model: Path, tmp_path: Path, batches: dict[str, int]
) -> None:
    synonym = "prompt_sensitivity_mini_synonym"
    options: dict[str, Any] = {**WHOLE, "tasks": synonym, "batch_size": 1}
    fresh = lm_eval(model, **options)
    lm_eval(model, **{**SHORT, "batch_size": 1}, use_cache=tmp_path / "cache")
    batches.update(prompts=0)
    later = lm_eval(model, **options, use_cache=tmp_path / "cache")
    assert batches["prompts"] == 18, "nine bases are there, eighteen variants are new"
    assert repr(fresh.samples[synonym]) == repr(later.samples[synonym])


def test_the_dummy_engine_resumes_too(lm_eval: Lmeval, tmp_path: Path) -> None:
    options = {"model": "dummy", "tasks": TASKS, "apply_chat_template": False, "limit": 3}
    first = lm_eval("unused", use_cache=tmp_path / "cache", **options)
    second = lm_eval("unused", use_cache=tmp_path / "cache", **options)
    assert same(first, second)


@pytest.mark.slow
def test_a_process_that_was_killed_resumes(
    lm_eval: Lmeval, model: Path, tmp_path: Path, batches: dict[str, int]
) -> None:
    """The real thing: SIGKILL while batches are written."""
    program = str(Path(sys.executable).with_name("lm_eval"))
    options = {"tasks": TASKS, "batch_size": 1, "gen_kwargs": "max_gen_toks=40"}
    cache = tmp_path / "cache"
    line = arguments(model, tmp_path / "killed", use_cache=cache, **options)
    process = subprocess.Popen([program, *line[1:]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    store = tmp_path / "cache.sensitivity"
    deadline = time.monotonic() + 120
    while not any(path.stat().st_size > 40_000 for path in store.glob("*.log")):
        assert process.poll() is None, "finished before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not list((tmp_path / "killed").rglob("results_*.json"))
    whole = lm_eval(model, **options)
    n_prompts = batches["prompts"]
    batches.update(prompts=0)
    assert same(lm_eval(model, use_cache=cache, **options), whole)
    assert 0 < batches["prompts"] < n_prompts, "what was written before the kill is not generated again"
