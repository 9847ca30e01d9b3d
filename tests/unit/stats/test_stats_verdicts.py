"""Two axes: the rules as a chain of ifs, the contrasts by hand, the scenarios, and what cannot be said."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy import stats

from lm_eval_sensitivity.stats import (
    Constants,
    TwoAxes,
    judge,
    judge_without_reference,
    one_sided_bounds,
    partition_by_prompt,
    two_axes,
)
from lm_eval_sensitivity.stats.rules import AXES, RULES, Sign, label_of, words_of
from lm_eval_sensitivity.stats.verdicts import left_open
from tests.unit.stats.simulated import SCENARIOS, axes_of

RNG = np.random.default_rng(2)
N = 24


def axes(**changed: Any) -> TwoAxes:
    """A candidate that does what its reference does, with less sensitivity and little drift."""
    p, c = RNG.uniform(0.06, 0.10, N), RNG.uniform(0.7, 0.9, N)
    same = TwoAxes(
        "m",
        "ref",
        tuple(f"q{i:02d}" for i in range(N)),
        harmless=p,
        harmless_reference=p,
        control=c,
        control_reference=c,
        drift=p / 4,
        own_harmless=p,
        own_control=c,
        own_identical=p / 10,
    )
    return replace(same, **changed)


def chain(signs: dict[str, Sign]) -> tuple[tuple[str, str, str], str]:
    """The rules once more: three words and the label."""
    if signs["L_C"] == "-":
        response = "collapsed"
    elif signs["L_R"] == "-":
        response = "indiscriminate"
    else:
        response = "alive" if signs["L_C"] == signs["L_R"] == "+" else "unclear"
    edits = {"+": "more", "-": "as the reference", "unclear": "unclear"}[signs["L_P"]]
    drift = {"+": "far", "-": "near", "unclear": "unclear"}[signs["L_D"]]
    label = "UNDETERMINED"
    if response in ("collapsed", "indiscriminate"):
        label = response.upper()
    elif response == "alive" and edits == "more":
        label = "RESPONSIVE"
    elif response == "alive" and edits == "as the reference" and drift != "unclear":
        label = "STABLE" if drift == "near" else "DRIFTED"
    return (response, edits, drift), label


@pytest.mark.parametrize("values", list(product(("+", "-", "unclear"), repeat=4)))
def test_every_combination_of_signs_gives_three_words_and_at_most_one_label(values: tuple[Sign, ...]) -> None:
    signs = dict(zip(("L_C", "L_R", "L_P", "L_D"), values, strict=True))
    words = words_of(signs)
    expected, label = chain(signs)
    assert tuple(words.values()) == expected and label_of(words) == label
    met = [each for rule, each in RULES if rule.items() <= words.items()]
    assert met == ([] if label == "UNDETERMINED" else [label])


def test_every_rule_can_be_met() -> None:
    found = {
        chain(dict(zip(("L_C", "L_R", "L_P", "L_D"), values, strict=True)))
        for values in product("+-", repeat=4)
    }
    assert {label for _, label in found} == {label for _, label in RULES}
    assert {word for words, _ in found for word in words} == {
        word for rules in AXES.values() for _, word in rules
    }


def test_contrasts_are_those_of_the_definition() -> None:
    given = axes(
        harmless=RNG.uniform(0, 0.2, N),
        control=RNG.uniform(0.5, 1, N),
        drift=RNG.uniform(0, 0.3, N),
        own_harmless=RNG.uniform(0.1, 0.2, N),
    )
    constants = Constants(k_control=0.3, k_response=0.4, k_harmless=0.6, drift_factor=3.0, level=0.9)
    found = judge(given, constants=constants, resamples=999, seed=4)
    p, c, p_ref, c_ref = given.harmless, given.control, given.harmless_reference, given.control_reference
    expected = {
        "L_C": c - 0.7 * c_ref,
        "L_R": c - 1.4 * p,
        "L_P": p - 1.6 * p_ref,
        "L_D": given.drift - 3.0 * given.own_harmless,
    }
    assert [contrast.name for contrast in found.contrasts] == list(expected)
    for contrast in found.contrasts:
        wanted = one_sided_bounds(expected[contrast.name], level=0.9, resamples=999, seed=4)
        assert contrast.bounds.estimate == pytest.approx(wanted.estimate)
        assert (contrast.bounds.lower, contrast.bounds.upper) == pytest.approx((wanted.lower, wanted.upper))
        assert contrast.sign == ("+" if wanted.lower > 0 else "-" if wanted.upper < 0 else "unclear")
    assert found.contrasts[0].formula == "c - 0.7 c_ref" and found.contrasts[3].formula == "b - 3 p_ref"
    assert found.constants == constants and found.seed == 4
    assert found.harmless_over_control == pytest.approx(p.mean() / c.mean())
    assert found.harmless_over_control_reference == pytest.approx(
        given.own_harmless.mean() / given.own_control.mean()
    )


def test_words_say_what_was_tested() -> None:
    p, c = axes().harmless, axes().control
    as_reference = (
        "keeps at least 80 % of the reference's response to meaning, is not more than 50 % more sensitive, "
        "and is"
    )
    moves = "than 2 times what a harmless edit moves it"
    assert judge(axes()).in_words == "alive, as the reference, near"
    assert judge(axes()).meaning == f"{as_reference} nearer to the reference {moves}"
    assert judge(axes(drift=5 * p)).meaning == f"{as_reference} further from the reference {moves}"
    other = judge(axes(), constants=Constants(k_control=0.1, k_harmless=0.25, drift_factor=1))
    assert other.meaning.startswith(
        "keeps at least 90 % of the reference's response to meaning, is not more than 25 %"
    )
    assert other.meaning.endswith("than a harmless edit moves it")
    collapsed = judge(axes(control=c / 2, harmless=p / 2))
    assert collapsed.meaning == "has lost more than 20 % of the reference's response to meaning"
    indiscriminate = judge(axes(harmless=0.9 * c, control=c))
    assert indiscriminate.label == "INDISCRIMINATE"
    assert indiscriminate.in_words == "indiscriminate, edits more, near"
    assert indiscriminate.meaning == "is moved by meaning less than 25 % further than by harmless edits"


def test_a_system_more_sensitive_than_most_is_not_indiscriminate_by_that() -> None:
    """With a reference at p / c = 0.49, one that keeps 60 % of the distance between p and c is RESPONSIVE."""
    given = axes()
    c = given.control
    found = judge(axes(harmless=0.7 * c, harmless_reference=0.45 * c, own_harmless=0.45 * c))
    assert found.label == "RESPONSIVE" and found.words["response"] == "alive"


def test_open_words_say_how_many_prompts_would_settle_them() -> None:
    p = axes().harmless
    found = judge(axes(drift=p * np.where(np.arange(N) % 2, 4.0, 0.6)))
    assert found.label == "UNDETERMINED" and found.in_words == "alive, as the reference, drift unclear"
    contrast = found.contrasts[3]
    bounds, needed = contrast.bounds, contrast.prompts_to_settle
    assert needed is not None and needed > N
    # With so many prompts, of this mean and spread, the bound would just reach 0.
    width = (bounds.upper if bounds.estimate < 0 else bounds.lower) - bounds.estimate
    assert abs(bounds.estimate) >= abs(width) * math.sqrt(N / needed) > 0.99 * abs(bounds.estimate)
    assert all(each.prompts_to_settle is None for each in found.contrasts[:3])


def test_no_drift_in_few_prompts_is_no_proof() -> None:
    """The bound says how much could hide: the numbers themselves would be below 0 with any number of prompts."""
    p = np.full(9, 0.3)
    nothing = {name: value[:9] for name, value in vars(axes()).items() if isinstance(value, np.ndarray)} | {
        "own_harmless": p,
        "drift": np.zeros(9),
    }
    near = judge(replace(axes(), **nothing)).contrasts[3]
    assert near.bounds.method == "half-point" and near.sign == "-"
    assert near.bounds.estimate == pytest.approx(-0.6)
    # Half a point at b = 1 beside p_ref = 0: Beta(1/2, 9) of the way there.
    share = stats.beta(0.5, 9).ppf(0.95)
    assert near.bounds.upper == pytest.approx(-0.6 + 1.6 * share, abs=0.02)
    small = replace(axes(), **{**nothing, "own_harmless": p / 6})
    assert judge(small).contrasts[3].sign == "unclear", "a drift that nobody saw could be larger than this"


def test_half_points_from_half_of_the_drifts_on() -> None:
    p = axes().harmless
    for n_zero, method in ((11, "bootstrap-t"), (12, "half-point"), (24, "half-point")):
        drift = np.where(np.arange(N) < n_zero, 0.0, 0.2)
        bounds = judge(axes(drift=drift)).contrasts[3].bounds
        assert bounds.method == method
        assert bounds.estimate == pytest.approx((drift - 2 * p).mean(), abs=0.02)
        assert bounds.lower <= bounds.estimate <= bounds.upper


def test_a_word_can_be_taken_back() -> None:
    stable, responsive = judge(axes()), judge(axes(harmless=2.5 * axes().harmless))
    found = left_open(stable, "response", "It was silent.")
    assert found.label == "UNDETERMINED" and found.in_words == "response unclear, as the reference, near"
    assert found.reasons[0] == "It was silent." and found.contrasts == stable.contrasts
    found = left_open(responsive, "harmless edits", "Noise.")
    assert (responsive.label, found.label) == ("RESPONSIVE", "UNDETERMINED")
    collapsed = judge(axes(control=np.zeros(N)))
    assert left_open(collapsed, "harmless edits", "Noise.").label == "COLLAPSED"
    invalid = judge(axes(own_control=axes().own_harmless / 2))
    assert left_open(invalid, "response", "It was silent.").label == "INVALID PROBE"


def test_the_means_are_over_the_prompts_that_both_have() -> None:
    """Half of the reference's response to meaning is lost, and the half that is left is clear."""
    given = axes(control=axes().control / 2)
    found = judge(given)
    assert found.label == "COLLAPSED" and found.contrasts[1].sign == "+"
    assert found.control == pytest.approx(given.control.mean())
    assert found.control_reference == pytest.approx(given.control_reference.mean())
    assert (found.harmless, found.harmless_reference) == pytest.approx((given.harmless.mean(),) * 2)
    assert (found.drift_distance, found.drift_yardstick) == pytest.approx(
        (given.drift.mean(), given.own_harmless.mean())
    )
    assert (
        f"c {found.control:.3g} and p {found.harmless:.3g}, c_ref {found.control_reference:.3g}"
        in found.numbers
    )
    silent = judge(axes(control=np.full(N, math.nan), harmless=np.full(N, math.nan)))
    assert (
        silent.numbers
        == "Over the pairs scored in both: c is missing and p is missing, c_ref is missing and "
        + ("p_ref is missing.")
    )
    holes = given.control.copy()
    holes[0] = math.nan
    assert judge(axes(control=holes)).control_reference == pytest.approx(
        axes().control_reference[1:].mean(), abs=0.1
    )


