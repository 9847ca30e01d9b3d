"""A text searched for in the prompts and outputs of a system."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.space.texts import LONGEST
from lm_eval_sensitivity.types import Pair

LONGEST_SEARCH = 100
"""Characters of what is searched for."""
BEFORE, AFTER = 30, 60
"""Characters around what was found that are shown."""


@dataclass(frozen=True)
class Found:
    """The first place in a pair."""

    where: str
    """Which of its texts."""
    before: str
    text: str
    after: str


def wanted(received: str) -> str:
    r"""What is searched for.

    Args:
        received: from the address.

    Returns:
        One line that can be seen, at most `LONGEST_SEARCH` characters; empty where nothing is searched for.

    Example:
        >>> wanted("  rain\u202ebow ")
        'rainbow'
    """
    return "".join(each for each in received if each.isprintable())[:LONGEST_SEARCH].strip()


@lru_cache(maxsize=2)
def outputs_of(results: Results, system: int) -> Mapping[str, tuple[str, str]]:
    """Both outputs of every pair, as far as they are searched.

    Args:
        results: from `open_results`.
        system: its index.

    Returns:
        By the id of the pair; reading them takes seconds where there are thousands, so that those of the last systems
        are kept.

    Raises:
        InputError: a damaged file.
    """
    return results.outputs(system, LONGEST)


def search(results: Results, system: int, pairs: Iterable[Pair], text: str) -> dict[str, Found]:
    """The pairs in which a text stands: in the id, a prompt or an output, whatever the case of its letters.

    Args:
        results: from `open_results`.
        system: whose outputs are searched.
        pairs: that are searched.
        text: from `wanted`, not empty.

    Returns:
        By the id of the pair, the first place.

    Raises:
        InputError: a damaged file.
    """
    outputs = outputs_of(results, system)
    pattern = re.compile(re.escape(text), re.IGNORECASE)
    found: dict[str, Found] = {}
    for pair in pairs:
        first, second = outputs.get(pair.pair_id, ("", ""))
        texts = {
            "pair": pair.pair_id,
            "prompt": pair.base,
            "edited prompt": pair.variant,
            "output": first,
            "output after the edit": second,
        }
        for where, each in texts.items():
            match = pattern.search(each)
            if match:
                start, end = match.span()
                around = (each[max(0, start - BEFORE) : start], match[0], each[end : end + AFTER])
                found[pair.pair_id] = Found(where, *around)
                break
    return found
