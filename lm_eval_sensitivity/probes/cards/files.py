"""A card as a file that stands alone."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path

from lm_eval_sensitivity.probes.cards.card import FORMAT, BranchCard, CardFile
from lm_eval_sensitivity.probes.cards.finding import CardsFinding
from lm_eval_sensitivity.probes.result import ProbeResult
from lm_eval_sensitivity.records.file_codec import Codec, read_stranger
from lm_eval_sensitivity.text.escape import shown_path

BATCH_SIZE = 1
"""Both runs of a card are fed alone."""
MOST_BYTES = 32 * 2**20
LONGEST_TEXT = 100_000
"""Characters of one text."""
ADVICE = "Make the card again with `lm-eval-sensitivity probe cards`."


@cache
def codec() -> Codec[CardFile]:
    """What writes and reads cards."""
    return Codec(CardFile, LONGEST_TEXT, ADVICE)


def card_file(card: BranchCard, result: ProbeResult[CardsFinding]) -> CardFile:
    """A card with what it must be read with outside of its result."""
    return CardFile(
        FORMAT,
        result.system,
        result.name,
        result.ladder,
        result.conditions,
        BATCH_SIZE,
        result.finding.chat_template,
        card,
    )


def load_card(path: Path) -> CardFile:
    """Read a card.

    Args:
        path: of a JSON file, ours or a stranger's.

    Raises:
        InputError: it is too large or cannot be read, or the first field that is not accepted.
    """
    content, place = read_stranger(path, MOST_BYTES, ADVICE), shown_path(path)
    return codec().load(content, place)


def file_stem(pair_id: str) -> str:
    """A file name for a pair, without its ending: readable, and another one for every pair.

    Example:
        >>> file_stem("why-sky/double_space"), file_stem("../../x")
        ('why-sky_double_space-6f73c5', 'x-9cdf6a')
    """
    short = re.sub(r"[^A-Za-z0-9-]+", "_", pair_id).strip("_")[:80]
    return f"{short}-{hashlib.sha256(pair_id.encode('utf-8', 'surrogatepass')).hexdigest()[:6]}"
