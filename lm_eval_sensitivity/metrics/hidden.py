"""Distance between hidden states recorded while two outputs were generated."""

from __future__ import annotations

from numpy.typing import ArrayLike

from lm_eval_sensitivity.metrics.embedding import cosine_distance


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

    Raises:
        ValueError: the shapes differ, or are not [hidden].

    Example:
        >>> hidden_distance([0.5, 0.5], [0.5, 0.5])
        0.0
        >>> hidden_distance([3.0, 0.0], [0.0, 1.0])
        1.0
    """
    return cosine_distance(mean_a, mean_b)
