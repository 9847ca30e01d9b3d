"""What a statement must agree with: honest extremes are accepted, and one step beyond is not."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.results.limits import MOST_CLUSTERS
from lm_eval_sensitivity.results.statements import REACH, Agreement
from lm_eval_sensitivity.statements import Selection, records
from lm_eval_sensitivity.statements.records import ClustersStatement, SystemRow
from lm_eval_sensitivity.stats import (
    Cluster,
    PairCounts,
    difference_interval,
    mean_interval,
    one_sided_bounds,
)
from lm_eval_sensitivity.stats.clusters import cluster_letters, maximal_cliques
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


def test_the_reach_follows_from_the_least_spread_of_a_resample() -> None:
    assert pytest.approx(NO_SPREAD**-0.5) == REACH


def statement(groups: list[set[int]], n: int) -> ClustersStatement:
    """Systems without a number, in these groups."""
    clusters = tuple(
        Cluster(letter, tuple(NAMES[at] for at in sorted(group)))
        for letter, group in zip(cluster_letters(), groups, strict=False)
    )
    nothing, counts = mean_interval([]), PairCounts(0, 0, 0, 0, 0, 0)
    rows = tuple(
        SystemRow(
            name,
            nothing,
            counts,
            0,
            None,
            nothing,
            None,
            tuple(c.letter for c in clusters if name in c.members),
        )
        for name in NAMES[:n]
    )
    contrasts = tuple(
        records.TestedContrast(a.system, b.system, nothing, p, 0.001, counts, p < 0.05, None, None)
        for a, b in combinations(rows, 2)
        for p in [0.5 if set(a.letters) & set(b.letters) else 0.01]
    )
    ordered = tuple((each.first, each.second) for each in contrasts if each.distinguishable)
    return ClustersStatement(
        Selection(), rows, (), contrasts, clusters, ordered, (), (), None, None, (), 0.05, 0, 99, 99
    )


@pytest.mark.parametrize("n", [1, 2, 7, 16])
def test_clusters_of_any_relation_are_accepted(n: int, agreement: Agreement) -> None:
    """Letters as `find_clusters` gives them: the maximal cliques of a graph, at most 3^(n/3) of them."""
    random = np.random.default_rng(n)
    for share in (0.0, 0.5, 0.9, 1.0):
        edges = np.triu(random.random((n, n)) < share, 1)
        neighbors = {
            f"{a:02d}": {f"{b:02d}" for b in range(n) if edges[min(a, b), max(a, b)]} for a in range(n)
        }
        groups = sorted(sorted(int(name) for name in clique) for clique in maximal_cliques(neighbors))
        assert len(groups) <= MOST_CLUSTERS
        agreement.clusters("x", statement(list(map(set, groups)), n))


@pytest.mark.parametrize(
    "groups", [[{0, 1}, {0, 1}], [{0, 1, 2}, {1, 2}], [{0}, {0, 1}], [{0, 1}, {1, 2}, {1}]]
)
def test_a_cluster_inside_another_is_none(groups: list[set[int]], agreement: Agreement) -> None:
    with pytest.raises(InputError, match="inside another"):
        agreement.clusters("x", statement(groups, 3))
