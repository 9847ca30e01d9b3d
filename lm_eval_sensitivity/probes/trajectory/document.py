"""What the probe `trajectory` found, in tables and sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from lm_eval_sensitivity.probes.numbers import median
from lm_eval_sensitivity.probes.result import ProbeResult
from lm_eval_sensitivity.probes.trajectory.finding import (
    AgainstNull,
    Reopening,
    TrajectoryFinding,
)
from lm_eval_sensitivity.report.blocks import Block, Column, ResultTable, columns, interval, table_of
from lm_eval_sensitivity.stats import Interval
from lm_eval_sensitivity.text.format import in_print, percent
from lm_eval_sensitivity.types import Note

_INSTABILITY = (
    *columns(None, "normalization", "series"),
    *interval("mean", 3, "ct_mean", "lower", "upper"),
    *interval("ratio", 3, "ct_ratio", "from", "to"),
    Column("median", 3, "ratio_median"),
    Column("ct_late", 3, "late"),
    Column("p95/median", 3, "p95_over_median"),
    Column("prompts", 0, "ratio.n"),
)
_LENGTHS = (
    Column("states", 0, "n_states"),
    Column("RAW", 3, "raw"),
    Column("CLIPPED_MAD", 3, "clipped_mad"),
    Column("isotropic", 3),
    Column("prompts", 0, "n_prompts"),
)
_STATES = (
    Column("state"),
    Column("share", 3),
    *interval("by_prompt", 3, "by prompt", "lower", "upper"),
    Column("steps", 0, "n_steps"),
    Column("runs", 0, "n_runs"),
    Column("dwell", 2),
)
_PROMPTS = (
    Column("prompt", path="prompt_id"),
    Column("category"),
    Column("n_states", 0),
    Column("ct_mean", 3, "raw.observed.mean"),
    Column("ct_ratio", 3, "raw.observed.ratio"),
    Column("ct_mean_mad", 3, "clipped_mad.observed.mean"),
    Column("ct_ratio_mad", 3, "clipped_mad.observed.ratio"),
    Column("ct_late", 3, "clipped_mad.observed.late"),
    Column("ct_p95_over_median", 3, "clipped_mad.observed.p95_over_median"),
    Column("null_shuffled", 3, "clipped_mad.shuffled_ratio"),
    Column("null_isotropic", 3, "isotropic_ratio"),
    Column("ct_ratio_scaled", 3, "scaled_ratio"),
    Column("reopened", 3, "reopened_share"),
)
_LABEL = Column("legacy label", path="legacy_label")
LATEST = 16
"""Steps after a run of collapse up to which the sentence looks."""
_SIDES = {"post": "after the final norm", "pre": "before the final norm"}


def document(result: ProbeResult[TrajectoryFinding]) -> Sequence[Block]:
    """Tables of one system, the reading first.

    Args:
        result: of the probe.

    Returns:
        Blocks in reading order.
    """
    return tuple(_blocks(result.finding))


def _blocks(found: TrajectoryFinding) -> Iterator[Block]:
    yield reading(found)
    yield _instability(found)
    if (size := size_in_words(found)) is not None:
        yield size
    yield scaling_in_words(found)
    yield table_of(
        "trajectory lengths",
        "Ratio by the number of states",
        _LENGTHS,
        found.lengths,
        ["Median over the outputs that are that long, of their first states."],
        is_detail=True,
    )
    if found.states:
        yield table_of(
            "trajectory states",
            "States of certainty",
            _STATES,
            found.states,
            [
                "collapse: entropy below 0.1 nat; else rivalry: the two largest probabilities less than 0.1 apart; "
                "else neutral. share: of all steps. by prompt, lower, upper: mean over prompts, 95 % half "
                "points. dwell: mean steps of a run."
            ],
        )
    if found.reopening is None:
        yield Note("reason", "States of certainty: entropies or margins are not known.")
    else:
        yield _reopening_table(found.reopening)
        yield reopening_in_words(found.reopening)
    labels = any(each.legacy_label for each in found.prompts)
    yield table_of(
        "trajectory prompts",
        "Every prompt",
        (*_PROMPTS, _LABEL) if labels else _PROMPTS,
        found.prompts,
        [
            "ct_mean, ct_ratio: RAW; with _mad, and ct_late, ct_p95_over_median, null_shuffled: CLIPPED_MAD. "
            "ct_ratio_scaled: RAW with the largest coordinate counted 50 times.",
            *(
                ["legacy label: a published name of the ratio, RAW; nothing here supports it."]
                if labels
                else []
            ),
        ],
        is_detail=True,
    )


def reading(found: TrajectoryFinding) -> Note:
    """What is read first.

    Args:
        found: of one system.

    Returns:
        How far the largest turn stands out, and whether order in time has a part in it.
    """
    row = next(each for each in found.instability if each.normalization == "CLIPPED_MAD")
    if math.isnan(row.ratio.estimate):
        reason = row.ratio.reason or "No output is long enough."
        return Note("finding", f"No ratio of largest to mean turn can be stated. {reason}")
    largest = (
        f"The largest turn of the final states is {in_print(row.ratio.estimate, 2)} times the mean one, over "
        f"{row.ratio.n} prompts"
    )
    return Note("finding", f"{largest}; {_beside_null(_null_of(found).excess)}.")


def _null_of(found: TrajectoryFinding) -> AgainstNull:
    return next(each for each in found.against_null if each.normalization == "CLIPPED_MAD")


def _beside_null(excess: Interval) -> str:
    if math.isnan(excess.lower):
        return "how much of it random order gives is not known"
    if excess.lower <= 0 <= excess.upper:
        return f"a difference from random order is not shown ({_span(excess.lower, excess.upper)})"
    if excess.lower > 0:
        return (
            f"{in_print(excess.estimate, 2)} more than in random order ({_span(excess.lower, excess.upper)})"
        )
    return (
        f"{in_print(-excess.estimate, 2)} less than in random order ({_span(-excess.upper, -excess.lower)})"
    )


def size_in_words(found: TrajectoryFinding) -> Note | None:
    """How large turns are beside random order.

    Args:
        found: of one system.

    Returns:
        A sentence; None where there is no number.
    """
    quotient = _null_of(found).quotient
    if math.isnan(quotient.lower):
        return None
    times, span = in_print(quotient.estimate, 2), _span(quotient.lower, quotient.upper)
    return Note("finding", f"Turns are {times} times as large as in random order ({span}).")


def _span(lower: float, upper: float) -> str:
    return f"95 % interval {in_print(lower, 2)} to {in_print(upper, 2)}"


def _instability(found: TrajectoryFinding) -> ResultTable:
    lengths = [each.n_states for each in found.prompts]
    span = f"{min(lengths)}" if min(lengths) == max(lengths) else f"{min(lengths)} to {max(lengths)}"
    return table_of(
        "trajectory",
        "Instability of the final states",
        _INSTABILITY,
        found.instability,
        [
            f"States {_SIDES[found.side]}, generated tokens, N = {span} for each output, {found.width} coordinates. "
            "ct: length of a step of directions times (1 - cosine to the step before). ct_ratio: largest over mean. "
            "lower, upper, from, to: 95 % bootstrap-t over prompts. median: of ct_ratio. ct_late: mean over prompts. "
            "p95/median: median.",
            f"CLIPPED_MAD: coordinates on their robust scale over the pool of {found.n_pool} states, cut off at 5; "
            f"{found.n_kept} of {found.width} vary. shuffled: the mean over {found.shuffles} random orders of "
            "the same states. isotropic: independent Gaussian states, as many and as wide.",
        ],
    )


def scaling_in_words(found: TrajectoryFinding) -> Note:
    """What RAW is worth.

    Args:
        found: of one system.

    Returns:
        A caution: what a rescaling of one coordinate does to the ratio, which no output would notice.
    """
    after = in_print(median([each.scaled_ratio for each in found.prompts]), 2)
    raw = next(each for each in found.instability if each.normalization == "RAW")
    return Note(
        "caution",
        f"RAW depends on the units of single coordinates: one of {found.width} holds {percent(found.largest_share)} of "
        f"the squared length, and counted 50 times it makes the median ratio {after} of "
        f"{in_print(raw.ratio_median, 2)}. CLIPPED_MAD stays as it is.",
    )


def _reopening_table(found: Reopening) -> ResultTable:
    numbers = columns(3, "observed", "shuffled", "lower", "upper")
    measures = (
        ("reopened of reopened and ended", found.share, found.share_null, found.n_reopened + found.n_ended),
        ("reopened of all runs", found.share_of_all, found.share_of_all_null, found.n_runs),
        *(
            (f"reopened within {each.steps} steps", each.share, each.null, found.n_runs)
            for each in found.within
        ),
        ("exit from collapse per step", found.exit_rate, found.exit_rate_null, found.n_runs),
    )
    rows = tuple((words, value, null.mean, null.lower, null.upper, n) for words, value, null, n in measures)
    return ResultTable(
        "trajectory reopening",
        "What follows collapse",
        (Column("measure"), *numbers, Column("runs", 0)),
        rows,
        f"A run of collapse reopens where rivalry follows before its output ends. {found.n_reopened} of {found.n_runs} "
        f"runs did, {found.n_ended} outputs ended first, {found.n_censored} were cut by the token limit. Within: "
        "every run counts for as long as it was seen (Aalen-Johansen). shuffled, lower, upper: mean and 95 % range "
        "over shuffles of the same states in time.",
    )


def reopening_in_words(found: Reopening) -> Note:
    """Whether more or fewer runs reopen than the state shares alone give.

    Args:
        found: of one system.

    Returns:
        A sentence.
    """
    if not found.within or math.isnan(found.within[0].null.mean):
        return Note("reason", "Reopening: no run of collapse was seen to its end.")
    # Behind it few runs are left, and the last of them decide.
    told = [each for each in found.within if each.steps <= LATEST][-1:] or [found.within[0]]
    share, null = told[0].share, told[0].null
    value, span = in_print(share, 3), f"{in_print(null.lower, 3)} to {in_print(null.upper, 3)}"
    returns = f"Rivalry returns within {told[0].steps} steps after {value} of the runs of collapse"
    if null.lower <= share <= null.upper:
        words = f"{returns}, within what the same states in random order give ({span})."
    else:
        more = "more" if share > null.upper else "fewer"
        words = f"{returns}, {more} than the same states in random order give ({span})."
    return Note("finding", f"{words}{_bounds(found.by_prompt)} {_lasting(found)}".rstrip())


def _lasting(found: Reopening) -> str:
    rate, null = found.exit_rate, found.exit_rate_null
    if math.isnan(rate) or math.isnan(null.mean) or null.lower <= rate <= null.upper:
        return ""
    longer, side = ("longer", "below") if rate < null.lower else ("shorter", "above")
    span = f"{in_print(null.lower, 3)} to {in_print(null.upper, 3)}"
    return f"Collapse lasts {longer} than in random order: its exit rate of {in_print(rate, 3)} is {side} {span}."


def _bounds(interval: Interval) -> str:
    if math.isnan(interval.lower):
        return ""
    return (
        f" Mean over {interval.n} prompts with a run that was seen to its end: {in_print(interval.estimate, 3)} (95 % "
        f"interval {in_print(interval.lower, 3)} to {in_print(interval.upper, 3)})."
    )
