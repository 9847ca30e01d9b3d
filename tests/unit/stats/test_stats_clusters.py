"""Clusters: letters, order, and what was not compared."""

from __future__ import annotations

import math
from itertools import combinations

import pytest

from lm_eval_sensitivity.stats import contrast_table, find_clusters, max_t_test, partition_by_prompt
from tests.unit.stats.simulated import family_of

CHAIN = {("a", "b"): 0.5, ("a", "c"): 0.01, ("b", "c"): 0.5}


def test_order_is_stated_only_where_no_cluster_is_shared() -> None:
    found = find_clusters(family_of(CHAIN))
    assert found.ordered == (("a", "c"),)
    assert (found.order("a", "c"), found.order("c", "a")) == ("lower", "higher")
    assert found.order("a", "b") is None and found.order("b", "c") is None
    assert find_clusters(family_of(CHAIN, {("a", "c"): 0.3})).ordered == (("c", "a"),)
    with pytest.raises(KeyError):
        found.order("a", "unknown")


def test_effects_that_differ_are_ordered_only_by_a_test_of_means() -> None:
    found = find_clusters(family_of(CHAIN, p_order=CHAIN | {("a", "c"): 0.06}))
    assert [cluster.members for cluster in found.clusters] == [("a", "b"), ("b", "c")]
    assert found.ordered == () and found.order("a", "c") is None
    # A test of means alone settles nothing, either.
    alike = find_clusters(family_of(CHAIN, p_order=CHAIN | {("a", "b"): 0.01}))
    assert alike.ordered == (("a", "c"),)


def test_a_p_of_exactly_alpha_distinguishes() -> None:
    p = {("a", "b"): 0.05}
    assert len(find_clusters(family_of(p)).clusters) == 2
    assert len(find_clusters(family_of(p), alpha=0.049).clusters) == 1


def test_not_compared_is_not_told_apart_and_is_said() -> None:
    found = find_clusters(family_of({**CHAIN, ("a", "c"): math.nan}))
    assert [cluster.members for cluster in found.clusters] == [("a", "b", "c")]
    assert found.untested == (("a", "c"),) and found.ordered == ()


def test_a_system_without_any_test_is_left_out_with_a_reason() -> None:
    for silent in ("0", "silent"):  # before and after the others
        missing = {(min(silent, name), max(silent, name)): math.nan for name in "abc"}
        found = find_clusters(family_of(CHAIN | missing))
        assert list(found.left_out) == [silent] and "too few" in found.left_out[silent]
        assert silent not in found.letters and found.untested == () and found.ordered == (("a", "c"),)
        assert [cluster.members for cluster in found.clusters] == [("a", "b"), ("b", "c")]


def test_clusters_need_all_pairs() -> None:
    with pytest.raises(ValueError, match=r"\('b', 'c'\) were not compared"):
        find_clusters(family_of({("a", "b"): 0.5, ("a", "c"): 0.5}))


def test_letters_go_on_after_z() -> None:
    names = [f"m{i:02d}" for i in range(30)]
    found = find_clusters(family_of(dict.fromkeys(combinations(names, 2), 0.001)))
    letters = [cluster.letter for cluster in found.clusters]
    assert letters[:2] == ["a", "b"] and letters[25:29] == ["z", "aa", "ab", "ac"]
    assert len(set(letters)) == 30


def test_letters_do_not_follow_the_score() -> None:
    """Renaming changes letters, the sign of the numbers does not."""
    values = {"m": 0.3, "n": 0.1, "o": 0.1}
    rows = [(f"q{i}", "x", s, values[s] * (i + 1)) for i in range(9) for s in values]

    def clusters(sign: float) -> list[tuple[str, tuple[str, ...]]]:
        flipped = [(prompt, edit, system, sign * value) for prompt, edit, system, value in rows]
        found = find_clusters(max_t_test(contrast_table(partition_by_prompt(*zip(*flipped, strict=True)))))
        return [(cluster.letter, cluster.members) for cluster in found.clusters]

    assert clusters(1.0) == clusters(-1.0) == [("a", ("m",)), ("b", ("n", "o"))]


def test_identical_systems_share_a_cluster_and_an_empty_one_is_left_out() -> None:
    rows = [(f"q{i}", "x", s, 0.1 * (i + 1)) for i in range(9) for s in ("m", "n")]
    rows += [(f"q{i}", "x", "silent", math.nan) for i in range(9)]
    tests = max_t_test(contrast_table(partition_by_prompt(*zip(*rows, strict=True))))
    found = find_clusters(tests)
    assert [cluster.members for cluster in found.clusters] == [("m", "n")]
    assert list(found.left_out) == ["silent"]
    assert tests.p("m", "n") == 1.0 and math.isnan(tests.p("m", "silent"))


def test_no_systems_no_clusters() -> None:
    assert find_clusters(family_of({})).clusters == ()
