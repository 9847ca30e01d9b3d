"""Clusters of systems that cannot be told apart: a compact letter display, never a ranking."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, count, product
from string import ascii_lowercase

from lm_eval_sensitivity.stats.multiplicity import ALPHA, MaxT


@dataclass(frozen=True)
class Cluster:
    """Systems of which no two are distinguishable, and to which no other system could be added."""

    letter: str
    """`a`, `b`, ..., `z`, `aa`, ...; a name without an order."""
    members: tuple[str, ...]
    """Sorted by name."""


@dataclass(frozen=True)
class Clusters:
    """All clusters of a table. A system may be in several."""

    clusters: tuple[Cluster, ...]
    """Sorted by their members' names."""
    letters: dict[str, tuple[str, ...]]
    """Clusters of each system."""
    ordered: tuple[tuple[str, str], ...]
    """(lower, higher) of every two systems that share no cluster and whose means differ by a test of means as well."""
    untested: tuple[tuple[str, str], ...]
    """Pairs that share a cluster because they could not be compared, not because they were."""
    left_out: dict[str, str]
    """Systems without any test, with the reason; they are in no cluster."""

    def order(self, first: str, second: str) -> str | None:
        """`lower` or `higher`: what the mean of the first is beside that of the second; None where it is not settled.

        Args:
            first: a system.
            second: another one.

        Returns:
            `lower`, `higher` or None.

        Raises:
            KeyError: a system is in no cluster.
        """
        for name in (first, second):
            self.letters[name]
        if (first, second) in self.ordered:
            return "lower"
        return "higher" if (second, first) in self.ordered else None


def find_clusters(tests: MaxT, *, alpha: float = ALPHA) -> Clusters:
    """Find all maximal sets of systems of which no two are distinguishable.

    Two systems are distinguishable where their adjusted p is at most `alpha`: their effects differ. Which mean is lower
    is settled only where `p_order` is at most `alpha` as well. "Not distinguishable" is not "equal": see
    `equivalence_test`. Letters follow the members' names, never a score, so that the
    order in which systems were given, and which way a number counts as good, change nothing.

    scikit_posthocs has a compact letter display, too; it ends at 52 letters, which 25 systems can exceed,
    and importing it loads a plotting library. A test compares the two.

    Args:
        tests: all pairs of the systems, from `max_t_test`.
        alpha: family-wise error; the same as that of the tests, so that what they left out could not be told apart.

    Returns:
        Clusters by their members' names; a system that could not be tested at all is in `left_out` instead.

    Raises:
        ValueError: not all pairs of systems were compared.

    Example:
        >>> from lm_eval_sensitivity.stats import contrast_table, max_t_test, partition_by_prompt
        >>> level = {"m": 0.1, "n": 0.1, "o": 0.3}
        >>> rows = [(f"q{i}", "x", s, level[s] * (i + 1)) for i in range(9) for s in level]
        >>> found = find_clusters(max_t_test(contrast_table(partition_by_prompt(*zip(*rows)))))
        >>> [(cluster.letter, cluster.members) for cluster in found.clusters], found.order("o", "m")
        ([('a', ('m', 'n')), ('b', ('o',))], 'higher')
    """
    names = sorted({name for contrast in tests.contrasts for name in contrast})
    p = {frozenset(pair): float(p) for pair, p in zip(tests.contrasts, tests.p_adjusted, strict=True)}
    if missing := [pair for pair in combinations(names, 2) if frozenset(pair) not in p]:
        raise ValueError(f"clusters need all pairs of systems, {missing[0]} were not compared")
    left_out = _without_tests(tests, names)
    names = [name for name in names if name not in left_out]
    pairs = list(combinations(names, 2))
    neighbors: dict[str, set[str]] = {name: set() for name in names}
    for first, second in pairs:
        if not p[frozenset((first, second))] <= alpha:  # NaN: not compared is not told apart
            neighbors[first].add(second)
            neighbors[second].add(first)
    members = sorted(tuple(sorted(clique)) for clique in maximal_cliques(neighbors))
    clusters = tuple(Cluster(*named) for named in zip(cluster_letters(), members, strict=False))
    return Clusters(
        clusters=clusters,
        letters={name: tuple(c.letter for c in clusters if name in c.members) for name in names},
        ordered=_ordered(tests, neighbors, alpha),
        untested=tuple(pair for pair in pairs if math.isnan(p[frozenset(pair)])),
        left_out=left_out,
    )


def maximal_cliques(neighbors: dict[str, set[str]]) -> Iterator[frozenset[str]]:
    """All sets of mutual neighbors that cannot grow (Bron & Kerbosch 1973, with a pivot).

    Args:
        neighbors: node -> its neighbors; symmetric, and without the node itself.

    Returns:
        Each set once, in no order; none for an empty graph.

    Example:
        >>> graph = {"a": {"b"}, "b": {"a", "c"}, "c": {"b"}}
        >>> sorted(sorted(clique) for clique in maximal_cliques(graph))
        [['a', 'b'], ['b', 'c']]
    """

    def extend(clique: frozenset[str], candidates: set[str], done: set[str]) -> Iterator[frozenset[str]]:
        if not candidates:
            if not done:
                yield clique
            return
        # Every maximal clique has the pivot or something that is not its neighbor.
        pivot = max(candidates | done, key=lambda name: len(neighbors[name] & candidates))
        for name in candidates - neighbors[pivot]:
            yield from extend(clique | {name}, candidates & neighbors[name], done & neighbors[name])
            candidates = candidates - {name}
            done = done | {name}

    if neighbors:
        yield from extend(frozenset(), set(neighbors), set())


def _without_tests(tests: MaxT, names: list[str]) -> dict[str, str]:
    tested = {
        name
        for contrast, reason in zip(tests.contrasts, tests.reasons, strict=True)
        if not reason
        for name in contrast
    }
    sentence = (
        "It shares too few scored prompts with every other system for a test that could tell them apart."
    )
    return {name: sentence for name in names if name not in tested}


def _ordered(tests: MaxT, neighbors: dict[str, set[str]], alpha: float) -> tuple[tuple[str, str], ...]:
    ordered = []
    for (first, second), difference, p in zip(tests.contrasts, tests.estimates, tests.p_order, strict=True):
        if first in neighbors and second in neighbors and second not in neighbors[first] and p <= alpha:
            ordered.append((first, second) if difference < 0 else (second, first))
    return tuple(sorted(ordered))


def cluster_letters() -> Iterator[str]:
    """Names of clusters without end: a, b, ..., z, aa, ab, ...

    Returns:
        Names without end, in the order in which clusters get them.

    Example:
        >>> from itertools import islice
        >>> list(islice(cluster_letters(), 24, 28))
        ['y', 'z', 'aa', 'ab']
    """
    for length in count(1):
        yield from ("".join(letters) for letters in product(ascii_lowercase, repeat=length))
