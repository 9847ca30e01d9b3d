"""What a row must agree with: honest extremes are accepted, and one step beyond is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.results.agreement import REACH, check_clusters, check_rows
from lm_eval_sensitivity.results.schema import MOST_CLUSTERS
from lm_eval_sensitivity.stats import Interval, difference_interval, mean_interval, one_sided_bounds
from lm_eval_sensitivity.stats.clusters import cluster_letters, maximal_cliques
from lm_eval_sensitivity.stats.intervals import NO_SPREAD

COUNTS = {"n_prompts": 5, "n_pairs": 5, "n": 5, "noise_prompts": 5}


def row(found: Interval, name: str) -> dict[str, Any]:
    numbers = {name: found.estimate, "lower": found.lower, "upper": found.upper}
    return {"metric": "cosine_distance", "noise_floor": None, "letters": (), **COUNTS, **numbers}


@pytest.mark.parametrize("spread", [1e-3, 1e-4, 2e-5])
def test_bounds_of_one_outlier_among_equals_are_accepted(spread: float) -> None:
    """Resamples without the outlier have hardly any spread, which takes a bound thousands of widths away."""
    values = np.asarray([0.0, spread, 2 * spread, 3 * spread, 2.0])
    wide = mean_interval(values, resamples=999)
    assert wide.method == "bootstrap-t"
    check_rows("clusters.parquet", [row(wide, "mean")], "x")
    signed = np.asarray([-2.0, *(2 - values[:4])])
    for found in (difference_interval(signed, resamples=999), one_sided_bounds(signed, resamples=999)):
        check_rows("contrasts.parquet", [row(found, "difference")], "x")
        check_rows("axes_contrasts.parquet", [row(found, "estimate")], "x")
    if spread == 2e-5:
        assert wide.upper > 100 * 2, "a hundred widths are not enough"
    beyond = {**row(wide, "mean"), "upper": 2.1 * (1 + REACH)}
    with pytest.raises(InputError, match="`upper`, row 1"):
        check_rows("clusters.parquet", [beyond], "x")


def test_the_reach_follows_from_the_least_spread_of_a_resample() -> None:
    assert pytest.approx(NO_SPREAD**-0.5) == REACH


def rows_of(groups: list[set[int]], n: int) -> list[dict[str, Any]]:
    named = list(zip(cluster_letters(), groups, strict=False))
    return [{"letters": tuple(letter for letter, group in named if at in group)} for at in range(n)]


@pytest.mark.parametrize("n", [1, 2, 7, 16])
def test_clusters_of_any_relation_are_accepted(n: int) -> None:
    """Letters as `find_clusters` gives them: the maximal cliques of a graph, at most 3^(n/3) of them."""
    random = np.random.default_rng(n)
    for share in (0.0, 0.5, 0.9, 1.0):
        edges = np.triu(random.random((n, n)) < share, 1)
        neighbours = {
            f"{a:02d}": {f"{b:02d}" for b in range(n) if edges[min(a, b), max(a, b)]} for a in range(n)
        }
        groups = sorted(sorted(int(name) for name in clique) for clique in maximal_cliques(neighbours))
        rows = rows_of(list(map(set, groups)), n)
        missing = dict.fromkeys(("mean", "lower", "upper", "noise_floor"))
        assert len(groups) <= MOST_CLUSTERS
        check_clusters(rows, "x")
        full = [{"metric": "cosine_distance", **missing, **COUNTS, **each} for each in rows]
        check_rows("clusters.parquet", full, "x")


@pytest.mark.parametrize(
    "groups", [[{0, 1}, {0, 1}], [{0, 1, 2}, {1, 2}], [{0}, {0, 1}], [{0, 1}, {1, 2}, {1}]]
)
def test_a_cluster_inside_another_is_none(groups: list[set[int]]) -> None:
    with pytest.raises(InputError, match="inside another"):
        check_clusters(rows_of(groups, 3), "x")
