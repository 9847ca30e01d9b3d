"""What a run will ask of a server, before the first request."""

from __future__ import annotations

from collections.abc import Sequence

from lm_eval_sensitivity.harness.engines.contract import Prompt
from lm_eval_sensitivity.ladder.cost import CHARACTERS_PER_TOKEN


def cost_in_words(prompts: Sequence[Prompt], max_gen_toks: int, price: tuple[float, float] | None) -> str:
    """Requests, tokens and, where their price is known, what they cost at most.

    Args:
        prompts: of the requests that are still to be made.
        max_gen_toks: token limit of an output.
        price: of a million prompt tokens and of a million output tokens.

    Returns:
        One sentence.

    Example:
        >>> cost_in_words([(1, 2, 3), "Why is it so?"], 128, (1.0, 4.0))
        '2 requests to the server, about 7 prompt tokens and at most 256 output tokens: at most 0.0010 at the price...'
    """
    fed = sum(
        len(each) if isinstance(each, tuple) else -(-len(each) // CHARACTERS_PER_TOKEN) for each in prompts
    )
    made = len(prompts) * max_gen_toks
    words = f"{len(prompts):,} requests to the server, about {fed:,} prompt tokens and at most {made:,} output tokens"
    if price is None:
        return f"{words}."
    cost = (fed * price[0] + made * price[1]) / 1e6
    return f"{words}: at most {cost:.{2 if cost >= 1 else 4}f} at the price given."
