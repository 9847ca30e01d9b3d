"""What only looks like a scaffold, blocks in sequence, cut delimiters, preambles, very long outputs."""

from __future__ import annotations

import pytest

from lm_eval_sensitivity.scaffold import AnswerSpan, find_answer
from lm_eval_sensitivity.scaffold.split import _any_of

PROMPT = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
PREAMBLE = "Let me go through this step by step."


def answer_of(output: str, prompt: str = PROMPT, preamble: str | None = None) -> tuple[str, str]:
    span = find_answer(output, prompt, shared_preamble=preamble)
    return span.status, output[span.start : span.end]


@pytest.mark.parametrize(
    ("output", "prompt"),
    [
        ("Close it with `</think>` in the code.", PROMPT),
        ("The tag <think>a</think> is for reasoning.", PROMPT),
        ("The tag <think> is for reasoning.", ""),
        ("Close it with `</response>` or [/THINK].", ""),  # no template opens these
        ("Close it with `<|end|>` or <channel|>.", ""),
        ("4", "<|im_start|>user\nWhat is <think>?<|im_end|>\n<|im_start|>assistant\n"),
        ("A </think> b", "<|im_start|>user\nSay <think>\n<|im_end|>\n<|im_start|>assistant\n"),
        ("A </think> b", PROMPT + "<think>\n\n</think>\n\n"),
        (
            "A </think> b",
            PROMPT + "</think>",
        ),  # templates that switch thinking off with the closing tag alone
        ("<answer>4</answer>", PROMPT),
        ("analysis of variance assistantfinal", PROMPT),
        ("thought\nof the day", PROMPT),
        ("thought\nof the day", ""),
        ("Thinking Process:\n\n1.  **Analyze the Request:** so", PROMPT),  # thinking off: its answer area
        ("", PROMPT),
        (" \n", PROMPT),
        ("", ""),
    ],
)
def test_no_scaffold_is_the_whole_output(output: str, prompt: str) -> None:
    assert find_answer(output, prompt) == AnswerSpan("none", None, 0, len(output))


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        ("<think>a</think><think>b</think> 4", "4"),
        ("<think>a</think>\n\n<think>\nb\n</think>\n<think></think>4", "4"),
        ("<think></think></think>4", "4"),
        ("<think><think>a</think>4", "4"),
        ("<think>I open with <think> first</think>4", "4"),
        ("<think>a</think>4 and </think> and <think>", "4 and </think> and <think>"),
        ("<think>a</think>4 <think>b</think> 5", "4 <think>b</think> 5"),
        ("<think>a</think><", "<"),
        ("<think>a</think>Here", "Here"),
        ("<think>a</think> <response> 4 </response> ", "4"),
        ("<think>a</think><response>4</response> [1]", "4</response> [1]"),
    ],
)
def test_the_answer_follows_the_last_consecutive_block(output: str, answer: str) -> None:
    assert answer_of(output) == ("closed", answer)


def test_the_opening_may_be_written_twice() -> None:
    assert answer_of("<think>\na</think>4", PROMPT + "<think>\n") == ("closed", "4")


def test_only_the_first_closing_delimiter_counts_when_the_prompt_is_unknown() -> None:
    assert answer_of("a</think>4 </think> b", " \n") == ("closed", "4 </think> b")
    assert find_answer("[BEGIN FINAL RESPONSE]4</think>", "").scaffold == "apriel_sentences"


@pytest.mark.parametrize(
    ("output", "scaffold"),
    [
        ("<thi", "think"),
        ("\n <think", "think"),
        ("<think:open", "hunyuan_opensource"),
        ("[TH", "mistral_think"),
        ("<|chan", "harmony"),
        ("<|channel|>fin", "harmony"),
        ("Here is my thought", "granite_sentences"),
        ("Here are", "apriel_sentences"),
        ("<think>a</think><resp", "think"),
        ("<think>a</think>\n<thi", "think"),
        ("<think>a</think>\n<think>b", "think"),
        ("<|START_THINKING|>a<|END_THINKING|><|START_RES", "command_thinking"),
    ],
)
def test_a_delimiter_cut_off_is_unclosed(output: str, scaffold: str) -> None:
    assert find_answer(output, PROMPT) == AnswerSpan("unclosed", scaffold, len(output), len(output))


