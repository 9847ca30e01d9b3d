"""What is said below a table of clusters, in whole sentences: the same on a terminal and on every page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations

from lm_eval_sensitivity.report.wording import NOT_EQUAL, disagreement
from lm_eval_sensitivity.statements.records import ClustersStatement, SystemRow, TestedContrast
from lm_eval_sensitivity.stats import Cluster
from lm_eval_sensitivity.text.format import in_print, listed
from lm_eval_sensitivity.types import Note


def reasons_in_words(systems: tuple[SystemRow, ...]) -> Iterator[Note]:
    """Why a cell is a dash.

    Returns:
        One note per reason, about the systems that share it.
    """
    by_reason: dict[tuple[str, str], list[str]] = {}
    for each in systems:
        kinds = [
            ("No interval", each.mean.reason),
            ("No noise floor", each.noise.reason if math.isnan(each.noise.estimate) else None),
            ("Interval", METHODS.get(each.mean.method)),
            (
                "Mean over common pairs",
                each.common.reason if each.common and math.isnan(each.common.estimate) else None,
            ),
        ]
        for kind, reason in kinds:
            if reason:
                by_reason.setdefault((kind, reason), []).append(each.system)
    for (kind, reason), names in by_reason.items():
        yield Note("reason", f"{kind} ({listed(names)}): {reason}", tuple(names))


def clusters_in_words(found: ClustersStatement) -> Iterator[Note]:
    """The clusters, and what they do not say.

    Returns:
        One note or more per cluster, per system that is in several or in none, and on orders that are not settled.
    """
    if found.family is None:
        yield Note(
            "finding",
            "One system alone: an interval, but nothing to tell it apart from, so there are no clusters.",
        )
    for cluster in found.clusters:
        words = f"Cluster {cluster.letter}: {listed(cluster.members)}. {_told(found, cluster)}"
        yield Note("finding", words, cluster.members)
    for row in found.systems:
        if len(row.letters) > 1:
            others = " and in ".join(row.letters[1:])
            words = f"{row.system} is in {row.letters[0]}, and could also be in {others}."
            yield Note("finding", words, (row.system,))
    open_order = [each for each in found.contrasts if each.distinguishable and not each.ordered]
    if open_order:
        words = f"Their effects differ; which mean is lower is not settled: {_named(open_order)}."
        about = tuple(dict.fromkeys(name for each in open_order for name in (each.first, each.second)))
        yield Note("finding", words, about)
    for each in found.left_out:
        yield Note("finding", f"{listed(each.about)} is in no cluster. {each.text}", each.about)


def family_in_words(found: ClustersStatement) -> Iterator[Note]:
    """How many contrasts were tested together, and how.

    Returns:
        One note; none for a system alone.
    """
    family = found.family
    if family is None:
        return
    hopeless = (
        f" {family.n_hopeless} of {len(found.contrasts)} contrasts could never be told apart, whatever the data: they "
        f"share too few prompts for a p of {found.alpha:g}, and are no part of the family."
        if family.n_hopeless
        else ""
    )
    if not family.size:
        yield Note("method", f"{len(found.contrasts)} contrasts, none of which could be tested.{hopeless}")
        return
    told = sum(each.distinguishable for each in found.contrasts)
    how = (
        f"all {2**family.n_prompts} sign vectors"
        if family.method == "exact"
        else f"{family.draws} random sign vectors, seed {found.seed}"
    )
    yield Note(
        "method",
        f"{told} of {family.size} contrasts are distinguishable at a family-wise alpha of {found.alpha:g} "
        f"(step-down max-|t| over {family.n_prompts} prompts, {how}). The smallest p that could have been attained is "
        f"{family.attainable_p:.4g}.{hopeless} That says whose effects differ. Which mean is lower is stated only "
        "where a test of means rejects as well: step-down max-|t| of the symmetric bootstrap-t over the same family, "
        "and corner points.",
    )


METHODS = {
    "student-t": "Student's t instead of the bootstrap-t, which has no bound there.",
}
"""Intervals that are made in another way than the others of their table."""

MOST_NAMED = 5
"""Contrasts that a sentence names; more are counted."""


def _named(contrasts: Sequence[TestedContrast]) -> str:
    named = "; ".join(f"{each.first} and {each.second}" for each in contrasts[:MOST_NAMED])
    more = len(contrasts) - MOST_NAMED
    return f"{named}; and {more} more" if more > 0 else named


def _told(found: ClustersStatement, cluster: Cluster) -> str:
    """What is known of the members: found alike by a test, or never compared."""
    if len(cluster.members) == 1:
        return "Distinguishable from every other system."
    inside = list(combinations(cluster.members, 2))
    never = set(found.untested)
    untested = [pair for pair in inside if pair in never]
    not_compared = f"Not compared: {'; '.join(' and '.join(pair) for pair in untested)}."
    if len(untested) == len(inside):
        return not_compared
    compared = " that were compared" if untested else ""
    told = f"No two of these{compared} are distinguishable, {NOT_EQUAL}."
    return f"{told} {not_compared}" if untested else told


def detectable_in_words(found: ClustersStatement) -> Iterator[Note]:
    """Which difference these prompts would have shown.

    Returns:
        One note, with the reason where there is no such number; none for a system alone.
    """
    detectable, family = found.detectable, found.family
    if detectable is None or family is None:
        return
    if detectable.reason:
        yield Note("method", f"Detectable difference: none can be given. {detectable.reason}")
        return
    span, largest = in_print(detectable.smallest), in_print(detectable.largest)
    if largest != span:
        span += f" to {largest}, depending on the two systems,"
    without = (
        f" {detectable.n_without} of {detectable.n_without + detectable.n_contrasts} contrasts have no such number: "
        f"{' '.join(detectable.reasons)}"
        if detectable.n_without
        else ""
    )
    yield Note(
        "method",
        f"With these {family.n_prompts} prompts a difference of {span} would be found with {detectable.power:.0%} "
        f"power, if each contrast is tested at the level {detectable.level:.4g}, its share of alpha, or at the "
        f"smallest p of its own prompts where that is larger; a smaller one may well be missed.{without}",
    )


def contrast_notes(contrasts: Sequence[TestedContrast], alpha: float) -> Iterator[Note | str]:
    """What the columns of a table of contrasts are, and which intervals are missing or unreliable.

    Returns:
        The sentence on the columns, one note per reason without an interval, what interval and p say together, then
        cautions.
    """
    bounded = any(each.difference.method == "corner-point" for each in contrasts)
    kind = "corner-point" if bounded else "symmetric bootstrap-t"
    yield (
        "difference: first minus second, over the pairs that are scored in both; lower, upper: 95 % "
        f"{kind} interval of this contrast alone; p adjusted: that effects differ; "
        "p order: that means differ; attainable p: the smallest p adjusted that so many prompts with a difference "
        "could give; pairs lost: erased, unscored or not given in at least one of the two; finding: not told apart "
        "does not say equal."
    )
    without: dict[str, list[str]] = {}
    said: dict[str, list[TestedContrast]] = {}
    for each in contrasts:
        if each.difference.reason:
            without.setdefault(each.difference.reason, []).append(f"{each.first} and {each.second}")
        if words := METHODS.get(each.difference.method, ""):
            said.setdefault(words, []).append(each)
        if words := disagreement(each.difference, each.p_adjusted, alpha):
            said.setdefault(words, []).append(each)
    for reason, names in without.items():
        yield Note("reason", f"No interval ({'; '.join(names)}): {reason}")
    for words, which in said.items():
        yield f"{words.removesuffix('.')}: {_named(which)}."
    yield from (each.caution for each in contrasts if each.caution)
