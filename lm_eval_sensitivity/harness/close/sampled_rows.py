"""The words about sampled pairs: in lm_eval's table, and after a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from lm_eval_sensitivity.harness.close.run_log import RunLog
from lm_eval_sensitivity.harness.close.table_rows import SEVERAL_PROCESSES, kind_of, scored_in_words
from lm_eval_sensitivity.harness.measure.sampled_pair import SAMPLED_METRICS
from lm_eval_sensitivity.report.wording.summary_cautions import (
    NO_STABILITY,
    silence_in_words,
    unreadable_in_words,
)
from lm_eval_sensitivity.statements.responsiveness import CONTROL
from lm_eval_sensitivity.statements.selection import NOISE_RUNG
from lm_eval_sensitivity.stats import holm
from lm_eval_sensitivity.stats.alive import LIFELESS
from lm_eval_sensitivity.stats.multiplicity import ALPHA

LEAST_PAIRS = 5
"""Pairs of the positive control that are enough to say that a system does not respond."""
CHANCE_SHARE = 0.1
"""Share of these pairs that may separate where a system does not respond."""


@dataclass(frozen=True)
class SampledNote:
    """One measured pair under one filter, as far as the words need it."""

    rung: str
    filter_name: str
    test: Mapping[str, Any]
    """`p_value`, None where it was not tested, and `attainable_p`."""
    missing: str | None
    """Kind of the reason why there is no p-value, as in `erased`."""


SAMPLED_RUN: RunLog[SampledNote] = RunLog()
"""The sampling tasks of the run that is going on."""


def sampled_pairs_in_words(records: Sequence[Mapping[str, Any]]) -> str:
    """How many pairs the means stand for, and what became of the others.

    Args:
        records: of the pairs, as `sampled_pair_record` and the scores fill them.

    Returns:
        Counts joined by commas.

    Example:
        >>> erased = {"missing": {"excess_distance": "erased: the edit does not reach the token ids"}, "scores": {}}
        >>> sampled_pairs_in_words([erased])
        '0 of 1 pairs scored, 1 of 1 pairs erased'
    """
    n = len(records)
    if records and not any("scores" in record for record in records):
        return f"{n} pairs sampled, not measured"
    words = scored_in_words([kind_of(record["missing"].get(SAMPLED_METRICS[-1])) for record in records])
    sides = [record[side] for record in records if not record["missing"] for side in ("base", "variant")]
    if left_out := sum(len(side["unscored"]) for side in sides):
        words.append(
            f"{left_out} of {sum(side['n_samples'] for side in sides)} samples of scored pairs left out"
        )
    return ", ".join(words)


@dataclass(frozen=True)
class Separation:
    """How many pairs of a rung have outputs that separate."""

    n_pairs: int
    """Pairs with a p-value: the family."""
    n_separate: int
    """Those whose p-value, adjusted by Holm, is at most alpha."""
    n_unadjusted: int
    """Those whose p-value is at most alpha by itself: of pairs that do not differ, a share of alpha at most."""
    attainable_p: float
    """The smallest p that any of them could have had; 1 where there are none."""
    short_of: Literal["draws", "samples"]
    """Of what more would make that p smaller: draws, unless all permutations were tried."""

    @property
    def hopeless(self) -> bool:
        """Whether no pair could have separated, whatever its outputs."""
        return self.n_pairs > 0 and self.attainable_p * self.n_pairs > ALPHA

    @property
    def by_chance(self) -> bool:
        """Whether so few pairs separate that chance alone may have moved them: at most one in ten.

        Not none at all: with Holm's correction some pair separates by chance in 5 % of runs, and a collapsed system
        may be alive on a prompt. Of use for `LEAST_PAIRS` or more that could have separated: a system that responds
        in half of its pairs is called lifeless in 1 of 32 runs with five pairs, and in 1 of 10,000 with 18.
        """
        return self.n_separate <= CHANCE_SHARE * self.n_pairs


def separation(tests: Sequence[Mapping[str, Any]]) -> Separation:
    """Count the pairs that separate, with family-wise error control over the pairs of a rung.

    Args:
        tests: [pair] records with `p_value` and `attainable_p`; a p of None does not count.

    Returns:
        How many pairs separate at `ALPHA` after Holm, and the smallest p that any could have had.

    Example:
        >>> tests = [{"p_value": p, "attainable_p": 1e-4} for p in (1e-4, 0.04, 0.2)]
        >>> separation([*tests, {"p_value": None}])
        Separation(n_pairs=3, n_separate=1, n_unadjusted=2, attainable_p=0.0001, short_of='samples')
    """
    tested = [test for test in tests if test["p_value"] is not None]
    adjusted = holm([test["p_value"] for test in tested])
    return Separation(
        n_pairs=len(tested),
        n_separate=int(np.count_nonzero(adjusted <= ALPHA)),
        n_unadjusted=sum(test["p_value"] <= ALPHA for test in tested),
        attainable_p=min((test["attainable_p"] for test in tested), default=1.0),
        short_of="draws" if any(test.get("method") == "draws" for test in tested) else "samples",
    )


def separated_in_words(tests: Sequence[Mapping[str, Any]]) -> str:
    """How many pairs separate, or why that could not be seen.

    Args:
        tests: as for `separation`.

    Returns:
        A clause for a table cell.

    Example:
        >>> separated_in_words([{"p_value": 1e-4, "attainable_p": 1e-4}])
        '1 of 1 pairs separate (permutation test, Holm over the pairs of this rung at 0.05)'
        >>> separated_in_words([{"p_value": 0.1, "attainable_p": 0.1}])
        'cannot be said: the smallest p of a pair is 0.1, and 1 pairs need 0.05 (Holm at 0.05); take more samples'
    """
    found = separation(tests)
    if not found.n_pairs:
        return "no pair was tested"
    if found.hopeless:
        return (
            f"cannot be said: the smallest p of a pair is {found.attainable_p:.2g}, and {found.n_pairs} pairs need "
            f"{ALPHA / found.n_pairs:.2g} (Holm at {ALPHA:g}); take more {found.short_of}"
        )
    return (
        f"{found.n_separate} of {found.n_pairs} pairs separate (permutation test, Holm over the pairs of this rung at "
        f"{ALPHA:g})"
    )


def response_in_words(notes: Sequence[SampledNote] | None, filter_name: str) -> str:
    """Whether another request moves the samples: the row `verdict`.

    Args:
        notes: of the whole run; None where a process knows only its part of it.
        filter_name: of the row.

    Returns:
        How many pairs of the positive control separate, or why that was not judged.
    """
    if notes is None:
        return SEVERAL_PROCESSES
    control = [note for note in notes if (note.rung, note.filter_name) == (CONTROL, filter_name)]
    if not control:
        return "not judged: no positive control in this run"
    found = separation([note.test for note in control])
    if found.n_pairs < LEAST_PAIRS:
        return f"not judged: {found.n_pairs} pairs of the positive control tested"
    if found.hopeless:
        return f"not judged: too few {found.short_of} for {found.n_pairs} pairs"
    if found.by_chance:
        return _BY_CHANCE
    return f"{found.n_separate} of {found.n_pairs} pairs of the positive control separate"


_BY_CHANCE = f"another request moves the sampled answers no further than chance: {LIFELESS}"


def sampled_closing_words(notes: Sequence[SampledNote]) -> list[str]:
    """Sentences on all rungs of a run under the filter `answer`; none where nothing was measured.

    Args:
        notes: of the whole run.

    Returns:
        [sentence] in reading order.

    Example:
        >>> test = {"p_value": 1e-4, "attainable_p": 1e-4}
        >>> for sentence in sampled_closing_words([SampledNote("synonym", "answer", test, None)]):
        ...     print(sentence)
        Sampled outputs: 1 of 1 pairs scored.
        Sampled answers separate in 1 of 1 pairs of synonym (Holm per rung at 0.05).
    """
    answers = [note for note in notes if note.filter_name == "answer"]
    if not answers:
        return []
    kinds = Counter(note.missing for note in answers if note.missing is not None)
    unreadable = unreadable_in_words(kinds, len(answers), "sampled pairs")
    return [
        _coverage(answers),
        *unreadable,
        *_separated(answers),
        *_response(answers),
        *silence_in_words(kinds, len(answers), "of the sampled pairs that reached it"),
    ]


def _coverage(notes: Sequence[SampledNote]) -> str:
    scored, *lost = scored_in_words([note.missing for note in notes])
    return f"Sampled outputs: {scored}; {', '.join(lost)}." if lost else f"Sampled outputs: {scored}."


def _separated(notes: Sequence[SampledNote]) -> Iterator[str]:
    by_rung: dict[str, list[Mapping[str, Any]]] = {}
    for note in notes:
        by_rung.setdefault(note.rung, []).append(note.test)
    rungs = {rung: found for rung, tests in by_rung.items() if (found := separation(tests)).n_pairs}
    if not rungs:
        return
    if all(found.hopeless for found in rungs.values()):
        least = min(rungs.values(), key=lambda found: found.attainable_p)
        option = {"draws": "draws", "samples": "n_samples"}[least.short_of]
        yield (
            f"No sampled pair could separate: the smallest p of a pair is {least.attainable_p:.2g}, too large for so "
            f"many pairs. Take more {least.short_of} (--metadata {option})."
        )
        return
    edited = [
        f"{found.n_separate} of {found.n_pairs} pairs of {rung}"
        for rung, found in rungs.items()
        if rung != NOISE_RUNG
    ]
    words = (
        [f"Sampled answers separate in {', '.join(edited)} (Holm per rung at {ALPHA:g})"] if edited else []
    )
    if NOISE_RUNG in rungs:
        noise = rungs[NOISE_RUNG]
        words.append(
            f"of {noise.n_pairs} pairs of identical prompts {noise.n_separate} do, and {noise.n_unadjusted} have an "
            f"unadjusted p of at most {ALPHA:g}, where chance gives about {ALPHA * noise.n_pairs:.2g}"
        )
    yield _as_sentence("; ".join(words))


def _response(notes: Sequence[SampledNote]) -> Iterator[str]:
    if response_in_words(notes, "answer") == _BY_CHANCE:
        yield f"{_as_sentence(_BY_CHANCE)} {NO_STABILITY}"


def _as_sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."
