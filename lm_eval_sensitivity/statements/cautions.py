"""What a reader must not miss beside means, clusters and axes: each caution has its one author here."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import pyarrow.compute as pc

from lm_eval_sensitivity.metrics.catalogue import OF_ANSWERS
from lm_eval_sensitivity.statements.drift_distance import Drift
from lm_eval_sensitivity.statements.noise import beside_noise, may_be_noise, noise_sentence
from lm_eval_sensitivity.statements.partition import TablePartition
from lm_eval_sensitivity.statements.prompt_ends import ENDS_AGREE, PROMPT_END_METRICS, parted_in
from lm_eval_sensitivity.statements.records import Family, SystemRow, TestedContrast
from lm_eval_sensitivity.statements.responsiveness import no_further_in_words, responds
from lm_eval_sensitivity.statements.selection import NOISE_RUNG, Selection
from lm_eval_sensitivity.statements.windows import (
    SCAFFOLD_DOMINATES,
    WHERE_IT_DOMINATES,
    shows_the_scaffold,
    window_in_words,
)
from lm_eval_sensitivity.stats import MIN_PROMPTS
from lm_eval_sensitivity.stats.alive import LIFELESS
from lm_eval_sensitivity.stats.partition import ABSENT
from lm_eval_sensitivity.text.escape import inert
from lm_eval_sensitivity.text.format import in_print
from lm_eval_sensitivity.types import Missing, Note, Rung

COVERAGE_GAP = 0.10
"""Shares of lost pairs that differ by more than this between systems are pointed out."""


def caution(text: str, *about: str) -> Note:
    """A caution about systems, or about the whole."""
    return Note("caution", text, about)


def cautions_of(
    partition: TablePartition,
    selection: Selection,
    rows: Sequence[SystemRow],
    *,
    few: Iterable[Note] = (),
    zeros: Iterable[Note] = (),
) -> tuple[Note, ...]:
    """All that apply to systems in one selection, what makes their means incomparable first.

    Args:
        partition: of a pairs table.
        selection: which numbers.
        rows: the systems.
        few: what too few prompts left open.
        zeros: intervals that are unreliable.
    """
    names = [row.system for row in rows]
    return (
        *unmeasured_cautions(partition, selection, names),
        *rung_cautions(partition, selection, names),
        *coverage_cautions(partition, selection, names),
        *collapse_cautions(partition, selection.filter_name, names),
        *few,
        *noise_cautions(partition, selection, rows),
        *window_cautions(partition, selection, names),
        *prompt_end_cautions(partition, selection.metric, selection.rungs, names),
        *zeros,
        *audit_cautions(partition, selection),
        *parting_cautions(selection.metric),
    )


def absent_cautions(names: Iterable[str]) -> Iterator[Note]:
    """For every system of the runs that has no pair in a selection."""
    return (caution(f"{name} has no pair on these rungs and is left out.", name) for name in names)


def unmeasured_cautions(
    partition: TablePartition, selection: Selection, names: Iterable[str]
) -> Iterator[Note]:
    """For every system that was run on these rungs and has no number at all: why, most often.

    Args:
        partition: of a pairs table.
        selection: which numbers.
        names: display names.
    """
    columns = ("name", "filter", "rung", selection.metric, f"missing_{selection.metric}")
    rows = list(zip(*(partition.column(column) for column in columns), strict=True))
    for name in names:
        found = [
            row[3:] for row in rows if row[:2] == (name, selection.filter_name) and row[2] in selection.rungs
        ]
        lost = (Missing.from_text(reason) for value, reason in found if value is None and reason)
        reasons = Counter(reason for reason in lost if reason.kind != "erased")
        if reasons and all(value is None for value, _ in found):
            (reason, _), *_ = reasons.most_common(1)
            yield caution(f"{name} has no {selection.metric} here: {inert(str(reason))}.", name)


def rung_cautions(partition: TablePartition, selection: Selection, names: Sequence[str]) -> Iterator[Note]:
    """Where systems were not run on the same rungs, or none was run on all selected ones.

    Args:
        partition: of a pairs table.
        selection: its filter and rungs count; a task of lm_eval's has only the rungs of its edits.
        names: display names of systems with a pair on these rungs.
    """
    if selection.metric in OF_ANSWERS:
        return
    by_rungs: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        ran = partition.rungs_of(name)
        by_rungs.setdefault(tuple(rung for rung in selection.rungs if rung in ran), []).append(name)
    if len(by_rungs) > 1:
        covers = "; ".join(
            f"{', '.join(who)}: {', '.join(rungs) or 'none'}" for rungs, who in by_rungs.items()
        )
        yield caution(
            f"THE SYSTEMS DO NOT COVER THE SAME RUNGS ({covers}). Their means are over different edits and must not be "
            "compared; a difference of two systems is over the pairs of both only. Run what is lacking, or choose "
            "rungs that all have."
        )
        return
    lacking = [rung for rung in selection.rungs if by_rungs and rung not in next(iter(by_rungs))]
    if lacking:
        yield caution(
            f"No system was run on {', '.join(lacking)}: every number here is over the other rungs alone."
        )


def coverage_cautions(
    partition: TablePartition, selection: Selection, names: Sequence[str]
) -> Iterator[Note]:
    """Where systems lost very different shares of the pairs that any of them was given."""
    pairs = partition.pairs(selection, names)
    n_all = int((pairs.status != ABSENT).any(axis=2).sum())
    if not n_all:
        return
    shares = {name: 1 - pairs.counts(name).n_pairs / n_all for name in names}
    most, least = max(shares, key=lambda name: shares[name]), min(shares, key=lambda name: shares[name])
    if shares[most] - shares[least] > COVERAGE_GAP:
        yield caution(
            f"Coverage differs: {shares[most]:.0%} of the pairs of {most} are erased, unscored or were "
            f"not given to it, but {shares[least]:.0%} of {least}. Means beside each other are over different pairs; "
            "a contrast is over shared pairs only.",
            most,
            least,
        )


def collapse_cautions(partition: TablePartition, filter_name: str, names: Iterable[str]) -> Iterator[Note]:
    """For every system that another request moves no further than a harmless edit."""
    for name in names:
        verdict = responds(partition, filter_name, name)
        if verdict is not None and verdict.label == LIFELESS:
            words = no_further_in_words(verdict, "its output")
            yield caution(f"{name}: {LIFELESS.upper()}. {words}: its low distance is no stability.", name)


def noise_cautions(
    partition: TablePartition, selection: Selection, rows: Iterable[SystemRow]
) -> Iterator[Note]:
    """For every system whose distance is not reliably above its noise floor, prompt by prompt."""
    if selection.rung_set == NOISE_RUNG:
        return
    for row in rows:
        mean, floor = row.mean.estimate, row.noise.estimate
        if math.isnan(mean) or math.isnan(floor):
            continue
        found = beside_noise(partition, selection, row.system)
        if found.standing == "not judged":
            yield caution(
                f"{row.system}: its mean {in_print(mean)} cannot be held against its noise floor {in_print(floor)}: "
                f"only {found.n} prompts have both.",
                row.system,
            )
        elif may_be_noise(found):
            meaning = " It is no sensitivity." if found.standing == "within" else ""
            words = noise_sentence(found, "its mean distance")
            yield caution(f"{row.system}: {words}.{meaning}", row.system)


def window_cautions(partition: TablePartition, selection: Selection, names: Iterable[str]) -> Iterator[Note]:
    """For every system of which the selected window shows the scaffold rather than the answer."""
    if selection.metric in PROMPT_END_METRICS:  # a prompt end has no window
        return
    for name in names:
        if shows_the_scaffold(partition, selection, name):
            yield caution(
                f"{name}: {SCAFFOLD_DOMINATES} ({window_in_words(selection.window)}): {WHERE_IT_DOMINATES}. Take the "
                "filter answer.",
                name,
            )


def prompt_end_cautions(
    partition: TablePartition, metric: str, rungs: Sequence[Rung], names: Iterable[str]
) -> Iterator[Note]:
    """For every system whose outputs part where a metric of the prompt end sees nothing."""
    if metric not in PROMPT_END_METRICS:
        return
    for name in names:
        n_parted, n_agreeing = parted_in(partition, rungs, name)
        if n_parted:
            yield caution(
                f"{name}: prompt-end metrics: {n_parted} of {n_agreeing} pairs whose prompt-end distributions agree "
                f"({ENDS_AGREE}) still part later.",
                name,
            )


def another_model_caution(drift: Drift | None, called: str, factor: float) -> Iterator[Note]:
    """Where a system is no changed copy of its reference: what a label says then.

    Args:
        drift: of the system; None where none was measured.
        called: the system, at the beginning of a sentence.
        factor: `Constants.drift_factor` of its label.
    """
    if drift is not None and drift.another:
        times = "" if factor == 1 else f"{factor:g} times "
        yield caution(
            f"{called} is another model than the reference, by its {drift.another}. STABLE says of such a system only: "
            f"no further than {times}what a harmless edit moves the reference.",
            drift.system,
        )


def audit_cautions(partition: TablePartition, selection: Selection) -> Iterator[Note]:
    """Where an engine shows no token ids: nobody knows which edits it never received."""
    table = partition.table
    rows = table.filter(pc.equal(table["audit_status"], "unknown"))
    columns = (rows[name].to_pylist() for name in ("name", "rung"))
    names = sorted({name for name, rung in zip(*columns, strict=True) if rung in selection.rungs})
    if names:
        yield caution(
            f"Which edits were erased is not known for {', '.join(names)}: the engine shows no token ids. A distance "
            "of 0 there may be an edit that never reached the model.",
            *names,
        )


def parting_cautions(metric: str) -> Iterator[Note]:
    """For the one metric whose missing numbers say something."""
    if metric == "first_divergence":
        yield caution(
            "first_divergence: outputs that never part have no step. They are no missing scores, but count as "
            "unscored, so that the mean is over the pairs that part."
        )


def few_prompts_cautions(
    rows: Sequence[SystemRow], contrasts: Sequence[TestedContrast], family: Family | None, alpha: float
) -> Iterator[Note]:
    """For systems without a mean, and for contrasts that could not be tested."""
    for row in rows:
        if row.mean.n < MIN_PROMPTS:
            yield caution(f"{row.system}: {row.mean.reason}", row.system)
    if family is None:
        return
    if family.n_hopeless:
        yield caution(
            f"{family.n_hopeless} of {len(contrasts)} contrasts could never be told apart: the two systems share so "
            f"few prompts that the smallest p is above alpha {alpha:g}, whatever the data. They are not compared, and "
            "are left out of the family."
        )
    if not family.size:
        yield caution("No two systems share enough scored prompts for a test, so there are no clusters.")
        return
    untested = sum(each.counts.n_prompts < MIN_PROMPTS for each in contrasts)
    if untested:
        yield caution(
            f"{untested} of {len(contrasts)} contrasts could not be tested: the two systems share fewer than "
            f"{MIN_PROMPTS} scored prompts. Where such two share a cluster, nothing was compared."
        )
