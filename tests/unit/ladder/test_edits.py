"""Rule edits: golden pairs, the catalogue, protected spans, the registry."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest
import yaml

from lm_eval_sensitivity.ladder.edits import EDITS, Protection, protected_spans, register
from lm_eval_sensitivity.ladder.edits import words as words_module
from lm_eval_sensitivity.ladder.edits.words import CONTRACTIONS, FUNCTION_WORDS, PAIRED_WORDS, looks_english

GOLDEN = Path(__file__).parents[2] / "golden" / "edits"
EXPECTED_EDITS = {
    rung: edits.split()
    for rung, edits in {
        "noop": "leading_space trailing_space leading_newline trailing_newline double_space mid_newline nbsp "
        "zero_width_space nfd",
        "punctuation": "duplicate_period comma_semicolon parenthesize_word curly_quotes drop_final_period "
        "bullet_prefix add_final_period oxford_comma drop_apostrophe paragraph_break em_dash",
    }.items()
}


def goldens(edit: str) -> list[dict[str, str | None]]:
    cases: list[dict[str, str | None]] = yaml.safe_load((GOLDEN / f"{edit}.yaml").read_text("utf-8"))
    return cases


ALL_GOLDENS = [(path.stem, case) for path in sorted(GOLDEN.glob("*.yaml")) for case in goldens(path.stem)]


@pytest.mark.parametrize(("edit", "case"), ALL_GOLDENS)
def test_golden(edit: str, case: dict[str, str]) -> None:
    assert EDITS[edit].variant(case["before"]) == case["after"]


def test_catalogue_every_edit_has_a_golden_file_and_nothing_else_does() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(EDITS)


@pytest.mark.parametrize("edit", EDITS)
def test_catalogue_goldens_are_enough_and_varied(edit: str) -> None:
    cases = goldens(edit)
    applied = [case for case in cases if case["after"] is not None]
    assert len(applied) >= 5
    assert any(case["after"] is None for case in cases)
    assert len({case["before"] for case in cases}) == len(cases)
    before = "".join(str(case["before"]) for case in cases)
    assert any("\u0590" <= character <= "\u06ff" for character in before), "no right-to-left script"
    assert any(character >= "\U0001f300" for character in before), "no emoji"
    assert "`" in before or edit == "zero_width_space", "no code"


@pytest.mark.parametrize("edit", EDITS)
def test_catalogue_every_edit_documents_itself_by_example(edit: str) -> None:
    docstring = EDITS[edit].function.__doc__ or ""
    examples = doctest.DocTestParser().get_examples(docstring)
    assert any(edit in example.source for example in examples)
    assert docstring.split("\n")[0].endswith(".")


def test_edits_and_their_order_are_those_of_the_ladder() -> None:
    by_rung = {rung: [edit.name for edit in EDITS.values() if edit.rung == rung] for rung in EXPECTED_EDITS}
    assert by_rung == EXPECTED_EDITS
    assert list(EDITS) == EXPECTED_EDITS["noop"] + EXPECTED_EDITS["punctuation"]


def test_registering_a_name_twice_is_an_error_and_changes_nothing() -> None:
    before = dict(EDITS)

    def nbsp(text: str) -> None:
        return None

    with pytest.raises(ValueError, match="'nbsp' is already registered"):
        register("noop")(nbsp)
    assert before == EDITS


@pytest.mark.parametrize(
    ("text", "protected"),
    [
        ("It's the dogs' bowl, isn't it", []),
        ('Say "it\'s" now', [("quote", '"it\'s"')]),
        (
            "Say «bonjour» or „Hallo“ or ‘it’s’ or “hey” or 「你好」",
            ["«bonjour»", "„Hallo“", "‘it’s’", "“hey”", "「你好」"],
        ),
        ("a 'single one' too", ["'single one'"]),
        # Nested and crossing quotations are one span, from the first quote to the last.
        ("say \"a 'b c' d\" now", ["\"a 'b c' d\""]),
        ("say \"a 'b\" c' now", ["\"a 'b\" c'"]),
        ("rock in the '90s and the dogs' '80s", ["90s", "80s"]),
        ("from 14:35 to 17:10", ["14:35", "17:10"]),
        ("3.5, 1,000 and 50% of 1 000 000", ["3.5", "1,000", "50%", "1 000 000"]),
        ("pay $1,000.50, 20 € or -5 °C", ["$1,000.50", "20 €", "-5 °C"]),
        ("300 g, 150 ml, 4 people, 2 eggs", ["300 g", "150 ml", "4", "2"]),
        ("5 p.m. or 10 o'clock", ["5 p.m.", "10 o'clock"]),
        ("GPT-4 and 3D, the 10th", ["GPT-4", "3D", "10th"]),
        ("我有3个苹果", ["3"]),
        ("٣٫٥ كيلو", ["٣٫٥"]),
        (
            "see https://example.org/a?b=c,d. Or www.example.org!",
            ["https://example.org/a?b=c,d", "www.example.org"],
        ),
        ("mail me@example.org, read notes.txt", ["me@example.org", "notes.txt"]),
        ("run `f(x)` and ``a ` b``", ["`f(x)`", "``a ` b``"]),
        ("a lone ` tick\n\nand another ` there", []),
        ("```python\nx = 'a'\n```\nand ~~~ no fence", ["```python\nx = 'a'\n```"]),
        ("```\nnever closed", ["```\nnever closed"]),
        ('6" wide and 4" high', ["6", "4"]),
        # A dollar opens a formula only where what follows is one.
        (
            "Solve $x^2 + 3x = 0$, $n$ real, in $$\na = b\n$$",
            [("math", "$x^2 + 3x = 0$"), ("math", "$n$"), ("math", "$$\na = b\n$$")],
        ),
        (
            r"let \(a+b\) be \[x\] or \text{so it is}",
            [("math", r"\(a+b\)"), ("math", r"\[x\]"), ("math", r"\text{so it is}")],
        ),
        (r"\begin{align} a \\ b \end{align} now", [("math", r"\begin{align} a \\ b \end{align}")]),
        ("a $5 fee, then $x=4$", [("number", "$5"), ("math", "$x=4$")]),
        ("pay $5 and $6, or 10$ late", [("number", "$5"), ("number", "$6"), ("number", "10$")]),
        (r"is $PATH or $HOME set, for \$a$ or $a or b$", []),
        ("open $x + y\n\nclosed$", []),
        ("x = [1]\nprint(x)\nSay why.", [("code", "x = [1]\nprint(x)")]),
        ("Why?\n\ndef f(x):\n    y = x\n    return y", [("code", "def f(x):\n    y = x\n    return y")]),
        ("int main() {\n  return a;\n}\nFix it.", [("code", "int main() {\n  return a;\n}")]),
        (
            "Look:\nSELECT a FROM t WHERE b = c\n<b>Hi</b>",
            [("code", "SELECT a FROM t WHERE b = c\n<b>Hi</b>")],
        ),
        ("for w in words:\n  print w", [("code", "for w in words:\n  print w")]),
        ("Note: important\nrice (cooked)\ntea or coffee\nif possible:\nand/or well-known", []),
        ("- apples (red);\n- pears\n  I come (maybe).\nUse f(x) to plot it. A = yes or no.", []),
        ('unclosed "quote', []),
        ('two\n\n"paragraphs\n\napart"', []),
    ],
)
def test_protected_spans(text: str, protected: list[str] | list[tuple[str, str]]) -> None:
    spans = protected_spans(text)
    if protected and isinstance(protected[0], tuple):
        assert [(span.kind, text[span.start : span.end]) for span in spans] == protected
    else:
        assert [text[span.start : span.end] for span in spans] == protected


def test_protection_allows_insertions_at_the_edge_only() -> None:
    protection = Protection('a "b c" d')
    assert [protection.covers(at, at) for at in range(10)] == [False] * 3 + [True] * 4 + [False] * 3
    assert protection.covers(1, 3)
    assert not protection.covers(7, 9)


def test_hostile_text_of_the_largest_accepted_length_is_still_answered() -> None:
    # Quadratic matching would take minutes on these and be noticed.
    for unit in (
        '"',
        "'a ",
        "`",
        "a@",
        "(",
        "«",
        "a.b",
        "1,",
        "``a`",
        "$",
        "$a ",
        "$a\\(",
        "\\(",
        "\\text{",
        "x=a\n",
        "((\n",
        "f(\n  ",
    ):
        text = (unit * 100_000)[:100_000]
        spans = protected_spans(text)
        assert all(0 <= span.start < span.end <= len(text) for span in spans)


@pytest.mark.parametrize("unit", ["and, ", "a, b and c. ", "Go. ", "it's ", "ab - ", "\n ", "1. Go! "])
def test_hostile_text_of_the_largest_accepted_length_is_still_edited(unit: str) -> None:
    text = (unit * 100_000)[:100_000]
    for edit in EXPECTED_EDITS["punctuation"]:
        assert EDITS[edit].variant(text) != text


def test_contractions_do_not_become_another_word() -> None:
    # `cant` and `wont` are left standing on purpose, and `its` where what follows rules the possessive out.
    others = {"ill", "hell", "shell", "id", "shed", "wed", "hes", "shes", "hows", "wheres", "lets", "whos"}
    others |= FUNCTION_WORDS - {"its"}
    assert {word.replace("'", "") for word in CONTRACTIONS}.isdisjoint(others)
    assert all(word.count("'") == 1 and word.islower() for word in CONTRACTIONS)


def test_word_lists_hold_plain_lower_case_words() -> None:
    every = [value for value in vars(words_module).values() if isinstance(value, frozenset)]
    for words in every:
        if words in (CONTRACTIONS, PAIRED_WORDS):
            continue
        assert words
        assert all(word.isalpha() and word.islower() for word in words)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Explain to me how a plane flies.", True),
        ("Was ist die größte Stadt der Welt, und warum wächst sie so schnell?", False),
        ("¿Por qué el cielo es azul durante el día?", False),
        ("Pourquoi le ciel est-il bleu à midi et rouge le soir ?", False),
        ("", False),
    ],
)
def test_english_is_told_from_other_languages(text: str, expected: bool) -> None:
    assert looks_english(text) is expected
