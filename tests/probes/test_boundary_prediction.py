"""Predictions: no prompt on both sides, no skill out of nothing, all of it where there is a rule."""

from __future__ import annotations

import math
from itertools import chain

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold

from lm_eval_sensitivity.probes.boundary.features import BaseRun, next_step_features
from lm_eval_sensitivity.probes.boundary.prediction import (
    Cases,
    auroc,
    logistic,
    out_of_fold,
    predictions,
    rate_by,
)
from lm_eval_sensitivity.probes.boundary.tasks import parts_before, rankings, thin_next_step
from lm_eval_sensitivity.stats.intervals import resample_indices
from tests.probes.models_boundary import forced_steps, output, pair


def made_cases(n_prompts: int, n_each: int, seed: int, spread: float = 0.0) -> Cases:
    """Every prompt has a rate of its own, `spread` wide, and nothing else decides."""
    generator = np.random.default_rng(seed)
    rates = 0.5 + spread * generator.choice([-1, 1], n_prompts)
    prompts = tuple(f"p{n:02d}" for n in range(n_prompts) for _ in range(n_each))
    return Cases("made", prompts, generator.random(len(prompts)) < np.repeat(rates, n_each))


@pytest.mark.parametrize(("n_prompts", "n_folds"), [(6, 6), (24, 8)])
def test_no_prompt_is_learned_from_and_predicted(n_prompts: int, n_folds: int) -> None:
    cases = made_cases(n_prompts, 3, 0)
    seen: list[list[int]] = []

    def spy(learned: np.ndarray, left_out: np.ndarray) -> np.ndarray:
        names = [{cases.prompts[at] for at in side} for side in (learned, left_out)]
        assert not names[0] & names[1]
        seen.append(left_out.tolist())
        return np.zeros(len(left_out))

    out_of_fold(cases, spy)
    assert sorted(chain(*seen)) == list(range(len(cases.prompts))) and len(seen) == n_folds


def test_the_prompt_itself_is_no_feature() -> None:
    """Prompts differ a lot: who may learn from a prompt's other cases predicts them, and here nobody may."""
    cases = made_cases(24, 20, 1, spread=0.4)
    names = np.array(cases.prompts)
    one_hot = (names[:, None] == np.unique(names)).astype(float)
    leaking = np.full(len(names), math.nan)
    for learned, left_out in KFold(8, shuffle=True, random_state=0).split(names):
        leaking[left_out] = logistic(cases, one_hot)(learned, left_out)
    assert roc_auc_score(cases.happened, leaking) > 0.8, "folds by case would have learned who it is"
    number = np.unique(names, return_inverse=True)[1][:, None].astype(float)
    for table in (one_hot, number):
        rows, _ = predictions(cases, {"who": logistic(cases, table)}, "who")
        assert rows[0].skill.estimate <= 0.02 and rows[0].skill.lower < 0


def test_shuffled_labels_cannot_be_predicted() -> None:
    generator = np.random.default_rng(2)
    cases = made_cases(24, 20, 3)
    features = generator.normal(size=(len(cases.prompts), 6))
    rows, _ = predictions(cases, {"noise": logistic(cases, features)}, "noise")
    assert rows[0].auroc_lower < 0.5 < rows[0].auroc_upper
    assert rows[0].skill.lower < 0 and rows[0].skill.estimate < 0.02


def test_no_constant_has_skill() -> None:
    cases = made_cases(9, 7, 4, spread=0.3)
    for constant in np.linspace(0, 1, 21):
        rows, _ = predictions(cases, {"c": lambda _, left, c=constant: np.full(len(left), c)}, "c")
        assert rows[0].skill.estimate <= 1e-12


def test_a_rule_is_found_out_of_sample() -> None:
    """A step is thin if and only if the token before it is a line break."""
    generator = np.random.default_rng(5)
    runs = {}
    for number in range(24):
        breaks = generator.random(40) < 0.3
        margins = np.where(np.append(False, breaks[:-1]), 0.1, generator.uniform(1, 3, 40))
        tokens = tuple("\n" if each else " word" for each in breaks)
        runs[f"p{number:02d}"] = BaseRun(margins, generator.random(40), -generator.random(40), tokens)
    rows, reliable = thin_next_step(runs, 0.5)
    found = {row.model: row for row in rows}
    assert found["token kind"].auroc > 0.9 and found["token kind"].skill.lower > 0.8
    assert found["everything"].skill_beside.lower > 0.8 and found["everything"].beside == "position alone"
    assert found["position alone"].skill.estimate < 0.05
    assert reliable[0].happened == 0 and reliable[-1].happened > 0.9


def test_features_know_nothing_of_what_comes_after() -> None:
    generator = np.random.default_rng(6)
    run = BaseRun(generator.random(9), generator.random(9), -generator.random(9), tuple("abcdefghi"))
    later = BaseRun(
        np.append(run.margins[:5], 9 * np.ones(4)),
        np.append(run.entropies[:5], np.zeros(4)),
        np.append(run.top1[:5], np.zeros(4)),
        (*run.tokens[:5], *"\n\n\n\n"),
    )
    for name, table in next_step_features(run, 0.5).items():
        assert (table[:5] == next_step_features(later, 0.5)[name][:5]).all(), name


