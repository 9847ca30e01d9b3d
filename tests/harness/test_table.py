"""lm_eval's table: one row for each rung with a standard error over prompts, the rest in the results file."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import pytest
from lm_eval.api.metrics import aggregate_subtask_metrics, unweighted_mean_stderr

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.harness.close.table_errors import error_of_scored
from lm_eval_sensitivity.harness.close.table_rows import OfPair, mean_of_scored
from lm_eval_sensitivity.harness.tasks.options import parse_options
from tests.harness.conftest import Lmeval, ids
from tests.running import Run


def rung(seed: int, n_prompts: int, n_edits: int, lacking: float) -> list[OfPair]:
    random = np.random.default_rng(seed)
    return [
        OfPair(math.nan if random.random() < lacking else float(random.random()), f"p{prompt}", "answer")
        for prompt in range(n_prompts)
        for _ in range(n_edits)
    ]


def by_prompt(values: list[OfPair]) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for value in values:
        if not math.isnan(value):
            found.setdefault(value.prompt_id, []).append(float(value))
    return {prompt: mean(scored) for prompt, scored in found.items()}


@pytest.mark.parametrize("seed", range(5))
def test_the_error_of_a_group_is_over_prompts_though_lm_eval_takes_rungs_as_independent(seed: int) -> None:
    rungs = [rung(seed * 10 + k, 11, 1 + k, 0.3) for k in range(4)]
    group: dict[str, list[float]] = {}
    for values in rungs:
        for prompt, each in by_prompt(values).items():
            group.setdefault(prompt, []).append(each)
    of_prompts = [mean(each) for each in group.values()]
    errors = [error_of_scored(values) for values in rungs]
    for values, error in zip(rungs, errors, strict=True):
        means = [*by_prompt(values).values()]
        assert math.isclose(error, stdev(means) / math.sqrt(len(means)))
    assert math.isclose(unweighted_mean_stderr(errors), stdev(of_prompts) / math.sqrt(len(of_prompts)))
    means_of_rungs = [mean_of_scored(values) for values in rungs]
    assert math.isclose(aggregate_subtask_metrics(means_of_rungs, [1] * 4, False), mean(of_prompts))


def test_one_prompt_has_no_error_and_an_error_is_a_number_elsewhere() -> None:
    assert math.isnan(error_of_scored([OfPair(0.1, "p", "answer"), OfPair(0.9, "p", "answer")]))
    error = error_of_scored([OfPair(0.0, "p", "answer"), OfPair(1.0, "q", "answer")])
    assert error == 0.5 and error**3 == 0.125 and error**2 + 0.5 == 0.75 and 0.5 + error**2 == 0.75


def test_one_row_for_each_rung_and_the_rest_in_the_results_file(demo_run: Run) -> None:
    for task, rows in demo_run.results["results"].items():
        metrics = {name for name in rows if "," in name}
        if task == "prompt_sensitivity_mini":
            assert not metrics, "a group of all rungs has no mean"
            continue
        assert metrics - {"cosine_distance_stderr_stderr,answer"} == {
            "cosine_distance,answer",
            "cosine_distance_stderr,answer",
        }
        assert isinstance(rows["cosine_distance_stderr,answer"], float), task
    # Without the first, lm_eval's logger for W&B would look for samples of it, and stop.
    whole, group = (
        demo_run.results["groups"][f"prompt_sensitivity_mini{end}"] for end in ("", "_meaning_preserving")
    )
    assert set(whole) == {"alias", "name", "sample_len"}
    assert group["cosine_distance_stderr,answer"] < 0.05
    rest = demo_run.results["configs"]["prompt_sensitivity_mini_noop"]["metadata"]["sensitivity"]["rows"]
    assert {
        "cosine_distance,raw",
        "noise,answer",
        "verdict,raw",
        "js_divergence_stderr,raw",
        "pair,answer",
    } <= {*rest}
    # Windows that no output of the run fills are nowhere, but every line of the samples has them.
    longest = max(len(ids(row, "variant")) for task in demo_run.samples for row in demo_run.rows(task))
    assert 64 < longest < 128
    assert "cosine_distance_64,raw" in rest and not any("_128" in name or "_256" in name for name in rest)
    first = demo_run.rows("prompt_sensitivity_mini_noop")[0]
    assert "cosine_distance_128" in first["pair"]["scores"]


def test_all_rows_come_back_with_table_full(lm_eval: Lmeval, model: Path) -> None:
    options = {"limit": 3, "gen_kwargs": "max_gen_toks=5"}
    short, full = (lm_eval(model, metadata=metadata, **options) for metadata in ({}, {"table": "full"}))
    for task in short.samples:
        assert "rows" not in full.results["configs"][task]["metadata"]["sensitivity"]
        assert set(short.table(task)) <= set(full.results["results"][task])
        for name, value in short.table(task).items():
            if isinstance(value, float) and not math.isnan(value):
                assert full.results["results"][task][name] == value, (task, name)
    group = full.results["groups"]["prompt_sensitivity_mini_meaning_preserving"]
    assert {"cosine_distance,raw", "token_edit_distance,answer", "js_divergence_stderr,raw"} <= set(group)
    assert full.output.count("js_divergence") > short.output.count("js_divergence") == 0


def test_another_table_is_refused() -> None:
    with pytest.raises(InputError, match="`table` is 'long'; accepted: short, full"):
        parse_options({"table": "long"})
