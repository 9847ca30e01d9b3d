"""What an embedder's tokenizer makes of a text: which token ids, and what share of it is lost before them."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNREAD_LIMIT = 0.2
"""A text is unreadable where a larger share of its characters is lost. Replacing words of English answers by unknown
ones, in both texts of a pair alike, TODO."""

SPACE_MARK = "\u2581"
"""What some normalizers put for a space, also before a text of which they keep nothing."""


@dataclass(frozen=True)
class Reading:
    """How one text reaches the encoder."""

    ids_digest: bytes
    """Of the token ids, special tokens not counted."""
    unread: float
    """Share of the characters other than white space, in [0, 1], that are in an unknown piece or in none."""


class Reader:
    """Takes the readings of texts under one fast tokenizer.

    Args:
        unknown_id: of the piece that stands for whatever the vocabulary lacks; None where there is none, as in
            vocabularies of bytes.
        normalize: what the tokenizer does to a text before it looks for pieces; None where it does nothing.

    Example:
        >>> reader = Reader(unknown_id=0, normalize=str.lower)
        >>> reader.reading("Yes 🎉", [7, 0], [(0, 3), (4, 5)]).unread
        0.25
    """

    def __init__(self, unknown_id: int | None, normalize: Callable[[str], str] | None) -> None:
        self._unknown_id = unknown_id
        self._normalize = normalize
        self._parts: dict[str, tuple[int, int]] = {}

    @classmethod
    def of(cls, tokenizer: Any) -> Reader:
        """The reader of a fast tokenizer of transformers.

        Args:
            tokenizer: with a `backend_tokenizer`.

        Returns:
            A reader.
        """
        normalizer = tokenizer.backend_tokenizer.normalizer
        return cls(tokenizer.unk_token_id, None if normalizer is None else normalizer.normalize_str)

    def reading(self, text: str, ids: Sequence[int], offsets: Sequence[tuple[int, int]]) -> Reading:
        """What became of one text.

        Args:
            text: as the tokenizer got it.
            ids: its token ids, without special tokens.
            offsets: [token] first character and one past the last.

        Returns:
            An unread share of 0 for a text without characters other than white space.
        """
        codes = np.array(ids, dtype=np.int64)
        spans = np.array(offsets, dtype=np.int64).reshape(-1, 2)
        known = codes != -1 if self._unknown_id is None else codes != self._unknown_id
        read = _covered(spans[known], len(text)) & ~_covered(spans[~known], len(text))
        total = kept = 0
        for character, count in Counter(text).items():
            parts, dropped = self._parts_of(character)
            total += count * parts
            kept += count * (parts - dropped)
        for position in np.flatnonzero(~read):
            parts, dropped = self._parts_of(text[position])
            kept -= parts - dropped
        return Reading(hashlib.sha256(codes.tobytes()).digest(), 1 - kept / total if total else 0.0)

    def _parts_of(self, character: str) -> tuple[int, int]:
        """Letter and marks of a character, and those of them that the normalizer drops: an accent, a vowel sign."""
        if character not in self._parts:
            parts = [each for each in unicodedata.normalize("NFD", character) if not each.isspace()]
            self._parts[character] = len(parts), sum(map(self._drops, parts))
        return self._parts[character]

    def _drops(self, part: str) -> bool:
        return self._normalize is not None and not self._normalize(part).strip(f" {SPACE_MARK}")


def _covered(spans: NDArray[np.int64], n_characters: int) -> NDArray[np.bool_]:
    """[character] whether a span lies over it."""
    steps = np.zeros(n_characters + 1, dtype=np.int64)
    np.add.at(steps, spans[:, 0], 1)
    np.add.at(steps, spans[:, 1], -1)
    return steps.cumsum()[:-1] > 0


def letters_of(text: str) -> str:
    """A text without what a tokenizer may level and still have read it: white space, letter case, composed accents.

    Args:
        text: any.

    Returns:
        Texts that differ in nothing else become equal.

    Example:
        >>> letters_of("Caf\u00e9 au lait"), letters_of("cafe\u0301\\nAu Lait")
        ('caféaulait', 'caféaulait')
    """
    return unicodedata.normalize("NFC", "".join(text.casefold().split()))
