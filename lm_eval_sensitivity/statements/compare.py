"""Two systems side by side: one paired difference by prompt, and what it is made of."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.statements.cautions import cautions_of
from lm_eval_sensitivity.statements.means import system_row, zeros_caution
from lm_eval_sensitivity.statements.partition import TablePartition, largest_of
from lm_eval_sensitivity.statements.records import ComparisonStatement, Driver, RungDifference, SystemRow
from lm_eval_sensitivity.statements.selection import NOISE_RUNG, Selection
from lm_eval_sensitivity.stats import (
    DRAWS,
    Contrast,
    Interval,
    Partition,
    detectable_difference,
    difference_interval,
    equivalence_test,
    holm,
    mean_interval,
    order_p,
    sign_flip_test,
)
from lm_eval_sensitivity.stats.equivalence import MARGIN_SHARE
from lm_eval_sensitivity.stats.sample import Floats, sorted_sample, too_few_prompts
from lm_eval_sensitivity.types import RUNGS, Note

N_DRIVERS = 5
"""Prompts, and edits, that are shown for driving the difference."""


def comparison_statement(
    partition: TablePartition,
    first: str,
    second: str,
    selection: Selection,
    *,
    margin_share: float = MARGIN_SHARE,
    draws: int = DRAWS,
) -> ComparisonStatement:
    """Compare two systems of a pairs table by prompt, on the pairs that are scored in both.

    Args:
        partition: of the table.
        first: display name; its mean sets the margin.
        second: display name of the other one.
        selection: which numbers.
        margin_share: of the first system's mean, declared before looking.
        draws: sign vectors, where there are too many prompts to try all.

    Returns:
        Differences in the unit of the metric, second minus first; p-values unadjusted but for those of the rungs.

    Raises:
        InputError: a system has no pair in the selection, or both are the same.

    Example:
        See `tests/unit/statements/test_compare.py`; a table takes a run.
    """
    if first == second:
        raise InputError(f"Both folders hold the same system, {first}. Give runs of two systems.")
    names, seed = (first, second), partition.seed
    pairs = partition.pairs(selection, names)
    for name in names:
        counts = pairs.counts(name)
        if not counts.n_pairs + counts.n_erased + counts.n_unscored:
            raise InputError(
                f"{name} has no pair of {selection.in_words()}. Run the tasks of these rungs, or choose others with "
                "`--rungs`."
            )
    contrast = pairs.contrast(second, first)
    largest = partition.largest(selection, first, second)
    difference = _interval(partition, contrast.differences, largest, first > second)
    rungs = _rungs(partition, first, second, selection, draws)
    sides = (
        _side(partition, selection, first, contrast.second_means),
        _side(partition, selection, second, contrast.first_means),
    )
    return ComparisonStatement(
        selection=selection,
        first=sides[0],
        second=sides[1],
        difference=difference,
        test=sign_flip_test(contrast.differences, draws=draws, seed=seed),
        p_order=_p_order(partition, contrast.differences, largest, first > second),
        equivalence=equivalence_test(
            contrast.first_means,
            contrast.second_means,
            margin_share=margin_share,
            resamples=partition.resamples,
            draws=draws,
            seed=seed,
        ),
        detectable=detectable_difference(contrast.differences),
        counts=contrast.counts,
        prompts=_largest(_prompt_drivers(pairs, contrast)),
        edits=_largest(_edit_drivers(partition, pairs, selection, first, second)),
        rungs=rungs,
        family=sum(not math.isnan(rung.p_adjusted) for rung in rungs),
        cautions=cautions_of(
            partition,
            selection,
            sides,
            zeros=_zeros("", contrast, sides[0].mean, sides[1].mean, difference),
        ),
        seed=seed,
        resamples=partition.resamples,
        draws=draws,
    )


def _side(partition: TablePartition, selection: Selection, name: str, shared: Floats) -> SystemRow:
    """One of the two, with its mean over the shared pairs."""
    mean = _mean(partition, shared, partition.largest(selection, name))
    return replace(
        system_row(partition, selection, name),
        mean=mean,
        n_zero=int((shared == 0).sum()),
        caution=zeros_caution(f"{name}, mean", shared, mean, name),
    )


def _mean(partition: TablePartition, values: Floats, largest: float | None) -> Interval:
    return mean_interval(values, largest=largest, resamples=partition.resamples, seed=partition.seed)


def _interval(
    partition: TablePartition, differences: Floats, largest: float | None, turned: bool
) -> Interval:
    """The interval of a difference, mirrored exactly where the systems are given the other way round.

    Resamples of turned differences are others, so that the two directions would differ by chance.
    """
    found = difference_interval(
        -differences if turned else differences,
        largest=largest,
        resamples=partition.resamples,
        seed=partition.seed,
    )
    if not turned:
        return found
    return replace(found, estimate=0.0 - found.estimate, lower=-found.upper, upper=-found.lower)


def _p_order(partition: TablePartition, differences: Floats, largest: float | None, turned: bool) -> float:
    """The same in both directions, as the interval is."""
    sample = sorted_sample(-differences if turned else differences)
    if too_few_prompts(len(sample)):
        return math.nan
    p = order_p(sample[:, None], largest=[largest], resamples=partition.resamples, seed=partition.seed)
    return float(p[0])


def _zeros(
    where: str, contrast: Contrast, mean: Interval, other: Interval, difference: Interval
) -> Iterator[Note]:
    """Cautions of both means and their difference; the contrast is of the second and the first system."""
    first, second = contrast.second, contrast.first
    for name, values, interval, about in (
        (f"{first}, mean", contrast.second_means, mean, (first,)),
        (f"{second}, mean", contrast.first_means, other, (second,)),
        ("difference", contrast.differences, difference, (first, second)),
    ):
        found = zeros_caution(f"{where}{name}", values, interval, *about)
        if found:
            yield found


def _prompt_drivers(pairs: Partition, contrast: Contrast) -> Iterator[Driver]:
    shared = ~np.isnan(_differences(pairs, contrast.second, contrast.first))
    n = contrast.counts.n_prompts
    for prompt, first, second, difference, n_pairs in zip(
        contrast.prompts,
        contrast.second_means.tolist(),
        contrast.first_means.tolist(),
        contrast.differences.tolist(),
        shared.sum(axis=1).tolist(),
        strict=True,
    ):
        if n_pairs:
            yield Driver(prompt, None, first, second, difference, None, difference / n, n_pairs, None)


def _edit_drivers(
    partition: TablePartition, pairs: Partition, selection: Selection, first: str, second: str
) -> Iterator[Driver]:
    rungs = dict(zip(partition.column("edit"), partition.column("rung"), strict=True))
    metric = selection.metric
    differences = _differences(pairs, first, second)
    shared = ~np.isnan(differences)
    shares = pairs.shares(shared)
    n_prompts = int(shared.any(axis=1).sum())
    for index, edit in enumerate(pairs.edits):
        there = shared[:, index]
        if not there.any():
            continue
        a, b = (pairs.values[there, index, pairs.systems.index(name)] for name in (first, second))
        values = differences[there, index]
        interval = _interval(partition, values, largest_of(metric, np.append(a, b)), first > second)
        yield Driver(
            edit,
            rungs[edit],
            float(a.mean()),
            float(b.mean()),
            float(values.mean()),
            interval,
            # The mean over prompts of the mean over rungs and edits, taken apart by edit.
            float((values * shares[there, index]).sum()) / n_prompts,
            len(values),
            zeros_caution(f"{edit}, difference", values, interval, first, second),
        )


def _differences(pairs: Partition, first: str, second: str) -> Floats:
    """[prompt, edit] second minus first; NaN unless scored in both."""
    a, b = (pairs.values[:, :, pairs.systems.index(name)] for name in (first, second))
    return b - a


def _largest(drivers: Iterator[Driver]) -> tuple[Driver, ...]:
    """The first few by absolute size, equal ones by name; those without any difference drive nothing."""
    moved = [driver for driver in drivers if driver.difference != 0]
    return tuple(sorted(moved, key=lambda driver: (-abs(driver.difference), driver.name))[:N_DRIVERS])


def _rungs(
    partition: TablePartition, first: str, second: str, selection: Selection, draws: int
) -> tuple[RungDifference, ...]:
    """Both systems rung by rung, whatever rungs the selection has."""
    ran = partition.rungs_of(first) | partition.rungs_of(second)
    found = []
    for rung in (rung for rung in RUNGS if rung in ran):
        on_rung = replace(selection, rung_set=rung)
        pairs = partition.pairs(on_rung, (first, second))
        contrast = pairs.contrast(second, first)
        intervals = (
            _mean(partition, contrast.second_means, partition.largest(on_rung, first)),
            _mean(partition, contrast.first_means, partition.largest(on_rung, second)),
            _interval(
                partition, contrast.differences, partition.largest(on_rung, first, second), first > second
            ),
        )
        found.append(
            RungDifference(
                rung,
                *intervals,
                test=sign_flip_test(contrast.differences, draws=draws, seed=partition.seed),
                p_adjusted=math.nan,
                counts=contrast.counts,
                first_counts=pairs.counts(first),
                second_counts=pairs.counts(second),
                cautions=tuple(_zeros(f"{rung}: ", contrast, *intervals)),
            )
        )
    p = holm([math.nan if each.rung == NOISE_RUNG else each.test.p_value for each in found])
    return tuple(replace(each, p_adjusted=float(value)) for each, value in zip(found, p, strict=True))
