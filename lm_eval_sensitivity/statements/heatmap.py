"""Edit by system: the mean distance of every single edit, and what became of the pairs without one."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder.build import edits_of_rung
from lm_eval_sensitivity.metrics.catalogue import belongs_to_prompt
from lm_eval_sensitivity.records.columns import DRIFT
from lm_eval_sensitivity.statements.cautions import (
    parting_cautions,
    prompt_end_cautions,
    unknown_audits,
    window_cautions,
)
from lm_eval_sensitivity.statements.selection import Selection, partition
from lm_eval_sensitivity.stats import RESAMPLES, Interval, PairCounts, Partition, mean_interval
from lm_eval_sensitivity.types import RUNGS, Rung


@dataclass(frozen=True)
class HeatmapCell:
    """One edit of one system."""

    rung: Rung
    edit: str
    system: str
    interval: Interval
    """Of the mean over prompts; an edit has one pair per prompt."""
    counts: PairCounts

    @property
    def n_given(self) -> int:
        """Pairs that the system was given."""
        return self.counts.n_pairs + self.counts.n_erased + self.counts.n_unscored


@dataclass(frozen=True)
class Heatmap:
    """One metric under one filter, edit by system."""

    metric: str
    filter_name: str
    systems: tuple[str, ...]
    """In the order of letters."""
    edits: tuple[tuple[Rung, str], ...]
    """In the order of the ladder."""
    cells: tuple[HeatmapCell, ...]
    """One per edit and system, edit by edit."""
    cautions: tuple[str, ...]
    resamples: int
    seed: int

    def row(self, edit: str) -> tuple[HeatmapCell, ...]:
        """The cells of one edit, one per system."""
        return tuple(cell for cell in self.cells if cell.edit == edit)


def make_heatmap(
    table: pa.Table, metric: str, filter_name: str, *, resamples: int = RESAMPLES, seed: int = 0
) -> Heatmap:
    """The mean of every edit and system in one metric and filter.

    Args:
        table: from `load_pairs`; the order of its rows changes nothing.
        metric: a column of it, window included.
        filter_name: `raw` or `answer`.
        resamples: of each interval.
        seed: of the resamples.

    Raises:
        InputError: the metric or filter is unknown, or the metric knows nothing of edits.

    Example:
        See `tests/unit/statements/test_heatmap.py`; a table takes a run.
    """
    check_metric(metric)
    systems = tuple(sorted(pc.unique(table["name"]).to_pylist()))
    ran = set(pc.unique(table["rung"]).to_pylist())
    edits: list[tuple[Rung, str]] = []
    cells: list[HeatmapCell] = []
    cautions: dict[str, None] = dict.fromkeys(parting_cautions(metric))
    for rung in RUNGS:
        selection = Selection(metric, filter_name, rung)
        if rung not in ran:
            continue
        cautions |= dict.fromkeys(unknown_audits(table, selection))
        pairs = partition(table, selection)
        for edit in in_ladder_order(rung, pairs.edits):
            edits.append((rung, edit))
            one = _one_edit(pairs, edit)
            cells += [_cell(one, rung, edit, system, resamples, seed) for system in systems]
    cautions |= dict.fromkeys(window_cautions(table, Selection(metric, filter_name), systems))
    cautions |= dict.fromkeys(prompt_end_cautions(table, metric, RUNGS[1:], systems))  # all but identical
    return Heatmap(metric, filter_name, systems, tuple(edits), tuple(cells), tuple(cautions), resamples, seed)


def check_metric(metric: str) -> None:
    """Refuse a metric that is one number per prompt: every edit of the prompt would show the same.

    Raises:
        InputError: the metric belongs to the base prompt alone.
    """
    if belongs_to_prompt(metric):
        instead = "drift" if metric == DRIFT else "clusters"
        raise InputError(
            f"`--metric {metric}` is one number per prompt, the same for every edit, so that edits "
            f"have nothing to show "
            f"beside each other. Use `lm-eval-sensitivity {instead}`, or a metric of a pair."
        )


def in_ladder_order(rung: Rung, edits: tuple[str, ...]) -> list[str]:
    """Edits of a rung in the order of the ladder; ones it does not know come last, by letters.

    Example:
        >>> in_ladder_order("positive_control", ("unheard_of", "control_topic", "control_reversal"))
        ['control_reversal', 'control_topic', 'unheard_of']
    """
    known = edits_of_rung(rung)
    return sorted(edits, key=lambda edit: (known.index(edit) if edit in known else len(known), edit))


def _one_edit(pairs: Partition, edit: str) -> Partition:
    index = pairs.edits.index(edit)
    only = slice(index, index + 1)
    return Partition(pairs.prompts, (edit,), pairs.systems, pairs.values[:, only], pairs.status[:, only])


def _cell(pairs: Partition, rung: Rung, edit: str, system: str, resamples: int, seed: int) -> HeatmapCell:
    if system not in pairs.systems:
        nothing = mean_interval([], resamples=resamples, seed=seed)
        return HeatmapCell(rung, edit, system, nothing, PairCounts(0, 0, 0, 0, 0, 0))
    interval = mean_interval(pairs.system(system), resamples=resamples, seed=seed)
    return HeatmapCell(rung, edit, system, interval, pairs.counts(system))
