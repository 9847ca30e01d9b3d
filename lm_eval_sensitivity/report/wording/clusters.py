"""What is said below a table of clusters, in whole sentences: the same on a terminal and on every page."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from lm_eval_sensitivity.statements.clusters import ClusterAnalysis
from lm_eval_sensitivity.statements.means import SystemMean
from lm_eval_sensitivity.stats import Cluster, Clusters, MaxT
from lm_eval_sensitivity.text.format import in_print


def reasons_in_words(systems: tuple[SystemMean, ...]) -> Iterator[str]:
    """Why a cell is a dash, once for all systems of which the same is true."""
    by_reason: dict[str, list[str]] = {}
    for each in systems:
        kinds = [
            ("No interval", each.interval.reason),
            ("No noise floor", each.noise.reason),
            (
                "Student's t instead of the bootstrap-t",
                "so many resamples consist of one number that the bootstrap-t has no bound."
                if each.interval.method == "student-t"
                else None,
            ),
        ]
        for kind, reason in kinds:
            if reason:
                by_reason.setdefault(f"{kind} ({{}}): {reason}", []).append(each.system)
    for sentence, names in by_reason.items():
        before, after = sentence.split("{}", 1)
        yield f"{before}{', '.join(names)}{after}"


def clusters_in_words(analysis: ClusterAnalysis) -> Iterator[str]:
    """One sentence or more per cluster, and per system that is in several or in none."""
    if analysis.clusters is None:
        yield "One system alone: an interval, but nothing to tell it apart from, so there are no clusters."
        return
    clusters = analysis.clusters
    for cluster in clusters.clusters:
        yield f"Cluster {cluster.letter}: {', '.join(cluster.members)}. {_told(clusters, cluster)}"
    for name, letters in clusters.letters.items():
        if len(letters) > 1:
            yield f"{name} is in {letters[0]}, and could also be in {' and in '.join(letters[1:])}."
    for name, reason in clusters.left_out.items():
        yield f"{name} is in no cluster. {reason}"


def family_in_words(analysis: ClusterAnalysis) -> str:
    """How many contrasts were tested together, and how; for two systems or more."""
    assert analysis.tests is not None
    tests = analysis.tests
    if not tests.family:
        return f"{len(tests.contrasts)} contrasts, none of which could be tested.{_hopeless_in_words(tests)}"
    told = sum(each.distinguishable for each in analysis.contrasts)
    how = (
        f"all {2**tests.n_prompts} sign vectors"
        if tests.method == "exact"
        else f"{tests.draws} random sign vectors, seed {tests.seed}"
    )
    return (
        f"{told} of {tests.family} contrasts are distinguishable at a family-wise alpha of {analysis.alpha:g} "
        f"(step-down max-|t| over {tests.n_prompts} prompts, {how}). The smallest p that could have been attained is "
        f"{tests.attainable_p:.4g}.{_hopeless_in_words(tests)} An order is stated only between "
        f"systems that share no cluster."
    )


def _told(clusters: Clusters, cluster: Cluster) -> str:
    """What is known of the members: found alike by a test, or never compared."""
    if len(cluster.members) == 1:
        return "Distinguishable from every other system."
    inside = list(combinations(cluster.members, 2))
    untested = [pair for pair in inside if pair in clusters.untested]
    not_compared = f"Not compared: {'; '.join(' and '.join(pair) for pair in untested)}."
    if len(untested) == len(inside):
        return not_compared
    told = "No two of these are distinguishable, which does not say that they are equal."
    if not untested:
        return told
    return (
        "No two of these that were compared are distinguishable, which does not say that they are equal. "
        f"{not_compared}"
    )


def _hopeless_in_words(tests: MaxT) -> str:
    if not tests.n_hopeless:
        return ""
    return (
        f" {tests.n_hopeless} of {len(tests.contrasts)} contrasts could never be told apart, whatever the data: they "
        f"share too few prompts for a p of {tests.alpha:g}, and are no part of the family."
    )


def detectable_in_words(analysis: ClusterAnalysis) -> str:
    """Which difference these prompts would have shown; for two systems or more."""
    assert analysis.detectable is not None
    found = analysis.detectable
    if found.reason:
        return f"Detectable difference: none can be given. {found.reason}"
    span, largest = in_print(found.smallest), in_print(found.largest)
    if largest != span:
        span += f" to {largest}, depending on the two systems,"
    n = analysis.tests.n_prompts if analysis.tests else 0
    without = (
        f" {found.n_without} of {found.n_without + found.n_contrasts} contrasts have no such number: "
        f"{' '.join(found.reasons)}"
        if found.n_without
        else ""
    )
    return (
        f"With these {n} prompts a difference of {span} would be found with {found.power:.0%} power, if each contrast "
        f"is tested at the level {found.level:.4g}, its share of alpha, or at the smallest p of its "
        f"own prompts where that is larger; a smaller one may well be "
        f"missed.{without}"
    )
