"""How two token sequences part: step by step, at the end, and where first."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lm_eval_sensitivity.metrics._symbols import Symbols, as_codes
from lm_eval_sensitivity.metrics.catalogue import MetricCard, metric, register

Codes = NDArray[np.int32]


def edit_distance_curve(y: Symbols, y_prime: Symbols) -> NDArray[np.int32]:
    """Edits between the first t tokens of two outputs, for every t.

    Formula: E(t) = Levenshtein(y[:t], y'[:t]) for t = 1 .. max(T, T'); a side that has ended stays
        at its full length. Insertion, deletion and substitution cost 1. All values come from one
        table: they are its diagonal and the end of its last row.
    Range: 0 <= E(t) <= t, integers; consecutive values differ by at most 1. 0 = same prefix, larger
        = further apart. Unit: tokens.
    Empty: an array without values for two empty sides; 1 .. T where one side is empty.
    Identical: all zeros.
    Source: Levenshtein 1966; table of Wagner & Fischer 1974. The row recurrence is solved with a
        running minimum, which changes the order of the arithmetic and no value.

    Args:
        y: [step] token ids of one output (any hashable symbols).
        y_prime: [step] token ids of the other.

    Returns:
        int32 array [step]; index t - 1 holds E(t).

    Example:
        >>> edit_distance_curve([5, 6, 7, 8], [5, 7, 8, 9]).tolist()
        [0, 1, 2, 2]
    """
    a, b = as_codes(y, y_prime)
    common = _common_prefix(a, b)
    # The distance of two prefixes does not change when what they share at their start is left out.
    rest = _curve_of_table(a[common:], b[common:])
    return np.concatenate([np.zeros(common, dtype=np.int32), rest])


def _common_prefix(a: Codes, b: Codes) -> int:
    shorter = min(len(a), len(b))
    differs = a[:shorter] != b[:shorter]
    return int(differs.argmax()) if differs.any() else shorter


def _curve_of_table(a: Codes, b: Codes) -> NDArray[np.int32]:
    """E(1) .. E(max) without the common prefix: one pass over the table, one row in memory."""
    if len(a) > len(b):
        a, b = b, a  # the curve is symmetric, and fewer rows are fewer numpy calls
    # A row is kept as F[j] = D[i, j] - j. A step to the right then costs nothing, so that the
    # recurrence along the row, the part that is not elementwise, is a running minimum.
    row = np.zeros(len(b) + 1, dtype=np.int32)
    above_left = np.empty_like(row)
    diagonal = np.empty(len(a), dtype=np.int32)
    for i in range(1, len(a) + 1):
        above_left[0] = i  # first column: D[i, 0] = i
        np.subtract(row[:-1], b == a[i - 1], out=above_left[1:])
        row += 1
        np.minimum(row, above_left, out=row)
        np.minimum.accumulate(row, out=row)
        diagonal[i - 1] = row[i] + i
    n_rows = len(a)
    tail = row[n_rows + 1 :] + np.arange(n_rows + 1, len(b) + 1, dtype=np.int32)
    return np.concatenate([diagonal, tail]).astype(np.int32, copy=False)


def trivial_shift_reference(n_steps: int, *, shift: int = 1) -> NDArray[np.int32]:
    """The curve of two outputs that say the same, one of them `shift` tokens late.

    Drawn beside `edit_distance_curve`: a curve that stays at this line diverged in position only.

    Formula: min(t, 2 shift) for t = 1 .. n_steps: `shift` tokens are inserted at the start of one
        prefix and as many fall off its end.
    Range: 0 to 2 * shift. Unit: tokens.
    Empty: no value for no step.
    Identical: all zeros for a shift of 0.
    Source: this project.

    Args:
        n_steps: length of the curve it is drawn beside.
        shift: tokens by which one output lags.

    Returns:
        int32 array [step]; index t - 1 holds the value at t.

    Example:
        >>> trivial_shift_reference(4).tolist()
        [1, 2, 2, 2]
    """
    steps: NDArray[np.int32] = np.arange(1, n_steps + 1, dtype=np.int32)
    return steps.clip(max=2 * shift)


@metric(
    MetricCard(
        name="token_edit_distance",
        what="Share of the longer output's tokens that must be edited to get the other.",
        family="tokens",
        low=0,
        high=1,
        direction="larger = further apart",
        unit="none",
        needs=("token ids",),
        source="Levenshtein 1966, divided by the longer length",
        formula="Levenshtein(y, y') / max(T, T')",
        undefined="empty: no tokens were generated",
        in_table=True,
    )
)
def token_edit_distance(y: Symbols, y_prime: Symbols) -> float:
    """Share of the longer output that must be edited to get the other.

    Formula: Levenshtein(y, y') / max(T, T'), that is the last value of `edit_distance_curve` over its length.
    Range: [0, 1]; 0 = same tokens, 1 = nothing in place; larger = further apart. No unit.
    Empty: 0.0 for two empty outputs (they are the same), 1.0 where one side is empty.
    Identical: exactly 0.0.
    Source: Levenshtein 1966, divided by the longer length. This normalization breaks the triangle
        inequality in rare cases (Yujian & Bo 2007): use it as a share, not as a metric space.

    Args:
        y: [step] token ids of one output (any hashable symbols).
        y_prime: [step] token ids of the other.

    Returns:
        A float in [0, 1].

    Example:
        >>> token_edit_distance([5, 6, 7, 8], [5, 7, 8, 9])
        0.5
    """
    curve = edit_distance_curve(y, y_prime)
    return float(curve[-1]) / len(curve) if len(curve) else 0.0


register(
    MetricCard(
        name="first_divergence",
        what="0-based step of the first token that differs; nan where none was seen.",
        family="tokens",
        low=0,
        high=math.inf,
        direction="larger = parted later",
        unit="tokens",
        needs=("token ids",),
        source="this project: length of the common prefix, right-censored at the token limit",
        formula="min {t : y[t] != y'[t]}, at most the shorter length",
        recorded_in="token_path.first_divergence",
        beside=(
            (
                "first_divergence_censored",
                bool,
                "The outputs are equal up to a token limit and may part later.",
            ),
        ),
        computed_by="metrics.token_path.first_divergence",
    )
)


@dataclass(frozen=True)
class FirstDivergence:
    """Where two outputs part, if they do."""

    step: int | None
    """0-based index of the first differing step = number of tokens both share; None if none was seen."""
    censored: bool
    """True when none was seen because the token limit ended an output: it may have come later."""


def first_divergence(
    y: Symbols, y_prime: Symbols, *, cut: bool | tuple[bool, bool] = False
) -> FirstDivergence:
    """The first step at which two outputs differ.

    Formula: t* = length of the common prefix, 0-based: y[:t*] == y'[:t*] and y[t*] != y'[t*]. An
        output that ended by itself where the other goes on differs there, too.
    Range: 0 to min(T, T'); smaller = parted earlier. Unit: tokens.
    Empty: two empty outputs do not part (None); one empty output parts from the other at 0.
    Identical: None; censored if the token limit ended them.
    Source: this project; censoring as in survival analysis (Kaplan & Meier 1958).

    Args:
        y: [step] token ids of one output (any hashable symbols).
        y_prime: [step] token ids of the other.
        cut: whether the token limit, not the model, ended the outputs. One bool is for whole outputs
            with one limit, and matters only where they are equal. A pair, one bool per side, is for
            spans that start at different steps (answers): there the shorter one may be cut and a
            prefix of the longer, which shows no divergence yet.

    Returns:
        The step, or that none was seen and whether it may have come later.

    Example:
        >>> first_divergence([5, 6, 7], [5, 6, 9])
        FirstDivergence(step=2, censored=False)
        >>> first_divergence([5, 6], [5, 6], cut=True)
        FirstDivergence(step=None, censored=True)
    """
    a, b = as_codes(y, y_prime)
    step = _common_prefix(a, b)
    if len(a) == len(b) == step:
        return FirstDivergence(step=None, censored=any(cut) if isinstance(cut, tuple) else cut)
    if step == min(len(a), len(b)) and isinstance(cut, tuple) and cut[0 if len(a) < len(b) else 1]:
        return FirstDivergence(step=None, censored=True)
    return FirstDivergence(step=step, censored=False)
