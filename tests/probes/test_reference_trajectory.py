"""Recorded numbers of real models: the demonstration model always, SmolLM2 where a folder holds it."""

from __future__ import annotations

from functools import cache
from pathlib import Path as FilePath

import numpy as np
import pytest

from lm_eval_sensitivity.demo import demo_model_path
from lm_eval_sensitivity.ladder import load_ladder
from lm_eval_sensitivity.probes import recover, trajectory
from lm_eval_sensitivity.probes.outputs import RunOutputs, RunPair
from lm_eval_sensitivity.probes.recover.settings import Settings as RecoverSettings
from lm_eval_sensitivity.probes.replay import Replay
from lm_eval_sensitivity.probes.result import ProbeResult
from lm_eval_sensitivity.probes.trajectory.finding import InstabilityRow, TrajectoryFinding
from lm_eval_sensitivity.probes.trajectory.settings import Settings
from tests.probes.made import result_of
from tests.probes.real import MODEL, REAL, outputs_to, real, replay_of

SMOLLM2, DEMO = (MODEL, 48), (demo_model_path(), 64)


@cache
def fed(folder: FilePath, n_tokens: int) -> tuple[Replay, RunOutputs]:
    """The nine prompts of the smallest ladder."""
    replay = Replay(replay_of(folder).model, replay_of(folder).tokenizer)
    pairs = [pair for pair in load_ladder(subset="mini").pairs if pair.rung == "identical"]
    said = outputs_to(replay, [(pair.prompt_id, pair.base) for pair in pairs], n_tokens, steps=True)
    made = (RunPair(pair, said[pair.base], said[pair.base], False, None) for pair in pairs)
    return replay, RunOutputs(tuple(made), ())


@cache
def trajectory_result(folder: FilePath, n_tokens: int, side: str = "post") -> ProbeResult[TrajectoryFinding]:
    return result_of(trajectory.PROBE, *fed(folder, n_tokens), Settings(side=side), name=folder.name)


def rows(found: TrajectoryFinding) -> dict[tuple[str, str], InstabilityRow]:
    return {(each.normalization, each.series): each for each in found.instability}


def numbers(row: InstabilityRow) -> list[float]:
    """Median, smallest and largest ratio; mean, late mean; 95th percentile over median."""
    return [
        *(row.ratio_median, row.ratio_smallest, row.ratio_largest),
        *(row.mean.estimate, row.late, row.p95_over_median),
    ]


RECORDED = [
    pytest.param(
        *(SMOLLM2, "post", 394, 0.107),
        [1.6389, 1.429, 1.995, 1.1934, 1.1294, 1.517],
        [1.4174, 1.326, 1.560, 1.3950, 1.3421, 1.315],
        3.8976,
        marks=REAL,
        id="smollm2 post",
    ),
    pytest.param(
        *(SMOLLM2, "pre", 394, 0.232),
        [1.7007, 1.370, 2.270, 1.1354, 1.0992, 1.453],
        None,
        10.4214,
        marks=REAL,
        id="smollm2 pre",
    ),
    pytest.param(
        *(DEMO, "post", 474, 0.009),
        [1.3457, 1.191, 1.434, 1.8522, 1.8507, 1.212],
        [1.3497, 1.173, 1.464, 1.8899, 1.9021, 1.210],
        2.1983,
        id="demo post",
    ),
]


@pytest.mark.parametrize(("system", "side", "n_pool", "share", "raw", "clipped", "scaled"), RECORDED)
def test_instability(
    system: tuple[FilePath, int],
    side: str,
    n_pool: int,
    share: float,
    raw: list[float],
    clipped: list[float] | None,
    scaled: float,
) -> None:
    result = trajectory_result(*system, side)
    found = result.finding
    assert (found.n_pool, result.agreement.share) == (n_pool, 1)
    assert found.largest_share == pytest.approx(share, abs=6e-4)
    of = rows(found)
    assert numbers(of["RAW", "observed"]) == pytest.approx(raw, abs=6e-4)
    if clipped is not None:
        assert numbers(of["CLIPPED_MAD", "observed"]) == pytest.approx(clipped, abs=6e-4)
    assert np.median([each.scaled_ratio for each in found.prompts]) == pytest.approx(scaled, abs=6e-4)
    # One shuffle was recorded where a hundred are averaged here.
    null = {"smollm2-135m-it": (1.484, 1.512, 1.060), "model": (1.276, 2.021, 1.142)}[result.name]
    if side == "post":
        shuffled, isotropic = of["RAW", "shuffled"], of["RAW", "isotropic"]
        assert shuffled.ratio_median == pytest.approx(null[0], abs=0.05)
        assert shuffled.mean.estimate == pytest.approx(null[1], abs=0.05)
        assert isotropic.ratio_median == pytest.approx(null[2], abs=0.02)


