"""Vectors of the real encoder: long texts to their end, equal texts to the bit, order of no effect."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lm_eval_sensitivity.embedder import Embedder, SentenceEmbedder, sentence
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.metrics import cosine_distance, pool_windows

SHORT_TEXTS = [
    "The capital of France is Paris.",
    "def add(a, b):\n    return a + b\n",
    "  Leading and trailing white space.  \n",
    "Ünïcode, 中文 and emoji 🙂 in one line.",
    "x",
]


def word_pieces(embedder: Embedder, text: str) -> list[int]:
    assert isinstance(embedder, SentenceEmbedder)
    return list(embedder._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


def test_a_text_that_fits_gets_the_librarys_own_vector(embedder: Embedder) -> None:
    assert isinstance(embedder, SentenceEmbedder)
    expected = embedder._model.encode(SHORT_TEXTS, normalize_embeddings=True, show_progress_bar=False)
    vectors = embedder.encode(SHORT_TEXTS)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, expected, atol=1e-6)


def test_the_longest_text_that_fits_is_one_window(embedder: Embedder) -> None:
    """254 word pieces and two special tokens fill the window; the library drops the 255th."""
    assert isinstance(embedder, SentenceEmbedder)
    fits, too_long = "word " * 254, "word " * 254 + "stone"
    library = embedder._model.encode([fits, too_long], normalize_embeddings=True, show_progress_bar=False)
    np.testing.assert_allclose(library[0], library[1], atol=1e-6)
    ours = embedder.encode([fits, too_long])
    np.testing.assert_allclose(ours[0], library[0], atol=1e-6)
    assert cosine_distance(ours[0], ours[1]) > 1e-6


def test_windows_are_the_tokenizers_own(embedder: Embedder, long_text: str) -> None:
    """The fast tokenizer can cut into windows itself: an independent way to the same vector."""
    assert isinstance(embedder, SentenceEmbedder)
    encoded = embedder._tokenizer(
        long_text, truncation=True, max_length=256, return_overflowing_tokens=True, return_tensors=None
    )
    windows = [ids[1:-1] for ids in encoded["input_ids"]]
    assert [len(window) for window in windows[:-1]] == [254] * (len(windows) - 1)
    assert len(windows) >= 3
    vectors = np.concatenate([embedder._forward([tuple(window)]) for window in windows])
    expected = pool_windows(vectors, [len(window) for window in windows])
    np.testing.assert_allclose(embedder.encode([long_text])[0], expected, atol=1e-6)


@pytest.mark.parametrize("position", [0, 20, 260, 400, -2])
def test_a_change_anywhere_in_a_long_text_is_seen(embedder: Embedder, long_text: str, position: int) -> None:
    words = long_text.split(" ")
    words[position] = "elephant"
    changed = " ".join(words)
    assert len(word_pieces(embedder, long_text)) > 600
    u, v = embedder.encode([long_text, changed])
    assert cosine_distance(u, v) > 1e-5


def test_rows_have_unit_length(embedder: Embedder, long_text: str) -> None:
    vectors = embedder.encode([*SHORT_TEXTS, long_text])
    np.testing.assert_allclose(np.linalg.norm(vectors.astype(np.float64), axis=1), 1.0, atol=1e-6)
    assert vectors.shape == (6, embedder.identity.dimension)


def test_equal_texts_are_equal_to_the_bit_within_and_between_calls(
    embedder: Embedder, long_text: str
) -> None:
    first = embedder.encode([long_text, "a", long_text, "b", "a"])
    second = embedder.encode(["c", "a", "a much longer text than the one before it", long_text])
    assert first[0].tobytes() == first[2].tobytes() == second[3].tobytes()
    assert first[1].tobytes() == first[4].tobytes() == second[1].tobytes()
    assert cosine_distance(first[0], second[3]) == 0.0


def test_order_and_company_do_not_matter(fresh_embedder: Embedder, long_text: str) -> None:
    assert isinstance(fresh_embedder, SentenceEmbedder)
    texts = [*SHORT_TEXTS, long_text, *(long_text[: 40 * n] for n in range(1, 12))]
    together = fresh_embedder.encode(texts)
    order = list(range(len(texts)))
    random.Random(0).shuffle(order)
    fresh_embedder._cache.clear()
    shuffled = fresh_embedder.encode([texts[index] for index in order])
    np.testing.assert_allclose(shuffled, together[order], atol=1e-6)
    fresh_embedder._cache.clear()
    alone = np.concatenate([fresh_embedder.encode([text]) for text in texts])
    np.testing.assert_allclose(alone, together, atol=1e-6)


@pytest.mark.parametrize(
    "blank", ["", " ", "\n\t \u00a0\u2003", "\u200b\x00"], ids=["empty", "space", "wide", "dropped"]
)
def test_nothing_to_embed_gives_nan_and_leaves_the_others_alone(embedder: Embedder, blank: str) -> None:
    vectors = embedder.encode(["a", blank, "b"])
    assert np.isnan(vectors[1]).all()
    assert np.isfinite(vectors[[0, 2]]).all()


def test_white_space_never_reaches_the_tokenizer(
    fresh_embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other models' tokenizers make a token of a space, and a vector of it would be of nothing."""
    monkeypatch.setattr(fresh_embedder, "_tokenizer", lambda *a, **k: pytest.fail("tokenized"))
    assert np.isnan(fresh_embedder.encode(["", " ", "\n"])).all()


