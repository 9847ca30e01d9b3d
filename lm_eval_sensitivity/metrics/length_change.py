"""How much longer or shorter an output became."""

from __future__ import annotations

import math

from lm_eval_sensitivity.metrics._symbols import Symbols
from lm_eval_sensitivity.metrics.catalogue import MetricCard, metric


@metric(
    MetricCard(
        name="length_change",
        what="Difference of the two outputs' lengths in tokens, as a share of the longer one.",
        family="tokens",
        low=0,
        high=1,
        direction="larger = further apart",
        unit="none",
        needs=("token ids",),
        source="this project: the least token_edit_distance that outputs of these lengths can have",
        formula="|T - T'| / max(T, T')",
        undefined="empty: neither output has a token",
    )
)
def length_change(y: Symbols, y_prime: Symbols) -> float:
    """How much the length of an output changed, in either direction.

    Formula: |T - T'| / max(T, T') for T and T' tokens. Never above `token_edit_distance`: so many tokens must be
        inserted whatever they are. The longer length, and not the base's, makes it the same both ways and bounded.
    Range: [0, 1]; 0 = equally long, 1 = one side has no token; larger = further apart. No unit.
    Empty: nan for two empty outputs, which have no length to change; 1.0 where one side is empty.
    Identical: exactly 0.0.
    Source: this project. Outputs that the token limit cut are equally long: read it beside the flag `cut`.

    Args:
        y: [step] token ids of one output (any hashable symbols), without the end-of-turn token.
        y_prime: [step] token ids of the other.

    Returns:
        A float in [0, 1], or nan.

    Example:
        >>> length_change([5, 6, 7, 8], [5, 6, 7]), length_change([5, 6], [7, 8])
        (0.25, 0.0)
    """
    longer = max(len(y), len(y_prime))
    return abs(len(y) - len(y_prime)) / longer if longer else math.nan