def test_silence_is_not_alive_without_a_reference() -> None:
    given = axes()
    for share, label in ((0.2, "alive"), (math.nan, "alive"), (0.21, "UNDETERMINED")):
        found = judge_without_reference(given.control, given.harmless, silent_share=share)
        assert found.label == label
        assert any("21 % of its pairs, more than 20 %" in reason for reason in found.reasons) == (
            share == 0.21
        )
    nothing = judge_without_reference([0.0] * 9, [0.0] * 9, silent_share=0.5)
    assert nothing.label == "collapsed or indiscriminate"


def test_a_collapse_is_one_whatever_else_is_unclear() -> None:
    silent = np.zeros(N)
    found = judge(axes(control=silent, harmless=silent, drift=np.full(N, math.nan)))
    assert found.label == "COLLAPSED" and found.contrasts[3].sign == "unclear"
    assert any(reason.startswith("L_D: 0 prompts") for reason in found.reasons)
    assert math.isnan(found.harmless_over_control)


def test_all_prompts_alike_have_a_sign_without_a_spread() -> None:
    """A silent candidate beside a reference whose control is exactly 1 for every prompt."""
    found = judge(axes(control=np.zeros(N), control_reference=np.ones(N)))
    assert found.contrasts[0].sign == "-" and found.contrasts[0].bounds.method == "none"
    assert found.label == "COLLAPSED"
    still = judge(axes(harmless=np.zeros(N), harmless_reference=np.zeros(N)))
    assert still.contrasts[2].sign == "unclear"


