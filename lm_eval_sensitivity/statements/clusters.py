"""Which systems can be told apart in one metric, filter and rung set: means, clusters, contrasts.

Systems stand in the order of letters, never of scores.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.records.columns import DRIFTS
from lm_eval_sensitivity.statements.cautions import absent_cautions, cautions_of, few_prompts_cautions
from lm_eval_sensitivity.statements.means import common_means, system_row, zeros_caution
from lm_eval_sensitivity.statements.partition import TablePartition
from lm_eval_sensitivity.statements.records import ClustersStatement, Detectable, Family, TestedContrast
from lm_eval_sensitivity.statements.selection import Selection
from lm_eval_sensitivity.stats import (
    DRAWS,
    ContrastTable,
    MaxT,
    contrast_table,
    detectable_difference,
    difference_interval,
    find_clusters,
    max_t_test,
)
from lm_eval_sensitivity.types import Note

ALPHA = 0.05
POWER = 0.8


def clusters_statement(
    partition: TablePartition, selection: Selection, *, alpha: float = ALPHA, draws: int = DRAWS
) -> ClustersStatement:
    """Means, contrasts and clusters of all systems of a pairs table in one selection.

    Args:
        partition: of the table.
        selection: which numbers.
        alpha: family-wise error of the clusters.
        draws: sign vectors, where there are too many prompts to try all.

    Returns:
        Systems, contrasts and clusters by name; no order but where two means differ by two tests.

    Raises:
        InputError: no system has a pair in the selection, or the metric compares systems instead of prompts.

    Example:
        See `tests/unit/statements/test_clusters.py`; a table takes a run.
    """
    check_metric(selection.metric)
    names = partition.given(selection)
    absent = tuple(name for name in partition.systems if name not in names)
    table = contrast_table(partition.pairs(selection, names))
    largest = [partition.largest(selection, *names) for names in table.contrasts]
    tests = _tests(partition, table, largest, alpha, draws) if table.contrasts else None
    clusters = find_clusters(tests, alpha=alpha) if tests else None
    letters = clusters.letters if clusters else {}
    common = common_means(partition, selection, names)
    rows = tuple(
        replace(system_row(partition, selection, name, letters.get(name, ())), common=common.get(name))
        for name in names
    )
    contrasts = tuple(_contrasts(partition, table, largest, tests, alpha)) if tests else ()
    family = _family(tests) if tests else None
    return ClustersStatement(
        selection=selection,
        systems=rows,
        absent=absent,
        contrasts=contrasts,
        clusters=clusters.clusters if clusters else (),
        ordered=clusters.ordered if clusters else (),
        untested=clusters.untested if clusters else (),
        left_out=tuple(
            Note("left_out", reason, (name,))
            for name, reason in (clusters.left_out if clusters else {}).items()
        ),
        family=family,
        detectable=_detectable(table, tests, alpha) if tests else None,
        cautions=(
            *absent_cautions(absent),
            *cautions_of(
                partition,
                selection,
                rows,
                few=few_prompts_cautions(rows, contrasts, family, alpha),
                zeros=(row.caution for row in rows if row.caution),
            ),
        ),
        alpha=alpha,
        seed=partition.seed,
        resamples=partition.resamples,
        draws=draws,
    )


def check_metric(metric: str) -> None:
    """Refuse drift, which has a command of its own.

    Raises:
        InputError: the metric is a drift.
    """
    if metric in DRIFTS:
        raise InputError(
            f"`--metric {metric}` is the distance of a system from its reference on the same prompt, not what an edit "
            "moves, so clusters of it would say nothing. Use `lm-eval-sensitivity drift`, or another metric."
        )


def _tests(
    partition: TablePartition, table: ContrastTable, largest: list[float | None], alpha: float, draws: int
) -> MaxT:
    return max_t_test(
        table,
        alpha=alpha,
        draws=draws,
        resamples=partition.resamples,
        largest=largest,
        seed=partition.seed,
    )


def _contrasts(
    partition: TablePartition, table: ContrastTable, largest: list[float | None], tests: MaxT, alpha: float
) -> Iterator[TestedContrast]:
    for index, (first, second) in enumerate(table.contrasts):
        values = table.differences[:, index]
        difference = difference_interval(
            values, largest=largest[index], resamples=partition.resamples, seed=partition.seed
        )
        p_adjusted, p_order = float(tests.p_adjusted[index]), float(tests.p_order[index])
        yield TestedContrast(
            first=first,
            second=second,
            difference=difference,
            p_adjusted=p_adjusted,
            p_order=p_order,
            attainable_p=tests.attainable_ps[index],
            counts=table.counts[index],
            distinguishable=p_adjusted <= alpha,
            ordered=max(p_adjusted, p_order) <= alpha,
            reason=tests.reasons[index],
            caution=zeros_caution(f"{first} and {second}, difference", values, difference, first, second),
        )


def _family(tests: MaxT) -> Family:
    return Family(
        tests.family, tests.n_prompts, tests.method, tests.draws, tests.attainable_p, tests.n_hopeless
    )


def _detectable(table: ContrastTable, tests: MaxT, alpha: float) -> Detectable:
    """At the level that is left of alpha for each contrast: Bonferroni's, which max-|t| never undercuts.

    Where a contrast's own smallest p is above that level, max-|t| can still reject, and then at that p.
    """
    n_all = len(tests.contrasts)
    if not tests.family:
        reason = "No two systems share enough scored prompts for a test that could tell them apart."
        reasons = tuple(dict.fromkeys(each for each in tests.reasons if each))
        return Detectable(math.nan, math.nan, alpha, POWER, 0, n_all, reasons, reason)
    level = max(alpha / tests.family, min(tests.attainable_p, alpha))
    numbers: list[float] = []
    missing: dict[str, None] = {}
    for column, untested, least in zip(table.differences.T, tests.reasons, tests.attainable_ps, strict=True):
        found = (
            detectable_difference(column, alpha=min(max(level, least), alpha), power=POWER)
            if untested is None
            else None
        )
        if found is not None and found.reason is None:
            numbers.append(found.difference)
        else:
            missing[str(untested or (found and found.reason))] = None
    return Detectable(
        smallest=min(numbers, default=math.nan),
        largest=max(numbers, default=math.nan),
        level=level,
        power=POWER,
        n_contrasts=len(numbers),
        n_without=n_all - len(numbers),
        reasons=tuple(missing),
        reason=None if numbers else next(iter(missing)),
    )
