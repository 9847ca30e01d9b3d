"""The finding of a table of clusters, or of edits, for who reads nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from lm_eval_sensitivity.metrics.catalogue import ANSWER_FLIP
from lm_eval_sensitivity.report.wording import NOT_EQUAL
from lm_eval_sensitivity.statements.cautions import COVERAGE_GAP
from lm_eval_sensitivity.statements.records import ClustersStatement, HeatmapStatement, SystemRow
from lm_eval_sensitivity.statements.selection import RUNG_SETS
from lm_eval_sensitivity.stats import PairCounts
from lm_eval_sensitivity.stats.alive import LIFELESS
from lm_eval_sensitivity.text.format import in_print, listed
from lm_eval_sensitivity.types import Note

MOST_NAMED = 4
"""Systems that a sentence names; more are counted."""
_EDITS = {
    "meaning_preserving": "Harmless edits move",
    "positive_control": "Another request moves",
    "identical": "The same prompt a second time moves",
}
"""By what was selected; else it is the edits of one rung."""


def finding_in_words(found: ClustersStatement, control: ClustersStatement | None = None) -> Iterator[Note]:
    """How far edits move the systems, who differs, whose numbers are of few prompts, and who does not respond.

    Args:
        found: the selection.
        control: the same metric and filter on the positive control, as a yardstick; None where it is not at hand, or
            is what was selected.

    Returns:
        One note to four; none where no system has a number.
    """
    moved, others = _with_a_mean(found), _with_a_mean(control)
    if not moved:
        return
    chosen = found.selection
    edits = _EDITS.get(chosen.rung_set, f"Edits of the rung {chosen.rung_set} move")
    what = "answer" if chosen.filter_name == "answer" else "output"
    of = f"an {what} of {moved[0].system}" if len(moved) == 1 else f"the {what}s of {len(moved)} systems"
    metric = f" in {chosen.metric}"
    beside = f"; another request by {_span(others)}" if others else ""
    words = f"{edits} {of} by {_span(moved, metric)}{beside}."
    if chosen.metric == ANSWER_FLIP:
        words = f"{edits.replace('move', 'change')} {of} in this share of prompts: {_span(moved)}."
    yield Note("finding", words, tuple(row.system for row in moved))
    if found.family is not None:
        yield Note("finding", _who_differs(found))
    partial = [row for row in moved if in_part(row.counts)]
    if partial:
        named = _named([f"{row.system} ({in_part(row.counts)})" for row in partial])
        words = f"Only a part of the prompts has a number: {named}."
        yield Note("finding", words, tuple(row.system for row in partial))
    lifeless = tuple(row.system for row in found.systems if row.responsiveness == "no")
    if lifeless:
        words = f"{LIFELESS.capitalize()}: {_named(lifeless)}. A low distance there is no stability."
        yield Note("finding", words, lifeless)


def edits_in_words(found: HeatmapStatement) -> Iterator[Note]:
    """Which harmless edit moves a system furthest.

    Args:
        found: every edit of every system.

    Returns:
        One note; none where no harmless edit has a number.
    """
    cells = [each for each in found.cells if each.rung in RUNG_SETS["meaning_preserving"]]
    cells = [each for each in cells if not math.isnan(each.mean.estimate)]
    if not cells:
        return
    most = max(cells, key=lambda each: each.mean.estimate)
    n_edits = len({each.edit for each in cells})
    what = "answer" if found.filter_name == "answer" else "output"
    words = (
        f"The only harmless edit is {most.edit}; it moves"
        if n_edits == 1
        else f"Of {n_edits} harmless edits, {most.edit} moves"
    )
    furthest = "" if n_edits == 1 and len(cells) == 1 else " furthest"
    mean, n, lost = in_print(most.mean.estimate, 3), most.mean.n, most.counts.n_prompts_lost
    of = f"{n} of {n + lost}" if lost else str(n)
    yield Note(
        "finding",
        f"{words} an {what}{furthest}: by {mean} in {found.metric}, on average over {of} prompts of {most.system}.",
        (most.system,),
    )


def in_part(counts: PairCounts) -> str:
    """Of how many prompts a mean is, where that is far fewer than were run.

    Args:
        counts: of the pairs of one system.

    Returns:
        As in `52 of 96 prompts`; empty where few prompts or none are lost.
    """
    given = counts.n_prompts + counts.n_prompts_lost
    lost = counts.n_prompts_lost > COVERAGE_GAP * given
    return f"{counts.n_prompts} of {given} prompts" if lost else ""


def _with_a_mean(found: ClustersStatement | None) -> list[SystemRow]:
    return [row for row in found.systems if not math.isnan(row.mean.estimate)] if found else []


def _span(rows: Sequence[SystemRow], unit: str = "") -> str:
    """One mean with its interval, or the smallest and the largest of several."""
    if len(rows) == 1:
        mean = rows[0].mean
        bounds = f" (95 % interval {in_print(mean.lower, 3)} to {in_print(mean.upper, 3)})"
        return in_print(mean.estimate, 3) + unit + ("" if math.isnan(mean.lower) else bounds)
    means = [row.mean.estimate for row in rows]
    low, high = in_print(min(means), 3), in_print(max(means), 3)
    return (low if low == high else f"{low} to {high}") + unit


def _who_differs(found: ClustersStatement) -> str:
    tested = [each for each in found.contrasts if each.reason is None]
    n_told = sum(each.distinguishable for each in tested)
    if not tested:
        return "No two of them could be compared."
    if not n_told:
        return f"No two of them can be told apart, {NOT_EQUAL}."
    if n_told == len(found.contrasts):
        return "The two can be told apart." if n_told == 1 else "Every two of them can be told apart."
    alone = [each.members[0] for each in found.clusters if len(each.members) == 1]
    if len(alone) == 1:
        rest = "; the others cannot be told apart" if len(found.clusters) == 2 else ""
        return f"{alone[0]} differs from every other{rest}."
    return f"{n_told} of {len(tested)} pairs of systems can be told apart."


def _named(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return listed(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