def test_no_text_gives_no_row(embedder: Embedder) -> None:
    assert embedder.encode([]).shape == (0, embedder.identity.dimension)
    assert embedder.encode(["", " "]).shape == (2, embedder.identity.dimension)


def test_half_a_surrogate_pair_is_embedded(embedder: Embedder) -> None:
    assert np.isfinite(embedder.encode(["broken \ud83d text"])).all()


def test_one_string_is_refused(embedder: Embedder) -> None:
    with pytest.raises(TypeError, match=r"\[text\]"):
        embedder.encode("a text")


def test_every_distinct_text_is_encoded_once(
    fresh_embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(fresh_embedder, SentenceEmbedder)
    forward, seen = fresh_embedder._forward, []

    def counted(token_ids: list[tuple[int, ...]]) -> Any:
        seen.extend(token_ids)
        return forward(token_ids)

    monkeypatch.setattr(fresh_embedder, "_forward", counted)
    fresh_embedder.encode(["a", "b", "a"])
    fresh_embedder.encode(["b", "c", "c"])
    assert len(seen) == 3


def test_the_cache_is_bounded_and_a_call_may_exceed_it(
    fresh_embedder: Embedder, embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(fresh_embedder, SentenceEmbedder)
    monkeypatch.setattr(sentence, "CACHE_TEXTS", 2)
    texts = ["one", "two", "three", "four", "one"]
    np.testing.assert_allclose(fresh_embedder.encode(texts), embedder.encode(texts), atol=1e-6)
    assert len(fresh_embedder._cache) == 2


def test_a_result_can_be_changed_without_changing_the_cache(embedder: Embedder) -> None:
    first = embedder.encode(["a"])
    before = first.copy()
    first[:] = 0
    assert (embedder.encode(["a"]) == before).all()


def fake_model(**changes: Any) -> Any:
    """Just enough of a model to be refused."""
    model = SimpleNamespace(
        tokenizer=SimpleNamespace(is_fast=True), prompts={}, default_prompt_name=None, max_seq_length=256
    )
    model.__dict__.update(changes)
    return model


def test_models_that_cannot_be_read_to_their_end_are_refused() -> None:
    with pytest.raises(InputError, match="fast tokenizer"):
        sentence._check_supported(fake_model(tokenizer=object()), "some/model")
    with pytest.raises(InputError, match="'query: '"):
        sentence._check_supported(fake_model(prompts={"q": "query: "}, default_prompt_name="q"), "some/model")
    sentence._check_supported(fake_model(prompts={"q": "query: "}), "some/model")
    for limit in (None, 0, 10**30):
        with pytest.raises(InputError, match="max_seq_length"):
            sentence._max_tokens(fake_model(max_seq_length=limit), "some/model")
