"""What a statement must agree with: honest extremes are accepted, and one step beyond is not."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.results.statements import REACH, Agreement
from lm_eval_sensitivity.statements import Selection, records
from lm_eval_sensitivity.statements.records import ClustersStatement, SystemRow
from lm_eval_sensitivity.stats import (
    Cluster,
    MaxT,
    PairCounts,
    difference_interval,
    mean_interval,
    one_sided_bounds,
)
from lm_eval_sensitivity.stats.clusters import find_clusters
from lm_eval_sensitivity.stats.intervals import NO_SPREAD
from tests.unit.space.known import manifest

NAMES = tuple(f"{at:02d}" for at in range(16))


@pytest.fixture(scope="module")
def agreement() -> Agreement:
    return Agreement(manifest(NAMES, None), (), "x")


@pytest.mark.parametrize("spread", [1e-3, 1e-4, 2e-5])
def test_bounds_of_one_outlier_among_equals_are_accepted(spread: float, agreement: Agreement) -> None:
    """Resamples without the outlier have hardly any spread, which takes a bound thousands of widths away."""
    values = np.asarray([0.0, spread, 2 * spread, 3 * spread, 2.0])
    wide = mean_interval(values, resamples=999)
    assert wide.method == "bootstrap-t"
    agreement.interval("mean", wide, "cosine_distance")
    signed = np.asarray([-2.0, *(2 - values[:4])])
    agreement.interval("difference", difference_interval(signed, resamples=999), "cosine_distance")
    agreement.interval("bounds", one_sided_bounds(signed, resamples=999), "cosine_distance")
    if spread == 2e-5:
        assert wide.upper > 100 * 2, "a hundred widths are not enough"
    with pytest.raises(InputError, match=r"`mean.upper`"):
        agreement.interval("mean", replace(wide, upper=2.1 * (1 + REACH)), "cosine_distance")


def test_no_half_point_lies_outside_the_range(agreement: Agreement) -> None:
    found = mean_interval([0.0, 0.0, 0.0, 1.9, 2.0], largest=2.0, resamples=999)
    agreement.interval("mean", found, "cosine_distance")
    for path, bounds in (("mean.upper", {"upper": 2.1}), ("mean.lower", {"lower": -0.1})):
        with pytest.raises(InputError, match=f"`{path}`"):
            agreement.interval("mean", replace(found, **bounds), "cosine_distance")


def test_the_reach_follows_from_the_least_spread_of_a_resample() -> None:
    assert pytest.approx(NO_SPREAD**-0.5) == REACH


def statement(apart: np.ndarray[Any, Any]) -> ClustersStatement:
    """Systems of which these are told apart, as an export writes them."""
    n = len(apart)
    pairs = list(combinations(NAMES[:n], 2))
    p = np.where([apart[NAMES.index(a), NAMES.index(b)] for a, b in pairs], 0.01, 0.5)
    tests = SimpleNamespace(
        contrasts=pairs, p_adjusted=p, estimates=np.ones(len(p)), reasons=[""] * len(p), p_order=p
    )
    found = find_clusters(cast(MaxT, tests))
    one, nothing, counts = mean_interval(np.ones(9)), mean_interval([]), PairCounts(0, 0, 0, 0, 0, 0)
    rows = tuple(
        SystemRow(name, nothing, counts, 0, None, nothing, None, None, found.letters.get(name, ()))
        for name in NAMES[:n]
    )
    contrasts = tuple(
        records.TestedContrast(a, b, one, each, each, 0.001, counts, each < 0.05, each < 0.05, None, None)
        for (a, b), each in zip(pairs, p, strict=True)
    )
    return ClustersStatement(
        Selection(),
        rows,
        (),
        contrasts,
        found.clusters,
        found.ordered,
        (),
        (),
        None,
        None,
        (),
        0.05,
        0,
        99,
        99,
    )


@pytest.mark.parametrize("n", [1, 2, 7, 16])
def test_clusters_of_any_relation_are_accepted(n: int, agreement: Agreement) -> None:
    """Letters as `find_clusters` gives them: the maximal cliques of a graph, at most 3^(n/3) of them."""
    random = np.random.default_rng(n)
    for share in (0.0, 0.5, 0.9, 1.0):
        honest = statement(random.random((n, n)) < share)
        agreement.clusters("x", honest)
        for other in honest.clusters[1:], (*honest.clusters, Cluster("zz", NAMES[:1])):
            if other != honest.clusters:
                with pytest.raises(InputError, match=r"`x.clusters`"):
                    agreement.clusters("x", replace(honest, clusters=other))


def test_clusters_that_would_take_for_ever_are_refused(agreement: Agreement) -> None:
    """Of 3^(n/3) cliques at most `MOST_CLUSTERS` and one more are looked for."""
    threes = np.arange(48) // 3
    names = tuple(f"{at:02d}" for at in range(48))
    rows = tuple(replace(statement(np.zeros((2, 2))).systems[0], system=name) for name in names)
    told = statement(np.ones((2, 2))).contrasts[0]
    contrasts = tuple(
        replace(
            told,
            first=a,
            second=b,
            p_adjusted=0.01 if same else 0.5,
            distinguishable=bool(same),
            ordered=bool(same),
        )
        for a, b in combinations(names, 2)
        for same in [threes[int(a)] == threes[int(b)]]
    )
    many = replace(statement(np.zeros((2, 2))), systems=rows, contrasts=contrasts)
    with pytest.raises(InputError, match=r"`x.clusters`"):
        agreement.clusters("x", many)