def test_the_probe_is_judged_on_the_reference_alone() -> None:
    p, c = axes().own_harmless, axes().own_control
    weak = judge(axes(own_control=p + RNG.uniform(-0.02, 0.02, N)))
    assert weak.label == "UNDETERMINED" and weak.in_words == "alive, as the reference, near"
    assert weak.reasons[0].startswith("Probe not shown valid: it is unclear whether the positive control")
    turned = judge(axes(own_control=p / 2))
    assert turned.label == "INVALID PROBE" and "positive control" in turned.reasons[0]
    noisy = judge(axes(own_identical=2 * p + RNG.uniform(0, 0.01, N)))
    assert noisy.label == "INVALID PROBE" and "may be noise" in noisy.reasons[0]
    unknown = judge(axes(own_identical=np.full(N, math.nan)))
    assert unknown.label == "UNDETERMINED" and unknown.drift == "near"
    assert unknown.reasons[0].startswith("Probe not shown valid: the reference's noise floor is unknown")
    both = judge(axes(own_control=p / 2, own_identical=np.full(N, math.nan)))
    assert both.label == "INVALID PROBE"  # one shown fault is enough
    at_the_floor = judge(axes(own_identical=p))
    assert at_the_floor.label != "INVALID PROBE"
    assert judge(axes(control=c / 10)).label == "COLLAPSED"  # low in the candidate is the finding


