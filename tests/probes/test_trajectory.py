"""The probe `trajectory` on tiny models: what the reader keeps, and what is said of it."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.probes import trajectory
from lm_eval_sensitivity.probes.files import codec
from lm_eval_sensitivity.probes.outputs import RunOutputs
from lm_eval_sensitivity.probes.replay import Replay
from lm_eval_sensitivity.probes.trajectory.analysis import RecordedPath, trajectory_of
from lm_eval_sensitivity.probes.trajectory.document import (
    document,
    reading,
    reopening_in_words,
    size_in_words,
)
from lm_eval_sensitivity.probes.trajectory.finding import TrajectoryFinding
from lm_eval_sensitivity.probes.trajectory.measure import measure, measured, paths_of, reader_of
from lm_eval_sensitivity.probes.trajectory.settings import Settings
from lm_eval_sensitivity.report.blocks import ResultTable, in_words
from lm_eval_sensitivity.report.figures.style import NotDrawn, Picture, figure_of
from tests.probes.made import result_of
from tests.probes.models_trajectory import llama, run_of


@cache
def model() -> Any:
    return llama()


@cache
def outputs() -> RunOutputs:
    return run_of(model())


@pytest.mark.parametrize("side", ["post", "pre"])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_the_reader_keeps_the_final_states(side: str, batch_size: int) -> None:
    replay = Replay(model(), batch_size=batch_size)
    reader = reader_of(replay, outputs(), Settings(side=side))
    replay.run(paths_of(outputs()), [reader])
    for states, output in zip(reader.states, outputs().bases.values(), strict=True):
        ids = torch.tensor([[*output.prompt_ids, *output.output_ids[:-1]]])
        with torch.no_grad():
            *_, last_but_one, last = model()(input_ids=ids, output_hidden_states=True).hidden_states
            before = model().model.layers[-1](
                last_but_one,
                position_embeddings=model().model.rotary_emb(last, torch.arange(ids.shape[1])[None]),
            )
        expected = last if side == "post" else before
        assert states is not None and states.dtype == np.float32
        np.testing.assert_allclose(states, expected[0, len(output.prompt_ids) - 1 :], atol=2e-4, rtol=1e-4)
        assert states.base is None, "a row keeps its padded batch"


def test_what_a_run_did_not_record_comes_from_the_replay() -> None:
    replay, settings = Replay(model()), Settings(shuffles=5)
    recorded = measure(replay, outputs(), settings)
    silent = measure(replay, run_of(model(), steps=False), settings)
    assert repr(silent.finding.states) == repr(recorded.finding.states) != "()"
    assert repr(silent.finding.reopening) == repr(recorded.finding.reopening)
    assert "the replay's" in str(silent.notes[0])
    assert not any("replay" in str(each) for each in recorded.notes)


def test_a_shared_pass_gives_the_same_as_one_of_its_own() -> None:
    settings, replay = Settings(shuffles=5), Replay(model())
    first, second = (reader_of(replay, outputs(), settings) for _ in range(2))
    replay.run(paths_of(outputs()), [first, second])
    own = measure(replay, outputs(), settings)
    assert repr(measured(second, outputs(), settings)) == repr(own), (
        "NaN equals nothing, so they are compared in print"
    )


def path(n_steps: int, seed: int, entropy: float = 1.0, **more: Any) -> RecordedPath:
    generator = np.random.default_rng(seed)
    return RecordedPath(
        **{
            "prompt_id": f"p{seed}",
            "category": "factual",
            "states": generator.standard_normal((n_steps, 16)).astype(np.float32),
            "cut": True,
            "margins": np.full(n_steps, 1.0, np.float32),
            "entropies": np.full(n_steps, entropy, np.float32),
            "top1_log_probabilities": np.full(n_steps, -0.1, np.float32),
            **more,
        }
    )


def test_the_pool_is_of_all_prompts_and_the_prompt_is_the_unit() -> None:
    found = trajectory_of([path(20, seed) for seed in range(7)], Settings(shuffles=3))
    assert (found.n_pool, found.width, found.n_kept) == (140, 16, 16)
    row = found.instability[0]
    ratios = [each.raw.observed.ratio for each in found.prompts]
    assert (row.normalization, row.series, row.ratio.n) == ("RAW", "observed", 7)
    assert row.ratio.estimate == pytest.approx(np.mean(ratios)) and row.ratio_median == np.median(ratios)
    assert [(each.normalization, each.series) for each in found.instability] == [
        ("RAW", "observed"),
        ("RAW", "shuffled"),
        ("CLIPPED_MAD", "observed"),
        ("CLIPPED_MAD", "shuffled"),
        ("RAW", "isotropic"),
    ]
    assert [(each.n_states, each.n_prompts) for each in found.lengths] == [(16, 7)]


def test_states_without_order_are_like_their_own_shuffle() -> None:
    found = trajectory_of([path(40, seed) for seed in range(24)], Settings(shuffles=50))
    for each in found.against_null:
        assert each.excess.lower < 0 < each.excess.upper
        assert each.quotient.estimate == pytest.approx(1, abs=0.02)
    assert "a difference from random order is not shown" in str(reading(found))


def test_a_slow_path_is_told_apart_from_its_shuffle() -> None:
    paths = []
    for seed in range(8):
        steps = np.random.default_rng(seed).standard_normal((60, 16))
        paths.append(path(60, seed, states=np.cumsum(steps, axis=0).astype(np.float32)))
    found = trajectory_of(paths, Settings(shuffles=20))
    assert found.against_null[0].quotient.upper < 0.9
    assert "less than in random order" in str(reading(found)) or "more than in random order" in str(
        reading(found)
    )
    assert "Turns are 0." in str(size_in_words(found))


def test_one_loud_coordinate_shows_what_raw_is_worth() -> None:
    found = trajectory_of([path(30, seed) for seed in range(5)], Settings(shuffles=2))
    assert found.largest_share == pytest.approx(1 / 16, rel=0.3)
    assert all(each.scaled_ratio > each.raw.observed.ratio for each in found.prompts)


def test_what_follows_collapse_and_its_null() -> None:
    """Collapse is followed by rivalry at once, always: more than chance, in both shares and in the exit rate."""
    entropies = np.tile([0.05, 0.5, 0.5, 0.5], 10).astype(np.float32)
    gap = np.tile([0.99, 0.05, 0.5, 0.5], 10)
    margins = -np.log1p(-gap).astype(np.float32)
    paths = [
        path(
            40,
            seed,
            cut=seed % 2 == 0,
            entropies=entropies,
            margins=margins,
            top1_log_probabilities=np.zeros(40, np.float32),
        )
        for seed in range(6)
    ]
    found = trajectory_of(paths, Settings(shuffles=40)).reopening
    assert found is not None
    assert (found.n_runs, found.n_reopened, found.n_ended, found.n_censored) == (60, 60, 0, 0)
    assert (found.share, found.exit_rate) == (1, 1)
    (within,) = found.within
    assert (within.steps, within.share) == (1, 1)
    assert within.null.upper < 0.5, "within one step, chance gives little"
    assert found.exit_rate_null.upper < 1
    assert "more than the same states" in str(reopening_in_words(found))


def test_states_that_nobody_knows_are_missing_with_a_reason() -> None:
    found = trajectory_of([path(20, seed, margins=None) for seed in range(5)], Settings(shuffles=2))
    assert found.states == () and found.reopening is None
    assert all(np.isnan(each.reopened_share) for each in found.prompts)


def test_labels_only_on_request() -> None:
    paths = [path(20, seed) for seed in range(5)]
    without, with_labels = (
        trajectory_of(paths, Settings(shuffles=2, legacy_labels=each)) for each in (False, True)
    )
    assert {each.legacy_label for each in without.prompts} == {""}
    assert {each.legacy_label for each in with_labels.prompts} <= {"UNDERACTIVE", "ADAPTIVE"}


def test_a_prompt_has_its_own_shuffles_whatever_the_others_are() -> None:
    paths = [path(20, seed) for seed in range(6)]
    all_of = {each.prompt_id: each.raw for each in trajectory_of(paths, Settings(shuffles=3)).prompts}
    fewer = trajectory_of(paths[3:], Settings(shuffles=3)).prompts
    assert all(each.raw == all_of[each.prompt_id] for each in fewer)


def kept() -> Any:
    return result_of(trajectory.PROBE, Replay(model()), outputs(), Settings(shuffles=5, legacy_labels=True))


def test_a_result_is_written_read_shown_and_drawn() -> None:
    result = kept()
    again = codec("trajectory").load(codec("trajectory").dump(result), "x")
    assert repr(again.finding) == repr(result.finding)
    blocks = document(again)
    assert in_words(blocks[0]).startswith("The largest turn") or in_words(blocks[0]).startswith("No ratio")
    tables = {each.name: each for each in blocks if isinstance(each, ResultTable)}
    assert set(tables) == {
        "trajectory",
        "trajectory lengths",
        "trajectory states",
        "trajectory reopening",
        "trajectory prompts",
    }
    assert len(tables["trajectory prompts"].rows) == 6
    assert tables["trajectory prompts"].columns[-1].name == "legacy label"
    drawn = trajectory.PROBE.picture(again)
    assert isinstance(drawn, Picture)
    assert len(figure_of(drawn).axes) == 3, "the first prompt of each category"


def test_numbers_for_clusters_are_there_or_none() -> None:
    found = measure(Replay(model()), run_of(model(), (14, 14, 14, 3, 14, 14)), Settings(shuffles=2))
    values = {each.measure: each.values for each in found.per_prompt}
    assert set(values) == {"ct_ratio_mad", "ct_mean_mad", "reopened_share"}
    assert values["ct_ratio_mad"]["p3"] is None and values["ct_mean_mad"]["p3"] is not None
    assert values["ct_ratio_mad"]["p0"] >= 1
    assert any("3 to 14 states" in str(each) for each in found.notes)


def test_nothing_to_draw_and_nothing_to_measure() -> None:
    result = kept()
    empty = dataclasses.replace(result, finding=dataclasses.replace(result.finding, strips=()))
    assert isinstance(trajectory.PROBE.picture(empty), NotDrawn)
    replay = Replay(model())
    reader = reader_of(replay, outputs(), Settings())
    reader.states = [None if each is None else each * np.nan for each in reader.states]
    with pytest.raises(InputError, match="finite states"):
        measured(reader, outputs(), Settings())


@pytest.mark.parametrize("bad", [{"side": "both"}, {"shuffles": 0}, {"seed": -1}])
def test_settings_are_refused_by_name(bad: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"`{next(iter(bad))}` is"):
        Settings(**bad)


# ---- several systems


def systems(n: int) -> list[Any]:
    result = kept()
    return [
        dataclasses.replace(
            result,
            name=f"s{number}",
            finding=dataclasses.replace(
                result.finding, prompts=tuple(_louder(each, 1 + number) for each in result.finding.prompts)
            ),
        )
        for number in range(n)
    ]


def _louder(prompt: Any, factor: float) -> Any:
    observed = dataclasses.replace(prompt.raw.observed, mean=prompt.raw.observed.mean * factor)
    return dataclasses.replace(prompt, raw=dataclasses.replace(prompt.raw, observed=observed))


def test_several_systems_are_taken_apart() -> None:
    found = {each.statistic: each for each in trajectory.variance_components(systems(3))}
    louder, same = found["log ct_mean RAW"], found["log ct_ratio RAW"]
    assert (louder.n_prompts, louder.n_categories, louder.systems) == (6, 3, ("s0", "s1", "s2"))
    assert louder.components[0].estimate == pytest.approx(np.var(np.log([1, 2, 3]), ddof=1))
    assert same.components[0].share == pytest.approx(0, abs=1e-12)
    assert same.components[-1].estimate == pytest.approx(0, abs=1e-12)
    blocks = trajectory.comparison_document(systems(3))
    assert "differences between systems are" in in_words(blocks[0])
    table = next(each for each in blocks if isinstance(each, ResultTable))
    assert len(table.rows) == 16
    assert any("RAW differs between systems by the units" in str(each) for each in blocks)


def test_one_system_alone_and_systems_without_a_common_prompt() -> None:
    (block, *rest) = trajectory.comparison_document(systems(1))
    assert "One system" in str(block) and not rest
    other = systems(2)
    finding: TrajectoryFinding = dataclasses.replace(other[1].finding, prompts=other[1].finding.prompts[:1])
    reason = trajectory.variance_components([other[0], dataclasses.replace(other[1], finding=finding)])[
        0
    ].reason
    assert reason == "1 prompts have a number in all 2 systems, at least 2 are needed."
