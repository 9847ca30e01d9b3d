"""Aggregations for lm_eval's table: means over what was scored, and coverage in words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any


def mean_of_scored(values: Sequence[float]) -> float:
    """Mean of the values that are not NaN; NaN when there are none.

    lm_eval's own `nanmean` is bootstrapped 100,000 times per metric for a standard error that would treat
    the edits of one prompt as independent; intervals over prompts are made from the samples instead.

    Example:
        >>> mean_of_scored([0.25, float("nan"), 0.75])
        0.5
    """
    scored = [value for value in values if not math.isnan(value)]
    return math.fsum(scored) / len(scored) if scored else math.nan


class OfPrompt(float):
    """A number that belongs to a prompt and is repeated in each of its pairs.

    Example:
        >>> OfPrompt(0.5, "p1") == 0.5, OfPrompt(0.5, "p1").prompt_id
        (True, 'p1')
    """

    prompt_id: str

    def __new__(cls, value: float, prompt_id: str) -> OfPrompt:
        self = super().__new__(cls, value)
        self.prompt_id = prompt_id
        return self

    def __reduce__(self) -> tuple[type[OfPrompt], tuple[float, str]]:
        return OfPrompt, (float(self), self.prompt_id)


def mean_over_prompts(values: Sequence[OfPrompt]) -> float:
    """Mean with one value per prompt, however many edits a prompt has; NaN when there is none.

    Example:
        >>> mean_over_prompts([OfPrompt(0.0, "p1"), OfPrompt(0.0, "p1"), OfPrompt(1.0, "p2")])
        0.5
    """
    return mean_of_scored(list({value.prompt_id: float(value) for value in values}.values()))


def pairs_in_words(records: Sequence[Mapping[str, Any]]) -> str:
    """How many pairs a mean stands for, and what became of the others.

    Example:
        >>> pairs_in_words([{"missing": {}, "scores": {"cosine_distance": 0.5}}])
        '1 of 1 pairs scored'
    """
    if records and not any("scores" in record for record in records):
        return f"{len(records)} pairs generated, not measured"
    reasons = (record["missing"].get("cosine_distance") for record in records)
    # A reason starts with its kind, as in "erased: the edit does not ...".
    kinds = Counter(reason.split(":", 1)[0] for reason in reasons if reason is not None)
    scored = len(records) - kinds.total()
    words = [f"{scored} of {len(records)} pairs scored"]
    words += [f"{count} {kind.replace('_', ' ')}" for kind, count in sorted(kinds.items())]
    return ", ".join(words)
