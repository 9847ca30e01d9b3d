"""What every embedder offers, and what must be known about one to compare its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from lm_eval_sensitivity.embedder.reading import Reading

Source = Literal["hub", "local", "packaged"]


@dataclass(frozen=True)
class EmbedderIdentity:
    """Part of every result's signature: distances of two embedders are not on one scale.

    Example:
        >>> identity = EmbedderIdentity(
        ...     name="sentence-transformers/all-MiniLM-L6-v2", revision=None, weights_sha256="53aa5117...",
        ...     source="packaged", max_tokens=256, dimension=384,
        ... )
        >>> identity.max_tokens
        256
    """

    name: str
    """Model id; for a local folder its name, without the path above it."""
    revision: str | None
    """Full commit hash for a model of the Hub or its cache; None where there is no commit to name."""
    weights_sha256: str
    """SHA-256 of `model.safetensors`; of a list of name and hash where there are several files."""
    source: Source
    """Where the files came from: Hugging Face Hub or its cache, a folder, an installed package."""
    max_tokens: int
    """Tokens that one window holds, special tokens included."""
    dimension: int


class Embedder(Protocol):
    """Text in, vectors out. Equal texts must get equal vectors, to the bit, in every call.

    Anything with these two members is an embedder.

    Example:
        >>> def embed_pair(embedder: Embedder, base: str, variant: str) -> NDArray[np.float32]:
        ...     return embedder.encode([base, variant])
    """

    @property
    def identity(self) -> EmbedderIdentity:
        """Which embedder this is.

        Returns:
            Name, revision, checksum and sizes.
        """
        ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row per text, in order.

        Args:
            texts: any texts, repeated and empty ones included.

        Returns:
            float32 [text, dim]; rows of length 1, or of nan for a text with nothing in it to embed.
        """
        ...


@runtime_checkable
class ReadingEmbedder(Embedder, Protocol):
    """An embedder that says what its tokenizer loses of a text; of any other, every text counts as read."""

    def readings(self, texts: Sequence[str]) -> list[Reading]:
        """How the texts reach the encoder.

        Args:
            texts: any texts, repeated and empty ones included.

        Returns:
            [text] token ids and lost share.
        """
        ...
