"""Recorded numbers of two real models, with which a second implementation can be compared."""

from __future__ import annotations

from functools import cache
from pathlib import Path as FilePath
from typing import Any

import pytest

from lm_eval_sensitivity.demo import demo_model_path
from lm_eval_sensitivity.ladder import load_ladder
from lm_eval_sensitivity.probes.boundary import Settings
from lm_eval_sensitivity.probes.boundary.finding import BoundaryFinding
from lm_eval_sensitivity.probes.boundary.measure import measure
from lm_eval_sensitivity.probes.outputs import RunOutputs
from lm_eval_sensitivity.probes.replay import Replay
from lm_eval_sensitivity.types import Pair
from tests.probes.made import run_pair
from tests.probes.real import MODEL, outputs_to, real, replay_of

HARMLESS = ("double_space", "mid_newline", "parenthesize_word", "synonym_1", "paraphrase_1")
BATCH = 16


def generated(replay: Replay, pairs: list[Pair], n_tokens: int) -> RunOutputs:
    """Greedy outputs to both sides of every pair."""
    prompts = [(pair.prompt_id, text) for pair in pairs for text in (pair.base, pair.variant)]
    said = outputs_to(replay, prompts, n_tokens, batch=BATCH)
    return RunOutputs(tuple(run_pair(pair, said[pair.base], said[pair.variant]) for pair in pairs), ())


@cache
def found(
    model: FilePath, subset: str, edits: tuple[str, ...], n_tokens: int
) -> tuple[BoundaryFinding, Replay]:
    replay = Replay(replay_of(model).model, replay_of(model).tokenizer)
    pairs = [pair for pair in load_ladder(subset=subset).pairs if not edits or pair.edit in edits]
    outputs = generated(replay, pairs, n_tokens)
    return measure(replay, outputs, Settings(edits=("all",))).finding, replay


def rounded(shares: Any, digits: int = 4) -> list[float]:
    return [round(each.share.estimate, digits) for each in shares]


def test_close_decisions_of_the_demonstration_model() -> None:
    finding, replay = found(demo_model_path(), "mini", ("double_space",), 64)
    assert finding.density.n_steps == 474 and replay.agreement.share == 1
    assert rounded(finding.density.curve) == [0.0102, 0.0183, 0.0306, 0.0559, 0.0819]
    assert rounded(finding.density.by_position, 3) == [0.444, 0.074, 0.028, 0.028, 0.007]


@real
def test_nine_prompts_recorded() -> None:
    finding, replay = found(MODEL, "mini", HARMLESS, 48)
    assert finding.density.n_steps == 394 and finding.density.n_tied == 0 and replay.agreement.share == 1
    assert rounded(finding.density.curve) == [0.0644, 0.1338, 0.2403, 0.3745, 0.5866]
    assert rounded(finding.density.by_position, 3) == [0.111, 0.185, 0.287, 0.25, 0.25]
    assert finding.density.between_prompts == pytest.approx(0.074, abs=5e-4)
    assert finding.density.lag_1 == pytest.approx(-0.062, abs=5e-4)
    at = finding.where
    assert (at.n_branches, at.n_thin, at.n_late) == (35, 28, 23)
    assert (at.median_margin, at.below_2) == pytest.approx((0.174, 0.971), abs=5e-4)
    parted = {each.edit: (each.n_parted, each.median_step) for each in finding.parted}
    assert parted == {
        "double_space": (5, 4),
        "mid_newline": (5, 9),
        "parenthesize_word": (8, 8),
        "synonym_1": (8, 10.5),
        "paraphrase_1": (9, 1),
    }


