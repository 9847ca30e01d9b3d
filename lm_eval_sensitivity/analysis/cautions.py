"""What a reader must not miss beside means and clusters, in sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from lm_eval_sensitivity.analysis.selection import Selection
from lm_eval_sensitivity.metrics import METRICS
from lm_eval_sensitivity.stats import MIN_PROMPTS, MaxT, PairCounts

if TYPE_CHECKING:
    from lm_eval_sensitivity.analysis.clusters import SystemMean

COVERAGE_GAP = 0.10
"""Shares of lost pairs that differ by more than this between systems are pointed out."""


def cautions(
    table: pa.Table,
    selection: Selection,
    systems: Sequence[SystemMean],
    tests: MaxT | None,
    *,
    absent: Sequence[str],
    alpha: float,
) -> tuple[str, ...]:
    """All sentences that apply to one selection.

    Args:
        table: from `load_pairs`.
        selection: which numbers.
        systems: their means.
        tests: of all contrasts; None for a system alone.
        absent: systems without a pair in the selection.
        alpha: family-wise error of the clusters.
    """
    found = [
        *(f"{name} has no pair on these rungs and is left out." for name in absent),
        *_few_prompts(systems, tests, alpha),
        *_at_the_noise_floor(selection, systems),
        *_coverage(systems),
        *unknown_audits(table, selection),
    ]
    if selection.metric == "first_divergence":
        found.append(
            "first_divergence: outputs that never part have no step. They count as unscored, so that the mean is over "
            "the pairs that part."
        )
    return tuple(found)


def unknown_audits(table: pa.Table, selection: Selection) -> tuple[str, ...]:
    """A sentence where an engine shows no token ids: nobody knows which edits it never received."""
    mask = pc.and_(
        pc.equal(table["audit_status"], "unknown"),
        pc.is_in(table["rung"], pa.array(selection.rungs, pa.string())),
    )
    names = sorted(pc.unique(table.filter(mask)["name"]).to_pylist())
    if not names:
        return ()
    return (
        f"Which edits were erased is not known for {', '.join(names)}: the engine shows no token ids. A distance of 0 "
        "there may be an edit that never reached the model.",
    )


def lost_share(counts: PairCounts) -> float:
    """Share of a system's pairs that are erased or unscored."""
    total = counts.n_pairs + counts.n_erased + counts.n_unscored
    return (counts.n_erased + counts.n_unscored) / total if total else math.nan


def _few_prompts(systems: Sequence[SystemMean], tests: MaxT | None, alpha: float) -> Iterator[str]:
    for each in systems:
        if each.interval.n < MIN_PROMPTS:
            yield f"{each.system}: {each.interval.reason}"
    if tests is None:
        return
    if not tests.family:
        yield "No two systems share enough scored prompts for a test, so there are no clusters."
    elif tests.attainable_p > alpha:
        yield (
            f"The smallest p that {tests.n_prompts} prompts can give is {tests.attainable_p:.4g}, above alpha "
            f"{alpha:g}: whatever the data, no two systems could have been told apart here."
        )
    untested = sum(reason is not None for reason in tests.reasons)
    if tests.family and untested:
        yield (
            f"{untested} of {len(tests.contrasts)} contrasts could not be tested: the two systems share fewer than "
            f"{MIN_PROMPTS} scored prompts. Where such two share a cluster, nothing was compared."
        )


def _at_the_noise_floor(selection: Selection, systems: Sequence[SystemMean]) -> Iterator[str]:
    if selection.rung_set == "identical" or METRICS[selection.metric].direction != "larger = further apart":
        return
    for each in systems:
        mean, floor = each.interval.estimate, each.noise.mean
        if mean <= floor:
            yield (
                f"{each.system}: its mean {mean:.4f} lies at or below its noise floor {floor:.4f}: what these edits do "
                "cannot be told from what repeating the same prompt does."
            )


def _coverage(systems: Sequence[SystemMean]) -> Iterator[str]:
    shares = {each.system: lost_share(each.counts) for each in systems}
    known = {name: share for name, share in shares.items() if not math.isnan(share)}
    if not known:
        return
    most, least = max(known, key=lambda name: known[name]), min(known, key=lambda name: known[name])
    if known[most] - known[least] > COVERAGE_GAP:
        yield (
            f"Coverage differs: {known[most]:.0%} of the pairs of {most} are erased or unscored, but "
            f"{known[least]:.0%} of {least}. Means beside each other are over different pairs; a contrast is over "
            "shared pairs only."
        )