@pytest.mark.parametrize(
    "output", ["<", "[", "H", "He", "Here", "Here, sir", "<thin", "<|im_end|>", "Thinking"]
)
def test_what_is_too_short_or_no_delimiter_stays_an_answer(output: str) -> None:
    expected = "unclosed" if output == "<thin" else "none"
    assert find_answer(output, PROMPT).status == expected


@pytest.mark.parametrize("space", [" ", "\n\n", "\t", "\u00a0", "\u3000"])
def test_white_space_after_a_scaffold_is_no_answer(space: str) -> None:
    output = f"<think>a</think>{space}"
    assert find_answer(output, PROMPT) == AnswerSpan("empty_answer", "think", len(output), len(output))


def test_of_delimiters_that_begin_alike_the_longest_is_taken() -> None:
    for delimiters in [("[A", "[A]"), ("[A]", "[A")]:
        match = _any_of(delimiters).match("[A]b")
        assert match is not None
        assert match.group() == "[A]"


def test_shared_preamble() -> None:
    assert answer_of(f"{PREAMBLE}\n4 \n", preamble=PREAMBLE) == ("closed", "4")
    assert find_answer(f"{PREAMBLE} 4", PROMPT, shared_preamble=PREAMBLE).scaffold == "shared_preamble"
    assert answer_of(f"{PREAMBLE}\n<|im_end|>", preamble=PREAMBLE) == ("empty_answer", "")
    assert answer_of(PREAMBLE, preamble=PREAMBLE) == ("empty_answer", "")
    cut = PREAMBLE[:9]
    assert find_answer(cut, PROMPT, shared_preamble=PREAMBLE) == AnswerSpan(
        "unclosed", "shared_preamble", 9, 9
    )


@pytest.mark.parametrize("output", ["It is 4.", f" {PREAMBLE} 4", PREAMBLE.lower() + " 4", "", "\n"])
def test_an_output_without_the_preamble_is_none(output: str) -> None:
    assert answer_of(output, preamble=PREAMBLE) == ("none", output)


@pytest.mark.parametrize("preamble", [None, "", " \n"])
def test_an_empty_preamble_is_none_at_all(preamble: str | None) -> None:
    assert answer_of(" \n4", preamble=preamble) == ("none", " \n4")


def test_known_delimiters_take_precedence_over_the_preamble() -> None:
    output = "<think>Let me go</think> 4"
    assert find_answer(output, PROMPT, shared_preamble="<think>Let me").scaffold == "think"
    assert answer_of("Let me go</think> 4", PROMPT + "<think>", preamble="Let me") == ("closed", "4")
    assert answer_of("Let me go</think> 4", PROMPT, preamble="Let me") == ("closed", "go</think> 4")


@pytest.mark.parametrize(
    ("piece", "status"),
    [
        ("<think>", "unclosed"),
        ("<think></think>", "empty_answer"),
        ("<think></think> \n", "empty_answer"),
        ("</think>", "none"),
        ("<", "none"),
        ("<thi", "none"),
        (" ", "none"),
        ("<|start|>assistant<|channel|>analysis<|message|><|end|>", "empty_answer"),
        ("Here is my thought process:", "unclosed"),
    ],
)
def test_a_million_characters_of_delimiters(piece: str, status: str) -> None:
    # No time is asserted; a search that started over at every piece would not come to an end here.
    output = piece * (1_000_000 // len(piece))
    assert find_answer(output, PROMPT).status == status
    assert find_answer(f"<think>{output}", PROMPT).status in {"unclosed", "empty_answer"}


@pytest.mark.parametrize("ending", ["<|im_end|>", "</s> ", " ", "</response>"])
def test_a_million_characters_of_endings(ending: str) -> None:
    output = "<think>a</think><response>" + ending * (1_000_000 // len(ending))
    assert answer_of(output) == ("empty_answer", "")
