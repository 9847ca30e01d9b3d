"""What a reader must not miss beside means and clusters, in sentences."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike

from lm_eval_sensitivity.metrics.catalogue import is_distance
from lm_eval_sensitivity.statements.means import SystemMean
from lm_eval_sensitivity.statements.noise import NOISE_ALPHA, NOISE_RUNG, noise_tests, not_above_in_words
from lm_eval_sensitivity.statements.prompt_ends import PROMPT_END_METRICS, SAME_PROMPT_END_NATS, parted_in
from lm_eval_sensitivity.statements.selection import Selection
from lm_eval_sensitivity.statements.windows import (
    OUTPUT_SHARE,
    WINDOW_SHARE,
    dominated_windows,
    outputs_of,
    window_in_words,
)
from lm_eval_sensitivity.stats import MIN_PROMPTS, MaxT, Partition, ReducedVerdict
from lm_eval_sensitivity.stats.partition import ABSENT
from lm_eval_sensitivity.stats.sample import has_spread
from lm_eval_sensitivity.stats.verdicts import LIFELESS
from lm_eval_sensitivity.text.format import in_print, percent

COVERAGE_GAP = 0.10
"""Shares of lost pairs that differ by more than this between systems are pointed out."""


def cautions(
    table: pa.Table,
    selection: Selection,
    systems: Sequence[SystemMean],
    pairs: Partition,
    tests: MaxT | None,
    *,
    absent: Sequence[str],
    alpha: float,
    seed: int = 0,
) -> tuple[str, ...]:
    """All sentences that apply to one selection, what makes means incomparable first.

    Args:
        table: from `load_pairs`.
        selection: which numbers.
        systems: their means.
        pairs: the partition that the means are of.
        tests: of all contrasts; None for a system alone.
        absent: systems without a pair in the selection.
        alpha: family-wise error of the clusters.
        seed: of the draws.
    """
    names = [each.system for each in systems]
    zeros = (zeros_caution(f"{name}, mean", pairs.system(name)) for name in names)
    return (
        *(f"{name} has no pair on these rungs and is left out." for name in absent),
        *rung_cautions(table, selection, names),
        *coverage_cautions(pairs, names),
        *collapse_cautions({each.system: each.life for each in systems}),
        *_few_prompts(systems, tests, alpha),
        *noise_cautions(
            table,
            selection,
            {each.system: (each.interval.estimate, each.noise.mean) for each in systems},
            seed=seed,
        ),
        *window_cautions(table, selection, names),
        *prompt_end_cautions(table, selection.metric, selection.rungs, names),
        *(sentence for sentence in zeros if sentence),
        *unknown_audits(table, selection),
        *parting_cautions(selection.metric),
    )


def rung_cautions(table: pa.Table, selection: Selection, names: Sequence[str]) -> tuple[str, ...]:
    """A sentence where systems were not run on the same rungs, or none was run on all selected ones.

    Args:
        table: from `load_pairs`.
        selection: its filter and rungs count.
        names: display names of systems with a pair on these rungs.
    """
    rows = table.filter(pc.equal(table["filter"], selection.filter_name))
    ran = set(zip(rows["name"].to_pylist(), rows["rung"].to_pylist(), strict=True))
    by_rungs: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        covered = tuple(rung for rung in selection.rungs if (name, rung) in ran)
        by_rungs.setdefault(covered, []).append(name)
    if len(by_rungs) > 1:
        covers = "; ".join(
            f"{', '.join(who)}: {', '.join(rungs) or 'none'}" for rungs, who in by_rungs.items()
        )
        return (
            f"THE SYSTEMS DO NOT COVER THE SAME RUNGS ({covers}). Their means are over different edits and must not be "
            "compared; a difference of two systems is over the pairs of both only. Run what is lacking, or choose "
            "rungs that all have.",
        )
    lacking = [rung for rung in selection.rungs if by_rungs and rung not in next(iter(by_rungs))]
    if not lacking:
        return ()
    return (f"No system was run on {', '.join(lacking)}: every number here is over the other rungs alone.",)


def coverage_cautions(pairs: Partition, names: Sequence[str]) -> tuple[str, ...]:
    """A sentence where systems lost very different shares of the pairs that any of them was given.

    Args:
        pairs: the selected numbers.
        names: systems of it.
    """
    places = [pairs.systems.index(name) for name in names]
    n_all = int((pairs.status[:, :, places] != ABSENT).any(axis=2).sum())
    if not n_all:
        return ()
    shares = {name: 1 - pairs.counts(name).n_pairs / n_all for name in names}
    most, least = max(shares, key=lambda name: shares[name]), min(shares, key=lambda name: shares[name])
    if shares[most] - shares[least] <= COVERAGE_GAP:
        return ()
    return (
        f"Coverage differs: {shares[most]:.0%} of the pairs of {most} are erased, unscored or were "
        f"not given to it, but "
        f"{shares[least]:.0%} of {least}. Means beside each other are over different pairs; a contrast is over shared "
        "pairs only.",
    )


def collapse_cautions(life: Mapping[str, ReducedVerdict | None]) -> Iterator[str]:
    """A sentence for every system that another request moves no further than a harmless edit.

    Args:
        life: by system, from `life_signs`.
    """
    for name, verdict in life.items():
        if verdict is not None and verdict.label == LIFELESS:
            more = percent(verdict.constants.k_harmless)
            yield (
                f"{name}: {LIFELESS.upper()}. Another request moves its output not {more} further than a harmless "
                "edit does: its low distance is no stability."
            )


def noise_cautions(
    table: pa.Table, selection: Selection, numbers: Mapping[str, tuple[float, float]], *, seed: int = 0
) -> Iterator[str]:
    """A sentence for every system whose distance is not reliably above its noise floor, prompt by prompt.

    Args:
        table: from `load_pairs`.
        selection: which numbers.
        numbers: by system, its mean and its noise floor; NaN where there is none.
        seed: of the draws.
    """
    measured = [name for name, both in numbers.items() if not any(math.isnan(number) for number in both)]
    if selection.rung_set == NOISE_RUNG or not measured:
        return
    for name, found in noise_tests(table, selection, measured, seed=seed).items():
        standing = found.standing(NOISE_ALPHA)
        if standing == "not judged":
            mean, floor = (in_print(number) for number in numbers[name])
            yield (
                f"{name}: its mean {mean} cannot be held against its noise floor {floor}: only {found.n} prompts have "
                "both."
            )
        elif standing != "above":
            meaning = "It is no sensitivity." if standing == "within" else "It may be noise."
            yield f"{name}: its mean distance is {not_above_in_words(found)}. {meaning}"


def window_cautions(table: pa.Table, selection: Selection, names: Iterable[str]) -> Iterator[str]:
    """A sentence for every system of which the selected window shows the scaffold rather than the answer.

    Args:
        table: from `load_pairs`.
        selection: only the filter raw shows a scaffold, and a prompt end has no window.
        names: display names.
    """
    if selection.filter_name != "raw" or selection.metric in PROMPT_END_METRICS:
        return
    for name in names:
        if dominated_windows(outputs_of(table, selection, name), [selection.window]):
            yield (
                f"{name}: scaffold dominates this window ({window_in_words(selection.window)}): in at least "
                f"{percent(OUTPUT_SHARE)} of its outputs more than {percent(WINDOW_SHARE)} of the tokens stand before "
                "the answer. Take the filter answer."
            )


def prompt_end_cautions(
    table: pa.Table, metric: str, rungs: Sequence[str], names: Iterable[str]
) -> Iterator[str]:
    """A sentence for every system whose outputs part where a metric of the prompt end sees nothing.

    Args:
        table: from `load_pairs`.
        metric: only those of the prompt end are blind to the rest.
        rungs: of the pairs.
        names: display names.
    """
    if metric not in PROMPT_END_METRICS:
        return
    for name in names:
        n_parted, n_agreeing = parted_in(table, rungs, name)
        if n_parted:
            yield (
                f"{name}: prompt-end metrics: {n_parted} of {n_agreeing} pairs whose prompt-end distributions agree "
                f"(js_divergence below {SAME_PROMPT_END_NATS:g} nats) still part later."
            )


def parting_cautions(metric: str) -> tuple[str, ...]:
    """A sentence for the one metric whose missing numbers say something."""
    if metric != "first_divergence":
        return ()
    return (
        "first_divergence: outputs that never part have no step. They are no missing scores, but count as unscored, so "
        "that the mean is over the pairs that part.",
    )


def bounds_note(metric: str) -> str:
    """What a bound below 0 is to be read as; empty where a metric is no distance.

    Example:
        >>> bounds_note("cosine_distance"), bounds_note("first_divergence")
        ('A lower bound of a mean distance that is below 0 means 0.', '')
    """
    return "A lower bound of a mean distance that is below 0 means 0." if is_distance(metric) else ""


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


def zeros_caution(name: str, values: ArrayLike) -> str | None:
    """A sentence where at least half of the prompts have one and the same number.

    Resamples of such prompts often consist of one repeated value, so that the bootstrap-t is nearly degenerate
    and its interval may be far too wide or too narrow.

    Args:
        name: what the numbers are, as in `8-bit, b drift`.
        values: [prompt] prompt-level numbers; NaN for prompts without one.

    Returns:
        The sentence; None where the numbers vary, and where there is no interval anyway (too few prompts, or
        all alike), which the interval's own reason says.

    Example:
        >>> zeros_caution("m, b", [0.0, 0.0, 0.0, 0.2, 0.3])
        'm, b: 3 of 5 prompts are exactly 0: the interval is unreliable.'
        >>> zeros_caution("m, b", [0.1, 0.2, 0.3, 0.4, 0.5]), zeros_caution("m, b", [0.0] * 9)
        (None, None)
    """
    sample = np.asarray(values, dtype=np.float64)
    finite = sample[np.isfinite(sample)]
    if len(finite) < MIN_PROMPTS or not has_spread(finite):
        return None
    numbers, counts = np.unique(finite, return_counts=True)
    most = int(counts.argmax())
    if 2 * counts[most] < len(finite):
        return None
    shared = "are exactly 0" if numbers[most] == 0 else f"have the same number, {numbers[most]:.4g}"
    return f"{name}: {counts[most]} of {len(finite)} prompts {shared}: the interval is unreliable."


def _few_prompts(systems: Sequence[SystemMean], tests: MaxT | None, alpha: float) -> Iterator[str]:
    for each in systems:
        if each.interval.n < MIN_PROMPTS:
            yield f"{each.system}: {each.interval.reason}"
    if tests is None:
        return
    if tests.n_hopeless:
        yield (
            f"{tests.n_hopeless} of {len(tests.contrasts)} contrasts could never be told apart: the "
            f"two systems share so "
            f"few prompts that the smallest p is above alpha {alpha:g}, whatever the data. They are not compared, and "
            "are left out of the family."
        )
    if not tests.family:
        yield "No two systems share enough scored prompts for a test, so there are no clusters."
        return
    untested = sum(n < MIN_PROMPTS for n in tests.n)
    if untested:
        yield (
            f"{untested} of {len(tests.contrasts)} contrasts could not be tested: the two systems share fewer than "
            f"{MIN_PROMPTS} scored prompts. Where such two share a cluster, nothing was compared."
        )
