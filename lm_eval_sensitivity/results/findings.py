"""What a results folder holds, computed by the analyses of the commands, and by nothing else."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from lm_eval_sensitivity.metrics import WINDOWS_TOKENS
from lm_eval_sensitivity.records.columns import FILTERS
from lm_eval_sensitivity.results.pages import Indices, axes_page, cluster_page, heatmap_page, window_rows
from lm_eval_sensitivity.results.records import (
    AxesPage,
    ClusterPage,
    HeatmapPage,
    LeftOutRecord,
    StatisticsRecord,
    WindowRow,
)
from lm_eval_sensitivity.results.schema import MOST_CLUSTERS
from lm_eval_sensitivity.runs import Pairs, System
from lm_eval_sensitivity.statements import RUNG_SETS, Selection, TablePartition
from lm_eval_sensitivity.statements.clusters import clusters_statement
from lm_eval_sensitivity.statements.drift import drift_statement
from lm_eval_sensitivity.statements.drift_distance import measure_drifts
from lm_eval_sensitivity.statements.heatmap import heatmap_statement
from lm_eval_sensitivity.statements.profiles import window_profiles
from lm_eval_sensitivity.statements.records import ClustersStatement
from lm_eval_sensitivity.statements.selection import PRIMARY_METRIC
from lm_eval_sensitivity.types import Missing

T = TypeVar("T")

CONTRASTED = ("meaning_preserving", "positive_control")
"""Rung sets of the selections beside the two main metrics."""
MAIN_METRICS = (PRIMARY_METRIC, "token_edit_distance")


@dataclass(frozen=True)
class Findings:
    """Everything that was computed."""

    clusters: tuple[ClusterPage, ...]
    left_out: tuple[LeftOutRecord, ...]
    """Selections without a number, or with too many clusters, and why."""
    axes: tuple[AxesPage, ...]
    """None without a reference."""
    heatmaps: tuple[HeatmapPage, ...]
    windows: dict[str, tuple[WindowRow, ...]]
    """By rung set."""


def declared_selections() -> tuple[Selection, ...]:
    """The clusters that an export computes, where there is data.

    Example:
        >>> len(declared_selections()), declared_selections()[0].in_words()
        (52, 'cosine_distance, filter raw, rungs noop, punctuation, synonym, paraphrase')
    """
    windows = [f"{PRIMARY_METRIC}_{window}" for window in WINDOWS_TOKENS]
    return (
        *(Selection(*each) for each in product(MAIN_METRICS, FILTERS, RUNG_SETS)),
        *(Selection(*each) for each in product(windows, FILTERS, CONTRASTED)),
        *(Selection(*each) for each in product(("js_divergence", "hidden_distance"), ("raw",), CONTRASTED)),
    )


def compute(
    pairs: Pairs,
    indices: Indices,
    reference: System | None,
    statistics: StatisticsRecord,
    embedder: str | None,
) -> Findings:
    """Compute everything.

    Args:
        pairs: the runs.
        indices: of their systems.
        reference: one of them, or None.
        statistics: alpha, resamples, draws, seed.
        embedder: of the runs, where drift is recomputed and it is not the default one.
    """
    from tqdm import tqdm

    partition = TablePartition(pairs.table, statistics.resamples, statistics.seed)
    selections, left_out = _with_data(pairs.table)
    judged = FILTERS if reference is not None else ()
    maps, profiled = list(product(MAIN_METRICS, FILTERS)), list(product(CONTRASTED, FILTERS))
    total = len(selections) + len(judged) + len(maps) + len(profiled)
    clusters: list[ClusterPage] = []
    windows: dict[str, tuple[WindowRow, ...]] = dict.fromkeys(CONTRASTED, ())
    with tqdm(total=total, desc="Computing", delay=2, disable=None, file=sys.stderr) as bar:
        for each in _counted(selections, bar):
            found = clusters_statement(partition, each, alpha=statistics.alpha, draws=statistics.draws)
            reason = _too_many(found)
            if reason is None:
                clusters.append(cluster_page(found, indices))
            else:
                left_out.append(LeftOutRecord(_clusters_of(each), reason))
        axes = tuple(
            _axes(partition, pairs, indices, reference, Selection(PRIMARY_METRIC, name), embedder)
            for name in _counted(judged, bar)
        )
        heatmaps = tuple(
            heatmap_page(heatmap_statement(partition, metric, name), indices)
            for metric, name in _counted(maps, bar)
        )
        for rung_set, name in _counted(profiled, bar):
            windows[rung_set] += tuple(window_rows(window_profiles(partition, name, rung_set), indices))
    return Findings(tuple(clusters), tuple(left_out), axes, heatmaps, windows)


def _counted(items: Iterable[T], bar: Any) -> Iterator[T]:
    """The same items; a bar moves on when one is done."""
    for item in items:
        yield item
        bar.update()


def _axes(
    partition: TablePartition,
    pairs: Pairs,
    indices: Indices,
    reference: System | None,
    selection: Selection,
    embedder: str | None,
) -> AxesPage:
    assert reference is not None
    found = drift_statement(
        partition,
        partition.systems,
        selection,
        reference=reference.name,
        drifts=measure_drifts(pairs, reference, selection, embedder),
    )
    return axes_page(found, indices)


def _with_data(table: pa.Table) -> tuple[list[Selection], list[LeftOutRecord]]:
    """The declared selections in which any pair has a number, and why the others have none."""
    selections, left_out = [], []
    for selection in declared_selections():
        reason = _nothing(table, selection)
        if reason is None:
            selections.append(selection)
        else:
            left_out.append(LeftOutRecord(_clusters_of(selection), reason))
    return selections, left_out


def _clusters_of(selection: Selection) -> str:
    return f"clusters of {selection.metric}, filter {selection.filter_name}, rungs {selection.rung_set}"


def _too_many(found: ClustersStatement) -> str | None:
    """Why a page cannot show clusters that overlap too much, or None."""
    n = len(found.clusters)
    if n <= MOST_CLUSTERS:
        return None
    return f"its systems are in {n} clusters that overlap, and at most {MOST_CLUSTERS} are shown"


def _nothing(table: pa.Table, selection: Selection) -> str | None:
    mask = pc.and_(
        pc.equal(table["filter"], selection.filter_name),
        pc.is_in(table["rung"], pa.array(selection.rungs, pa.string())),
    )
    rows = table.filter(mask)
    if rows.num_rows == 0:
        return "no system was run on these rungs"
    if rows[selection.metric].null_count < rows.num_rows:
        return None
    kinds = dict.fromkeys(_kinds(rows[f"missing_{selection.metric}"].to_pylist()))
    return f"no pair has a number ({', '.join(kinds)})"


def _kinds(reasons: Sequence[str | None]) -> Iterator[str]:
    return (Missing.from_text(reason).kind for reason in sorted({each for each in reasons if each}))