def test_auroc_is_that_of_the_library_and_so_is_its_bootstrap() -> None:
    generator = np.random.default_rng(7)
    prompts = [f"p{n}" for n in generator.integers(0, 7, 90)]
    happened = generator.random(90) < 0.3
    score = (generator.normal(size=90) + happened).round(1)
    estimate, lower, upper = auroc(prompts, happened, score, seed=3)
    assert estimate == pytest.approx(roc_auc_score(happened, score))
    names, rows = np.unique(prompts, return_inverse=True)
    slow = []
    for drawn in resample_indices(len(names), 9_999, 3)[:400]:
        weights = np.bincount(drawn, minlength=len(names))[rows]
        slow.append(roc_auc_score(np.repeat(happened, weights), np.repeat(score, weights)))
    assert (lower, upper) == pytest.approx(np.quantile(slow, (0.025, 0.975)), abs=0.03)


def test_what_cannot_be_said_is_missing() -> None:
    assert auroc(["a", "b"], np.array([True, True]), [1, 2])[0] != auroc(["a"], np.array([True]), [1])[0]
    estimate, lower, _ = auroc(["a", "b"], np.array([True, False]), [1, 0])
    assert estimate == 1 and math.isnan(lower), "two prompts have no interval"
    one_outcome = Cases("x", ("a", "b"), np.array([True, True]))
    assert predictions(one_outcome, {"m": rate_by(one_outcome, ["k", "k"])}, "m") == ((), {})


def test_unseen_kinds_get_the_rate_of_all() -> None:
    cases = Cases("x", ("a", "a", "b", "c"), np.array([True, False, True, True]))
    found = out_of_fold(cases, rate_by(cases, ["k", "l", "l", "m"]))
    assert found.tolist() == pytest.approx([1.0, 1.0, 0.0, 2 / 3])


def test_an_edit_that_always_parts_is_known_from_other_prompts() -> None:
    runs, pairs = {}, []
    generator = np.random.default_rng(8)
    for number in range(12):
        name = f"p{number}"
        base = output(name, (1, 2), range(20), generator.uniform(0, 3, 20))
        runs[name] = BaseRun(*(np.asarray(base.margins, float),) * 3, tuple("abcdefghijklmnopqrst"))
        early = output(name, (1, 3), [0, 1, 99, *range(3, 20)])
        pairs += [
            pair(name, "hard", "noop", base, early),
            pair(name, "soft", "noop", base, output(name, (4,), range(20))),
        ]
    rows = parts_before(pairs, runs, 16)
    assert [row.model for row in rows] == ["edit alone", "edit and base run", "first thin step alone"]
    assert rows[0].auroc == 1 and rows[0].skill.estimate == pytest.approx(1) and rows[0].rate == 0.5
    sure = {each.pair.pair_id: np.full(20, 0.0 if "hard" in each.pair.pair_id else 1.0) for each in pairs}
    alone, hazard = parts_before(pairs, runs, 16, curves=sure)
    assert (
        alone.auroc == 1 and hazard.model == "hazard" and hazard.auroc == 1 and hazard.beside == "edit alone"
    )


def test_equal_outputs_cut_before_the_horizon_are_not_counted() -> None:
    base = output("a", (1,), range(5))
    cut, ended = (output("a", (2,), range(5), finish_reason=each) for each in ("length", "end_token"))
    ended_base = output("b", (1,), range(5), finish_reason="end_token")
    other = output("c", (1,), range(20))
    pairs = [
        pair("a", "e", "noop", base, cut),
        pair("b", "e", "noop", ended_base, ended),
        pair("c", "e", "noop", other, output("c", (2,), range(1, 21))),
    ]
    run = BaseRun(np.ones(5), np.ones(5), -np.ones(5), tuple("abcde"))
    rows = parts_before(pairs, dict.fromkeys("abc", run), 16)
    assert rows[0].n_cases == 2 and rows[0].n_prompts == 2


def test_a_warning_looks_one_step_ahead() -> None:
    """A margin that is narrow just before the branch and wide at it warns, and does not diagnose."""
    gap = np.full(12, 3.0)
    gap[6] = 0.1
    shift = np.zeros(12)
    shift[7] = 5
    pairs = [forced_steps(shift, gap) for _ in range(6)]
    found = {(row.scope, row.score): row for row in rankings(pairs, [f"p{n}" for n in range(6)])}
    assert found["one step ahead", "-margin"].auroc == 1 and found["at the branch", "-margin"].auroc < 0.5
    assert found["at the branch", "range of the shift"].auroc == 1
    assert (
        found["at the branch", "-margin"].n_steps == 6 * 8
        and found["one step ahead", "-margin"].n_steps == 6 * 7
    )
    assert found["at the branch", "-t (position alone)"].auroc == 0
    assert rankings([forced_steps(np.zeros(5), np.ones(5))], ["a"]) == ()
