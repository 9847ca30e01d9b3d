"""What lm_eval's own table says in words: real runs, and the verdict of `drift` on the same files."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from lm_eval_sensitivity.cli import drift
from lm_eval_sensitivity.harness.close.finished_run import PairCells
from lm_eval_sensitivity.harness.close.table_rows import (
    SEVERAL_PROCESSES,
    noise_in_words,
    verdict_in_words,
    windows_in_words,
)
from lm_eval_sensitivity.harness.tasks.task import PromptSensitivityTask
from lm_eval_sensitivity.probes.bits.rounding import rounded
from lm_eval_sensitivity.records.columns import FILTERS
from tests.harness.conftest import FOUR_RUNGS, Lmeval, Run, unread
from tests.harness.made_pairs import LEVELS, answer, missing, pairs, raw, reference
from tests.harness.made_pairs import run as made_run
from tests.harness.noise_by_hand import noise_by_hand

TASKS = FOUR_RUNGS["tasks"].split(",")


@pytest.fixture(scope="module")
def runs(
    demo: Path, demo_of_four_rungs: Run, run_once: Lmeval, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Run]:
    """The demonstration model, and its weights rounded to two bits beside it."""
    home = tmp_path_factory.mktemp("runs")
    model = AutoModelForCausalLM.from_pretrained(demo)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.copy_(rounded(parameter, 2))
    model.save_pretrained(home / "2-bit")
    AutoTokenizer.from_pretrained(demo).save_pretrained(home / "2-bit")
    beside = {**FOUR_RUNGS, "metadata": {"reference": str(demo_of_four_rungs.folder)}}
    return {
        "alone": demo_of_four_rungs,
        "beside": run_once(home / "2-bit", **beside),
        "itself": run_once(demo, **beside),
    }


def drift_says(capsys: pytest.CaptureFixture[str], *line: object) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    drift.add_parser(parser.add_subparsers())
    options = parser.parse_args(["drift", *map(str, line), "--format", "json"])
    assert options.run(options) == 0
    last: dict[str, Any] = json.loads(capsys.readouterr().out)["drift"]["systems"][-1]
    return last


@pytest.mark.parametrize("filter_name", FILTERS)
def test_the_verdict_is_that_of_drift_on_the_same_runs(
    runs: dict[str, Run], filter_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--filter", filter_name)
    beside = drift_says(capsys, runs["beside"].folder, "--reference", runs["alone"].folder, *options)
    alone = drift_says(capsys, runs["alone"].folder, *options)
    for task in TASKS:
        found = runs["beside"].value(task, "verdict", filter_name)
        assert found == in_the_table(beside["verdict"])
        stated = runs["beside"].value(task, "baseline_drift", filter_name)
        assert stated == pytest.approx(beside["drift"]["mean"]["estimate"], rel=1e-12)
        assert runs["alone"].value(task, "verdict", filter_name) == alone["reduced"]["label"].lower()
        itself = runs["itself"].value(task, "verdict", filter_name)
        assert itself == "not judged: same system as the reference"
    words = (beside["verdict"]["harmless_edits"], beside["verdict"]["drift"])
    assert words == ("more", "far"), "two bits leave little of a model"


def in_the_table(verdict: dict[str, Any]) -> str:
    """A label, or the three words where there is none."""
    if verdict["label"] != "UNDETERMINED":
        return str(verdict["label"]).lower()
    return f"response {verdict['response']}, edits {verdict['harmless_edits']}, {verdict['drift']}"


def test_every_rung_has_its_words(runs: dict[str, Run]) -> None:
    for name, run in runs.items():
        for task in TASKS:
            n_pairs = len(run.rows(task))
            for filter_name in FILTERS:
                assert run.value(task, "noise", filter_name) == noise_by_hand(run, task, filter_name), name
                n_unread = sum(bool(unread(*row["filtered_resps"])) for row in run.rows(task, filter_name))
                words = f"{n_pairs - n_unread} of {n_pairs} pairs scored"
                words += f", {n_unread} unreadable" if n_unread else ""
                assert run.value(task, "pair", filter_name) == words
            assert run.value(task, "window", "raw") == "no scaffold dominates"
            assert "window,answer" not in run.table(task)
            for row in run.rows(task):
                sides = (row["pair"][side] for side in ("base", "variant"))
                ended = [(side["n_tokens"], side["finish_reason"] == "end_token") for side in sides]
                tokens = [[0, n - end] for n, end in ended]
                assert row["window"] == (None if unread(*row["filtered_resps"]) else tokens)
                assert row["noise"] == row["verdict"] == "raw"


def test_what_needs_the_whole_run_is_not_said_where_it_is_not_known(
    lm_eval: Lmeval, demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"tasks": TASKS[1], "gen_kwargs": "max_gen_toks=4", "limit": 3}
    run = lm_eval(demo, **settings)
    assert run.value(TASKS[1], "noise") == "noise floor not measured: no identical rung in this run"
    assert run.value(TASKS[1], "verdict") == "not judged: no positive control in this run"
    # A process of several never enters its tasks into the log of the run.
    monkeypatch.setattr(PromptSensitivityTask, "_enter_run", lambda task: None)
    part = lm_eval(demo, **settings)
    for metric in ("noise", "verdict"):
        assert part.value(TASKS[1], metric) == SEVERAL_PROCESSES
    assert part.value(TASKS[1], "window") == run.value(TASKS[1], "window")
    assert part.value(TASKS[1], "cosine_distance") == run.value(TASKS[1], "cosine_distance")


# ---- the words by themselves


def said_of_noise(levels: dict[str, float], rung: str = "synonym", **changes: Any) -> str:
    return noise_in_words(made_run(pairs(levels, **changes)), rung, "answer")


def test_a_distance_within_the_noise_floor_is_called_so() -> None:
    noisy = {**LEVELS, "identical": 0.02}
    floor = "noise floor 0.0200 (9 prompts, one repetition each)"
    assert said_of_noise({**noisy, "synonym": 0.4}) == floor
    assert said_of_noise({**noisy, "synonym": 0.02}) == "within the noise floor 0.0200"
    assert said_of_noise({**noisy, "synonym": 0.01}) == "within the noise floor 0.0200"
    assert said_of_noise({**noisy, "synonym": 0.01}, "identical") == floor
    assert said_of_noise({**noisy, "synonym": 0.01, "noop": 0.4}, "noop") == floor
    assert said_of_noise(noisy, n_prompts=4) == "noise floor 0.0200, not judged: 4 prompts"
    assert (
        said_of_noise(noisy, "identical", n_prompts=4)
        == "noise floor 0.0200 (4 prompts, one repetition each)"
    )


def test_a_mean_above_the_floor_by_one_prompt_alone_is_not_reliably_above_it() -> None:
    made = pairs({**LEVELS, "identical": 0.02, "synonym": 0.02})
    one = [
        answer(pair, cosine_distance=0.9) if pair.raw["pair_id"] == "p0/synonym_edit" else pair
        for pair in made
    ]
    assert made_run(one).mean("answer", "synonym")[0] > 0.1
    words = noise_in_words(made_run(one), "synonym", "answer")
    assert re.fullmatch(r"may be noise: up to 0\.2\d\d\d not excluded", words)


def test_a_floor_that_lost_all_its_pairs_is_not_zero() -> None:
    gone = [missing(pair, "no answer") if pair.raw["rung"] == "identical" else pair for pair in pairs(LEVELS)]
    words = noise_in_words(made_run(gone), "synonym", "answer")
    assert words == "noise floor not measured: no scored pair in it"


def test_the_verdict_says_why_it_is_none() -> None:
    def said(of: list[PairCells], **settings: Any) -> str:
        return verdict_in_words(made_run(of, **settings), "raw")

    made = pairs({**LEVELS, "drift": 0.05})
    assert said(made) == "alive"
    assert said(pairs({**LEVELS, "positive_control": 0.0})) == "collapsed or indiscriminate"
    assert said([pair for pair in made if pair.raw["rung"] != "positive_control"]) == (
        "not judged: no positive control in this run"
    )
    controls = [pair for pair in made if pair.raw["rung"] in ("identical", "positive_control")]
    assert said(controls) == "not judged: no harmless rung in this run"
    assert said(pairs(LEVELS, n_prompts=4)) == "not judged: 4 prompts, at least 5 are needed"
    assert said(made, **reference(LEVELS)) == "stable"
    assert said(pairs(LEVELS), **reference(LEVELS)) == "alive, as the reference, drift unclear"
    assert said(made, **reference(LEVELS, embedder="x")) == "alive (reference in another embedder)"
    assert said(made, **reference(LEVELS, rungs=("noop",))) == (
        "not judged: no positive control in the reference"
    )
    assert verdict_in_words(None, "raw") == SEVERAL_PROCESSES


def test_many_silent_pairs_are_not_called_alive_for_the_others() -> None:
    silent = [
        missing(pair, "empty", raw) if pair.raw["rung"] in ("synonym", "noop") else pair
        for pair in pairs(LEVELS)
    ]
    assert verdict_in_words(made_run(silent), "raw") == "undetermined"


def test_windows_are_counted_over_outputs() -> None:
    half = [[[40, 200], [0, 200]], None, [[40, 200], [0, 200]]]
    assert windows_in_words(half) == "scaffold dominates this window: 64 tokens"
    assert windows_in_words([*half, [[0, 200], [0, 200]]]) == "no scaffold dominates"
    # An output that never leaves its scaffold is nothing else, in every window.
    unclosed = [[[90, 90], [90, 90]]]
    assert windows_in_words(unclosed) == "scaffold dominates this window: 64 tokens, whole output"
    assert windows_in_words([[[0, 0], [0, 0]]]) == "no scaffold dominates"
    assert windows_in_words([None]) == "not judged: no scored output with tokens"
