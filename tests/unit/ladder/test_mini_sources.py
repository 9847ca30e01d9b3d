"""The authored subset `mini`: what a reviewer would check by hand, and no other check sees.

Synonyms of one word, distinct texts and reasons, numbers and code that stay: `ladder check` looks for these in all
rows of the packaged ladder.
"""

from __future__ import annotations

import re

import pytest

from lm_eval_sensitivity.ladder.load import packaged_folder
from lm_eval_sensitivity.ladder.sources import AUTHORED_EDITS, AuthoredPrompt, read_sources

PROMPTS = read_sources(packaged_folder() / "sources")["mini"].prompts
NAMES = re.compile(r"\b(?:Python|Brasília|Brazil|Dune)\b")
NUMBERS = re.compile(r"\b(?:two|three|four|five|six|ten)\b", re.IGNORECASE)


def test_nine_prompts_of_all_six_categories() -> None:
    assert [prompt.category for prompt in PROMPTS] == [
        *["instructions_code"] * 2,
        *["reasoning_math"] * 2,
        "factual",
        "scientific_explanation",
        "creative_writing",
        *["advice_recommendation"] * 2,
    ]


@pytest.mark.parametrize("prompt", PROMPTS, ids=lambda prompt: prompt.prompt_id)
def test_a_prompt_as_a_reviewer_reads_it(prompt: AuthoredPrompt) -> None:
    assert list(prompt.variants) == list(AUTHORED_EDITS)
    texts = {edit: variant.text for edit, variant in prompt.variants.items()}
    for text in (prompt.base, *texts.values()):
        assert text == " ".join(text.split())
        assert not set(text) & set("“”‘’—–\u00a0\u200b"), "typographic characters are what edits add"
    for variant in prompt.variants.values():
        assert re.fullmatch(r"[A-Z][^\n]{20,160}\.", variant.reason)
        assert not re.search(r"[.?!] [A-Z]", variant.reason), "a reason is one sentence"
    for edit in ("synonym_1", "synonym_2", "paraphrase_1", "paraphrase_2"):
        # No protected span holds them.
        assert set(NAMES.findall(prompt.base)) == set(NAMES.findall(texts[edit]))
        assert sorted(NUMBERS.findall(prompt.base.lower())) == sorted(NUMBERS.findall(texts[edit].lower()))
    before = set(prompt.base.lower().split())
    for edit in ("paraphrase_1", "paraphrase_2"):
        assert len(before ^ set(texts[edit].lower().split())) >= 4, "more than a word changes"
    assert 1 <= len(set(prompt.base.split()) ^ set(texts["semantic_1"].split())) <= 7
    assert 0.85 <= len(texts["control_topic"]) / len(prompt.base) <= 1.15
