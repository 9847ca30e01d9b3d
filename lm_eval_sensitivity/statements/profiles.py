"""One metric of every system along the ladder, or along the length of the output that is read."""

from __future__ import annotations

from collections.abc import Sequence

from lm_eval_sensitivity.statements.means import system_mean
from lm_eval_sensitivity.statements.partition import TablePartition
from lm_eval_sensitivity.statements.records import ProfilePoint, ProfilesStatement
from lm_eval_sensitivity.statements.selection import TEXT_METRICS, Selection
from lm_eval_sensitivity.statements.windows import shows_the_scaffold
from lm_eval_sensitivity.types import RUNGS


def rung_profiles(partition: TablePartition, metric: str, filter_name: str) -> ProfilesStatement:
    """The mean of every rung, mildest first.

    Args:
        partition: of a pairs table.
        metric: a column of it.
        filter_name: `raw` or `answer`.

    Example:
        See `tests/unit/report/test_figures.py`; a table takes a run.
    """
    return _profiles(partition, [Selection(metric, filter_name, rung) for rung in RUNGS])


def window_profiles(partition: TablePartition, filter_name: str, rung_set: str) -> ProfilesStatement:
    """The mean cosine distance of the first 64 tokens of the output, 128, ..., and of the whole.

    Args:
        partition: of a pairs table.
        filter_name: `raw` or `answer`.
        rung_set: over which rungs.

    Example:
        See `tests/unit/report/test_figures.py`; a table takes a run.
    """
    return _profiles(partition, [Selection(metric, filter_name, rung_set) for metric in TEXT_METRICS])


def _profiles(partition: TablePartition, selections: Sequence[Selection]) -> ProfilesStatement:
    points = tuple(
        ProfilePoint(
            **vars(system_mean(partition, selection, system)),
            selection=selection,
            scaffold_dominates=shows_the_scaffold(partition, selection, system),
        )
        for system in partition.systems
        for selection in selections
    )
    return ProfilesStatement(partition.systems, points, partition.seed, partition.resamples)
