"""The last screen of a run, and the head of its report: the answer first, then what could fake it."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lm_eval_sensitivity.report.wording.drift import beside_in_words
from lm_eval_sensitivity.report.wording.summary_cautions import Measured, cautions
from lm_eval_sensitivity.runs.names import precision
from lm_eval_sensitivity.statements.noise import repetitions_in_words
from lm_eval_sensitivity.statements.records import SystemMean
from lm_eval_sensitivity.statements.summary import SummaryStatement
from lm_eval_sensitivity.stats import ReducedVerdict, Verdict
from lm_eval_sensitivity.stats.rules import UNDETERMINED
from lm_eval_sensitivity.text.escape import inert
from lm_eval_sensitivity.text.format import in_print, percent
from lm_eval_sensitivity.types import MEANING_PRESERVING_RUNGS

MOST_LINES = 15
"""Of a summary: it must fit below a table, on a small terminal."""
WIDEST = 110
"""Of its lines; a file and a pipe have it."""
DIGITS = 3


@dataclass(frozen=True)
class Number:
    """One of the numbers that make sense of each other."""

    words: str
    """What moves an answer."""
    mean: SystemMean
    note: str
    """What to read it with, or why it is missing."""

    @property
    def in_print(self) -> str:
        """The number, or a dash."""
        return in_print(self.mean.mean.estimate, DIGITS)


def lines(
    found: SummaryStatement, measured: Measured, following: Sequence[str], width: int, *, whole: bool = False
) -> list[str]:
    """A summary for a terminal.

    Args:
        found: of one system.
        measured: that system.
        following: last lines: where the files are, and what to do next.
        width: of the terminal, in characters.
        whole: show every caution, however many lines that takes.

    Returns:
        At most `MOST_LINES` on a terminal of `WIDEST` characters, more on a narrower one; cautions that have no room
        are counted.
    """
    three = numbers(found)
    widest = max(len(each.words) for each in three)
    head = [f"  {each.words:<{widest}}  {each.in_print:>6}  {each.note}" for each in three]
    said = [verdict_line(found), drift_line(found), rungs_line(found), worst_line(found), trust_line(found)]
    against, last = [f"Caution: {each}" for each in cautions(found, measured)], detectable_line(found)
    if not whole:
        fixed = len(wrapped([*said, last], WIDEST)) + 1 + len(head) + len(following)
        against = _fitting(against, MOST_LINES - fixed)
    body = wrapped([*said, *against, last], width)
    first = textwrap.wrap(title(measured), width, subsequent_indent="  ")
    return [*first, *head, *body, *(f"  {each}" for each in following)]


def _fitting(said: Sequence[str], room: int) -> list[str]:
    """The first sentences that have room, and how many have none."""
    for n in range(len(said), -1, -1):
        left = len(said) - n
        more = (
            [f"And {left} more caution{'s' if left > 1 else ''}: `lm-eval-sensitivity show RUN`."]
            if left
            else []
        )
        if len(wrapped([*said[:n], *more], WIDEST)) <= room:
            return [*said[:n], *more]
    return []


def wrapped(said: Iterable[str], width: int) -> list[str]:
    """Sentences below a title, as lines of a terminal."""
    options: dict[str, Any] = {"initial_indent": "  ", "subsequent_indent": "    ", "break_long_words": False}
    return [
        line
        for each in said
        if each
        for line in textwrap.wrap(each, width, break_on_hyphens=False, **options)
    ]


def title(measured: Measured) -> str:
    """What was measured, in one line."""
    temperature = measured.decoding.get("temperature")
    sampled = f"sampled at temperature {temperature:g}" if temperature else "greedy"
    how = [precision(measured.identity), sampled, f"at most {measured.decoding['max_gen_toks']} tokens"]
    return (
        f"Prompt sensitivity of {measured.name} ({', '.join(filter(None, how))}), ladder "
        f"{inert(measured.ladder.subset)} {inert(measured.ladder.version)}"
    )


def numbers(found: SummaryStatement) -> tuple[Number, ...]:
    """Harmless edits, the noise floor and another request, with what to read each with.

    Returns:
        Three numbers; one that was not measured is a dash with its reason.
    """
    axes = found.axes
    repeated = "identical rung not run"
    if found.repetitions is not None:
        floor = axes.identical.mean
        repeated = f"noise floor: {floor.n} prompts, {repetitions_in_words(found.repetitions)} each"
        if math.isnan(floor.estimate):
            repeated = floor.reason or repeated
    return (
        Number(
            "Harmless edits move an answer by",
            axes.preserving,
            _interval(axes.preserving, "no harmless rung run", f"; 0 is no change{_lacking(found)}"),
        ),
        Number("The same prompt again moves it by", axes.identical, repeated),
        Number(
            "Another request moves it by", axes.control, _interval(axes.control, "positive control not run")
        ),
    )


def _lacking(found: SummaryStatement) -> str:
    """Harmless rungs that the mean is without."""
    ran = {rung for rung, mean in found.rungs if mean.counts.n_pairs}
    lacking = [rung for rung in MEANING_PRESERVING_RUNGS if rung not in ran]
    return f"; without {', '.join(lacking)}" if lacking else ""


def _interval(mean: SystemMean, not_run: str, more: str = "") -> str:
    found, counts = mean.mean, mean.counts
    if not counts.n_pairs + counts.n_erased + counts.n_unscored:
        return not_run
    if math.isnan(found.lower):
        return found.reason or "no interval"
    bounds = f"{in_print(found.lower, DIGITS)} to {in_print(found.upper, DIGITS)}"
    return f"{percent(found.level)}: {bounds}{more}"


def verdict_line(found: SummaryStatement) -> str:
    """Whether the system answers what it is asked, and how harmless edits stand to that; one sentence or two."""
    judged = found.judged
    if judged is None:
        return f"Verdict: none, {found.reason}."
    words = beside_in_words(judged) if isinstance(judged, Verdict) else f"{judged.label}."
    if isinstance(judged, ReducedVerdict) and judged.label == UNDETERMINED and judged.reasons:
        words = f"{judged.label}: {judged.reasons[0]}"
    elif isinstance(judged, ReducedVerdict):
        words = f"{judged.label} ({found.reason})." if found.reason else words
        share = judged.harmless_over_control
        if math.isfinite(share):
            words += f" Harmless edits move it {percent(round(share, 2))} as far as another request does."
    return f"Verdict: {words}"


def drift_line(found: SummaryStatement) -> str:
    """How far the answers are from the reference's; empty without one."""
    drift, (changed, n) = found.axes.drift, found.axes.answers
    if drift is None or math.isnan(drift.mean.estimate):
        return ""
    # Here too: its caution may have no room.
    other = ", another model" if found.another_model else ""
    return (
        f"Drift from the reference{other}: {in_print(drift.mean.estimate, DIGITS)} over {drift.counts.n_pairs} texts, "
        f"{changed} of {n} answers differ."
    )


