"""Text to vectors: besides the harness the only place that loads a model. Importing it does not.

answers.py         Two outputs without a run: how far their answers are apart
base.py            What every embedder offers, and what must be known about one to compare its numbers
load.py            From a name to an embedder: a folder, the Hugging Face Hub and its cache
reading.py         What an embedder's tokenizer makes of a text, and what share of it is lost
sentence.py        Embedder over a sentence-transformers model that reads every text to its end
text_distances.py  Embedding distances between texts, each text embedded once per process
weights.py         What is checked about a model folder before anything in it is loaded, and its hash
"""

from __future__ import annotations

from lm_eval_sensitivity.embedder.base import Embedder, EmbedderIdentity, ReadingEmbedder
from lm_eval_sensitivity.embedder.load import (
    DEFAULT_MODEL,
    DEFAULT_REVISION,
    MULTILINGUAL_MODEL,
    EmbedderFiles,
    find_embedder,
    load_embedder,
)
from lm_eval_sensitivity.embedder.reading import UNREAD_LIMIT, Reading
from lm_eval_sensitivity.embedder.sentence import SentenceEmbedder
from lm_eval_sensitivity.embedder.text_distances import TextDistances, readable_vectors

__all__ = [
    "DEFAULT_MODEL",
    "DEFAULT_REVISION",
    "MULTILINGUAL_MODEL",
    "UNREAD_LIMIT",
    "Embedder",
    "EmbedderFiles",
    "EmbedderIdentity",
    "Reading",
    "ReadingEmbedder",
    "SentenceEmbedder",
    "TextDistances",
    "find_embedder",
    "load_embedder",
    "readable_vectors",
]
