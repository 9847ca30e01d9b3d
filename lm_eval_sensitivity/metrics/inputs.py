"""What metrics are made from: the channels of both outputs of a pair, each there or missing with its reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lm_eval_sensitivity.types import Channel, Missing

Floats = NDArray[np.float32]
TokenIds = NDArray[np.int32]


@dataclass(frozen=True)
class Side:
    """One output under one filter."""

    text: str | Missing
    windows: Mapping[int, str] | Missing
    """Window in tokens -> the text of the first that many tokens."""
    token_ids: TokenIds | Missing
    """[step] generated ids, without the end-of-turn token."""
    margins: Floats | Missing
    """[step] log-probability of the most probable token minus that of the second (nats)."""
    prompt_end_top: tuple[TokenIds, Floats] | Missing
    """[rank] the most probable first tokens, best first, and their log-probabilities (nats)."""
    hidden_mean: Floats | Missing
    """[hidden] mean over steps of the final hidden state."""

    @classmethod
    def without(cls, reason: Missing) -> Side:
        """A side of which nothing may be used."""
        return cls(**dict.fromkeys((each.name for each in fields(cls)), reason))


_FIELD_OF: dict[Channel, str] = {
    "text": "text",
    "token ids": "token_ids",
    "step log-probabilities": "margins",
    "prompt-end log-probabilities": "prompt_end_top",
    "hidden states": "hidden_mean",
}


@dataclass(frozen=True)
class PromptEnd:
    """Comparison of the next-token distributions p (after the base) and q (after the variant).

    All numbers are nan, the ids -1 and `flipped` None where one side is no distribution.
    """

    kl_forward: float
    """KL(p || q) in nats; inf where q excludes a token that p allows."""
    kl_backward: float
    """KL(q || p) in nats."""
    js_divergence: float
    """Jensen-Shannon divergence in nats, [0, ln 2]."""
    top1_id_base: int
    """Most probable token after the base; -1 if undefined."""
    top1_id_variant: int
    """Most probable token after the variant; -1 if undefined."""
    top1_probability_base: float
    top1_probability_variant: float
    flipped: bool | None
    """Whether the most probable token changed."""
    flip_floor_nats: float
    """A `kl_forward` below this certifies that it could not have changed."""


@dataclass(frozen=True)
class PairInputs:
    """Both outputs of a pair under one filter, and what was compared before they were made."""

    base: Side
    variant: Side
    prompt_end: PromptEnd | Missing
    """Comparison of the next-token distributions, which are too large to be kept."""
    distance: Callable[[str, str], float | Missing]
    """Cosine distance of two texts under the run's sentence embedder, or why there is none."""

    @classmethod
    def without(cls, reason: Missing) -> PairInputs:
        """A pair of which nothing may be scored."""
        side = Side.without(reason)
        return cls(side, side, reason, lambda text, other: float("nan"))

    def both(self, channel: Channel) -> tuple[Any, ...]:
        """What base and variant give of a channel; of the prompt-end distributions, their comparison.

        Example:
            >>> PairInputs.without(Missing("erased")).both("text")
            (Missing(kind='erased', detail=''), Missing(kind='erased', detail=''))
        """
        if channel == "prompt-end distribution":
            return (self.prompt_end,)
        return getattr(self.base, _FIELD_OF[channel]), getattr(self.variant, _FIELD_OF[channel])
