"""The probe as a whole, on a tiny model: what is kept, shown and drawn."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.probes.boundary import PROBE, Settings
from lm_eval_sensitivity.probes.boundary.document import reading
from lm_eval_sensitivity.probes.boundary.finding import BoundaryFinding
from lm_eval_sensitivity.probes.boundary.forcing import OwnSteps
from lm_eval_sensitivity.probes.boundary.measure import measure
from lm_eval_sensitivity.probes.boundary.runner_up import force_runner_ups
from lm_eval_sensitivity.probes.continuing import continued
from lm_eval_sensitivity.probes.edits import one_per_rung
from lm_eval_sensitivity.probes.outputs import RunOutputs
from lm_eval_sensitivity.probes.replay import Replay
from lm_eval_sensitivity.probes.result import Measured, ProbeResult
from lm_eval_sensitivity.records.file_codec import Codec
from lm_eval_sensitivity.report.blocks import Document, Note
from lm_eval_sensitivity.report.figures.style import NotDrawn, Picture, figure_of
from lm_eval_sensitivity.stats import Interval
from tests.probes.models_boundary import greedy, output, run_of
from tests.probes.test_replay import model_of


@pytest.fixture(scope="module")
def model() -> Any:
    return model_of("llama")


@pytest.fixture(scope="module")
def run(model: Any) -> RunOutputs:
    return run_of(model)


@pytest.fixture(scope="module")
def measured(model: Any, run: RunOutputs) -> Measured[BoundaryFinding]:
    return measure(Replay(model), run, Settings(draws=10, runner_up=2, horizon=4))


def result_of(model: Any, measured: Measured[BoundaryFinding]) -> ProbeResult[BoundaryFinding]:
    replay = Replay(model)
    blank = {each.name: None for each in dataclasses.fields(ProbeResult)}
    known = {
        "probe": "boundary",
        "conditions": replay.conditions,
        "agreement": replay.agreement,
        "finding": measured.finding,
        "per_prompt": measured.per_prompt,
        "notes": measured.notes,
    }
    return ProbeResult(**(blank | known))


def test_the_finding_is_written_and_read(measured: Measured[BoundaryFinding]) -> None:
    codec = Codec(BoundaryFinding)
    content = codec.dump(measured.finding)
    assert codec.dump(codec.load(content, "`x`")) == content
    assert b"NaN" not in content


def test_a_pass_agrees_with_the_run(model: Any, run: RunOutputs, measured: Measured[BoundaryFinding]) -> None:
    found, forced = measured.finding, measured.finding.forced
    assert forced is not None
    # One edit per harmless rung: of noop and of synonym.
    assert found.fed_edits == ("double_space", "synonym_1") and forced.n_pairs == 12 and forced.n_prompts == 6
    assert forced.n_same_branch == forced.n_pairs, "the first flip is where the outputs part"
    assert forced.n_rho_disagrees == forced.n_violations == 0 and forced.n_flips > 0
    free = {each.pair.pair_id: each.first_divergence for each in run.pairs}
    assert all(each.first_divergence == free[each.pair_id] for each in found.pairs)
    parted = [each for each in found.pairs if each.first_flip is not None]
    assert parted and all(each.rho_at_branch > 1 and each.crossings >= 1 for each in parted)
    assert found.numerics.n_repetitions == 6 and found.numerics.n_parted == 0
    assert found.numerics.threshold < 1e-4
    if found.attribution is not None:
        assert found.attribution.largest_identity_error < 1e-12


def test_the_same_numbers_in_any_batch_and_again(
    model: Any, run: RunOutputs, measured: Measured[BoundaryFinding]
) -> None:
    again = measure(Replay(model, batch_size=3), run, Settings(draws=10, runner_up=2, horizon=4))
    assert [each.values for each in again.per_prompt[:2]] == [each.values for each in measured.per_prompt[:2]]
    for one, other in zip(measured.finding.pairs, again.finding.pairs, strict=True):
        assert (one.pair_id, one.first_flip) == (other.pair_id, other.first_flip)
        assert one.rho_at_branch == pytest.approx(other.rho_at_branch, rel=1e-2, nan_ok=True)


def test_every_prompt_has_its_numbers(run: RunOutputs, measured: Measured[BoundaryFinding]) -> None:
    found = {each.measure: each.values for each in measured.per_prompt}
    assert list(found) == ["thin_share", "first_thin_step", "boundary_nats", "bulk_nats"]
    for values in found.values():
        assert list(values) == sorted(run.bases)
        assert all(each is None or math.isfinite(each) for each in values.values())
    for name, base in run.bases.items():
        assert base.margins is not None
        thin = base.margins < 0.5
        assert found["thin_share"][name] == pytest.approx(thin.mean())
        assert found["first_thin_step"][name] == (float(thin.argmax()) if thin.any() else None)
    assert found["boundary_nats"].keys() == found["bulk_nats"].keys()


def test_what_it_says_begins_with_one_sentence(model: Any, measured: Measured[BoundaryFinding]) -> None:
    blocks = PROBE.document(result_of(model, measured))
    first = blocks[0]
    assert isinstance(first, Note) and first.kind == "finding" and first.text.endswith(".")
    assert "branches of harmless edits" in first.text
    assert [each.kind for each in blocks if isinstance(each, Note)].count("finding") == 1
    cautions = [each.text for each in blocks if isinstance(each, Note) and each.kind == "caution"]
    assert any("6 prompts" in each and "24" in each for each in cautions), "too few prompts to predict from"
    names = {table.name for table in Document("x", tuple(blocks)).tables_in("csv")}
    assert {"boundary predictions", "boundary density", "boundary pairs", "boundary runner-up"} <= names


def test_what_is_predicted_is_claimed_only_with_enough_prompts_and_skill(
    measured: Measured[BoundaryFinding],
) -> None:
    def with_rows(n_prompts: int, skill: float) -> str:
        clear, own = (
            Interval(each + 0.1, each, each + 0.2, 0.95, "two-sided", n_prompts, "bootstrap-t", 1000, 0, None)
            for each in (0.05, skill)
        )
        rows = tuple(
            dataclasses.replace(
                measured.finding.predictions[0],
                task=task,
                model=model,
                skill=own,
                skill_beside=clear,
                n_prompts=n_prompts,
            )
            for task, model in (
                ("thin next step", "everything"),
                (f"parts before step {measured.finding.horizon}", "edit and base run"),
            )
        )
        return reading(dataclasses.replace(measured.finding, predictions=rows))

    assert "predicts which step" in with_rows(24, 0.01) and "Knowing it adds to" in with_rows(24, 0.01)
    for said in (with_rows(9, 0.01), with_rows(24, -0.01)):
        assert "is not shown to predict" in said and "is not shown to add" in said


def test_what_is_missing_is_said_with_its_reason(measured: Measured[BoundaryFinding]) -> None:
    none = Interval(
        math.nan, math.nan, math.nan, 0.95, "two-sided", 4, "none", 0, 0, "4 prompts have a number."
    )
    density = dataclasses.replace(measured.finding.density, thin=none)
    rows = tuple(dataclasses.replace(each, skill=none) for each in measured.finding.predictions)
    said = reading(dataclasses.replace(measured.finding, density=density, predictions=rows))
    assert said.endswith("No share of all steps is given: 4 prompts have a number.")


def test_24_prompts_need_no_caution(model: Any, measured: Measured[BoundaryFinding]) -> None:
    rows = tuple(dataclasses.replace(each, n_prompts=24) for each in measured.finding.predictions)
    many = dataclasses.replace(measured, finding=dataclasses.replace(measured.finding, predictions=rows))
    assert not [
        e for e in PROBE.document(result_of(model, many)) if isinstance(e, Note) and e.kind == "caution"
    ]


def test_it_is_drawn(model: Any, measured: Measured[BoundaryFinding]) -> None:
    picture = PROBE.picture(result_of(model, measured))
    assert isinstance(picture, Picture)
    figure = figure_of(picture)
    assert len(figure.axes) == 3 and figure.axes[0].get_yscale() == "log"
    empty = dataclasses.replace(
        measured.finding, density=dataclasses.replace(measured.finding.density, n_steps=0)
    )
    assert isinstance(PROBE.picture(result_of(model, Measured(empty))), NotDrawn)


def test_edits_are_named_or_chosen_by_rule(model: Any, run: RunOutputs) -> None:
    replay = Replay(model)
    none = measure(replay, run, Settings(edits=("none",)))
    assert none.finding.forced is None and none.finding.hazard is None and none.finding.pairs == ()
    assert none.finding.where.n_branches > 0, "what is recorded needs no edited prompt"
    assert none.per_prompt[2].values == dict.fromkeys(sorted(run.bases))
    everything = measure(replay, run, Settings(edits=("all",), draws=5)).finding
    assert everything.fed_edits == ("double_space", "nbsp", "synonym_1")
    named = measure(replay, run, Settings(edits=("control_topic",), draws=5)).finding
    assert named.fed_edits == ("control_topic",)
    with pytest.raises(InputError, match=r"`edits` of the probe boundary is 'typo'; accepted"):
        measure(replay, run, Settings(edits=("typo",)))


@pytest.mark.parametrize("setting", [{"threshold": 0.0}, {"horizon": 0}, {"draws": -1}, {"runner_up": -1}])
def test_a_setting_without_meaning_is_refused(model: Any, run: RunOutputs, setting: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(setting))):
        measure(Replay(model), run, Settings(**setting))


@pytest.mark.parametrize("upcast", [False, True])
def test_ties_of_16_bits_break_no_rule(upcast: bool) -> None:
    half = model_of("llama", "bfloat16")
    run = run_of(half, n_prompts=5, n_steps=8)
    replay = Replay(half, upcast=upcast)
    found = measure(replay, run, Settings(edits=("all",), draws=0)).finding
    assert found.forced is not None and found.forced.n_flips > 0
    assert found.forced.n_rho_disagrees == 0 and found.forced.n_violations == 0
    assert replay.conditions.upcast is upcast


def test_of_a_rung_the_edit_that_reached_most_prompts(run: RunOutputs) -> None:
    pairs = [
        each for each in run.live_pairs() if each.pair.edit != "double_space" or "0" in each.pair.prompt_id
    ]
    assert one_per_rung(pairs) == {"nbsp", "synonym_1", "control_topic"}


def test_a_run_without_margins_gets_those_of_the_replay(model: Any, run: RunOutputs) -> None:
    bare = {
        name: dataclasses.replace(base, margins=None, entropies=None, top1_log_probabilities=None)
        for name, base in run.bases.items()
    }
    pairs = tuple(dataclasses.replace(each, base=bare[each.pair.prompt_id]) for each in run.pairs)
    found = measure(Replay(model), RunOutputs(pairs, ()), Settings(edits=("none",)))
    recorded = measure(Replay(model), run, Settings(edits=("none",)))
    assert found.per_prompt[0].values == pytest.approx(recorded.per_prompt[0].values)
    assert math.isnan(found.finding.numerics.threshold) or found.finding.numerics.n_repetitions
    assert any("recorded no margins of 6 outputs" in each.text for each in found.notes)


def test_continuing_is_greedy_whatever_the_padding(model: Any) -> None:
    starts = [(5, 9, 200, 31), (7,), tuple(range(20, 31))]
    found = continued(Replay(model), starts, [6, 4, 6], frozenset())
    expected = [greedy(model, "x", start, n).output_ids for start, n in zip(starts, (6, 4, 6), strict=True)]
    assert found == expected
    end = expected[0][2]
    stopped = continued(Replay(model), starts[:1], [6], frozenset({end}))
    assert stopped[0] == expected[0][: expected[0].index(end) + 1]


def test_a_forced_runner_up_stands_at_the_thinnest_steps(model: Any) -> None:
    base = greedy(model, "a", (5, 9, 200, 31), 12)
    own = OwnSteps(
        np.array([3.0, 0.2, 1.0, 0.1, *[0.01] * 8]), np.ones(12), np.ones(12), tuple(range(50, 62))
    )
    found = force_runner_ups(Replay(model), [base], [own], 3, 0.5)
    assert [(each.step, each.forced) for each in found] == [(3, "[53]"), (1, "[51]")], (
        "thin ones, with 8 tokens after them"
    )
    rest = greedy(model, "a", (*base.prompt_ids, *base.output_ids[:3], 53), 8).output_ids
    same = sum(a == b for a, b in zip(rest, base.output_ids[4:], strict=True))
    assert 0 <= found[0].distance <= 1 - same / 8 + 1e-9


def test_a_last_token_model_heals_at_once(model: Any) -> None:
    """Without attention what follows depends on the token before alone: two chains that meet stay together."""
    import torch

    bigram = model_of("llama")
    with torch.no_grad():
        for block in bigram.model.layers:
            block.self_attn.o_proj.weight.zero_()
    base = greedy(bigram, "a", (5, 9), 24)
    ((loop,),) = [continued(Replay(bigram), [(base.output_ids[0],)], [23], frozenset())]
    assert loop == base.output_ids[1:]
    forked = output("a", (5, 9), base.output_ids)
    # The forced token is the one that was taken anyway.
    own = OwnSteps(np.linspace(0, 1, 24), np.ones(24), np.ones(24), base.output_ids)
    assert [each.distance for each in force_runner_ups(Replay(bigram), [forked], [own], 3, 0.5)] == [0, 0, 0]
