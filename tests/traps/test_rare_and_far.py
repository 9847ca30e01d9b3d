"""Trap: rare and far against often and little.

Two systems have the same mean distance. One moves on one prompt of six, and far; the other on every prompt, and
little. A test of signs or of ranks looks at how many prompts go which way, so that the rare one wins.

Who falls for it: a paired rank test over prompts, read as "the first system is more stable". With few prompts a
sign-flip test falls, too.

What the suite does: the sign-flip test says only that the effects differ. An order of means needs a test of means.
"""

from __future__ import annotations

import statistics

import pytest

from lm_eval_sensitivity.report.wording.clusters import clusters_in_words
from lm_eval_sensitivity.statements import Selection, TablePartition
from lm_eval_sensitivity.statements.clusters import clusters_statement
from lm_eval_sensitivity.statements.records import ClustersStatement
from tests.traps.models.uneven import N_FEW, N_PROMPTS, OFTEN, RARE, by_prompt, pairs
from tests.traps.naive import naive_winner

ALPHA = 0.05


@pytest.fixture(scope="module", params=[N_FEW, N_PROMPTS])
def n(request: pytest.FixtureRequest) -> int:
    found: int = request.param
    return found


def stated(n: int) -> ClustersStatement:
    """What `clusters` says of the two."""
    return clusters_statement(TablePartition(pairs(n)), Selection())


def test_the_naive_probe_calls_the_rare_system_more_stable(n: int) -> None:
    winner, p = naive_winner(by_prompt(n))
    assert winner == RARE and p < 0.001
    means = {system: statistics.mean(values) for system, values in by_prompt(N_PROMPTS).items()}
    assert means[RARE] == pytest.approx(means[OFTEN]), "the truth: of all prompts the means are equal"


def test_no_order_of_means_is_stated(n: int) -> None:
    found = stated(n)
    assert found.ordered == ()
    (contrast,) = found.contrasts
    assert contrast.p_order > ALPHA
    assert not any(
        "lower" in contrast.finding and "not" not in contrast.finding for contrast in found.contrasts
    )


def test_with_few_prompts_the_effects_differ_and_the_words_say_what_is_not_settled() -> None:
    found = stated(N_FEW)
    (contrast,) = found.contrasts
    assert contrast.distinguishable and contrast.p_adjusted <= ALPHA
    assert [each.letters for each in found.systems] == [("a",), ("b",)]
    words = " ".join(note.text for note in clusters_in_words(found))
    assert "which mean is lower is not settled" in words


def test_with_all_prompts_equal_means_are_not_distinguished() -> None:
    found = stated(N_PROMPTS)
    (contrast,) = found.contrasts
    assert not contrast.distinguishable
    assert contrast.difference.lower < 0 < contrast.difference.upper
