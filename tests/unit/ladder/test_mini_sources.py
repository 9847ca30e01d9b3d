"""The authored subset `mini`: what a reviewer would check by hand, checked for every row."""

from __future__ import annotations

import re

import pytest

from lm_eval_sensitivity.ladder.edits import protected_spans
from lm_eval_sensitivity.ladder.load import packaged_folder
from lm_eval_sensitivity.ladder.sources import AUTHORED_EDITS, AuthoredPrompt, read_sources

PROMPTS = read_sources(packaged_folder() / "sources")["mini"].prompts
ROWS = [(prompt, edit) for prompt in PROMPTS for edit in prompt.variants]
KEPT = [(prompt, edit) for prompt, edit in ROWS if edit.startswith(("synonym", "paraphrase"))]
NUMBER_WORDS = {"two", "three", "four", "five", "six", "ten"}


def row_name(value: object) -> str:
    return value.prompt_id if isinstance(value, AuthoredPrompt) else str(value)


def facts(text: str) -> list[str]:
    """Code, quotations and numbers of a prompt, digits or words, in any order."""
    pieces = [text[span.start : span.end].strip(".") for span in protected_spans(text)]
    words = [word for word in re.findall(r"[a-z]+", text.lower()) if word in NUMBER_WORDS]
    return sorted(pieces + words)


def test_nine_prompts_of_all_six_categories() -> None:
    assert [prompt.category for prompt in PROMPTS] == [
        "instructions_code",
        "instructions_code",
        "reasoning_math",
        "reasoning_math",
        "factual",
        "scientific_explanation",
        "creative_writing",
        "advice_recommendation",
        "advice_recommendation",
    ]


@pytest.mark.parametrize("prompt", PROMPTS, ids=row_name)
def test_every_prompt_has_every_authored_edit(prompt: AuthoredPrompt) -> None:
    assert list(prompt.variants) == list(AUTHORED_EDITS)


@pytest.mark.parametrize("prompt", PROMPTS, ids=row_name)
def test_texts_of_a_prompt_differ_and_are_one_clean_line(prompt: AuthoredPrompt) -> None:
    every = [prompt.base, *(variant.text for variant in prompt.variants.values())]
    assert len(set(every)) == len(every)
    for text in every:
        assert text == " ".join(text.split())
        assert not set(text) & set("“”‘’—–\u00a0\u200b"), "typographic characters are what edits add"


@pytest.mark.parametrize(("prompt", "edit"), ROWS, ids=row_name)
def test_reason_is_one_sentence(prompt: AuthoredPrompt, edit: str) -> None:
    reason = prompt.variants[edit].reason
    assert re.fullmatch(r"[A-Z][^\n]{20,160}\.", reason)
    assert not re.search(r"[.?!] [A-Z]", reason)


def test_reasons_are_all_different() -> None:
    reasons = [prompt.variants[edit].reason for prompt, edit in ROWS]
    assert len(set(reasons)) == len(reasons)


@pytest.mark.parametrize(
    ("prompt", "edit"), [row for row in ROWS if row[1].startswith("synonym")], ids=row_name
)
def test_synonym_is_one_word_for_one_word(prompt: AuthoredPrompt, edit: str) -> None:
    before, after = prompt.base.split(" "), prompt.variants[edit].text.split(" ")
    assert len(before) == len(after)
    ((old, new),) = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert re.sub(r"\w", "", old) == re.sub(r"\w", "", new), "punctuation at the word changed too"
    assert old[0].isupper() == new[0].isupper()


@pytest.mark.parametrize("prompt", PROMPTS, ids=row_name)
def test_the_two_synonyms_replace_different_words(prompt: AuthoredPrompt) -> None:
    base = prompt.base.split(" ")
    places = [
        [new != old for new, old in zip(prompt.variants[edit].text.split(" "), base, strict=True)].index(True)
        for edit in ("synonym_1", "synonym_2")
    ]
    assert places[0] != places[1]


@pytest.mark.parametrize(("prompt", "edit"), KEPT, ids=row_name)
def test_meaning_preserving_rows_keep_code_numbers_quotations_and_names(
    prompt: AuthoredPrompt, edit: str
) -> None:
    variant = prompt.variants[edit].text
    assert facts(variant) == facts(prompt.base)
    names = set(re.findall(r"\b(?:Python|Brasília|Brazil|Dune)\b", prompt.base))
    assert names == set(re.findall(r"\b(?:Python|Brasília|Brazil|Dune)\b", variant))


@pytest.mark.parametrize("prompt", PROMPTS, ids=row_name)
def test_paraphrases_change_more_than_a_word(prompt: AuthoredPrompt) -> None:
    for edit in ("paraphrase_1", "paraphrase_2"):
        before, after = prompt.base.lower().split(), prompt.variants[edit].text.lower().split()
        assert before != after
        assert len(set(before) ^ set(after)) >= 4


@pytest.mark.parametrize("prompt", PROMPTS, ids=row_name)
def test_semantic_change_is_small_in_the_text(prompt: AuthoredPrompt) -> None:
    before, after = prompt.base.split(), prompt.variants["semantic_1"].text.split()
    assert 1 <= len(set(before) ^ set(after)) <= 7


@pytest.mark.parametrize("prompt", PROMPTS, ids=row_name)
def test_topic_control_has_a_similar_length(prompt: AuthoredPrompt) -> None:
    length = len(prompt.variants["control_topic"].text)
    assert 0.85 * len(prompt.base) <= length <= 1.15 * len(prompt.base)
