"""How far two outputs are apart in characters, which every engine and every script has."""

from __future__ import annotations

import math

from rapidfuzz.distance import Levenshtein

from lm_eval_sensitivity.metrics.catalogue import MetricCard, metric


@metric(
    MetricCard(
        name="text_edit_distance",
        what="Share of the longer output's characters that must be edited to get the other.",
        family="text",
        low=0,
        high=1,
        direction="larger = further apart",
        unit="none",
        needs=("text",),
        source="Levenshtein 1966, divided by the longer length",
        formula="Levenshtein(s, s') / max(|s|, |s'|)",
        undefined="empty: neither output has a character",
        in_table=True,
    )
)
def text_edit_distance(text: str, other: str) -> float:
    """Share of the longer text that must be edited to get the other. It needs no tokens and no embedder.

    Formula: Levenshtein(s, s') / max(|s|, |s'|); characters are code points; inserting, deleting and replacing one
        costs 1.
    Range: [0, 1]; 0 = same text, 1 = nothing in place; larger = further apart. No unit. Unrelated texts of one
        language are about 0.75 apart, as they share letters by chance: meaning is not looked at.
    Empty: nan for two empty texts; 1.0 where one side is empty.
    Identical: exactly 0.0.
    Source: Levenshtein 1966, divided by the longer length. This normalization breaks the triangle
        inequality in rare cases (Yujian & Bo 2007): use it as a share, not as a metric space.

    Args:
        text: one output.
        other: the other one.

    Returns:
        A float in [0, 1], or nan.

    Example:
        >>> text_edit_distance("Yes 🎉", "Yes 😭"), text_edit_distance("แมว", "แมว")
        (0.2, 0.0)
    """
    longer = max(len(text), len(other))
    return Levenshtein.distance(text, other) / longer if longer else math.nan
