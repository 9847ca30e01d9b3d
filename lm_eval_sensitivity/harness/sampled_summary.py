"""The words about sampled pairs: in lm_eval's table, and after a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lm_eval_sensitivity.harness.notes import kind_of
from lm_eval_sensitivity.harness.sampled_pair import SAMPLED_METRICS
from lm_eval_sensitivity.harness.summary import lost_pairs
from lm_eval_sensitivity.stats import holm
from lm_eval_sensitivity.stats.multiplicity import ALPHA


def sampled_pairs_in_words(records: Sequence[Mapping[str, Any]]) -> str:
    """How many pairs the means stand for, and what became of the others.

    Example:
        >>> erased = {"missing": {"excess_distance": "erased: the edit does not reach the token ids"}, "scores": {}}
        >>> sampled_pairs_in_words([erased])
        '0 of 1 pairs scored, 1 of 1 pairs erased'
    """
    n = len(records)
    if records and not any("scores" in record for record in records):
        return f"{n} pairs sampled, not measured"
    reasons = (record["missing"].get(SAMPLED_METRICS[-1]) for record in records)
    kinds = Counter(kind_of(reason) for reason in reasons if reason is not None)
    words = [f"{n - kinds.total()} of {n} pairs scored", *lost_pairs(kinds, n)]
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

    @property
    def hopeless(self) -> bool:
        """Whether no pair could have separated, whatever its outputs."""
        return self.n_pairs > 0 and self.attainable_p * self.n_pairs > ALPHA


def separation(tests: Sequence[Mapping[str, Any]]) -> Separation:
    """Count the pairs that separate, with family-wise error control over the pairs of a rung.

    Args:
        tests: [pair] records with `p_value` and `attainable_p`; a p of None does not count.

    Example:
        >>> tests = [{"p_value": p, "attainable_p": 1e-4} for p in (1e-4, 0.04, 0.2)]
        >>> separation([*tests, {"p_value": None}])
        Separation(n_pairs=3, n_separate=1, n_unadjusted=2, attainable_p=0.0001)
    """
    tested = [test for test in tests if test["p_value"] is not None]
    adjusted = holm([test["p_value"] for test in tested]).p_adjusted
    return Separation(
        n_pairs=len(tested),
        n_separate=int(np.count_nonzero(adjusted <= ALPHA)),
        n_unadjusted=sum(test["p_value"] <= ALPHA for test in tested),
        attainable_p=min((test["attainable_p"] for test in tested), default=1.0),
    )


def separated_in_words(tests: Sequence[Mapping[str, Any]]) -> str:
    """How many pairs separate, or why that could not be seen.

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
            f"{ALPHA / found.n_pairs:.2g} (Holm at {ALPHA:g}); take more samples"
        )
    return (
        f"{found.n_separate} of {found.n_pairs} pairs separate (permutation test, Holm over the pairs of this rung at "
        f"{ALPHA:g})"
    )


def sampled_closing_words(rungs: Sequence[tuple[str, Separation]]) -> list[str]:
    """One sentence on all rungs of a run; none where nothing was measured.

    Args:
        rungs: (rung, its pairs under the filter `answer`).

    Example:
        >>> found = [("identical", Separation(9, 0, 1, 1e-4)), ("synonym", Separation(18, 4, 5, 1e-4))]
        >>> sampled_closing_words(found)[0][:78]
        'Sampled answers separate in 4 of 18 pairs of synonym (Holm per rung at 0.05); '
    """
    rungs = [(rung, found) for rung, found in rungs if found.n_pairs]
    if not rungs:
        return []
    if all(found.hopeless for _, found in rungs):
        least = min(found.attainable_p for _, found in rungs)
        return [
            f"No sampled pair could separate: the smallest p of a pair is {least:.2g}, too large for so many pairs. "
            "Take more samples (--metadata n_samples)."
        ]
    edited = [
        f"{found.n_separate} of {found.n_pairs} pairs of {rung}"
        for rung, found in rungs
        if rung != "identical"
    ]
    words = (
        [f"Sampled answers separate in {', '.join(edited)} (Holm per rung at {ALPHA:g})"] if edited else []
    )
    words += [
        f"of {found.n_pairs} pairs of identical prompts {found.n_separate} do, and {found.n_unadjusted} have an "
        f"unadjusted p of at most {ALPHA:g}, where chance gives about {ALPHA * found.n_pairs:.2g}"
        for rung, found in rungs
        if rung == "identical"
    ]
    sentence = "; ".join(words)
    return [f"{sentence[0].upper()}{sentence[1:]}."]
