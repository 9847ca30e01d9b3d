"""One set of cases per known scaffold, and the test that no scaffold is without one."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from lm_eval_sensitivity.scaffold import KNOWN_SCAFFOLDS, find_answer
from lm_eval_sensitivity.scaffold.table import END_OF_TURN_TOKENS, Scaffold

PLAIN_PROMPT = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
THINK_PROMPT = PLAIN_PROMPT + "<think>\n"
OFF_PROMPT = PLAIN_PROMPT + "<think>\n\n</think>\n\n"
HARMONY_PROMPT = "<|start|>user<|message|>Hi<|end|><|start|>assistant"
GEMMA_PROMPT = "<|turn>user\nHi<turn|>\n<|turn>model\n"


class Case(NamedTuple):
    """An output and where its answer is; `answer` None means unclosed, empty means empty_answer."""

    scaffold: str
    prompt: str
    output: str
    answer: str | None

    @property
    def status(self) -> str:
        if self.answer is None:
            return "unclosed"
        return "closed" if self.answer else "empty_answer"


def in_output(name: str, opening: str, closing: str, prompt: str = PLAIN_PROMPT, end: str = "") -> list[Case]:
    """Opening and closing both in the output: closed, cut, closed with nothing after."""
    return [
        Case(name, prompt, f"{opening}so\nfour{closing}\n\nIt is 4.\n{end}", "It is 4."),
        Case(name, prompt, f"\n{opening}so\nfo", None),
        Case(name, prompt, f"{opening}so\nfour{closing}\n{end}", ""),
    ]


def in_prompt(name: str, opening: str, closing: str, prompt: str = PLAIN_PROMPT, end: str = "") -> list[Case]:
    """Opening at the end of the prompt, closing in the output."""
    return [
        Case(name, prompt + opening, f"so\nfour{closing}\n\nIt is 4.\n{end}", "It is 4."),
        Case(name, prompt + opening, "so\nfo", None),
        Case(name, prompt + opening, "", None),
        Case(name, prompt + opening, f"so\nfour{closing}\n{end}", ""),
        # The prompt unknown, or the opening lost in decoding.
        Case(name, "", f"so\nfour{closing}\n\nIt is 4.{end}", "It is 4."),
    ]


FINAL = "<|start|>assistant<|channel|>final<|message|>"
CASES: list[Case] = [
    *in_output("think", "<think>\n", "\n</think>"),
    *in_prompt("think", "<think>\n", "\n</think>"),
    *in_prompt("think", "<think>", "</think>", end="<|im_end|>"),
    # Thinking switched off, but the output opens a scaffold itself.
    *in_output("think", "<think>", "</think>", prompt=OFF_PROMPT),
    *in_output("think_response", "<think>", "</think>\n<response>", end="</response>"),
    *in_output("think_response", "<think>", "</think><response>", end="</response><|end_of_text|>"),
    *in_output("think_answer", "<think>\n", "\n</think>\n<answer>", end="</answer>"),
    Case("think_answer", OFF_PROMPT, "<answer>\nIt is 4.\n</answer>", "It is 4."),
    Case("think_answer", OFF_PROMPT, "<answer>\n\n</answer>", ""),
    *in_output(
        "qwen_thinking_process", "Thinking Process:\n\n1.  **Analyze the Request:**", "\n</think>", ""
    ),
    *in_output(
        "qwen_thinking_process", "Here's a thinking process:\n\n1.  **Analyze User Input:**", "</think>", ""
    ),
    *in_output("mistral_think", "[THINK]", "[/THINK]", prompt="[INST]Hi[/INST]", end="</s>"),
    *in_output(
        "harmony",
        "<|channel|>analysis<|message|>",
        "<|end|>" + FINAL,
        prompt=HARMONY_PROMPT,
        end="<|return|>",
    ),
    *in_output("harmony", "<|channel|>analysis<|message|>", "<|channel|>final<|message|>", HARMONY_PROMPT),
    *in_output(
        "harmony",
        "<|channel|>analysis<|message|>look<|end|>"
        "<|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>",
        "<|call|>" + FINAL,
        HARMONY_PROMPT,
    ),
    *in_output(
        "harmony",
        "<|channel|>analysis<|message|>one<|end|><|start|>assistant<|channel|>commentary<|message|>two<|end|>"
        "<|start|>assistant<|channel|>analysis<|message|>",
        "<|end|><|start|>assistant<|channel|>final <|constrain|>json<|message|>",
        HARMONY_PROMPT,
    ),
    *in_output(
        "harmony",
        "<|channel|>analysis<|message|>one<|end|>"
        "<|start|>assistant to=python<|channel|>commentary<|message|>",
        "<|call|>",
        HARMONY_PROMPT,
    ),
    Case("harmony", HARMONY_PROMPT, "<|channel|>final<|message|>It is 4.", "It is 4."),
    Case("harmony", HARMONY_PROMPT, "<|channel|>final<|message|><|return|>", ""),
    Case("harmony", HARMONY_PROMPT, "<|channel|>analysis<|message|>so<|end|>", ""),
    Case("harmony", HARMONY_PROMPT, "<|channel|>analysis<|message|>so<|end|><|start|>assistant", None),
    *in_output("harmony_tokens_dropped", "analysis", "assistantfinal", HARMONY_PROMPT),
    *in_output("gemma_channel", "<|channel>thought\n", "\n<channel|>", GEMMA_PROMPT, end="<turn|>"),
    Case("gemma_channel", GEMMA_PROMPT + "<|channel>thought\n", "so<channel|>It is 4.", "It is 4."),
    Case("gemma_channel_tokens_dropped", GEMMA_PROMPT, "thought\nso\nfour\nIt is 4.", None),
    *in_output("granite_sentences", "Here is my thought process:\n", "Here is my response:"),
    *in_output("granite_sentences", "Here's my thought process:\n", "Here's my response:"),
    *in_output("granite_sentences", "Here\u2019s my thought process:\n", "Here is my response:"),
    *in_output(
        "apriel_sentences",
        "Here are my reasoning steps:\n",
        "\n[BEGIN FINAL RESPONSE]",
        end="[END FINAL RESPONSE]\n<|end|>",
    ),
    *in_prompt("apriel_sentences", "Here are my reasoning steps:\n", "\n[BEGIN FINAL RESPONSE]"),
    *in_output("kimi_triangles", "◁think▷", "◁/think▷"),
    *in_prompt(
        "kimi_sections",
        "<|open|>think<|sep|>",
        "<|close|>think<|sep|><|open|>response<|sep|>",
        end="<|close|>response<|sep|><|close|>message<|sep|><|end_of_msg|>",
    ),
    *in_output("kimi_sections", "<|open|>think<|sep|>", "<|close|>think<|sep|>"),
    *in_output("seed_think", "<seed:think>", "</seed:think>", end="<seed:eos>"),
    *in_output("hunyuan_opensource", "<think:opensource>", "</think:opensource>"),
    *in_prompt("hunyuan_opensource", "<think:opensource>", "</think:opensource>"),
    *in_prompt(
        "command_thinking",
        "<|START_THINKING|>",
        "<|END_THINKING|><|START_RESPONSE|>",
        end="<|END_RESPONSE|><|END_OF_TURN_TOKEN|>",
    ),
    *in_output(
        "command_thinking", "<|START_THINKING|>", "<|END_THINKING|><|START_TEXT|>", end="<|END_TEXT|>"
    ),
    Case(
        "command_thinking",
        PLAIN_PROMPT + "<|START_THINKING|><|END_THINKING|>",
        "<|START_RESPONSE|>It is 4.<|END_RESPONSE|>",
        "It is 4.",
    ),
    *in_output("apertus_inner", "<|inner_prefix|>", "<|inner_suffix|>", end="<|assistant_end|>"),
    *in_output("minimax_think", "<mm:think>", "</mm:think>"),
    *in_output(
        "llama_reasoning", "<|reasoning_thinking_start|>", "<|reasoning_thinking_end|>", end="<|eot|>"
    ),
]

# Two scaffolds that open alike cannot be told apart before the answer's wrapper is there.
REPORTED_AS = {"think_response": "think", "think_answer": "think"}


# The families that each scaffold must serve.
@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{case.scaffold}-{case.status}-{case.output[:24]!r}"
)
def test_case(case: Case) -> None:
    span = find_answer(case.output, case.prompt)
    assert span.status == case.status
    if case.answer is None:
        assert span.scaffold == REPORTED_AS.get(case.scaffold, case.scaffold)
        assert span.start == span.end == len(case.output)
    else:
        assert span.scaffold == case.scaffold
        assert case.output[span.start : span.end] == case.answer


@pytest.mark.parametrize("scaffold", KNOWN_SCAFFOLDS, ids=lambda scaffold: scaffold.name)
def test_every_scaffold_has_its_cases(scaffold: Scaffold) -> None:
    cases = [case for case in CASES if case.scaffold == scaffold.name]
    statuses = {case.status for case in cases}
    assert statuses == ({"closed", "unclosed", "empty_answer"} if scaffold.closes else {"unclosed"})
    if scaffold.opened_by_template:
        opened = [case for case in cases if case.prompt.rstrip().endswith(scaffold.opens)]
        assert {case.status for case in opened} == statuses
    for wrapper in scaffold.answer_opens[:1]:
        assert any(wrapper in case.output for case in cases)


@pytest.mark.parametrize("scaffold", KNOWN_SCAFFOLDS, ids=lambda scaffold: scaffold.name)
def test_every_scaffold_leaves_a_plain_answer_alone(scaffold: Scaffold) -> None:
    answer = "\n It is 4.\n"
    prompts = [PLAIN_PROMPT + (scaffold.prompt_end or ""), ""]
    prompts += [PLAIN_PROMPT + scaffold.opens[0] + closing + "\n" for closing in scaffold.closes]
    for prompt in prompts:
        span = find_answer(answer, prompt)
        assert (span.status, span.scaffold, span.start, span.end) == ("none", None, 0, len(answer))


def test_names_are_unique() -> None:
    names = [scaffold.name for scaffold in KNOWN_SCAFFOLDS]
    assert len(set(names)) == len(names)


def test_the_order_of_the_table_decides_only_between_equal_openings() -> None:
    for scaffold in KNOWN_SCAFFOLDS:
        for other in KNOWN_SCAFFOLDS:
            if scaffold.opens == other.opens:
                continue
            for opening in scaffold.opens:
                assert not opening.startswith(other.opens), (scaffold.name, other.name)
                # Ordinary words at the end of a prompt open nothing, so their endings do not matter.
                if other.prompt_end is None:
                    assert not opening.endswith(other.opens), (scaffold.name, other.name)


def test_a_closing_delimiter_of_a_template_belongs_to_one_opening() -> None:
    opened = [scaffold for scaffold in KNOWN_SCAFFOLDS if scaffold.opened_by_template]
    closings = [closing for scaffold in opened for closing in scaffold.closes]
    assert len(set(closings)) == len(closings)


@pytest.mark.parametrize("token", END_OF_TURN_TOKENS)
def test_an_end_of_turn_token_is_no_answer(token: str) -> None:
    assert find_answer(f"so</think>\n{token}", THINK_PROMPT).status == "empty_answer"
    assert find_answer(f"so</think>{token} {token}\n", THINK_PROMPT).status == "empty_answer"
    span = find_answer(f"so</think>4{token}{token}", THINK_PROMPT)
    assert (span.status, span.start, span.end) == ("closed", 10, 11)
