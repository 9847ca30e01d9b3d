"""Prompts rendered with real chat templates and their switches: does the prompt's end open a scaffold?"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lm_eval_sensitivity.scaffold import find_answer

Render = Callable[..., str]

OPENS = [
    ("Qwen3.5-4B", {}, "think", "</think>"),
    ("Qwen3.5-4B", {"enable_thinking": True}, "think", "</think>"),
    ("Qwen-QwQ-32B.2025-07", {}, "think", "</think>"),
    ("deepseek-ai-DeepSeek-R1-Distill-Qwen-32B.2025-07", {}, "think", "</think>"),
    ("ai2-olmo_thinker", {}, "think", "</think>"),
    ("NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", {}, "think", "</think>"),
    ("Apriel-1.6-15b-Thinker-fixed", {}, "apriel_sentences", "[BEGIN FINAL RESPONSE]"),
]
SWITCHED_OFF = [
    ("Qwen-Qwen3-0.6B", {"enable_thinking": False}),
    ("Qwen3.5-4B", {"enable_thinking": False}),
    ("HuggingFaceTB-SmolLM3-3B", {"enable_thinking": False}),
    ("NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", {"enable_thinking": False}),
    ("ByteDance-Seed-OSS", {"thinking_budget": 0}),
    ("google-gemma-4-31B-it", {}),
    ("google-gemma-4-31B-it", {"enable_thinking": False}),
]
HARMONY = (
    "<|channel|>analysis<|message|>so<|end|><|start|>assistant<|channel|>final<|message|>It is 4.<|return|>"
)
MODEL_OPENS = [
    ("Qwen-Qwen3-0.6B", {}, "<think>\nso\n</think>\n\nIt is 4.", "think"),
    ("Qwen-Qwen3-0.6B", {"enable_thinking": True}, "<think>\nso\n</think>\n\nIt is 4.", "think"),
    ("HuggingFaceTB-SmolLM3-3B", {}, "<think>\nso\n</think>\nIt is 4.", "think"),
    ("ByteDance-Seed-OSS", {}, "<seed:think>so</seed:think>It is 4.<seed:eos>", "seed_think"),
    ("ByteDance-Seed-OSS", {"thinking_budget": 512}, "<seed:think>so</seed:think>It is 4.", "seed_think"),
    (
        "google-gemma-4-31B-it",
        {"enable_thinking": True},
        "<|channel>thought\nso<channel|>It is 4.",
        "gemma_channel",
    ),
    (
        "ibm-granite-granite-3.3-2B-Instruct",
        {"thinking": True},
        "<think>so</think>\n<response>It is 4.</response>",
        "think_response",
    ),
    ("mistral-v13-think", {}, "[THINK]so[/THINK]It is 4.", "mistral_think"),
    ("openai-gpt-oss-120b", {}, HARMONY, "harmony"),
    ("openai-gpt-oss-120b", {"reasoning_effort": "high"}, HARMONY, "harmony"),
    ("openai-gpt-oss-120b", {}, "analysissoassistantfinalIt is 4.", "harmony_tokens_dropped"),
    ("phi-4", {}, "<think>so</think>It is 4.", "think"),
]
NO_SCAFFOLD = [
    ("Qwen-Qwen3-0.6B", {}),
    ("HuggingFaceTB-SmolLM3-3B", {}),
    ("ByteDance-Seed-OSS", {}),
    ("google-gemma-4-31B-it", {"enable_thinking": True}),
    ("ibm-granite-granite-3.3-2B-Instruct", {}),
    ("ibm-granite-granite-3.3-2B-Instruct", {"thinking": True}),
    ("mistral-v13-think", {}),
    ("mistral-v3-tekken", {}),
    ("meta-llama-Llama-3.1-8B-Instruct", {}),
    ("llama-2-chat", {}),
    ("phi-3-mini-4k", {}),
    ("phi-4", {}),
    ("gemma-3-it", {}),
    *SWITCHED_OFF,
]
# The user's text talks about tags, also as its very last words; the template's own end must decide.
USERS = ["What is <think>?", "Repeat after me: </think> <think>\n", "Here are my reasoning steps:"]


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize(("template", "switches", "scaffold", "closing"), OPENS)
def test_template_opens(
    render_prompt: Render, template: str, switches: dict[str, object], scaffold: str, closing: str, user: str
) -> None:
    tail = render_prompt(template, user, **switches)
    for output, status, answer in [
        (f"so\nfour\n{closing}\n\nIt is 4.\n", "closed", "It is 4."),
        (f"{closing}It is 4.", "closed", "It is 4."),
        (f"Thinking Process:\n\n1.  **Analyze the Request:**{closing[:-1]}", "unclosed", ""),
        ("", "unclosed", ""),
        (f"so\nfour\n{closing}\n\n", "empty_answer", ""),
    ]:
        span = find_answer(output, tail)
        assert (span.status, span.scaffold, output[span.start : span.end]) == (status, scaffold, answer)


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize(("template", "switches"), NO_SCAFFOLD)
def test_template_does_not_open(
    render_prompt: Render, template: str, switches: dict[str, object], user: str
) -> None:
    tail = render_prompt(template, user, **switches)
    for output in ["It is 4.", "The closing tag is </think>.", "A [BEGIN FINAL RESPONSE] b", ""]:
        span = find_answer(output, tail)
        assert (span.status, span.scaffold, span.start, span.end) == ("none", None, 0, len(output))


@pytest.mark.parametrize(("template", "switches"), SWITCHED_OFF)
def test_the_output_opens_although_switched_off(
    render_prompt: Render, template: str, switches: dict[str, object]
) -> None:
    output = "<think>\nso\n</think>\n4"
    span = find_answer(output, render_prompt(template, **switches))
    assert (span.status, output[span.start : span.end]) == ("closed", "4")


@pytest.mark.parametrize(("template", "switches", "output", "scaffold"), MODEL_OPENS)
def test_the_model_opens(
    render_prompt: Render, template: str, switches: dict[str, object], output: str, scaffold: str
) -> None:
    tail = render_prompt(template, **switches)
    span = find_answer(output, tail)
    assert (span.status, span.scaffold, output[span.start : span.end]) == ("closed", scaffold, "It is 4.")
    assert find_answer(output[: output.index("so") + 1], tail).status == "unclosed"


def test_gemma_without_special_tokens_has_no_visible_end(render_prompt: Render) -> None:
    tail = render_prompt("google-gemma-4-31B-it", enable_thinking=True)
    assert find_answer("thought\nso\nIt is 4.", tail).status == "unclosed"


def test_smollm_switches_by_its_system_text(render_prompt: Render) -> None:
    tail = render_prompt("HuggingFaceTB-SmolLM3-3B", system="Be brief. /no_think")
    assert tail.endswith("<think>\n\n</think>\n")
    assert find_answer("It is 4.", tail).status == "none"