def test_a_silent_candidate_is_undetermined_and_says_why() -> None:
    nothing = np.full(N, math.nan)
    found = judge(axes(harmless=nothing, control=nothing, drift=nothing))
    assert found.label == "UNDETERMINED" and set(found.words.values()) == {"unclear"}
    assert sum("0 prompts have a number" in reason for reason in found.reasons) == 4


def test_three_prompts_say_nothing() -> None:
    full = axes()
    arrays = {name: value[:3] for name, value in vars(full).items() if isinstance(value, np.ndarray)}
    found = judge(replace(full, **arrays))
    assert found.label == "UNDETERMINED" and set(found.words.values()) == {"unclear"}
    assert found.reasons[0].startswith("Probe not shown valid: too few prompts")
    assert any(reason.startswith("control: 3 prompts have a number") for reason in found.reasons)


def test_alignment_by_prompt_and_shared_pairs() -> None:
    """Prompts differ between the tables, and pairs that one side lost count for neither."""
    nan = math.nan
    harmless = partition_by_prompt(
        ["b", "b", "b", "b", "a", "a", "a", "a"],
        ["x", "y", "x", "y", "x", "x", "y", "y"],
        ["m", "m", "r", "r", "m", "r", "m", "r"],
        [0.1, nan, 0.2, 0.6, 0.3, 0.5, 0.9, nan],
    )
    control = partition_by_prompt(["a", "a", "c", "c"], ["k"] * 4, ["m", "r"] * 2, [0.7, 0.8, 0.5, 0.9])
    identical = partition_by_prompt(["b"], ["identical"], ["r"], [0.01])
    drift = {"c": 0.4, "a": 0.2}
    found = two_axes(harmless, control, identical, drift, system="m", reference="r")
    expected = {
        "harmless": [0.3, 0.1, nan],
        "harmless_reference": [0.5, 0.2, nan],
        "control": [0.7, nan, 0.5],
        "control_reference": [0.8, nan, 0.9],
        "drift": [0.2, nan, 0.4],
        "own_harmless": [0.5, 0.4, nan],
        "own_control": [0.8, nan, 0.9],
        "own_identical": [nan, 0.01, nan],
    }
    assert found.prompts == ("a", "b", "c")
    for name, values in expected.items():
        assert getattr(found, name) == pytest.approx(values, nan_ok=True), name
    with pytest.raises(ValueError, match="accepted: m, r"):
        two_axes(harmless, control, identical, drift, system="x", reference="r")


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_wrong_verdict_at_24_prompts(scenario: str) -> None:
    truth = SCENARIOS[scenario].label
    found = Counter(judge(axes_of(SCENARIOS[scenario], 24, seed), resamples=999).label for seed in range(25))
    assert set(found) <= {truth, "UNDETERMINED"}
    least = 23 if truth in {"COLLAPSED", "INDISCRIMINATE"} else 15
    assert found[truth] >= least


