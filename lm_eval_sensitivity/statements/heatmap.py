"""Edit by system: the mean distance of every single edit, and what became of the pairs without one."""

from __future__ import annotations

from dataclasses import replace

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder.build import edits_of_rung
from lm_eval_sensitivity.metrics.catalogue import belongs_to_prompt
from lm_eval_sensitivity.records.columns import DRIFTS
from lm_eval_sensitivity.statements.cautions import (
    audit_cautions,
    parting_cautions,
    prompt_end_cautions,
    window_cautions,
)
from lm_eval_sensitivity.statements.partition import TablePartition, largest_of
from lm_eval_sensitivity.statements.records import HeatmapCell, HeatmapStatement
from lm_eval_sensitivity.statements.selection import Selection
from lm_eval_sensitivity.stats import Partition, mean_interval
from lm_eval_sensitivity.types import RUNGS, Note, Rung


def heatmap_statement(partition: TablePartition, metric: str, filter_name: str) -> HeatmapStatement:
    """The mean of every edit and system in one metric and filter.

    Args:
        partition: of a pairs table.
        metric: a column of it, window included.
        filter_name: `raw` or `answer`.

    Returns:
        A cell for every edit that any system was given, in the order of the ladder, and every system.

    Raises:
        InputError: the metric or filter is unknown, or the metric knows nothing of edits.

    Example:
        See `tests/unit/statements/test_heatmap.py`; a table takes a run.
    """
    check_metric(metric)
    systems, selection = partition.systems, Selection(metric, filter_name)
    cells: list[HeatmapCell] = []
    cautions: dict[Note, None] = dict.fromkeys(parting_cautions(metric))
    for rung in RUNGS:
        on_rung = replace(selection, rung_set=rung)
        cautions |= dict.fromkeys(audit_cautions(partition, on_rung))
        pairs = partition.pairs(on_rung)
        for edit in in_ladder_order(rung, pairs.edits):
            one = _one_edit(pairs, edit)
            cells += [_cell(partition, one, metric, rung, edit, system) for system in systems]
    cautions |= dict.fromkeys(window_cautions(partition, selection, systems))
    cautions |= dict.fromkeys(prompt_end_cautions(partition, metric, RUNGS[1:], systems))  # all but identical
    return HeatmapStatement(
        metric,
        filter_name,
        systems,
        tuple(dict.fromkeys((cell.rung, cell.edit) for cell in cells)),
        tuple(cells),
        tuple(cautions),
        partition.seed,
        partition.resamples,
    )


def check_metric(metric: str) -> None:
    """Refuse a metric that is a number of one prompt, and not of a pair.

    Raises:
        InputError: the metric is no number of a pair.
    """
    if metric in DRIFTS or belongs_to_prompt(metric):
        instead = "drift" if metric in DRIFTS else "clusters"
        raise InputError(
            f"`--metric {metric}` is a number of one prompt, not what an edit moves, so that edits have nothing to "
            f"show beside each other. Use `lm-eval-sensitivity {instead}`, or a metric of a pair."
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


def _cell(
    partition: TablePartition, pairs: Partition, metric: str, rung: Rung, edit: str, system: str
) -> HeatmapCell:
    """An edit has one pair per prompt."""
    values = pairs.system(system)
    return HeatmapCell(
        system,
        mean_interval(
            values,
            largest=largest_of(metric, pairs.values[:, :, pairs.systems.index(system)]),
            resamples=partition.resamples,
            seed=partition.seed,
        ),
        pairs.counts(system),
        n_zero=int((values == 0).sum()),
        caution=None,
        rung=rung,
        edit=edit,
    )
