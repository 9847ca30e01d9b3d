"""Laws of the rule edits and of replacements, on generated texts."""

from __future__ import annotations

import random
import re
import unicodedata
from itertools import pairwise

from hypothesis import find, given, settings
from hypothesis import strategies as st

from lm_eval_sensitivity.ladder.build import build_pairs
from lm_eval_sensitivity.ladder.edits import EDITS, Edit, protected_spans
from lm_eval_sensitivity.ladder.replacements import apply_replacements, minimal_replacement
from lm_eval_sensitivity.ladder.sources import AuthoredPrompt, Source
from lm_eval_sensitivity.types import Replacement

# fmt: off
FREE = ["the", "quiet garden", "café", "it's", "and,", "stop.", "why?", "שלום", "مرحبا،", "नमस्ते", "你好，世界。",
        "🙂", "sky", "(of it)", "\n", "Rain.", "Wait, then", "naïve",
        "Use tea, ink and chalk.", "It has ink, tea, and chalk", "I don't", "that’s", "it's", "- and",
        "quiet - but", "सच है।", "世界", "हाँ"]
PROTECTED = ["`a, b. C`", '"Well, it\'s café. Go on."', "1,000", "14:35", "3.5", "50%", "300 g",
             "https://example.org/a,b.c", "me@example.org", "«été, oui. Non»", "``x ` y, z``",
             "“naïve, no. Yes”", "'two words, one. Two'"]
# fmt: on

natural_texts = st.lists(st.sampled_from(FREE + PROTECTED), min_size=1, max_size=12).map(" ".join)
texts = natural_texts | st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60)
edits = st.sampled_from(list(EDITS.values()))


@given(edits, texts)
def test_replacements_are_sorted_and_change_the_text(edit: Edit, text: str) -> None:
    replacements = edit(text)
    if replacements is None:
        return
    assert replacements
    assert all(each.start <= each.end for each in replacements)
    assert all(left.end <= right.start for left, right in pairwise(replacements))
    assert apply_from_the_end(text, replacements) == edit.variant(text) != text


@given(edits, texts)
def test_no_protected_span_is_touched(edit: Edit, text: str) -> None:
    for each in edit(text) or ():
        for span in protected_spans(text):
            at_quote = each.start in (span.start, span.end - 1) and span.kind == "quote"
            if edit.name == "curly_quotes" and at_quote and text[each.start] in "\"'":
                continue
            if each.start == each.end:
                assert not span.start < each.start < span.end
            else:
                assert each.end <= span.start or span.end <= each.start


@given(edits, st.lists(st.sampled_from(FREE), max_size=6), st.lists(st.sampled_from(PROTECTED), max_size=4))
def test_known_protected_pieces_survive_in_order(edit: Edit, free: list[str], pieces: list[str]) -> None:
    # The pieces are known beforehand, so this law does not lean on the code that finds them.
    text = " ".join([*free, *(f"{piece} and" for piece in pieces), *reversed(free)])
    variant = edit.variant(text)
    position = 0
    for piece in pieces if variant is not None else ():
        kept = piece[1:-1] if edit.name == "curly_quotes" else piece
        position = (variant or "").index(kept, position) + len(kept)


ROWS = [
    "- red fox, and it is late\n- blue whale. Then go",
    "1. No fee, but it's slow - so slow.\n2. Tea, milk and salt.",
    "day, adults, children\nFri, 40, 25\nSat, 66, 90",
    "| the fox | the whale, and me |\n| - | - |",
    "```\nreturn x, y\n```",
]


@given(edits, natural_texts, st.sampled_from(ROWS), natural_texts)
def test_lists_and_data_survive_as_they_are(edit: Edit, before: str, rows: str, after: str) -> None:
    """Known beforehand, so this law does not lean on the code that finds them."""
    variant = edit.variant(f"{before}\n\n{rows}\n\n{after}")
    if variant is not None:
        assert (
            rows.replace("'", "’") if edit.name == "curly_quotes" and "’s slow" in variant else rows
        ) in variant


def test_every_edit_applies_to_generated_texts() -> None:
    """Otherwise the laws in this file would hold for an edit because it never does anything."""
    for edit in EDITS.values():
        find(natural_texts, lambda text, edit=edit: edit(text) is not None)


@given(texts)
def test_distinct_edits_give_distinct_variants(text: str) -> None:
    variants = [variant for edit in EDITS.values() if (variant := edit.variant(text)) is not None]
    assert len(set(variants)) == len(variants)


@given(texts)
def test_no_op_edits_leave_what_a_reader_sees(text: str) -> None:
    for edit in EDITS.values():
        variant = edit.variant(text)
        if edit.rung == "noop" and variant is not None:
            assert visible(variant) == visible(text)


