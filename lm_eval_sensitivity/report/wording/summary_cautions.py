"""What could fake the numbers of one system, in sentences: the gravest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from lm_eval_sensitivity.embedder import MULTILINGUAL_MODEL
from lm_eval_sensitivity.embedder.text_distances import UNREADABLE
from lm_eval_sensitivity.records.run_metadata import LadderIdentity
from lm_eval_sensitivity.report.wording import FLAGS_IN_WORDS
from lm_eval_sensitivity.report.wording.unreadable import unreadable_sentence
from lm_eval_sensitivity.statements.noise import may_be_noise, noise_sentence
from lm_eval_sensitivity.statements.responsiveness import no_further_in_words
from lm_eval_sensitivity.statements.summary import SummaryStatement
from lm_eval_sensitivity.statements.windows import window_in_words
from lm_eval_sensitivity.stats import Constants, ReducedVerdict, Verdict
from lm_eval_sensitivity.stats.alive import LIFELESS, too_silent
from lm_eval_sensitivity.text.escape import inert
from lm_eval_sensitivity.types import ON_THE_WAY

MANY = 0.1
"""Share of outputs, or of pairs, from which something is worth a sentence of its own."""
NO_STABILITY = "A low distance is no stability here."


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
    def n_expected(self) -> int:
        """Pairs that its ladder has on the rungs that were run."""

    @property
    def decoding(self) -> Mapping[str, Any]:
        """As it was used."""


def cautions(found: SummaryStatement, measured: Measured) -> Iterator[str]:
    """What could make the numbers say something else than the system's sensitivity, the gravest first.

    Args:
        found: of one system.
        measured: that system.

    Returns:
        One sentence or two each.
    """
    yield from _collapse(found)
    for note in found.another_model:
        yield note.text
    coverage = found.coverage
    if coverage.n_pairs < measured.n_expected:
        yield f"The run is partial: {coverage.n_pairs} of the {measured.n_expected} pairs of its rungs."
    kinds = dict(coverage.missing)
    yield from _flags(found)
    yield from _scaffold(found)
    yield from silence_in_words(kinds, coverage.n_pairs, "of the pairs that reached it")
    if coverage.erased:
        edits = ", ".join(f"{inert(edit)} {n} of {given}" for edit, n, given in coverage.erased)
        yield f"Erased edits never reached the model and say nothing about it: {edits}."
    yield from unreadable_in_words(kinds, coverage.n_pairs, "pairs")
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
            yield f"{count} of {n} outputs {FLAGS_IN_WORDS[flag]}."


def _scaffold(found: SummaryStatement) -> Iterator[str]:
    coverage = found.coverage
    if coverage.dominated:
        windows = ", ".join(map(window_in_words, coverage.dominated))
        yield f"Reasoning, not answer, fills most of these windows under the filter raw: {windows}."
    if coverage.n_preambles:
        yield (
            f"{coverage.n_preambles} of {coverage.n_pairs} outputs open with a preamble that unrelated prompts share, "
            "which answers leave out."
        )
