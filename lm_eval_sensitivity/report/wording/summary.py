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
from lm_eval_sensitivity.text.escape import inert
from lm_eval_sensitivity.text.format import in_print, percent

MOST_LINES = 15
"""Of a summary: it must fit below a table, on a small terminal."""
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


def lines(found: SummaryStatement, measured: Measured, following: Sequence[str], width: int) -> list[str]:
    """A summary for a terminal.

    Args:
        found: of one system.
        measured: that system.
        following: last lines: where the files are, and what to do next.
        width: of the terminal, in characters.

    Returns:
        At most `MOST_LINES`; cautions that have no room are counted.
    """
    three = numbers(found)
    widest = max(len(each.words) for each in three)
    head = [title(measured)]
    head += [f"  {each.words:<{widest}}  {each.in_print:>6}  {each.note}" for each in three]
    said = [verdict_line(found), drift_line(found), rungs_line(found), worst_line(found), trust_line(found)]
    body = wrapped(said, width)
    close = [*wrapped([detectable_line(found)], width), *(f"  {each}" for each in following)]
    room = MOST_LINES - len(head) - len(body) - len(close)
    return [
        *head,
        *body,
        *_fitting([f"Caution: {each}" for each in cautions(found, measured)], room, width),
        *close,
    ]


def _fitting(said: Sequence[str], room: int, width: int) -> list[str]:
    """The first sentences that have room, and how many have none."""
    shown: list[str] = []
    for index, each in enumerate(said):
        added = wrapped([each], width)
        last = index == len(said) - 1
        if len(shown) + len(added) > (room if last else room - 1):
            return [*shown, f"  And {len(said) - index} more: `lm-eval-sensitivity show RUN`."][
                : max(room, 1)
            ]
        shown += added
    return shown


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
    return (
        Number(
            "Harmless edits move an answer by",
            axes.preserving,
            _interval(axes.preserving, "no harmless rung run", "; 0 is no change"),
        ),
        Number("The same prompt again moves it by", axes.identical, repeated),
        Number(
            "Another request moves it by", axes.control, _interval(axes.control, "positive control not run")
        ),
    )


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
    if isinstance(judged, ReducedVerdict):
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
    return (
        f"Drift from the reference: {in_print(drift.mean.estimate, DIGITS)} over {drift.counts.n_pairs} texts, "
        f"{changed} of {n} answers differ."
    )


def rungs_line(found: SummaryStatement) -> str:
    """One number per edited rung."""
    each = ", ".join(f"{rung} {in_print(mean.mean.estimate, DIGITS)}" for rung, mean in found.rungs)
    return f"By rung: {each}."


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
    counts.append(f"{erased} erased")
    counts += [f"{count} {kind.replace('_', ' ')}" for kind, count in kinds.items()]
    counts.append(f"{flags['cut']} cut at the token limit")
    counts.append(f"{flags['loop']} loops")
    counts.append("scaffold dominates" if coverage.dominated else "no scaffold")
    return f"Trust: {', '.join(counts)}."


def detectable_line(found: SummaryStatement) -> str:
    """What difference another system would need; empty where the prompts have no spread."""
    n = found.axes.preserving.mean.n
    if found.detectable == 0:
        return ""
    if math.isnan(found.detectable):
        return f"Two systems like this one cannot be told apart with {n} prompts."
    return (
        f"Two systems like this one are told apart from a difference of about {in_print(found.detectable, 2)} "
        f"({n} prompts, power 80 %)."
    )
