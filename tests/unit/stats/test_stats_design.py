"""Planning: variance components against their definition, standard errors against measured ones, and detectability."""

from __future__ import annotations

import contextlib
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from lm_eval_sensitivity.cli.main import main
from lm_eval_sensitivity.runs import load_runs
from lm_eval_sensitivity.statements import Selection, TablePartition
from lm_eval_sensitivity.statements.plan import (
    MEASURED,
    components_of_runs,
    own_designs,
    plan,
    published_designs,
)
from lm_eval_sensitivity.stats import detectable_difference
from lm_eval_sensitivity.stats.design import (
    VarianceComponents,
    planned_difference,
    standard_error,
    variance_components,
)
from lm_eval_sensitivity.stats.power import detectable_effect
from tests.unit.runs.made_run import make_run

MODEL, FOUR_BITS, EIGHT_BITS = MEASURED.values()


@pytest.mark.parametrize(
    ("n_prompts", "n_edits", "measured"),
    [(24, 18, (0.042, 0.053, 0.020)), (96, 4.5, (0.024, 0.029, 0.013)), (96, 18, (0.021, 0.026, 0.010))],
)
def test_components_give_the_standard_errors_that_were_measured(
    n_prompts: int, n_edits: float, measured: tuple[float, ...]
) -> None:
    found = [standard_error(each, n_prompts, n_edits) for each in (MODEL, FOUR_BITS, EIGHT_BITS)]
    assert found == pytest.approx(measured, abs=0.0006)
    assert [each.correlation for each in (MODEL, FOUR_BITS, EIGHT_BITS)] == pytest.approx(
        [0.32, 0.39, 0.19], abs=0.005
    )


def test_components_of_an_unbalanced_table_by_hand() -> None:
    """Prompts {0, 2}, {4}, {5, 6, 7}: MSW = (2 + 0 + 2) / 3, MSB from the grand mean 4, m0 = (6 - 14 / 6) / 2."""
    nan = math.nan
    found = variance_components([[0, 2, nan], [nan, 4, nan], [5, 6, 7], [nan, nan, nan]])
    within, among, usual = 4 / 3, (2 * 9 + 0 + 3 * 4) / 2, (6 - 14 / 6) / 2
    assert (found.within, found.between) == pytest.approx((within, (among - within) / usual))


def test_components_are_those_that_made_the_numbers() -> None:
    random = np.random.default_rng(1)
    prompts = random.normal(0, 2, size=(4_000, 1))
    values = prompts + random.normal(0, 3, size=(4_000, 5))
    values[random.random(values.shape) < 0.3] = math.nan
    found = variance_components(values)
    assert (found.between, found.within) == pytest.approx((4, 9), rel=0.06)


@pytest.mark.parametrize("values", [[[1.0, 2.0]], [[1.0], [2.0]], [[math.nan], [1.0]]])
def test_components_that_cannot_be_told_are_missing(values: list[list[float]]) -> None:
    assert math.isnan(variance_components(values).between)


def test_no_component_is_negative() -> None:
    assert variance_components([[0, 4], [4, 0], [0, 4]]).between == 0


def test_a_plan_agrees_with_what_is_said_after_a_run() -> None:
    """Differences whose standard deviation is exactly the planned one have the planned detectable difference."""
    random = np.random.default_rng(2)
    raw = random.normal(size=24)
    deviation = VarianceComponents(0.03, 0.08).deviation(4)
    sample = (raw - raw.mean()) / raw.std(ddof=1) * deviation
    for n_contrasts in (1, 15):
        planned = planned_difference(VarianceComponents(0.03, 0.08), 24, 4, n_contrasts=n_contrasts)
        assert planned == pytest.approx(detectable_difference(sample, alpha=0.05 / n_contrasts).difference)