@given(texts)
def test_punctuation_edits_leave_every_letter_and_digit(text: str) -> None:
    for edit in EDITS.values():
        variant = edit.variant(text)
        if edit.rung == "punctuation" and variant is not None:
            assert [c for c in variant if c.isalnum()] == [c for c in text if c.isalnum()]


@given(texts)
def test_one_kind_of_change(text: str) -> None:
    """Every replacement of one edit exchanges the same kind of text; all but two edits make a single one."""
    for edit in EDITS.values():
        replacements = edit(text) or ()
        if edit.name == "parenthesize_word":
            assert [each.replacement for each in replacements] in ([], ["(", ")"])
        elif edit.name == "curly_quotes":
            assert all(text[each.start : each.end] in ("'", '"') for each in replacements)
        elif edit.name == "nfd":
            for each in replacements:
                assert unicodedata.normalize("NFC", each.replacement) == unicodedata.normalize(
                    "NFC", text[each.start : each.end]
                )
        else:
            assert len(replacements) <= 1


@given(texts)
def test_new_marks_are_added_to_one_place_only(text: str) -> None:
    """What each of these edits adds and takes away, counted character by character."""
    changes: dict[str, list[tuple[str, str]]] = {
        "add_final_period": [("", mark) for mark in ".。।۔"],
        "oxford_comma": [("", ","), (",", "")],
        "drop_apostrophe": [("'", ""), ("’", "")],
        "paragraph_break": [(" ", "\n\n")],
        "em_dash": [("-", "—")],
    }
    for name, allowed in changes.items():
        for each in EDITS[name](text) or ():
            assert (text[each.start : each.end], each.replacement) in allowed


@given(
    st.lists(
        st.sampled_from(["ink", "tea", "chalk", "bread", "iron", "copper"]),
        min_size=3,
        max_size=6,
        unique=True,
    ),
    st.sampled_from([" and ", ", and "]),
)
def test_a_toggled_comma_toggles_back(items: list[str], joint: str) -> None:
    text = f"Tell me all about {', '.join(items[:-1])}{joint}{items[-1]}."
    other = f"Tell me all about {', '.join(items[:-1])}{({' and ', ', and '} - {joint}).pop()}{items[-1]}."
    assert EDITS["oxford_comma"].variant(text) == other
    assert EDITS["oxford_comma"].variant(other) == text


@settings(max_examples=40)
@given(st.lists(natural_texts.filter(lambda text: text.strip() != ""), min_size=1, max_size=5), st.randoms())
def test_order_changes_nothing(bases: list[str], shuffle: random.Random) -> None:
    prompts = [AuthoredPrompt(f"prompt-{n}", "factual", base, {}) for n, base in enumerate(bases)]
    in_order = build_pairs(Source("1", tuple(prompts)))
    shuffle.shuffle(prompts)
    shuffled = build_pairs(Source("1", tuple(prompts)))
    assert {pair.pair_id: pair for pair in in_order} == {pair.pair_id: pair for pair in shuffled}
    names = list(EDITS)
    shuffle.shuffle(names)
    assert {name: EDITS[name](bases[0]) for name in names} == {name: EDITS[name](bases[0]) for name in EDITS}


@given(st.text(max_size=30), st.text(max_size=30))
def test_minimal_replacement_is_right_and_minimal(base: str, variant: str) -> None:
    replacements = minimal_replacement(base, variant)
    assert apply_replacements(base, replacements) == variant
    assert (replacements == ()) == (base == variant)
    for each in replacements:
        removed = base[each.start : each.end]
        if removed and each.replacement:
            assert removed[0] != each.replacement[0]
            assert removed[-1] != each.replacement[-1]


@given(st.text(alphabet="ab ", max_size=12), st.text(alphabet="ab ", max_size=12))
def test_minimal_replacement_of_texts_that_repeat_themselves(base: str, variant: str) -> None:
    (each,) = minimal_replacement(base, variant) or (Replacement(0, 0, ""),)
    shortest = min(
        end - start + len(variant) - (len(base) - end) - start
        for start in range(len(base) + 1)
        for end in range(start, len(base) + 1)
        if start + len(base) - end <= len(variant)
        and base[:start] == variant[:start]
        and base[end:] == variant[len(variant) - (len(base) - end) :]
    )
    assert each.end - each.start + len(each.replacement) == shortest


def apply_from_the_end(text: str, replacements: tuple[Replacement, ...]) -> str:
    """The slow twin of `apply_replacements`, in the words of its definition."""
    for each in reversed(replacements):
        text = text[: each.start] + each.replacement + text[each.end :]
    return text


def visible(text: str) -> str:
    """What a reader sees: canonical letters, white space as one space, nothing of no width."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFC", text.replace("\u200b", ""))).strip()
