"""Two systems side by side: by brute force, in both directions, in any order of rows, and in words."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.report.documents.compare import _edits_table, _rungs_table, _systems_table
from lm_eval_sensitivity.report.wording.compare import comparison_in_words, shared_in_words
from lm_eval_sensitivity.statements import Selection
from lm_eval_sensitivity.statements.compare import comparison_statement
from lm_eval_sensitivity.statements.records import ComparisonStatement
from lm_eval_sensitivity.stats import sign_flip_test
from tests.unit.statements.made_table import partition_of, row

EDITS = {
    "identical": ("identical",),
    "noop": ("nbsp", "tab"),
    "synonym": ("synonym_1",),
    "positive_control": ("topic",),
}
MEANING_PRESERVING = ("nbsp", "tab", "synonym_1")
RNG = np.random.default_rng(7)
PROMPTS = [f"q{i}" for i in range(5)]


def rows(n: int = 5) -> list[dict[str, Any]]:
    """Two systems with every edit on every prompt; b lost one pair to its tokenizer and one to silence."""
    made = []
    for name, level in (("a", 0.2), ("b", 0.3)):
        for prompt in [f"q{i}" for i in range(n)]:
            for rung, edits in EDITS.items():
                for edit in edits:
                    value = 0.0 if rung == "identical" else level + float(RNG.uniform(-0.1, 0.1))
                    made.append(row(name, rung, prompt, edit, value))
    for each in made:
        if (each["name"], each["prompt_id"], each["edit"]) == ("b", "q0", "tab"):
            each |= {"cosine_distance": None, "audit_status": "erased"}
        if (each["name"], each["prompt_id"], each["edit"]) == ("b", "q1", "nbsp"):
            each |= {"cosine_distance": None}
    return made


ROWS = rows()
RUNG_OF = {each["edit"]: each["rung"] for each in ROWS}


def found(
    made: list[dict[str, Any]] = ROWS, first: str = "a", second: str = "b", **options: Any
) -> ComparisonStatement:
    return comparison_statement(partition_of(made), first, second, Selection(), draws=999, **options)


def by_hand(edits: tuple[str, ...], made: list[dict[str, Any]] = ROWS) -> dict[str, float]:
    """Second minus first by prompt, with plain loops over the pairs that both have."""
    value = {(r["name"], r["prompt_id"], r["edit"]): r["cosine_distance"] for r in made}
    differences = {}
    for prompt in PROMPTS:
        shared: dict[str, list[float]] = {}
        for edit in edits:
            if value["a", prompt, edit] is not None and value["b", prompt, edit] is not None:
                own = shared.setdefault(RUNG_OF[edit], [])
                own.append(value["b", prompt, edit] - value["a", prompt, edit])
        if shared:
            differences[prompt] = sum(sum(own) / len(own) for own in shared.values()) / len(shared)
    return differences


def test_the_difference_is_second_minus_first_over_shared_pairs() -> None:
    expected = by_hand(MEANING_PRESERVING)
    comparison = found()
    assert comparison.difference.estimate == pytest.approx(np.mean(list(expected.values())))
    assert comparison.test.p_value == sign_flip_test(list(expected.values())).p_value
    assert {each.name: each.difference for each in comparison.prompts} == pytest.approx(expected)
    assert comparison.first.mean.estimate + comparison.difference.estimate == pytest.approx(
        comparison.second.mean.estimate
    )
    assert comparison.equivalence.margin == pytest.approx(0.25 * comparison.first.mean.estimate)


def test_swapping_the_systems_turns_the_sign_and_nothing_else() -> None:
    one, other = found(), found(first="b", second="a")
    assert one.difference.estimate == pytest.approx(-other.difference.estimate)
    assert one.difference.lower == pytest.approx(-other.difference.upper)
    assert one.test.p_value == other.test.p_value and one.counts == other.counts
    assert other.equivalence.margin == pytest.approx(0.25 * one.second.mean.estimate)


def test_contributions_add_up_to_the_difference() -> None:
    comparison = found()
    for drivers in (comparison.prompts, comparison.edits):
        assert sum(each.contribution for each in drivers) == pytest.approx(comparison.difference.estimate)
        sizes = [abs(each.difference) for each in drivers]
        assert sizes == sorted(sizes, reverse=True)
    edits = {each.name: (each.rung, each.n) for each in comparison.edits}
    assert edits == {"nbsp": ("noop", 4), "tab": ("noop", 4), "synonym_1": ("synonym", 5)}


def test_only_the_five_largest_are_shown_and_equal_prompts_are_not() -> None:
    made = [
        row(name, "noop", f"q{i}", "nbsp", 0.1 + (i / 100 if name == "b" else 0))
        for name in "ab"
        for i in range(8)
    ]
    assert [each.name for each in found(made).prompts] == ["q7", "q6", "q5", "q4", "q3"]
    assert [each.name for each in found(made[:11]).prompts] == ["q2", "q1"]


def test_rungs_side_by_side_with_holm_by_hand() -> None:
    comparison = found()
    rungs = {each.rung: each for each in comparison.rungs}
    assert list(rungs) == list(EDITS)
    for rung, edits in EDITS.items():
        assert rungs[rung].difference.estimate == pytest.approx(np.mean(list(by_hand(edits).values())))
    p = {rung: each.test.p_value for rung, each in rungs.items() if rung != "identical"}
    assert comparison.family == 3 and math.isnan(rungs["identical"].p_adjusted)
    highest = 0.0
    for place, rung in enumerate(sorted(p, key=lambda rung: p[rung])):
        highest = max(highest, min(1.0, p[rung] * (3 - place)))
        assert rungs[rung].p_adjusted == pytest.approx(highest)
    noop = rungs["noop"]
    assert (noop.second_counts.n_erased, noop.second_counts.n_unscored) == (1, 1)
    assert (noop.first_counts.n_erased, noop.first_counts.n_unscored) == (0, 0)
    line = next(each for each in _rungs_table(comparison).rows if each[0] == "noop")
    assert line[-2:] == ("0, 1", "0, 1")


def test_what_fell_out_is_counted() -> None:
    made = [each for each in ROWS if (each["name"], each["rung"]) != ("a", "synonym")]
    comparison = found(made)
    counts = comparison.counts
    assert (counts.n_pairs, counts.n_erased, counts.n_unscored, counts.n_not_shared) == (8, 1, 1, 5)
    assert "5 that only one was given" in shared_in_words(counts).text
    synonym = next(each for each in comparison.rungs if each.rung == "synonym")
    assert synonym.counts.n_prompts == 0 and "0 prompts have a number" in (synonym.difference.reason or "")
    assert comparison.family == 2


def test_too_few_prompts_give_a_reason_and_no_number() -> None:
    comparison = found([each for each in ROWS if each["prompt_id"] in PROMPTS[:3]])
    assert math.isnan(comparison.difference.estimate) and math.isnan(comparison.test.p_value)
    assert comparison.equivalence.word is None
    assert comparison_in_words(comparison)[2].text.startswith("Verdict: none. 3 prompts")


def test_a_system_without_pairs_is_refused() -> None:
    made = [each for each in ROWS if each["name"] == "a" or each["rung"] == "identical"]
    with pytest.raises(InputError, match="b has no pair of cosine_distance"):
        found(made)


@pytest.mark.parametrize(
    ("shift", "spread", "begins"),
    [
        (0.0, 0.01, "Verdict: equal within the margin (margin 0.0762, 0.25 of"),
        (0.2, 0.01, "Verdict: their effects differ (p at most 0.05); the mean of a is lower"),
        (0.0, 0.3, "Verdict: not distinguishable, which is not equal"),
        (0.02, 0.005, "Verdict: equal within the margin"),
    ],
)
def test_the_verdict_in_words(shift: float, spread: float, begins: str) -> None:
    steps = np.linspace(-1, 1, 12)
    made = [row("a", "noop", f"q{i:02d}", "nbsp", 0.3 + 0.01 * (i % 2)) for i in range(12)]
    made += [
        row("b", "noop", f"q{i:02d}", "nbsp", 0.3 + 0.01 * (i % 2) + shift + spread * steps[i])
        for i in range(12)
    ]
    words = comparison_in_words(found(made))[2].text
    assert words.startswith(begins)
    assert ("The effects differ" in words) == (shift == 0.02)


def test_the_margin_can_be_declared() -> None:
    wide, narrow = found(margin_share=5.0), found(margin_share=0.01)
    assert wide.equivalence.word == "equal within the margin" != narrow.equivalence.word
    assert str(replace(wide, equivalence=narrow.equivalence)) == str(narrow)


def test_outputs_that_never_part_are_not_called_missing() -> None:
    made = [{**each, "first_divergence": each["cosine_distance"]} for each in ROWS]
    comparison = comparison_statement(partition_of(made), "a", "b", Selection("first_divergence"))
    assert comparison.cautions[-1].text.startswith("first_divergence: outputs that never part have no step.")
    assert "no distance of a pair" in str(comparison.first.noise.reason)
    assert "below 0 means 0" not in _systems_table(comparison).note
    assert "Bounds are by half points" in _systems_table(found()).note
    assert not [each for each in found().cautions if "never part" in each.text]


def test_a_number_that_is_not_zero_is_not_printed_as_zero() -> None:
    tiny = [{**each, "cosine_distance": (each["cosine_distance"] or 1) * 1e-5} for each in rows(9)]
    comparison = found(tiny)
    words = [each.text for each in comparison_in_words(comparison)]
    assert "Difference: +<0.0001" in words[0] and "is <0.0001 above" in words[0]
    assert "0.0000" not in " ".join(words) and "margin <0.0001" in words[2]


@pytest.mark.parametrize("metric", ["cosine_distance", "first_divergence"])
def test_mostly_equal_numbers_make_an_interval_without_a_range_unreliable(metric: str) -> None:
    made = [
        row(name, "noop", f"q{i}", "nbsp", 0.1 * i if i < 3 and name == "b" else 0.0, metric=metric)
        for name in "ab"
        for i in range(9)
    ]
    partition = partition_of(made)
    comparison = comparison_statement(partition, "a", "b", Selection(metric), draws=999)
    unreliable = "7 of 9 prompts are exactly 0: the interval is unreliable."
    said = [each.text for each in comparison.cautions]
    unbounded = metric == "first_divergence"
    for words, where in (
        (f"b, mean: {unreliable}", said),
        (f"difference: {unreliable}", said),
        ("noop: b, mean: 7 of 9", _rungs_table(comparison).note),
        ("nbsp, difference: 7 of 9", _edits_table(comparison).note),
    ):
        assert (words in where) == unbounded
    bounds = [side.mean for side in (comparison.first, comparison.second)]
    assert unbounded or all(0 <= each.lower <= each.upper <= 1 for each in bounds)
