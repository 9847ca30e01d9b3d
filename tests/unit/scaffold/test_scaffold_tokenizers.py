"""Do delimiters survive decoding? Real tokenizers, with and without special tokens."""

from __future__ import annotations

from pathlib import Path

import pytest

from lm_eval_sensitivity.scaffold import KNOWN_SCAFFOLDS, find_answer

tokenizers = pytest.importorskip("tokenizers")
BY_NAME = {scaffold.name: scaffold for scaffold in KNOWN_SCAFFOLDS}
PROMPT = "<|im_start|>assistant\n"


def load(shared: Path, name: str):
    return tokenizers.Tokenizer.from_file(str(shared / "tokenizers" / name / "tokenizer.json"))


@pytest.mark.parametrize(
    ("name", "delimiter", "n_ids"),
    [
        ("qwen3", "<think>", 1),
        ("qwen3", "</think>", 1),
        ("olmo2_dolma2", "<think>", 3),
        ("phi4", "<think>", 3),
        ("mistral_tekken", "[THINK]", 4),  # a tokenizer older than the format: ordinary text
    ],
)
def test_text_delimiters_survive_decoding_without_special_tokens(
    shared: Path, name: str, delimiter: str, n_ids: int
) -> None:
    tokenizer = load(shared, name)
    ids = tokenizer.encode(delimiter, add_special_tokens=False).ids
    assert len(ids) == n_ids
    assert tokenizer.decode(ids, skip_special_tokens=True) == delimiter


@pytest.mark.parametrize("name", [s.name for s in KNOWN_SCAFFOLDS if s.prompt_end is None])
def test_decoding_without_special_tokens(shared: Path, name: str) -> None:
    """Text delimiters are found either way; special ones are gone, and then there is no scaffold to see."""
    scaffold = BY_NAME[name]
    tokenizer = load(shared, "olmo2_dolma2")
    if scaffold.delimiters == "special":
        tokenizer.add_special_tokens([*scaffold.opens, *scaffold.closes])
    ids = tokenizer.encode(f"{scaffold.opens[0]}so{scaffold.closes[0]}It is 4.", add_special_tokens=False).ids
    visible = tokenizer.decode(ids, skip_special_tokens=False)
    span = find_answer(visible, PROMPT)
    assert (span.status, visible[span.start : span.end]) == ("closed", "It is 4.")
    dropped = tokenizer.decode(ids, skip_special_tokens=True)
    expected = "none" if scaffold.delimiters == "special" else "closed"
    assert find_answer(dropped, PROMPT).status == expected


def test_an_end_of_turn_token_left_by_a_real_tokenizer(shared: Path) -> None:
    tokenizer = load(shared, "qwen3")
    ids = tokenizer.encode("<think>\nso\n</think>\n\n<|im_end|>", add_special_tokens=False).ids
    for skip in (True, False):
        assert find_answer(tokenizer.decode(ids, skip_special_tokens=skip), PROMPT).status == "empty_answer"
