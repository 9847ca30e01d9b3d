"""What a run of a ladder costs: outputs, and what is known of their tokens before any tokenizer is loaded."""

from __future__ import annotations

from collections.abc import Iterable

from lm_eval_sensitivity.types import Pair

TOKEN_LIMIT = 512
"""New tokens of an output, where no option says another limit."""
LIMIT_NAMES = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
"""Under which lm_eval's engines take it."""
REPETITIONS = 3
"""Of each prompt on the identical rung, where an engine is not bit-exact: one alone sees a flip in one of 50 outputs in
24 prompts with probability 0.38."""
CHARACTERS_PER_TOKEN = 4
"""Where ids are not known; of English text, and only for an estimate."""


def generations(pairs: Iterable[Pair], repeats: int = 1) -> int:
    """How many outputs a run of these pairs generates: every distinct prompt once, and the repetitions.

    Args:
        pairs: of any rungs.
        repeats: how often each pair of the rung `identical` is generated again.

    Returns:
        A count; an edit that a chat template erases needs no generation, so a run may need fewer.

    Example:
        >>> from lm_eval_sensitivity.ladder.load import load_ladder
        >>> generations(load_ladder(subset="spread").pairs)
        620
    """
    pairs = list(pairs)
    texts = {text for pair in pairs for text in (pair.base, pair.variant)}
    return len(texts) + repeats * sum(pair.rung == "identical" for pair in pairs)
