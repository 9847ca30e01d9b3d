"""What a results folder holds, computed by the analyses of the commands, and by nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from lm_eval_sensitivity.metrics import measured_under
from lm_eval_sensitivity.metrics.catalogue import ANSWER_FLIP, OF_ANSWERS, is_of_whole_output
from lm_eval_sensitivity.progress import progress
from lm_eval_sensitivity.records.answers import TaskAnswers
from lm_eval_sensitivity.records.columns import FILTERS
from lm_eval_sensitivity.records.limits import MOST_CLUSTERS
from lm_eval_sensitivity.report.documents.flips import statements_of
from lm_eval_sensitivity.results.statements import Statements
from lm_eval_sensitivity.runs import Runs, System
from lm_eval_sensitivity.statements import RUNG_SETS, Selection, Signature, TablePartition
from lm_eval_sensitivity.statements.clusters import clusters_statement
from lm_eval_sensitivity.statements.drift import drift_statement
from lm_eval_sensitivity.statements.drift_distance import measure_drifts
from lm_eval_sensitivity.statements.heatmap import heatmap_statement
from lm_eval_sensitivity.statements.profiles import window_profiles
from lm_eval_sensitivity.statements.selection import PRIMARY_FILTER, PRIMARY_METRIC, TEXT_METRICS
from lm_eval_sensitivity.types import Missing, Note

T = TypeVar("T")

CONTRASTED = ("meaning_preserving", "positive_control")
"""Rung sets of the selections beside the two main metrics."""
MAIN_METRICS = (PRIMARY_METRIC, "token_edit_distance")
BESIDE_MAIN = (*TEXT_METRICS[:-1], "text_edit_distance")
"""Windows, and what a run has whose outputs an embedder cannot read and whose engine shows no tokens."""


def declared_selections(*, is_of_answers: bool = False) -> tuple[Selection, ...]:
    """The clusters that an export computes, where there is data.

    Args:
        is_of_answers: of runs of a wrapped task, whose pairs are the same under both filters.

    Returns:
        Metric, filter and rung set, each once; the same for all runs.

    Example:
        >>> len(declared_selections()), declared_selections()[0].in_words()
        (56, 'cosine_distance, filter raw, rungs noop, punctuation, synonym, paraphrase')
    """
    if is_of_answers:
        return tuple(Selection(*each) for each in product(OF_ANSWERS, (PRIMARY_FILTER,), RUNG_SETS))
    of_whole_outputs = [card.name for card in measured_under("raw") if is_of_whole_output(card.name)]
    return (
        *(Selection(*each) for each in product(MAIN_METRICS, FILTERS, RUNG_SETS)),
        *(Selection(*each) for each in product(BESIDE_MAIN, FILTERS, CONTRASTED)),
        *(Selection(*each) for each in product(of_whole_outputs, ("raw",), CONTRASTED)),
    )


def compute(
    pairs: Runs,
    reference: System | None,
    alpha: float,
    signed: Signature,
    embedder: str | None,
    answers: Sequence[TaskAnswers] = (),
) -> tuple[Statements, tuple[Note, ...]]:
    """Compute everything.

    Args:
        pairs: the runs.
        reference: one of their systems, or None.
        alpha: family-wise error of a table of clusters.
        signed: resamples, draws, seed.
        embedder: of the runs, where drift is recomputed and it is not the default one.
        answers: to wrapped tasks.

    Returns:
        The statements; and the selections without a number, or with too many clusters, and why.
    """
    partition = TablePartition(pairs.table, signed.resamples, signed.seed, signed.weights)
    selections, left_out = _with_data(pairs.table, declared_selections(is_of_answers=signed.is_of_answers))
    compared = [Selection(PRIMARY_METRIC, name) for name in FILTERS]
    maps, profiled = list(product(MAIN_METRICS, FILTERS)), list(product(CONTRASTED, FILTERS))
    if signed.is_of_answers:
        compared = [Selection(ANSWER_FLIP)]
        maps = list(dict.fromkeys((each.metric, each.filter_name) for each in selections))
        profiled = []  # an answer has no length
    judged = compared if reference is not None else []
    total = len(selections) + len(judged) + len(maps) + len(profiled)
    with progress("Computing", total, "table") as bar:

        def counted(items: Iterable[T]) -> Iterator[T]:
            for item in items:
                yield item
                bar.update()

        clusters = [
            clusters_statement(partition, each, alpha=alpha, draws=signed.draws)
            for each in counted(selections)
        ]
        drift = [
            drift_statement(
                partition,
                partition.systems,
                of,
                reference=reference.name,
                drifts=measure_drifts(pairs, reference, of, embedder),
            )
            for of in counted(judged)
            if reference is not None
        ]
        heatmaps = [heatmap_statement(partition, metric, name) for metric, name in counted(maps)]
        windows = [window_profiles(partition, name, rung_set) for rung_set, name in counted(profiled)]
    shown = [each for each in clusters if len(each.clusters) <= MOST_CLUSTERS]
    left_out += [
        _without(
            each.selection,
            f"its systems are in {len(each.clusters)} clusters that overlap, and at most {MOST_CLUSTERS} are shown",
        )
        for each in clusters
        if len(each.clusters) > MOST_CLUSTERS
    ]
    found = Statements(
        tuple(shown), tuple(drift), tuple(heatmaps), tuple(windows), tuple(statements_of(answers))
    )
    return found, tuple(left_out)


def _with_data(table: pa.Table, declared: Iterable[Selection]) -> tuple[list[Selection], list[Note]]:
    """The declared selections in which any pair has a number, and why the others have none."""
    selections, left_out = [], []
    for each in declared:
        of_filter = pc.equal(table["filter"], each.filter_name)
        rows = table.filter(pc.and_(of_filter, pc.is_in(table["rung"], pa.array(each.rungs, pa.string()))))
        if rows[each.metric].null_count < rows.num_rows:
            selections.append(each)
            continue
        reasons = sorted({reason for reason in rows[f"missing_{each.metric}"].to_pylist() if reason})
        kinds = ", ".join(dict.fromkeys(Missing.from_text(reason).kind for reason in reasons))
        nothing = f"no pair has a number ({kinds})" if rows.num_rows else "no system was run on these rungs"
        left_out.append(_without(each, nothing))
    return selections, left_out


def _without(selection: Selection, reason: str) -> Note:
    what = f"clusters of {selection.metric}, filter {selection.filter_name}, rungs {selection.rung_set}"
    return Note("left_out", reason, (what,))