def test_a_planned_difference_is_found_as_often_as_promised() -> None:
    """t tests of simulated prompts: 80 % power within Monte Carlo error of 4,000 runs."""
    from scipy import stats

    components, n_prompts, n_edits = VarianceComponents(0.03, 0.08), 48, 4
    truth = planned_difference(components, n_prompts, n_edits)
    random = np.random.default_rng(3)
    prompts = random.normal(truth, math.sqrt(components.between), size=(4_000, n_prompts, 1))
    values = prompts + random.normal(0, math.sqrt(components.within), size=(4_000, n_prompts, n_edits))
    p = stats.ttest_1samp(values.mean(axis=2), 0, axis=1).pvalue
    assert (p <= 0.05).mean() == pytest.approx(0.8, abs=0.02)


def test_every_number_of_prompts_has_its_effect() -> None:
    """More prompts find less, without a gap: also where general solvers find no root."""
    for alpha in (0.05, 0.05 / 300):
        found = [detectable_effect(n, alpha=alpha) for n in (16, 20, 76, 97, 111, 212, 400, 2_000, 20_000)]
        assert all(0 < later < earlier for earlier, later in pairwise(found))
    assert math.isnan(detectable_effect(5))
    assert detectable_effect(20_000) == pytest.approx((1.959964 + 0.841621) / math.sqrt(20_000), rel=1e-3)


def test_spread_finds_less_than_core_at_about_its_cost() -> None:
    by_name = {design.name: design for design in published_designs()}
    assert [by_name[name].n_generations for name in ("mini", "core", "spread", "full")] == [
        205,
        557,
        620,
        2156,
    ]
    assert by_name["spread"].n_effective == 4
    # Of 18 edits of a prompt, two synonyms and two paraphrases have half of the weight.
    assert 11 < by_name["core"].n_effective < 13
    rows = plan([by_name["core"], by_name["spread"]], MEASURED).rows
    for core, spread in zip(rows[:3], rows[3:], strict=True):
        assert 0.54 < spread.standard_error / core.standard_error < 0.64


def test_alternatives_cost_no_more() -> None:
    asked, *others = own_designs(50, 4)
    assert len(others) == 4
    assert all(asked.n_generations - 25 < each.n_generations <= asked.n_generations for each in others)


def test_the_command_plans(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ladder", "plan", "--systems", "6"]) == 0
    shown = capsys.readouterr().out
    assert "15 contrasts" in shown and "SmolLM2-135M-Instruct" in shown and "cannot reach the level" in shown
    assert main(["ladder", "plan", "--prompts", "40", "--between", "0.02", "--within", "0.05"]) == 0
    assert f"{standard_error(VarianceComponents(0.02, 0.05), 40, 4):.4f}" in capsys.readouterr().out


def test_components_of_two_runs_are_those_of_their_differences(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed, name in enumerate("ab"):
        make_run(tmp_path / name, identity={"dtype": name}, rungs=("noop", "synonym"), seed=seed)
    runs = [str(tmp_path / name) for name in "ab"]
    partition = TablePartition(load_runs(runs).table)
    values = partition.pairs(Selection()).values
    (found,) = components_of_runs(partition, Selection()).values()
    assert found == variance_components(values[:, :, 0] - values[:, :, 1])
    (alone,) = components_of_runs(TablePartition(load_runs(runs[:1]).table), Selection()).values()
    assert alone.within == 2 * variance_components(values[:, :, 0]).within
    assert main(["ladder", "plan", "--prompts", "30", "--from", *runs]) == 0
    assert f"within {found.within:.4f}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--edits", "4"], "--prompts N"),
        (["--between", "0.1"], "belong together"),
        (["--prompts", "1"], "whole number from 2"),
        (["--alpha", "1.5"], "between 0 and 1"),
        (["--within", "nan"], "above 0"),
        (["--from", "no_such_folder"], "does not exist"),
    ],
)
def test_mistakes_are_named(options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.suppress(SystemExit):  # argparse exits, our own refusal returns
        assert main(["ladder", "plan", *options]) == 2
    assert said in capsys.readouterr().err
