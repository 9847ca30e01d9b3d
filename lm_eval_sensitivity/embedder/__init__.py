"""Text to vectors: besides the harness the only place that loads a model. Importing it does not.

`base` what an embedder is, `sentence` one over sentence-transformers that reads long texts to their
end, `load` from a name to an embedder, `weights` checks and hash of a model folder, `text_distances`
distances between texts.
"""

from __future__ import annotations

from lm_eval_sensitivity.embedder.base import Embedder, EmbedderIdentity
from lm_eval_sensitivity.embedder.load import (
    DEFAULT_MODEL,
    DEFAULT_REVISION,
    EmbedderFiles,
    find_embedder,
    load_embedder,
)
from lm_eval_sensitivity.embedder.sentence import SentenceEmbedder
from lm_eval_sensitivity.embedder.text_distances import TextDistances

__all__ = [
    "DEFAULT_MODEL",
    "DEFAULT_REVISION",
    "Embedder",
    "EmbedderFiles",
    "EmbedderIdentity",
    "SentenceEmbedder",
    "TextDistances",
    "find_embedder",
    "load_embedder",
]
