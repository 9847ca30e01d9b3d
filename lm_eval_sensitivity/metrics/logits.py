"""Next-token distributions after two prompts: divergences, top-1, and the floor under a flip.

All functions take log-probabilities (log_softmax in float32: the log of a softmax underflows) and
normalise them once more in float64. Rounding in float32 leaves a distribution off by about 1e-6,
which would otherwise show up as a negative divergence of two nearly equal distributions.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lm_eval_sensitivity.metrics.catalogue import MetricCard, register
from lm_eval_sensitivity.metrics.inputs import PromptEnd

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
register(_JS, lambda pair: pair.both("prompt-end distribution")[0].js_divergence)
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
