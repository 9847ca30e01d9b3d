"""Distance between hidden states recorded while two outputs were generated."""

from __future__ import annotations

from dataclasses import replace

from numpy.typing import ArrayLike

from lm_eval_sensitivity.metrics.catalogue import MetricCard, metric, register
from lm_eval_sensitivity.metrics.embedding import cosine_distance

_CARD = MetricCard(
    name="hidden_distance",
    what="Cosine distance of the final hidden states, averaged over the generated tokens.",
    family="states",
    low=0,
    high=2,
    direction="larger = further apart",
    unit="none",
    needs=("hidden states",),
    source="this project: cosine distance of states after the final norm",
    formula="1 - cos(mean_t h_t, mean_t h'_t)",
    undefined="the model shows no final hidden states",
    filters=("raw",),
    in_table=True,
)


@metric(_CARD)
def hidden_distance(mean_a: ArrayLike | None, mean_b: ArrayLike | None) -> float:
    """How far the model's own final hidden states moved between two outputs.

    The state is the one that predicts each token: the input of the output embedding, after the
    final norm. It is averaged over the generated tokens (`hidden_distance`) or taken at the last
    prompt position (`prompt_end_hidden_distance`); the formula is the same.

    Formula: 1 - cos(mean_t h_t, mean_t h'_t).
    Range: [0, 2]; 0 = same direction, larger = further apart. No unit. Values of two models are not
        on one scale: hidden states of many models share a large common component, which makes
        every distance small.
    Empty: nan when a side is None, all zeros or not finite (an output without a token has no mean).
    Identical: exactly 0.0.
    Source: this project; the cosine of `cosine_distance`.

    Args:
        mean_a: [hidden] mean final hidden state of the first output, or None if the engine has none.
        mean_b: [hidden] the same of the second output.

    Returns:
        A float in [0, 2], or nan.

    Raises:
        ValueError: the shapes differ, or are not [hidden].

    Example:
        >>> hidden_distance([0.5, 0.5], [0.5, 0.5])
        0.0
        >>> hidden_distance([3.0, 0.0], [0.0, 1.0])
        1.0
    """
    return cosine_distance(mean_a, mean_b)


register(
    replace(
        _CARD,
        name="prompt_end_hidden_distance",
        what="Cosine distance of the final hidden states at the last prompt position.",
        formula="1 - cos(h, h')",
        in_table=False,
        recorded_in="prompt_end_hidden_distance",
        computed_by="metrics.hidden.hidden_distance",
    )
)
