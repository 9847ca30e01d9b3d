"""Measure one sampled pair under one filter: two clouds of outputs, and for what is missing the reason."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from lm_eval_sensitivity.embedder import TextDistances
from lm_eval_sensitivity.embedder.text_distances import UNREADABLE
from lm_eval_sensitivity.harness.generate.generation import FilteredText
from lm_eval_sensitivity.harness.measure.pair import ERASED
from lm_eval_sensitivity.stats import TWO_SAMPLE_DRAWS, TwoSampleTest, mean_distances, two_sample_test
from lm_eval_sensitivity.text.format import to_json

LEAST_SHARE = 0.5
"""Of a side's samples must have something to score; fewer would be a selection, not a sample."""

EMBEDDER_NOISE = 1e-9
"""Distances below it count as 0: texts that the embedder reads alike get vectors that differ in the last digits of
single precision (about 1e-13 as a distance), and a permutation test would find even that difference without fail."""

SAMPLED_METRICS = ("within_distance", "between_distance", "excess_distance")
"""Names of the numbers in lm_eval's table, under both filters."""


@dataclass(frozen=True)
class SampledPair:
    """What is known about one pair under one filter."""

    metrics: Mapping[str, float]
    """By `SAMPLED_METRICS`; NaN where missing."""
    test: TwoSampleTest | None
    """None where nothing could be tested."""
    missing: str | None
    """Why there are no numbers; begins with its kind, as in `erased: ...`."""

    @property
    def test_record(self) -> dict[str, Any]:
        """The test as it stands in a sample row."""
        if self.test is None:
            return {"p_value": None, "reason": self.missing}
        names = ("p_value", "attainable_p", "method", "draws", "seed", "reason")
        return dict(to_json({name: getattr(self.test, name) for name in names}))

    @property
    def scores(self) -> dict[str, float | None]:
        """All numbers by name; None where missing."""
        within = (math.nan, math.nan) if self.test is None else (self.test.within_a, self.test.within_b)
        return dict(to_json({**self.metrics, "within_base": within[0], "within_variant": within[1]}))


def measure_sampled_pair(
    base: Sequence[FilteredText],
    variant: Sequence[FilteredText],
    distances: TextDistances,
    *,
    seed: int,
    draws: int = TWO_SAMPLE_DRAWS,
) -> SampledPair:
    """Compare the samples of both sides of a pair.

    The numbers are cosine distances. The test is that of the energy distance, on distances of the unit vectors
    themselves, which sees every difference of two distributions; the excess cosine distance sees one of their means.

    Args:
        base: [sample] of the base prompt, under a filter.
        variant: [sample] of the variant, under the same filter.
        distances: embedding distances.
        seed: of the permutations.
        draws: of them, where not all are tried.

    Returns:
        Mean distances within and between the sides, and the permutation test of their difference.
    """
    unreadable = unreadable_samples(base, variant, distances)
    reason = _blocked(base, variant, unreadable)
    if reason is not None:
        return SampledPair(dict.fromkeys(SAMPLED_METRICS, math.nan), None, reason)
    texts = [
        [str(sample) for sample in side if unscorable(sample, unreadable) is None] for side in (base, variant)
    ]
    matrix = distances.pairwise([*texts[0], *texts[1]])
    matrix[matrix < EMBEDDER_NOISE] = 0.0
    in_base = np.arange(len(matrix)) < len(texts[0])
    energy = two_sample_test(np.sqrt(2 * matrix), in_base, draws=draws, seed=seed)
    test = replace(energy, **asdict(mean_distances(matrix, in_base)))
    numbers = ((test.within_a + test.within_b) / 2, test.between, test.excess)
    missing = f"too few: {test.reason}" if math.isnan(test.p_value) else None
    return SampledPair(dict(zip(SAMPLED_METRICS, numbers, strict=True)), test, missing)


def unreadable_samples(
    base: Sequence[FilteredText], variant: Sequence[FilteredText], distances: TextDistances
) -> Container[str]:
    """The samples of a pair that the embedder cannot read, or not apart.

    Returns:
        Texts, for `unscorable`.
    """
    samples = (sample for side in (base, variant) for sample in side)
    return distances.unreadable(str(sample) for sample in samples if unscorable(sample) is None)


def unscorable(sample: FilteredText, unreadable: Container[str] = ()) -> str | None:
    """Why there is nothing to embed in one sample.

    Args:
        sample: under a filter.
        unreadable: from `unreadable_samples`.

    Returns:
        Kind of the reason, such as `empty` or `no answer`; None where there is something.
    """
    generation = sample.generation
    if generation.trace is not None and not generation.trace.finite:
        return "not finite"
    if sample.view is None:
        answer = generation.answer
        return "no answer" if answer is None else answer.span.status.replace("_", " ")
    if not sample.view.text.strip():
        return "empty"
    return UNREADABLE if sample.view.text in unreadable else None


def sampled_pair_record(
    base: Sequence[FilteredText], variant: Sequence[FilteredText], unreadable: Container[str] = ()
) -> dict[str, Any]:
    """The pair as it is kept in the samples file; the texts stand in `resps` and `filtered_resps` of the row.

    Args:
        base: [sample] under one filter.
        variant: likewise.
        unreadable: from `unreadable_samples`, where distances are measured.

    Returns:
        JSON values by name: audit, and of both sides the number of samples and the unscored ones by index.
    """
    record: dict[str, Any] = {"schema_version": 1, "audit": asdict(variant[0].generation.audit)}
    for side, samples in (("base", base), ("variant", variant)):
        unscored = {
            str(index): kind
            for index, each in enumerate(samples)
            if (kind := unscorable(each, unreadable)) is not None
        }
        record[side] = {"n_samples": len(samples), "unscored": unscored}
        if samples[0].filter_name == "raw":
            record[side] |= _of_outputs(samples)
    return record


def _of_outputs(samples: Sequence[FilteredText]) -> dict[str, Any]:
    """[sample] lists of what is known about whole outputs; null where the engine returns text only."""
    answers = [sample.generation.answer for sample in samples]
    traces = [sample.generation.trace for sample in samples]
    return {
        "scaffold_status": [None if answer is None else answer.span.status for answer in answers],
        "scaffold": [None if answer is None else answer.span.scaffold for answer in answers],
        "finish_reason": [None if trace is None else trace.finish_reason for trace in traces],
        "n_tokens": [None if trace is None else len(trace.token_ids) for trace in traces],
    }


def _blocked(
    base: Sequence[FilteredText], variant: Sequence[FilteredText], unreadable: Container[str]
) -> str | None:
    """Why nothing about this pair may be scored, or None."""
    obstacle = base[0].generation.obstacle or variant[0].generation.obstacle
    if obstacle is not None:
        return str(obstacle)
    if variant[0].generation.audit.status == "erased":
        return ERASED
    for side, samples in (("base", base), ("variant", variant)):
        found = (unscorable(sample, unreadable) for sample in samples)
        kinds = Counter(kind for kind in found if kind is not None)
        if len(samples) - kinds.total() < LEAST_SHARE * len(samples):
            (kind, _), *_ = kinds.most_common(1)
            counts = ", ".join(f"{count} {name}" for name, count in sorted(kinds.items()))
            return f"{kind}: of {len(samples)} samples of the {side} {counts}, more than half"
    return None
