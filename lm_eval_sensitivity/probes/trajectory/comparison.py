"""Several systems that the probe `trajectory` has looked at: where their differences come from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lm_eval_sensitivity.probes.result import ProbeResult
from lm_eval_sensitivity.probes.trajectory.components import Decomposition, variance_components
from lm_eval_sensitivity.probes.trajectory.finding import TrajectoryFinding
from lm_eval_sensitivity.report.blocks import Block, Column, ResultTable, columns
from lm_eval_sensitivity.text.format import percent
from lm_eval_sensitivity.types import Note

_COLUMNS = (
    *columns(None, "statistic", "source"),
    Column("variance", 4),
    *columns(3, "share", "eta squared", "by chance"),
    Column("degrees", 0),
    Column("note"),
)


def comparison_document(results: Sequence[ProbeResult[TrajectoryFinding]]) -> Sequence[Block]:
    """The decomposition of variance over systems, categories and prompts, with what to mind.

    Args:
        results: one for each system, of one ladder.

    Returns:
        Blocks in reading order; a reason alone where there are not two systems.
    """
    found = variance_components(results)
    return tuple(_blocks(results, found))


def _blocks(
    results: Sequence[ProbeResult[TrajectoryFinding]], found: Sequence[Decomposition]
) -> Iterator[Block]:
    there = [each for each in found if each.components]
    for reason in dict.fromkeys(each.reason for each in found if each.reason):
        about = tuple(each.statistic for each in found if each.reason == reason)
        yield Note("reason", f"No decomposition of variance. {reason}", about)
    if there:
        yield _reading(there)
        yield _table(there)
        yield from _cautions(results, there)


def _reading(found: Sequence[Decomposition]) -> Note:
    parts = ", ".join(f"{percent(each.components[0].share)} of {each.statistic}" for each in found)
    return Note("finding", f"Of the variance, differences between systems are {parts}.")


def _table(found: Sequence[Decomposition]) -> ResultTable:
    rows = tuple(
        (
            each.statistic,
            part.source,
            part.estimate,
            part.share,
            part.eta_squared,
            part.chance,
            part.degrees,
            "negative, counted as 0" if part.is_negative else "",
        )
        for each in found
        for part in each.components
    )
    first = found[0]
    return ResultTable(
        "trajectory components",
        "Where differences between trajectories come from",
        _COLUMNS,
        rows,
        f"{len(first.systems)} systems, {first.n_prompts} prompts in {first.n_categories} categories, one output of "
        "each. variance: by expected mean squares; share: of their sum. eta squared: share of the sum of squares; by "
        "chance: that share without any effect. rest: how systems differ from prompt to prompt, and noise, which one "
        "output of each does not tell apart.",
    )


def _cautions(
    results: Sequence[ProbeResult[TrajectoryFinding]], found: Sequence[Decomposition]
) -> Iterator[Note]:
    widths = {each.finding.width for each in results}
    if len(widths) > 1:
        words = "States have different widths, on which both numbers depend: part of the share of systems may be width."
        yield Note("caution", words)
    lengths = {tuple(prompt.n_states for prompt in each.finding.prompts) for each in results}
    if len(lengths) > 1:
        words = "Outputs differ in length between systems, and the ratio grows with it."
        yield Note("caution", words)
    if len({each.finding.side for each in results}) > 1:
        yield Note("caution", "Some systems were looked at before the final norm, others after it.")
    yield Note(
        "caution",
        "RAW differs between systems by the units of single coordinates alone; the split holds for this statistic and "
        "this normalization.",
    )
    if any(each.components[1].degrees == 0 or each.components[2].degrees == 0 for each in found):
        yield Note(
            "reason",
            "Categories and prompts cannot be told apart: a category needs two prompts, and two are needed.",
        )
