"""Embedder over a sentence-transformers model that reads every text to its end."""

from __future__ import annotations

import hashlib
from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lm_eval_sensitivity.embedder.base import EmbedderIdentity, Source
from lm_eval_sensitivity.embedder.reading import Reader, Reading
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.metrics.embedding import pool_windows, split_into_windows

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Vector = NDArray[np.float32]

CACHE_TEXTS = 32_768
"""Vectors kept per embedder: 50 MB at 384 dimensions, and more texts than a full run of a system has."""

PROGRESS_AFTER_S = 2.0
"""A progress bar appears after this many seconds of encoding."""

_NO_LIMIT = 1_000_000
"""Tokenizers without a known limit report an astronomically large one."""


_Window = tuple[int, ...]
"""Token ids of the part of a text that the encoder reads at once, special tokens not included."""

_NOTHING_READ = Reading(ids_digest=hashlib.sha256().digest(), unread=0.0)
"""Of white space, which is not given to the tokenizer."""


class SentenceEmbedder:
    """Sentence vectors of texts of any length, after Reimers & Gurevych 2019 (Sentence-BERT), section 3.

    A text that fits into the encoder's window gets the encoder's own, normalized vector. A longer one
    is cut into consecutive windows on token boundaries; the windows' normalized vectors are averaged
    with their token counts as weights and normalized: nothing past the window is ignored.

    Windows of equal length only are put into one batch, so that no window is padded and a vector does
    not depend on the texts it was encoded with; every distinct window is encoded once, and every text's vector kept.

    Args:
        model: a loaded model whose tokenizer is a fast one.
        name: see `EmbedderIdentity`, as the next three.
        revision: commit, if there is one.
        weights_sha256: hash of the weights that were loaded.
        source: where they came from.

    Raises:
        InputError: the model has no token limit, no fast tokenizer, or puts a prompt before every text.
    """

    identity: EmbedderIdentity

    def __init__(
        self,
        model: SentenceTransformer,
        *,
        name: str,
        revision: str | None,
        weights_sha256: str,
        source: Source,
    ) -> None:
        self._model = model.eval()
        self._tokenizer: Any = model.tokenizer
        _check_supported(model, name)
        self._before, self._after = _special_tokens(self._tokenizer)
        self._reader = Reader.of(self._tokenizer)
        self.identity = EmbedderIdentity(
            name=name,
            revision=revision,
            weights_sha256=weights_sha256,
            source=source,
            max_tokens=_max_tokens(model, name),
            dimension=_dimension(model),
        )
        self._cache: OrderedDict[bytes, tuple[Vector, Reading]] = OrderedDict()

    def encode(self, texts: Sequence[str]) -> Vector:
        """One row per text, in order; see `Embedder.encode`.

        Empty: a row of nan for an empty text, for white space, and for a text of which the tokenizer
        keeps nothing.

        Args:
            texts: any texts, repeated and empty ones included.

        Returns:
            float32 [text, dim]; rows of length 1.

        Raises:
            TypeError: one string instead of a sequence of them.
        """
        rows = self._rows(texts)
        result = np.empty((len(rows), self.identity.dimension), dtype=np.float32)
        for index, (vector, _) in enumerate(rows):
            result[index] = vector
        return result

    def readings(self, texts: Sequence[str]) -> list[Reading]:
        """How the texts reach the encoder; see `ReadingEmbedder.readings`.

        Args:
            texts: any texts; each is embedded, too, if it was not yet.

        Returns:
            [text] token ids and lost share.

        Raises:
            TypeError: one string instead of a sequence of them.
        """
        return [reading for _, reading in self._rows(texts)]

    def _rows(self, texts: Sequence[str]) -> list[tuple[Vector, Reading]]:
        """In order; what is not in the cache is encoded."""
        if isinstance(texts, str):
            raise TypeError("encode takes a sequence of texts, got one string: write encode([text])")
        keys = [_key(text) for text in texts]
        # Rows of this call are held apart from the cache, which may be too small for all of them.
        rows = {key: self._cache[key] for key in keys if key in self._cache}
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in rows}
        rows.update(zip(missing, self._encode_distinct(list(missing.values())), strict=True))
        self._keep(rows)
        return [rows[key] for key in keys]

    def _keep(self, rows: dict[bytes, tuple[Vector, Reading]]) -> None:
        for key, row in rows.items():
            self._cache[key] = row
            self._cache.move_to_end(key)
        while len(self._cache) > CACHE_TEXTS:
            self._cache.popitem(last=False)

    def _encode_distinct(self, texts: list[str]) -> list[tuple[Vector, Reading]]:
        """Vectors and readings of texts that are all different, in order.

        Different texts share windows: the beginnings of one output, and edits that the tokenizer levels.
        """
        windows, readings = self._read(texts)
        distinct = list(dict.fromkeys(chain.from_iterable(windows)))
        vectors = dict(zip(distinct, self._encode_windows(distinct), strict=True))
        return [(self._pool(own, vectors), reading) for own, reading in zip(windows, readings, strict=True)]

    def _pool(self, own: list[_Window], vectors: dict[_Window, Vector]) -> Vector:
        if not own:
            return np.full(self.identity.dimension, np.nan, dtype=np.float32)
        if len(own) == 1:
            return vectors[own[0]]  # the encoder's own, not rounded once more
        pooled: Vector = pool_windows(
            [vectors[window] for window in own], [len(window) for window in own]
        ).astype(np.float32)
        return pooled

    def _read(self, texts: list[str]) -> tuple[list[list[_Window]], list[Reading]]:
        """By text, its windows and its reading."""
        windows: list[list[_Window]] = [[] for _ in texts]
        readings = [_NOTHING_READ] * len(texts)
        # White space is dropped before and not left to the tokenizer: some make a token of it.
        readable = {index: _as_unicode(text) for index, text in enumerate(texts) if text.strip()}
        if not readable:
            return windows, readings
        encoded = self._tokenizer(
            list(readable.values()),
            add_special_tokens=False,
            truncation=False,
            return_offsets_mapping=True,
            verbose=False,  # it would warn about every text longer than a window
        )
        capacity = self.identity.max_tokens - len(self._before) - len(self._after)
        tokens = zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
        for (index, text), (ids, offsets) in zip(readable.items(), tokens, strict=True):
            cuts = split_into_windows(len(ids), capacity=capacity)
            windows[index] = [tuple(ids[start:end]) for start, end in cuts]
            readings[index] = self._reader.reading(text, ids, offsets)
        return windows, readings

    def _encode_windows(self, windows: list[_Window]) -> Vector:
        from tqdm import tqdm  # type: ignore[import-untyped, unused-ignore]

        vectors = np.empty((len(windows), self.identity.dimension), dtype=np.float32)
        with tqdm(total=len(windows), desc="Embedding", unit="window", delay=PROGRESS_AFTER_S) as progress:
            for batch in self._batches(windows):
                vectors[batch] = self._forward([windows[index] for index in batch])
                progress.update(len(batch))
        return vectors

    def _batches(self, windows: list[_Window]) -> Iterator[list[int]]:
        """Indices of windows of one length, longest first, at most a batch's worth of tokens each."""
        by_length: defaultdict[int, list[int]] = defaultdict(list)
        for index, window in enumerate(windows):
            by_length[len(window)].append(index)
        # On a CPU larger batches of long windows are slower, they leave the processor's cache.
        batch_tokens = 2_048 if self._model.device.type == "cpu" else 32_768
        for length in sorted(by_length, reverse=True):
            size = max(1, batch_tokens // length)
            indices = by_length[length]
            yield from (indices[start : start + size] for start in range(0, len(indices), size))

    def _forward(self, token_ids: list[_Window]) -> Vector:
        """Normalized vectors [window, dim] of windows of one length."""
        import torch

        ids = torch.tensor([[*self._before, *window, *self._after] for window in token_ids])
        features = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        if "token_type_ids" in self._tokenizer.model_input_names:
            features["token_type_ids"] = torch.zeros_like(ids)
        with torch.inference_mode():
            output = self._model({name: tensor.to(self._model.device) for name, tensor in features.items()})
            vectors = torch.nn.functional.normalize(output["sentence_embedding"].float(), dim=1)
        result: Vector = vectors.cpu().numpy()
        return result


def _key(text: str) -> bytes:
    # Half a surrogate pair, which a damaged JSON file can hold, has no UTF-8 form of its own.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _as_unicode(text: str) -> str:
    """The text with `?` for halves of surrogate pairs, which fast tokenizers refuse."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _special_tokens(tokenizer: Any) -> tuple[list[int], list[int]]:
    """Ids that the tokenizer puts before and after a text."""
    encoded = tokenizer("a", return_special_tokens_mask=True)
    ids, special = encoded["input_ids"], encoded["special_tokens_mask"]
    first = special.index(0)
    last = len(special) - 1 - special[::-1].index(0)
    return list(ids[:first]), list(ids[last + 1 :])


def _check_supported(model: SentenceTransformer, name: str) -> None:
    if not getattr(model.tokenizer, "is_fast", False):
        raise InputError(
            f"The embedder {name!r} has no fast tokenizer, which is needed to cut long texts on token "
            "boundaries. Choose a sentence-transformers model with a `tokenizer.json`."
        )
    prompt = model.prompts.get(model.default_prompt_name or "")
    if prompt:
        raise InputError(
            f"The embedder {name!r} puts the prompt {prompt!r} before every text, which is not supported: "
            "it would count as part of each output. Choose a model without a default prompt."
        )


def _max_tokens(model: SentenceTransformer, name: str) -> int:
    limit = model.max_seq_length
    if limit is None or not 8 <= limit < _NO_LIMIT:
        raise InputError(
            f"The embedder {name!r} reports {limit!r} as its longest input in tokens, which is no usable "
            "window. Set `max_seq_length` in its sentence_bert_config.json."
        )
    return int(limit)


def _dimension(model: SentenceTransformer) -> int:
    # Newer sentence-transformers call it the first, and warn about the second.
    read = getattr(model, "get_embedding_dimension", None) or model.get_sentence_embedding_dimension
    dimension = read()
    assert dimension is not None  # only models without a pooling layer do not know it
    return int(dimension)