def test_nine_prompts_still_find_a_collapse() -> None:
    for scenario in ("partial collapse", "the the the"):
        found = [judge(axes_of(SCENARIOS[scenario], 9, seed), resamples=999).label for seed in range(20)]
        assert found.count("COLLAPSED") >= 17 and set(found) <= {"COLLAPSED", "UNDETERMINED"}


@pytest.mark.parametrize(
    ("scenario", "label"),
    [
        ("stable", "alive"),
        ("sensitised", "alive"),
        ("drifted", "alive"),
        ("the the the", "collapsed or indiscriminate"),
        ("noise", "collapsed or indiscriminate"),
    ],
)
def test_without_a_reference(scenario: str, label: str) -> None:
    found = []
    for seed in range(20):
        given = axes_of(SCENARIOS[scenario], 24, seed)
        found.append(judge_without_reference(given.control, given.harmless, resamples=999).label)
    assert set(found) <= {label, "UNDETERMINED"}
    assert found.count(label) >= (15 if scenario == "noise" else 20)


def test_without_a_reference_the_spread_of_outputs_counts() -> None:
    given = axes()
    alike = np.full(N, 0.001) * RNG.uniform(0.5, 1.5, N)
    with_spread = judge_without_reference(given.control, given.harmless, output_spread=given.control)
    assert with_spread.label == "alive" and len(with_spread.contrasts) == 2
    without = judge_without_reference(given.control, given.harmless, output_spread=alike)
    assert without.label == "collapsed or indiscriminate"
    unclear = judge_without_reference(
        given.control, given.harmless, output_spread=1.25 * given.harmless[::-1]
    )
    assert unclear.label == "UNDETERMINED"
    assert with_spread.harmless_over_control == pytest.approx(given.harmless.mean() / given.control.mean())


def test_without_a_reference_and_without_enough_data() -> None:
    few = judge_without_reference([0.8] * 3, [0.1] * 3)
    assert few.label == "UNDETERMINED" and "3 prompts" in few.reasons[0]
    nothing = judge_without_reference([math.nan] * 9, [0.1] * 9)
    assert nothing.label == "UNDETERMINED"
    unclear = judge_without_reference([0.10, 0.14, 0.11, 0.13, 0.12, 0.13], [0.1] * 6)
    assert unclear.label == "UNDETERMINED" and unclear.reasons == ()
    with pytest.raises(ValueError, match="both sides"):
        judge_without_reference([0.8] * 3, [0.1] * 4)


def test_same_seed_same_verdict_in_any_order_of_prompts() -> None:
    given = axes_of(SCENARIOS["stable"], 24, 1)
    order = RNG.permutation(24)
    mixed = replace(
        given, **{name: value[order] for name, value in vars(given).items() if isinstance(value, np.ndarray)}
    )
    assert judge(mixed, resamples=999).contrasts == judge(given, resamples=999).contrasts
