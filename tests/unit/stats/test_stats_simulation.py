"""Error rates, coverage and verdicts on simulated tables: the recorded figures, a little of each again.

`python -m benchmarks.simulate` records them; here a few of the tables are drawn anew, so that a procedure that breaks
leaves the recorded figures. Those of the page are the recorded ones.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from benchmarks.simulate import coverage, family, noise, page, verdicts
from tests.unit.stats.simulated import N_EDITS, distances

REPLICATES = 100


def cell(part: str, cells: str = "cells", **wanted: Any) -> dict[str, Any]:
    """The recorded cell of these settings."""
    found = [each for each in page.recorded(part)[cells] if wanted.items() <= each.items()]
    assert len(found) == 1, wanted
    return found[0]


def agree(share: float, recorded: float, replicates: int = REPLICATES) -> None:
    """Both shares are of one rate: further apart once in ten thousand."""
    rate = (share * replicates + recorded * 2_000 + 1) / (replicates + 2_000 + 2)
    error = math.sqrt(rate * (1 - rate) * (1 / replicates + 1 / 2_000))
    assert abs(share - recorded) <= 3.9 * error + 1 / replicates, (share, recorded)


def test_the_page_has_what_was_recorded() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.with_tables(text) == text
    assert all(page.MARK.format(name) in text for name in page.TABLES)


def test_the_simulation_is_hard() -> None:
    """Pairs taken as independent reject far too often here, so that the tests below mean something."""
    pairs = distances(np.random.default_rng(0), (400, 9, N_EDITS, 2), means=(0.2, 0.2), zero=0.3)
    differences = (pairs[..., 0] - pairs[..., 1]).reshape(400, -1)
    naive = stats.ttest_1samp(differences, 0, axis=1).pvalue
    assert (naive <= 0.05).mean() > 0.15


@pytest.mark.parametrize("zero", [0.3, 0.9])
@pytest.mark.parametrize("kind", ["several", "single"])
def test_coverage(kind: str, zero: float) -> None:
    recorded = cell("coverage", prompts=24, zeros=zero, shape="skewed")[kind]
    found = coverage.of_means(kind, "skewed", 24, zero, REPLICATES, [99])
    for bound in ("two_sided", "lower", "upper"):
        agree(found[bound], recorded[bound])
    assert found["outside"] == 0


@pytest.mark.parametrize("zero", [0.3, 0.9])
def test_coverage_of_differences(zero: float) -> None:
    recorded = cell("coverage", prompts=24, zeros=zero, shape="two humps")["difference"]
    found = coverage.of_differences("two humps", 24, zero, REPLICATES, [99])
    agree(found["two_sided"], recorded["two_sided"])


@pytest.mark.parametrize("kind", verdicts.KINDS)
def test_verdicts(kind: str) -> None:
    recorded = cell("verdicts", prompts=24, kind=kind)
    found = verdicts.judged(verdicts.KINDS[kind], 24, 30)
    agree(found["right"], recorded["right"], 30)
    agree(found["wrong"], recorded["wrong"], 30)


@pytest.mark.parametrize("systems", [2, 6])
def test_effects_and_orders(systems: int) -> None:
    kind = f"equal means, unequal shapes, {systems} systems"
    recorded = cell("family", prompts=9, kind=kind, zeros=0.9)
    found = family.cell(
        kind, 9, 0.9, systems, REPLICATES, lambda rng, n: family.unequal(rng, n, 0.9, systems)
    )
    agree(found["effects_differ"], recorded["effects_differ"])
    agree(found["wrong_order"], recorded["wrong_order"])


def test_systems_that_do_not_differ() -> None:
    recorded = cell("family", prompts=24, kind="no difference")
    found = family.cell("no difference", 24, None, 6, REPLICATES, lambda rng, n: family.same(rng, n, 0.2))
    agree(found["effects_differ"], recorded["effects_differ"])
    assert recorded["effects_differ"] <= 0.065
    assert recorded["wrong_order"] <= recorded["effects_differ"]


@pytest.mark.parametrize("kind", ["as large", "rare and far, equal means"])
def test_noise_is_not_called_sensitivity(kind: str) -> None:
    recorded = next(each for each in page.recorded("noise")["cells"] if each["kind"] == kind)
    rng = np.random.default_rng(0)
    zero = recorded["zeros"]
    draw = (
        (lambda: noise.rare(rng, 9, zero))
        if kind.startswith("rare")
        else (lambda: noise.usual_noise(rng, 9, noise.MEAN, zero))
    )
    agree(noise.called([draw() for _ in range(REPLICATES)], REPLICATES), recorded["above"])
