"""Next-token distributions after two prompts: divergences, top-1, and the floor under a flip.

All functions take log-probabilities (log_softmax in float32: the log of a softmax underflows) and
normalize them once more in float64. Rounding in float32 leaves a distribution off by about 1e-6,
which would otherwise show up as a negative divergence of two nearly equal distributions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lm_eval_sensitivity.metrics.catalogue import MetricCard, register
from lm_eval_sensitivity.metrics.inputs import PromptEnd
from lm_eval_sensitivity.types import Missing

LN2 = math.log(2.0)

Floats = NDArray[np.float64]

_JS = MetricCard(
    name="js_divergence",
    what="Jensen-Shannon divergence of the next-token distributions at the prompt end.",
    family="distributions",
    low=0,
    high=LN2,
    direction="larger = further apart",
    unit="nats",
    needs=("prompt-end distribution",),
    source="Lin 1991, section IV, equal weights",
    formula="(KL(p || m) + KL(q || m)) / 2 with m = (p + q) / 2",
    undefined="the prompt-end distributions were not compared",
    filters=("raw",),
    in_table=True,
    computed_by="metrics.logits.js_divergence",
)
register(_JS, lambda pair: _js_of(*pair.both("prompt-end distribution")))
_KL = replace(
    _JS,
    name="kl_forward",
    what="KL divergence from the base's next-token distribution to the variant's.",
    high=math.inf,
    source="Kullback & Leibler 1951, section 2",
    formula="KL(p || q) = sum_j p_j (log p_j - log q_j)",
    in_table=False,
    recorded_in="prompt_end.kl_forward",
    computed_by="metrics.logits.kl_divergence",
)
register(_KL)
register(
    replace(
        _KL,
        name="kl_backward",
        what="KL divergence from the variant's next-token distribution to the base's.",
        source="Kullback & Leibler 1951, section 2, arguments exchanged",
        formula="KL(q || p)",
        recorded_in="prompt_end.kl_backward",
    )
)
register(
    replace(
        _KL,
        name="top1_probability",
        what="Probability of the most probable first token after the base prompt.",
        high=1,
        direction="larger = more certain",
        unit="none",
        source="this project: maximum of the softmax",
        formula="max_j p_j",
        scope="prompt",
        recorded_in="prompt_end.top1_probability_base",
        beside=(
            ("top1_flipped", bool, "Whether the most probable first token differs between the prompts."),
            ("flip_floor_nats", float, "Smallest divergence at which the first token can flip."),
            ("top1_probability_variant", float, "top1_probability after the variant prompt."),
        ),
        computed_by="metrics.logits.top1",
    )
)


class _Distribution(NamedTuple):
    """A distribution in float64: [vocabulary] log-probabilities and probabilities."""

    log: Floats
    probability: Floats


def _distribution(log_p: ArrayLike) -> _Distribution | None:
    """None where the input is no distribution: empty, NaN, +inf, or -inf throughout."""
    log = np.asarray(log_p, dtype=np.float64)
    if log.ndim != 1:
        raise ValueError(f"log-probabilities must have shape [vocabulary], got {log.shape}")
    probability = np.exp(log)
    total = float(probability.sum())
    if not 0.0 < total < math.inf:  # a NaN fails both comparisons
        return None
    return _Distribution(log - math.log(total), probability / total)


def _distributions(log_p: ArrayLike, log_q: ArrayLike) -> tuple[_Distribution, _Distribution] | None:
    p, q = _distribution(log_p), _distribution(log_q)
    if p is None or q is None:
        return None
    if p.log.shape != q.log.shape:
        raise ValueError(f"two distributions over one vocabulary needed, got {p.log.shape} and {q.log.shape}")
    return p, q


def _kl(p: _Distribution, log_q: Floats) -> float:
    support = p.probability > 0
    if support.all():
        terms = p.probability * (p.log - log_q)
    else:  # 0 log 0 is 0 here, and NaN in floating point
        terms = p.probability[support] * (p.log[support] - log_q[support])
    return max(float(terms.sum()), 0.0)


def _js(p: _Distribution, q: _Distribution) -> float:
    mixture = 0.5 * (p.probability + q.probability)
    log_mixture = np.log(mixture, out=np.full_like(mixture, -np.inf), where=mixture > 0)
    return min(0.5 * (_kl(p, log_mixture) + _kl(q, log_mixture)), LN2)


def kl_divergence(log_p: ArrayLike, log_q: ArrayLike) -> float:
    """How many nats it costs to expect q where p holds.

    Formula: sum_j p_j (log p_j - log q_j), summed in float64.
    Range: [0, inf]; 0 = same distribution, larger = further apart; not symmetric. Unit: nats.
    Empty: nan for an empty vocabulary, NaN or +inf entries, or a side without any probability.
        Where p_j = 0 the term is 0; where q_j = 0 < p_j the result is inf.
    Identical: exactly 0.0.
    Source: Kullback & Leibler 1951, section 2, there I(1:2). Deviation: rounding below 0 is clipped.

    Args:
        log_p: [vocabulary] log-probabilities, -inf for probability 0.
        log_q: [vocabulary] the same of the other distribution.

    Returns:
        A float in [0, inf] (nats), or nan.

    Raises:
        ValueError: the shapes differ, or are not [vocabulary].

    Example:
        >>> import numpy as np
        >>> round(kl_divergence(np.log([0.5, 0.5]), np.log([0.75, 0.25])), 4)
        0.1438
    """
    both = _distributions(log_p, log_q)
    return _kl(both[0], both[1].log) if both else math.nan


def js_divergence(log_p: ArrayLike, log_q: ArrayLike) -> float:
    """How far two next-token distributions are apart, counted the same both ways.

    Formula: (KL(p || m) + KL(q || m)) / 2 with m = (p + q) / 2. This is the Jensen-Shannon divergence;
        its square root, which some libraries call distance, is the one with a triangle inequality.
    Range: [0, ln 2] = [0, 0.6931]; 0 = same distribution, ln 2 = nothing in common. Unit: nats.
    Empty: nan for an empty vocabulary, NaN or +inf entries, or a side without any probability.
    Identical: exactly 0.0.
    Source: Lin 1991, section IV, with equal weights. Deviation: clipped to its range.

    Args:
        log_p: [vocabulary] log-probabilities, -inf for probability 0.
        log_q: [vocabulary] the same of the other distribution.

    Returns:
        A float in [0, ln 2] (nats), or nan.

    Raises:
        ValueError: the shapes differ, or are not [vocabulary].

    Example:
        >>> import numpy as np
        >>> round(js_divergence([0.0, -np.inf], [-np.inf, 0.0]), 4)
        0.6931
    """
    both = _distributions(log_p, log_q)
    if both is None:
        return math.nan
    # log(2p / 2) can miss log p by an ulp, so that equality is tested and not computed.
    return 0.0 if np.array_equal(both[0].log, both[1].log) else _js(*both)


def top1(log_p: ArrayLike) -> tuple[int, float]:
    """The most probable next token and its probability.

    Range: probability in (0, 1]; larger = more certain. The lowest id wins a tie, as in an argmax. No unit.
    Empty: (-1, nan) for an empty vocabulary or entries that are no distribution.
    Identical: the same token and probability.
    Source: this project.

    Args:
        log_p: [vocabulary] log-probabilities.

    Returns:
        (token id, probability).

    Raises:
        ValueError: the shape is not [vocabulary].

    Example:
        >>> import numpy as np
        >>> token_id, probability = top1(np.log([0.25, 0.75]))
        >>> token_id, round(probability, 4)
        (1, 0.75)
    """
    distribution = _distribution(log_p)
    return (-1, math.nan) if distribution is None else _top1(distribution)


def _top1(distribution: _Distribution) -> tuple[int, float]:
    token_id = int(distribution.log.argmax())
    return token_id, float(distribution.probability[token_id])


def flip_floor_nats(p1: float, p2: float) -> float:
    """The divergence below which the most probable token cannot have changed.

    Any q whose argmax is another token than p's has KL(p || q) at least this large: the cheapest such
    q shares the weight of p's two leading tokens equally between them and leaves the rest alone.

    Formula: p1 log(2 p1 / (p1 + p2)) + p2 log(2 p2 / (p1 + p2)).
    Range: [0, ln 2]; 0 at a tie, larger = a flip needs a larger move. Unit: nats.
    Empty: nan where both are 0 or one is NaN.
    Identical: 0.0 for p1 = p2.
    Source: this project; the minimum of KL(p || q) under q_1 = q_2 by Lagrange multipliers.

    Args:
        p1: largest probability of p.
        p2: second largest probability of p (0 where there is no second token).

    Returns:
        A float in [0, ln 2] (nats), or nan.

    Example:
        >>> round(flip_floor_nats(0.6, 0.2), 4)
        0.1046
        >>> flip_floor_nats(0.4, 0.4)
        0.0
    """
    if math.isnan(p1 + p2) or p1 + p2 <= 0:
        return math.nan
    return max(sum(p * math.log(2 * p / (p1 + p2)) for p in (p1, p2) if p > 0), 0.0)


def compare_prompt_ends(log_p: ArrayLike, log_q: ArrayLike) -> PromptEnd:
    """Everything that is compared at the end of two prompts, with each exponential taken once.

    Formula: those of `kl_divergence`, `js_divergence`, `top1` and `flip_floor_nats`.
    Range: see the fields of `PromptEnd`. Unit: nats, probabilities, token ids.
    Empty: all nan, -1 and None where a side is no distribution.
    Identical: all divergences exactly 0.0, not flipped.
    Source: as the single functions.

    Args:
        log_p: [vocabulary] log-probabilities after the base prompt.
        log_q: [vocabulary] log-probabilities after the variant.

    Returns:
        All comparisons; see `PromptEnd`.

    Raises:
        ValueError: the shapes differ, or are not [vocabulary].

    Example:
        >>> import numpy as np
        >>> end = compare_prompt_ends(np.log([0.75, 0.25]), np.log([0.25, 0.75]))
        >>> end.flipped, round(end.js_divergence, 4), end.kl_forward >= end.flip_floor_nats
        (True, 0.1308, True)
    """
    both = _distributions(log_p, log_q)
    if both is None:
        nan = math.nan
        return PromptEnd(nan, nan, nan, -1, -1, nan, nan, None, nan)
    p, q = both
    (id_p, p1), (id_q, q1) = _top1(p), _top1(q)
    p2 = float(np.partition(p.probability, -2)[-2]) if p.probability.size > 1 else 0.0
    return PromptEnd(
        kl_forward=_kl(p, q.log),
        kl_backward=_kl(q, p.log),
        js_divergence=0.0 if np.array_equal(p.log, q.log) else _js(p, q),
        top1_id_base=id_p,
        top1_id_variant=id_q,
        top1_probability_base=p1,
        top1_probability_variant=q1,
        flipped=id_p != id_q,
        flip_floor_nats=flip_floor_nats(p1, p2),
    )


KNOWN_WITHIN = 0.005
"""Nats between the bounds of a divergence from which on no number is given; the largest divergence is 0.69."""


def _js_terms(p: Floats, q: Floats) -> float:
    """The part of the divergence that some tokens contribute: masses of any total, zeros allowed."""
    mixture = 0.5 * (p + q)
    total = 0.0
    for side in (p, q):
        there = side > 0
        total += 0.5 * float((side[there] * np.log(side[there] / mixture[there])).sum())
    return max(total, 0.0)


def _top_probabilities(ids: ArrayLike, log_p: ArrayLike) -> dict[int, float] | None:
    """Token id -> probability, of at most 1 in sum; None where these are no leading tokens of a distribution."""
    tokens, log = np.asarray(ids), np.asarray(log_p, dtype=np.float64)
    if tokens.ndim != 1 or tokens.shape != log.shape or len(np.unique(tokens)) != len(tokens):
        raise ValueError(
            f"distinct ids and their log-probabilities needed, got {tokens.shape} and {log.shape}"
        )
    probability = np.exp(log)
    total = float(probability.sum())
    if not 0.0 < total < math.inf:
        return None
    return dict(zip(tokens.tolist(), (probability / max(total, 1.0)).tolist(), strict=True))


def js_bounds(
    top_ids_p: ArrayLike, top_log_p: ArrayLike, top_ids_q: ArrayLike, top_log_q: ArrayLike
) -> tuple[float, float]:
    """Between which values the Jensen-Shannon divergence lies when only the most probable tokens are known.

    Formula: with f(p, q) = (p log(2p / (p + q)) + q log(2q / (p + q))) / 2 per token, S the tokens known on both sides,
        P and Q the known mass outside S, r and s the rest masses, a and b the smallest known probabilities:
        lower = sum_S f + max(f(P + r, Q + s), sum f(p_j, min(p_j, b, s)) + sum f(min(q_j, a, r), q_j)), where the first
        lumps all other tokens together and the second takes each known one as near as the other side's list allows;
        upper = sum_S f + (P + Q + r + s) ln(2) / 2, as if what is unknown had nothing in common.
    Range: 0 <= lower <= upper <= ln 2. Both equal `js_divergence` where no rest is left. Unit: nats.
    Empty: (nan, nan) for an empty list, NaN or +inf entries, or a side without any probability.
    Identical: lower is 0.0; upper is ln 2 times the rest mass.
    Source: this project; lumping by the log-sum inequality.

    Args:
        top_ids_p: [rank] the most probable tokens of p; every other token is at most as probable as each of them.
        top_log_p: [rank] their log-probabilities.
        top_ids_q: [rank of q] the same of q.
        top_log_q: [rank of q] the same of q.

    Returns:
        Lower and upper bound.

    Raises:
        ValueError: ids and log-probabilities differ in shape, or an id stands there twice.

    Example:
        >>> import numpy as np
        >>> lower, upper = js_bounds([4, 7], np.log([0.75, 0.15]), [7, 4], np.log([0.6, 0.3]))
        >>> round(lower, 4), round(upper, 4)
        (0.1221, 0.1914)
    """
    p, q = _top_probabilities(top_ids_p, top_log_p), _top_probabilities(top_ids_q, top_log_q)
    if p is None or q is None:
        return math.nan, math.nan
    shared = sorted(p.keys() & q.keys())
    known = _js_terms(np.array([p[each] for each in shared]), np.array([q[each] for each in shared]))
    only_p = np.array([p[each] for each in sorted(p.keys() - q.keys())])
    only_q = np.array([q[each] for each in sorted(q.keys() - p.keys())])
    rest_p, rest_q = (max(0.0, 1.0 - math.fsum(side.values())) for side in (p, q))
    lumped = _js_terms(np.array([only_p.sum() + rest_p]), np.array([only_q.sum() + rest_q]))
    apart = _js_terms(only_p, np.minimum(only_p, min(rest_q, *q.values()))) + _js_terms(
        np.minimum(only_q, min(rest_p, *p.values())), only_q
    )
    upper = known + 0.5 * LN2 * float(only_p.sum() + only_q.sum() + rest_p + rest_q)
    return min(known + max(lumped, apart), upper, LN2), min(upper, LN2)


@dataclass(frozen=True)
class BoundedPromptEnd(PromptEnd):
    """Comparison of two next-token distributions of which only the most probable tokens are known.

    `js_divergence` is the middle of its bounds, nan unless these are within `KNOWN_WITHIN`; the other divergences and
    the floor are nan.
    """

    js_lower: float
    """`js_divergence` is at least this (nats)."""
    js_upper: float
    """`js_divergence` is at most this (nats)."""


def _js_of(end: PromptEnd) -> float | Missing:
    """The divergence of a comparison, or between which values it lies."""
    if isinstance(end, BoundedPromptEnd) and math.isnan(end.js_divergence) and not math.isnan(end.js_lower):
        return Missing(
            "not known",
            "only the most probable tokens are given; the Jensen-Shannon divergence lies between "
            f"{end.js_lower:.4f} and {end.js_upper:.4f} nats",
        )
    return end.js_divergence


def compare_top_prompt_ends(
    top_ids_p: ArrayLike, top_log_p: ArrayLike, top_ids_q: ArrayLike, top_log_q: ArrayLike
) -> BoundedPromptEnd:
    """What can be said about the end of two prompts from the most probable next tokens.

    Formula: those of `js_bounds`, `top1` and `flip_floor_nats`; the divergence is the middle of its bounds where
        these are within 0.005 nats.
    Range: see the fields of `BoundedPromptEnd`. Unit: nats, probabilities, token ids.
    Empty: all nan, -1 and None where a side is no list of leading tokens.
    Identical: a lower bound of 0.0, not flipped.
    Source: as the single functions.

    Args:
        top_ids_p: [rank] the most probable tokens after the base prompt.
        top_log_p: [rank] their log-probabilities.
        top_ids_q: [rank of q] the same after the variant.
        top_log_q: [rank of q] the same after the variant.

    Raises:
        ValueError: as `js_bounds`.

    Example:
        >>> import numpy as np
        >>> end = compare_top_prompt_ends([4, 7], np.log([0.75, 0.15]), [7, 4], np.log([0.6, 0.3]))
        >>> end.flipped, end.top1_id_base, round(end.js_lower, 4), end.js_divergence
        (True, 4, 0.1221, nan)
    """
    lower, upper = js_bounds(top_ids_p, top_log_p, top_ids_q, top_log_q)
    p, q = _top_probabilities(top_ids_p, top_log_p), _top_probabilities(top_ids_q, top_log_q)
    nan = math.nan
    if p is None or q is None:
        return BoundedPromptEnd(nan, nan, nan, -1, -1, nan, nan, None, nan, nan, nan)
    # As in an argmax over all ids, the lowest wins a tie.
    id_p, id_q = (min(side, key=lambda token: (-side[token], token)) for side in (p, q))
    leading = sorted(p.values(), reverse=True)
    return BoundedPromptEnd(
        kl_forward=nan,
        kl_backward=nan,
        js_divergence=(lower + upper) / 2 if upper - lower <= KNOWN_WITHIN else nan,
        top1_id_base=id_p,
        top1_id_variant=id_q,
        top1_probability_base=p[id_p],
        top1_probability_variant=q[id_q],
        flipped=id_p != id_q,
        flip_floor_nats=flip_floor_nats(p[id_p], leading[1]) if len(leading) > 1 else nan,
        js_lower=lower,
        js_upper=upper,
    )