@real
def test_nine_prompts_fed() -> None:
    finding, _ = found(MODEL, "mini", HARMLESS, 48)
    forced = finding.forced
    assert forced is not None and finding.hazard is not None
    assert (forced.n_pairs, forced.n_steps, forced.n_flips, forced.n_same_branch) == (45, 1970, 114, 45)
    assert forced.n_rho_disagrees == forced.n_violations == 0
    assert (forced.certified_by_range, forced.certified_by_kl) == pytest.approx((0.452, 0.822), abs=5e-4)
    ranked = {(each.scope, each.score): each.auroc for each in finding.rankings}
    assert [ranked["at the branch", score] for score in ("-margin", "KL", "-margin / range", "entropy")] == (
        pytest.approx([0.880, 0.898, 0.951, 0.788], abs=6e-4)
    )
    assert [ranked["one step ahead", score] for score in ("-margin", "KL", "range of the shift")] == (
        pytest.approx([0.646, 0.796, 0.790], abs=6e-4)
    )
    curve = {each.step: (each.predicted, each.observed) for each in finding.hazard.curve}
    assert [curve[step][0] for step in (0, 1, 4, 8, 16, 32)] == (
        pytest.approx([0.92, 0.83, 0.72, 0.58, 0.43, 0.28], abs=6e-3)
    )
    assert [curve[step][1] for step in (0, 1, 4, 8, 16, 32)] == (
        pytest.approx([0.911, 0.8, 0.667, 0.533, 0.4, 0.333], abs=6e-4)
    )
    of = finding.attribution
    assert of is not None and of.largest_identity_error < 1e-12 and of.n_branches == 23
    assert (of.boundary.estimate, of.bulk.estimate) == pytest.approx((4.06, -0.50), abs=6e-3)
    assert of.bulk_beside_null.upper < 0, "of the nearest token; the range says otherwise"
    assert of.runner_up_before < 0.2 and of.runner_up_at_branch > 0.9 and of.range_growth.estimate > 0


def predicted(finding: BoundaryFinding, task: str, model: str) -> Any:
    return next(each for each in finding.predictions if (each.task, each.model) == (task, model))


@real
def test_what_nine_prompts_seem_to_predict_is_gone_with_24() -> None:
    nine, many = (found(MODEL, subset, HARMLESS, 48)[0] for subset in ("mini", "core"))
    of_nine, of_many = (
        [predicted(each, "parts before step 16", model) for model in ("edit alone", "edit and base run")]
        for each in (nine, many)
    )
    assert [each.auroc for each in of_nine] == pytest.approx([0.636, 0.777], abs=0.01)
    assert [each.skill.estimate for each in of_nine] == pytest.approx([0.103, 0.215], abs=0.01)
    assert [each.skill.estimate for each in of_many] == pytest.approx([0.134, 0.095], abs=0.01)
    assert of_nine[1].skill_beside.estimate > 0.1 and of_many[1].skill_beside.estimate < 0
    hazard = predicted(nine, "parts before step 16, fed pairs", "hazard")
    assert hazard.auroc == pytest.approx(0.682, abs=6e-4)
    thin = predicted(many, "thin next step", "everything")
    assert thin.skill.lower < 0 < thin.skill.upper and thin.auroc == pytest.approx(0.591, abs=0.005)


@real
def test_24_prompts() -> None:
    finding, _ = found(MODEL, "core", HARMLESS, 48)
    assert finding.density.n_steps == 1114
    assert rounded(finding.density.curve) == [0.0554, 0.1144, 0.2177, 0.3931, 0.5854]
    assert rounded(finding.density.by_position[:2], 3) == [0.417, 0.181]
    categories = {each.what: round(each.share.estimate, 3) for each in finding.density.by_category}
    assert categories == {
        "advice_recommendation": 0.214,
        "creative_writing": 0.198,
        "factual": 0.25,
        "instructions_code": 0.14,
        "reasoning_math": 0.24,
        "scientific_explanation": 0.266,
    }
    at, forced, of = finding.where, finding.forced, finding.attribution
    assert (at.n_branches, at.n_thin, at.n_late) == (91, 69, 50)
    assert (at.median_margin, at.below_2) == pytest.approx((0.202, 0.967), abs=5e-4)
    assert forced is not None and of is not None
    assert (forced.n_pairs, forced.n_same_branch, forced.n_violations) == (117, 117, 0)
    assert of.range_beside_control.lower > 0, "the edit moves more at a branch than in pairs that go on"
    assert of.bulk.upper < 0, "and yet the nearest token's shift is smaller"