def rungs_line(found: SummaryStatement) -> str:
    """One number per edited rung; empty where none has one."""
    if all(math.isnan(mean.mean.estimate) for _, mean in found.rungs):
        return ""
    each = ", ".join(f"{rung} {_mean_or_why(mean)}" for rung, mean in found.rungs)
    return f"By rung: {each}."


def _mean_or_why(mean: SystemMean) -> str:
    number = in_print(mean.mean.estimate, DIGITS)
    return f"{number} ({mean.mean.n} prompts)" if math.isnan(mean.mean.estimate) else number


def worst_line(found: SummaryStatement) -> str:
    """What moves an answer furthest, by name; empty where nothing was scored."""
    edit, pair = found.worst_edit, found.worst_pair
    said = []
    if edit is not None:
        said.append(
            f"Worst edit: {inert(edit.name)} {in_print(edit.distance, DIGITS)} ({edit.n_prompts} prompts)."
        )
    if pair is not None:
        said.append(f"Worst pair: {inert(pair.name)} {in_print(pair.distance, DIGITS)}.")
    return " ".join(said)


def trust_line(found: SummaryStatement) -> str:
    """How much was scored, and the counts of what could fake it, also where they are 0."""
    coverage, flags = found.coverage, dict(found.coverage.flags)
    kinds = dict(coverage.missing)
    erased = kinds.pop("erased", 0)
    counts = [f"{coverage.n_scored} of {coverage.n_pairs} pairs of {coverage.n_prompts} prompts scored"]
    counts.append(f"{erased} erased" if coverage.knows_erased or erased else "erased not known")
    counts += [f"{count} {kind.replace('_', ' ')}" for kind, count in kinds.items()]
    counts.append(
        f"{flags['cut']} cut at the limit" if coverage.knows_cut or flags["cut"] else "cuts not known"
    )
    counts.append(f"{flags['loop']} loops")
    windows = "no scaffold dominates" if coverage.knows_windows else "scaffold not known"
    counts.append("scaffold dominates" if coverage.dominated else windows)
    return f"Trust: {', '.join(counts)}."


def detectable_line(found: SummaryStatement) -> str:
    """What difference another system would need; empty where the prompts have no spread."""
    n = found.axes.preserving.mean.n
    if found.detectable == 0 or not n:
        return ""
    if math.isnan(found.detectable):
        return f"Two systems like this one cannot be told apart with {n} prompts."
    return (
        f"Two systems like this one are told apart from a difference of about {in_print(found.detectable, 2)} "
        f"({n} prompts, power 80 %)."
    )
