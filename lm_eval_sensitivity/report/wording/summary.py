"""The last screen of a run, and the head of its report: the answer first, then what could fake it."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from lm_eval_sensitivity.embedder import MULTILINGUAL_MODEL
from lm_eval_sensitivity.embedder.text_distances import UNREADABLE
from lm_eval_sensitivity.records.run_metadata import LadderIdentity
from lm_eval_sensitivity.report.wording import FLAGS_IN_WORDS
from lm_eval_sensitivity.report.wording.drift import beside_in_words
from lm_eval_sensitivity.report.wording.unreadable import unreadable_sentence
from lm_eval_sensitivity.runs.names import precision
from lm_eval_sensitivity.statements.noise import may_be_noise, noise_sentence, repetitions_in_words
from lm_eval_sensitivity.statements.records import SystemMean
from lm_eval_sensitivity.statements.responsiveness import no_further_in_words
from lm_eval_sensitivity.statements.summary import SummaryStatement
from lm_eval_sensitivity.statements.windows import window_in_words
from lm_eval_sensitivity.stats import Constants, ReducedVerdict, Verdict
from lm_eval_sensitivity.stats.alive import LIFELESS, too_silent
from lm_eval_sensitivity.text.escape import inert
from lm_eval_sensitivity.text.format import in_print, percent
from lm_eval_sensitivity.types import ON_THE_WAY

MOST_LINES = 15
"""Of a summary: it must fit below a table, on a small terminal."""
DIGITS = 3
MANY = 0.1
"""Share of outputs, or of pairs, from which something is worth a sentence of its own."""
NO_STABILITY = "A low distance is no stability here."


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


class Measured(Protocol):
    """What a line says of the system, as `runs.System` has it."""

    @property
    def name(self) -> str:
        """Display name."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """What its fingerprint is made of."""

    @property
    def notes(self) -> Mapping[str, Any]:
        """What outputs do not depend on."""

    @property
    def ladder(self) -> LadderIdentity:
        """That it was asked."""

    @property
    def decoding(self) -> Mapping[str, Any]:
        """As it was used."""


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
            f"{_interval(axes.preserving)}; 0 is no change",
        ),
        Number("The same prompt again moves it by", axes.identical, repeated),
        Number("Another request moves it by", axes.control, _interval(axes.control)),
    )


def _interval(mean: SystemMean) -> str:
    found = mean.mean
    if math.isnan(found.lower):
        return found.reason or "no interval"
    return f"{percent(found.level)}: {in_print(found.lower, DIGITS)} to {in_print(found.upper, DIGITS)}"


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


def cautions(found: SummaryStatement, measured: Measured) -> Iterator[str]:
    """What could make the numbers say something else than the system's sensitivity, the gravest first.

    Args:
        found: of one system.
        measured: that system.

    Returns:
        One sentence or two each.
    """
    yield from _collapse(found)
    coverage = found.coverage
    kinds = dict(coverage.missing)
    yield from silence_in_words(kinds, coverage.n_pairs, "of the pairs that reached it")
    if coverage.erased:
        edits = ", ".join(f"{inert(edit)} {n} of {given}" for edit, n, given in coverage.erased)
        yield f"Erased edits never reached the model and say nothing about it: {edits}."
    yield from unreadable_in_words(kinds, coverage.n_pairs, "pairs")
    yield from _flags(found)
    yield from _scaffold(found)
    if may_be_noise(found.noise):
        yield f"{noise_sentence(found.noise, 'What harmless edits move')}."
    for note in found.cautions:
        yield note.text
    prompt = measured.identity.get("prompt")
    applied = prompt.get("chat_template_applied") if isinstance(prompt, Mapping) else None
    if measured.notes.get("chat_template_available") and applied is False:
        yield "The tokenizer's chat template was not used: users of this model see other outputs."
    if coverage.n_parted >= MANY * coverage.n_pairs and coverage.n_parted:
        yield (
            f"{coverage.n_parted} of {coverage.n_agreeing} pairs whose prompts end in the same distribution part "
            "later: metrics of the prompt end do not see this."
        )


def _collapse(found: SummaryStatement) -> Iterator[str]:
    judged = found.judged
    if isinstance(judged, ReducedVerdict) and judged.label == LIFELESS:
        yield f"{no_further_in_words(judged, 'the answers')}. {NO_STABILITY}"
    if isinstance(judged, Verdict) and judged.label == "COLLAPSED":
        yield NO_STABILITY


def silence_in_words(kinds: Mapping[str, int], n_pairs: int, of: str) -> Iterator[str]:
    """A sentence where too many pairs gave nothing; a silent system has no distances, and nothing else speaks of it.

    An answer that the embedder cannot read is no silence; nor is what became of a prompt on its way.

    Args:
        kinds: kind of reason -> pairs without a distance for it.
        n_pairs: all of them.
        of: which pairs those are that were not erased.

    Returns:
        One sentence above `Constants.k_control`, else none.

    Example:
        >>> list(silence_in_words({"empty": 1, "erased": 1}, 6, "of the pairs"))
        []
        >>> list(silence_in_words({"cut": 1, "lost": 1, "template not constant": 1}, 4, "of the pairs"))
        []
        >>> [words[:52] for words in silence_in_words({"empty": 1, "erased": 1}, 3, "of the pairs")]
        ['It gave nothing that could be scored in 50 % of the ']
    """
    elsewhere = ("erased", UNREADABLE, *ON_THE_WAY)
    reached = n_pairs - sum(kinds.get(kind, 0) for kind in elsewhere)
    silent = sum(count for kind, count in kinds.items() if kind not in elsewhere)
    if reached and silent / reached > Constants().k_control:
        yield too_silent(silent / reached, Constants(), of)


def unreadable_in_words(kinds: Mapping[str, int], n_pairs: int, of: str) -> Iterator[str]:
    """What to say where the embedder could not read outputs, with the way out.

    Args:
        kinds: kind of reason -> pairs without a distance for it.
        n_pairs: all of them.
        of: what the pairs are.

    Returns:
        One sentence or two; none where it could read all.

    Example:
        >>> list(unreadable_in_words({"erased": 1}, 2, "pairs"))
        []
    """
    if count := kinds.get(UNREADABLE):
        option = f"""--metadata '{{"embedder": "{MULTILINGUAL_MODEL}"}}'"""
        yield unreadable_sentence(count, n_pairs, of, option)


def _flags(found: SummaryStatement) -> Iterator[str]:
    n = found.coverage.n_pairs
    for flag, count in found.coverage.flags:
        if count and count >= MANY * n:
            yield f"{count} of {n} outputs to an edited prompt {FLAGS_IN_WORDS[flag]}."


def _scaffold(found: SummaryStatement) -> Iterator[str]:
    coverage = found.coverage
    if coverage.dominated:
        windows = ", ".join(map(window_in_words, coverage.dominated))
        yield f"Reasoning, not answer, fills most of these windows under the filter raw: {windows}."
    if coverage.n_preambles:
        yield (
            f"{coverage.n_preambles} of {coverage.n_pairs} outputs open with a preamble that unrelated prompts share; "
            "the filter answer leaves it out."
        )
