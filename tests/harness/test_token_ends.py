"""Where tokens end in the visible text: the fast way against the definition, and in the samples of a real run."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoTokenizer

from lm_eval_sensitivity.demo.tokenizer import train_tokenizer
from lm_eval_sensitivity.harness.generate.generation import Output, Trace
from lm_eval_sensitivity.harness.generate.token_ends import ends_in_stream, ends_of_prefixes, token_ends
from tests.harness.conftest import Lmeval, Run, ids

HALF = "\ufffd"
TEXTS = (
    "Plain words, a  double space\n\nand `code`.",
    "日本語 🎉👩‍👩‍👧 café naïve 한국어 \u200b\u202e",
    " leading space",
    f"a replacement mark {HALF}{HALF} of its own",
    "<|end|>shown<|user|> special",
)


def sentencepiece() -> Tokenizer:
    """Pieces with a mark for a space, one byte per token for the rest, as Llama 2 decodes them."""
    words = ["▁", "▁a", "▁tea", "tea", "<0x41>"]
    every_byte = [f"<0x{byte:02X}>" for byte in range(256)]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys([*words, *every_byte]))}
    made = Tokenizer(models.BPE(vocabulary, [], byte_fallback=True))
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return made


def definition(backend: Tokenizer, token_ids: list[int], text: str) -> list[int]:
    prefixes = [
        backend.decode(token_ids[:n], skip_special_tokens=False) for n in range(1, len(token_ids) + 1)
    ]
    return ends_of_prefixes(prefixes, text)


def both(backend: Tokenizer, token_ids: list[int]) -> list[int]:
    """The offsets, after both ways gave the same."""
    text = backend.decode(token_ids, skip_special_tokens=False)
    expected = definition(backend, token_ids, text)
    assert ends_in_stream(token_ids, text, backend) == expected
    return expected


def test_one_byte_per_token_ends_where_the_last_whole_character_does() -> None:
    backend = train_tokenizer(["x"], vocab_size=261)
    # Four bytes make the emoji, two the letter; nothing is merged.
    token_ids = backend.encode("a🎉é!").ids
    assert len(token_ids) == 8
    assert both(backend, token_ids) == [1, 1, 1, 1, 2, 2, 3, 4]


def test_a_token_of_a_space_and_half_a_character_has_its_space() -> None:
    vocabulary = {symbol: index for index, symbol in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    space, first_byte = "Ġ", "ð"  # how byte-level tokenizers write the bytes 20 and F0
    merged = {space + first_byte: len(vocabulary)}
    backend = Tokenizer(models.BPE(vocabulary | merged, [(space, first_byte)]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    token_ids = backend.encode("a 🎉").ids
    assert backend.decode(token_ids[:2]) == f"a {HALF}"
    assert both(backend, token_ids) == [1, 2, 2, 2, 3]


@pytest.mark.parametrize("text", TEXTS)
def test_the_fast_way_agrees_with_decoding_every_prefix(demo: Path, text: str) -> None:
    backend = AutoTokenizer.from_pretrained(demo).backend_tokenizer
    token_ids = backend.encode(text).ids
    for part in (token_ids, token_ids[2:], token_ids[:-1]):
        both(backend, part)


def test_random_tokens_make_broken_characters_and_the_ways_agree(demo: Path) -> None:
    backend = AutoTokenizer.from_pretrained(demo).backend_tokenizer
    draw = np.random.default_rng(0)
    broken = 0
    for _ in range(40):
        token_ids = draw.integers(0, backend.get_vocab_size(), 40).tolist()
        both(backend, token_ids)
        broken += HALF in backend.decode(token_ids)
    assert broken


def test_pieces_and_bytes_of_sentencepiece() -> None:
    backend = sentencepiece()
    vocabulary = backend.get_vocab()
    eacute = [vocabulary["<0xC3>"], vocabulary["<0xA9>"]]
    token_ids = [vocabulary["▁tea"], vocabulary["▁"], *eacute, vocabulary["tea"], eacute[0]]
    # The first space is dropped by the decoder; the last byte alone is a replacement mark of the text.
    assert backend.decode(token_ids) == f"tea étea{HALF}"
    assert both(backend, token_ids) == [3, 4, 4, 5, 8, 9]


def output_of(token_ids: list[int], visible: str) -> Output:
    return Output(visible, Trace(np.asarray(token_ids, np.int32), "stop_string", visible))


def test_what_follows_a_stop_string_ends_where_the_text_does() -> None:
    backend = train_tokenizer(["x"], vocab_size=261)
    output = output_of(backend.encode("ab STOP").ids, "ab ")
    found = token_ends(
        output, lambda ids, skip: backend.decode(ids), SimpleNamespace(backend_tokenizer=backend)
    )
    assert found is not None
    assert found.tolist() == [1, 2, 3, 3, 3, 3, 3]


def test_a_tokenizer_that_cleans_up_after_decoding_is_decoded_by_prefixes() -> None:
    backend = train_tokenizer(["x"], vocab_size=261)
    token_ids = backend.encode("a .b").ids
    assert ends_in_stream(token_ids, "a.b", backend) is None
    found = token_ends(
        output_of(token_ids, "a.b"),
        lambda ids, skip: backend.decode(ids).replace(" .", "."),
        SimpleNamespace(backend_tokenizer=backend),
    )
    assert found is not None
    # The space is decoded at the second step and gone at the third.
    assert found.tolist() == [1, 1, 2, 3]


def test_without_ids_or_decoding_nobody_can_tell() -> None:
    assert token_ends(Output("text"), lambda ids, skip: "text", None) is None
    assert token_ends(output_of([1], "a"), None, None) is None


def test_the_samples_of_a_run_hold_the_ends(demo: Path, demo_run: Run) -> None:
    backend = AutoTokenizer.from_pretrained(demo).backend_tokenizer
    rows = demo_run.rows("prompt_sensitivity_mini_noop")[:20]
    assert rows
    reasons = set()
    for row in rows:
        for index, side in enumerate(("base", "variant")):
            record = row["pair"][side]
            visible = record.get("visible_text") or row["resps"][index][0]
            assert ids(row, side, "token_ends") == definition(backend, ids(row, side), visible)
            reasons.add(record["finish_reason"])
    assert "end_token" in reasons
    answers = demo_run.rows("prompt_sensitivity_mini_noop", "answer")
    assert not any("token_ends" in row["pair"]["base"] for row in answers)


def test_engines_of_text_have_none(lm_eval: Lmeval) -> None:
    task = "prompt_sensitivity_mini_noop"
    run = lm_eval("x", tasks=task, limit=1, model="dummy", model_args=None, apply_chat_template=False)
    row = run.rows(task)[0]
    assert "token_ids" not in row["pair"]["base"]
    assert row["pair"]["base"].get("token_ends") is None