LENGTHS = [
    pytest.param(SMOLLM2, {16: 1.467, 32: 1.603}, marks=REAL, id="smollm2"),
    pytest.param(DEMO, {16: 1.217, 32: 1.302, 64: 1.397}, id="demo"),
]


@pytest.mark.parametrize(("system", "ratios"), LENGTHS)
def test_the_ratio_grows_with_length(system: tuple[FilePath, int], ratios: dict[int, float]) -> None:
    found = {each.n_states: each.raw for each in trajectory_result(*system).finding.lengths}
    assert found == pytest.approx(ratios, abs=6e-4)


STATES = [
    pytest.param(SMOLLM2, (0.127, 0.208, 0.665), (33, 1.52), (30, 0, 3), marks=REAL, id="smollm2"),
    pytest.param(DEMO, (0.755, 0.017, 0.228), (86, 4.16), (26, 48, 12), id="demo"),
]


@pytest.mark.parametrize(("system", "shares", "dwell", "outcomes"), STATES)
def test_states(
    system: tuple[FilePath, int],
    shares: tuple[float, ...],
    dwell: tuple[int, float],
    outcomes: tuple[int, int, int],
) -> None:
    found = trajectory_result(*system).finding
    assert tuple(each.share for each in found.states) == pytest.approx(shares, abs=6e-4)
    assert (found.states[0].n_runs, found.states[0].dwell) == pytest.approx(dwell, abs=6e-3)
    after = found.reopening
    assert after is not None
    assert (after.n_reopened, after.n_ended, after.n_censored) == outcomes
    assert after.share_null.lower <= after.share <= after.share_null.upper
    assert [each.steps for each in after.within][:1] == [4]
    assert all(each.null.lower <= each.share <= each.null.upper for each in after.within[-1:])
    assert after.share_of_all_null.lower <= after.share_of_all <= after.share_of_all_null.upper


@real
def test_where_differences_come_from() -> None:
    results = [trajectory_result(*SMOLLM2), trajectory_result(*DEMO)]
    found = {each.statistic: each.components for each in trajectory.variance_components(results)}
    recorded_numbers = {
        "log ct_mean RAW": (0.906, [0.94, 0.01, 0.02, 0.03]),
        "log ct_ratio RAW": (0.645, [0.71, 0, 0, 0.29]),
        "log ct_ratio CLIPPED_MAD": (0.288, [0.22, 0, 0, 0.78]),
    }
    for statistic, (eta, shares) in recorded_numbers.items():
        parts = found[statistic]
        assert parts[0].eta_squared == pytest.approx(eta, abs=6e-4)
        assert [each.share for each in parts] == pytest.approx(shares, abs=6e-3)
        assert parts[0].chance == pytest.approx(0.059, abs=6e-4)


@real
def test_recovery() -> None:
    """Directions are other random ones than the recorded: what is asserted holds for six seeds that were tried."""
    result = result_of(recover.PROBE, *fed(*SMOLLM2), RecoverSettings(limit=36))
    found = result.finding
    assert (found.n_prompts, found.control_distance, found.control_changed) == (9, 0, 0)
    assert found.n_own_paths == 9
    at_push = {(each.layer, each.alpha): each.at_push for each in found.cells if each.alpha}
    recorded_numbers = {
        **{(5, 0.03): 0.0092, (5, 0.3): 0.1222, (5, 1.0): 0.5108},
        **{(15, 0.03): 0.0147, (15, 0.3): 0.1480, (15, 1.0): 0.6063},
        **{(25, 0.03): 0.0369, (25, 0.3): 0.3457, (25, 1.0): 0.8560},
    }
    assert at_push == pytest.approx(recorded_numbers, rel=0.35)
    late = [each.recovered.estimate for each in found.cells if each.layer == 25 and each.alpha]
    assert late == [1, 1, 1]
    assert found.overall.n_pushes == 81 and found.overall.n_decided == 72
    assert 0.7 < found.overall.n_recovered / 72 < 0.87
    assert 1 - found.overall.n_changed / 81 == pytest.approx(0.630, abs=0.07)
    assert found.overall.n_both / 72 == pytest.approx(0.272, abs=0.08)
    assert 0.2 < found.overall.cosine_changed < 0.4
