"""Edits of the format around a question: what each does is frozen here."""

from __future__ import annotations

import pytest

from lm_eval_sensitivity.ladder.edits.formats import FORMATS, fields_of

ARC = "Question: Note: why?\nAnswer:"
MMLU = "Why?\nA. this\nB. that\nAnswer:"
BOOLQ = "Title: a passage\nQuestion: is it?\nAnswer:"

FROZEN = {
    "format_upper": ("QUESTION: Note: why?\nANSWER:", "Why?\nA. this\nB. that\nANSWER:"),
    "format_lower": ("question: Note: why?\nanswer:", "Why?\nA. this\nB. that\nanswer:"),
    "format_dash": ("Question - Note: why?\nAnswer -", "Why?\nA. this\nB. that\nAnswer -"),
    "format_double_colon": ("Question:: Note: why?\nAnswer::", "Why?\nA. this\nB. that\nAnswer::"),
    "format_no_space": ("Question:Note: why?\nAnswer:", None),
    "format_newline": ("Question:\nNote: why?\nAnswer:", None),
    "format_blank_line": ("Question: Note: why?\n\nAnswer:", "Why?\nA. this\nB. that\n\nAnswer:"),
    "format_one_line": ("Question: Note: why? Answer:", "Why?\nA. this\nB. that Answer:"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_as_it_was(name: str) -> None:
    assert FROZEN.keys() == FORMATS.keys()
    found = FORMATS[name](ARC, ["Note: why?"]), FORMATS[name](MMLU, ["Why?", "this", "that"])
    assert found == FROZEN[name]


def test_what_comes_out_of_the_document_is_no_field() -> None:
    assert [field.name for field in fields_of(BOOLQ, ["Title: a passage", "is it"])] == ["Question", "Answer"]
    assert fields_of("Why?", ["Why?"]) == [] and fields_of("", []) == []


@pytest.mark.parametrize("edit", FORMATS.values(), ids=lambda edit: edit.name)
def test_a_prompt_without_fields_has_no_place(edit: object) -> None:
    assert callable(edit)
    for prompt in ("Why is it?", "", "12: 30", "This is a sentence of words: so"):
        assert edit(prompt, []) is None
