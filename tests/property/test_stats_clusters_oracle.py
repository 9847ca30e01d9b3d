"""Letters are maximal cliques: against networkx, scikit-posthocs and the definition."""

from __future__ import annotations

from itertools import combinations
from random import Random
from string import ascii_lowercase

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lm_eval_sensitivity.stats import MaxT, find_clusters
from tests.unit.stats.simulated import family_of

ALPHA = 0.05


def family(p: NDArray[np.float64], names: list[str]) -> MaxT:
    """Tests of all pairs with the p-values of a symmetric matrix; the later name is higher."""
    pairs = {(names[i], names[j]): p[i, j] for i, j in combinations(range(len(names)), 2)}
    return family_of(pairs, {pair: -1.0 if pair[0] < pair[1] else 1.0 for pair in pairs})


@st.composite
def matrices(draw: st.DrawFn) -> NDArray[np.float64]:
    size, seed = draw(st.integers(2, 12)), draw(st.integers(0, 10_000))
    share = draw(st.sampled_from([0.1, 0.5, 0.9]))
    rng = np.random.default_rng(seed)
    upper = np.triu(np.where(rng.random((size, size)) < share, 0.5, 0.01), 1)
    symmetric: NDArray[np.float64] = upper + upper.T
    return symmetric


@given(matrices())
@settings(deadline=None, max_examples=150)
def test_clusters_are_the_maximal_cliques(p: NDArray[np.float64]) -> None:
    names = list(ascii_lowercase[: len(p)])
    graph = networkx.Graph()
    graph.add_nodes_from(names)
    graph.add_edges_from((names[i], names[j]) for i, j in combinations(range(len(p)), 2) if p[i, j] > ALPHA)
    expected = {frozenset(clique) for clique in networkx.find_cliques(graph)}
    found = find_clusters(family(p, names))
    assert {frozenset(cluster.members) for cluster in found.clusters} == expected
    assert len(found.clusters) == len(expected)
    for first, second in combinations(names, 2):
        share = bool(set(found.letters[first]) & set(found.letters[second]))
        assert share == graph.has_edge(first, second)
        assert found.order(first, second) == (None if share else "lower")


@given(matrices(), st.randoms())
@settings(deadline=None)
def test_letters_are_stable_under_reordering(p: NDArray[np.float64], random: Random) -> None:
    names = list(ascii_lowercase[: len(p)])
    order = random.sample(range(len(p)), len(p))
    found = find_clusters(family(p, names))
    again = find_clusters(family(p[np.ix_(order, order)], [names[i] for i in order]))
    assert (again.clusters, again.letters, again.ordered) == (found.clusters, found.letters, found.ordered)
    members = [cluster.members for cluster in found.clusters]
    assert members == sorted(members) and all(list(m) == sorted(m) for m in members)


@pytest.mark.filterwarnings("ignore")  # the library and what it loads warn about each other
def test_the_same_groups_as_scikit_posthocs() -> None:
    from scikit_posthocs import compact_letter_display

    rng = np.random.default_rng(0)
    for _ in range(60):
        size = int(rng.integers(2, 10))
        upper = np.triu(np.where(rng.random((size, size)) < 0.6, 0.5, 0.01), 1)
        p = upper + upper.T
        display = list(compact_letter_display(p, alpha=ALPHA))
        letters = set("".join(display)) - {" "}
        expected = {frozenset(i for i in range(size) if letter in display[i]) for letter in letters}
        names = list(ascii_lowercase[:size])
        found = find_clusters(family(p, names)).clusters
        assert {frozenset(map(names.index, cluster.members)) for cluster in found} == expected
