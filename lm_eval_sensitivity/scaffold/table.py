"""The table of known reasoning scaffolds: how each model family marks its reasoning off from its answer.

Data only; `split` reads it. Read from chat templates and from the reasoning parsers of public
inference servers. A new family is one more entry here and one more case in the catalogue test.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Scaffold:
    """One way of marking reasoning off from the answer.

    Several delimiters in one field are alternatives. White space around a delimiter never matters.
    """

    name: str
    """Unique; what `AnswerSpan.scaffold` reports."""
    families: tuple[str, ...]
    """Model families that use it. Documentation only: nothing is decided by a model's name."""
    opens: tuple[str, ...]
    closes: tuple[str, ...]
    """Empty where the end cannot be seen: then the reasoning never ends."""
    delimiters: Literal["text", "special"]
    """`special`: special tokens, which vanish when decoding skips special tokens. `text`: they survive
    (ordinary text, or added tokens that are not marked special, as Qwen3's `<think>`). In doubt it is
    `special`, so that nobody counts on them to survive."""
    answer_opens: tuple[str, ...] = ()
    """Wrappers that may stand before the answer and are no part of it."""
    answer_ends: tuple[str, ...] = ()
    """What may stand after the answer and is no part of it."""
    opened_by_template: bool = False
    """True where some family's template writes the opening at the end of the prompt, so that the
    output may hold the closing delimiter alone."""
    prompt_end: str | None = None
    """Looked for only where the prompt ends with this text; the empty string means: only where the
    prompt is unknown. None: always. It guards openings that are ordinary words."""


_HARMONY_ANALYSIS = tuple(
    f"{header}<|channel|>{channel}{end}"
    for header in ("", "<|start|>assistant")
    for channel in ("analysis", "commentary")
    # The bare channel name comes too: a recipient or a content type may stand before `<|message|>`.
    for end in ("<|message|>", "")
)
_HARMONY_FINAL = tuple(
    f"{header}<|channel|>final{content_type}<|message|>"
    for header in ("", "<|start|>assistant")
    for content_type in ("", " json", " <|constrain|>json", "<|constrain|>json")
)

KNOWN_SCAFFOLDS: tuple[Scaffold, ...] = (
    Scaffold(
        name="think",
        families=(
            "Qwen3",
            "Qwen3.5",
            "Qwen3.6",
            "Qwen3.8",
            "QwQ",
            "DeepSeek-R1 and its distillations",
            "DeepSeek V3.1",
            "DeepSeek V3.2",
            "DeepSeek V4",
            "GLM-4.6",
            "GLM-4.7",
            "Kimi K2 Thinking",
            "Magistral-Small-2506",
            "Phi-4-reasoning",
            "Phi-4-mini-reasoning (its template has no tag; when it writes them)",
            "SmolLM3",
            "OLMo 3 Think",
            "Nemotron Nano v2",
            "Nemotron Super 49B v1.5",
            "Nemotron 3 Nano",
            "MiniMax M2",
        ),
        opens=("<think>",),
        closes=("</think>",),
        delimiters="text",
        opened_by_template=True,
    ),
    Scaffold(
        name="think_response",
        families=("Granite 3.3",),
        opens=("<think>",),
        closes=("</think>",),
        delimiters="text",
        answer_opens=("<response>",),
        answer_ends=("</response>",),
    ),
    Scaffold(
        name="think_answer",
        families=("Hunyuan A13B", "models trained to answer in <think> and <answer> tags"),
        opens=("<think>",),
        closes=("</think>",),
        delimiters="text",
        answer_opens=("<answer>",),
        answer_ends=("</answer>",),
    ),
    Scaffold(
        name="qwen_thinking_process",
        # What follows the template's own `<think>`. Where the prompt is known, `think` sees that
        # opening; where it is not, these words are the only sign of an output cut inside reasoning.
        families=("Qwen3.5 (prompt unknown)", "Qwen3.6 (prompt unknown)"),
        opens=("Thinking Process:\n\n1.  **Analyze", "Here's a thinking process:\n\n1.  **Analyze"),
        closes=("</think>",),
        delimiters="text",
        prompt_end="",
    ),
    Scaffold(
        name="mistral_think",
        families=("Magistral 2507 and later", "Ministral-3-Reasoning", "Mistral v15 (Small 4)"),
        opens=("[THINK]",),
        closes=("[/THINK]",),
        delimiters="special",
    ),
    Scaffold(
        name="harmony",
        families=("gpt-oss",),
        opens=(*_HARMONY_ANALYSIS, "<|start|>assistant to="),
        # The final channel closes too: now and then `<|end|>` is left out before it.
        closes=("<|end|>", "<|call|>", *_HARMONY_FINAL),
        delimiters="special",
        answer_opens=_HARMONY_FINAL,
    ),
    Scaffold(
        name="harmony_tokens_dropped",
        families=("gpt-oss decoded without special tokens",),
        opens=("analysis",),
        closes=("assistantfinal",),
        delimiters="text",
        prompt_end="<|start|>assistant",
    ),
    Scaffold(
        name="gemma_channel",
        families=("Gemma 4",),
        opens=("<|channel>thought",),
        closes=("<channel|>",),
        delimiters="special",
    ),
    Scaffold(
        name="gemma_channel_tokens_dropped",
        # The closing delimiter is gone, so reasoning and answer cannot be told apart: all unclosed.
        families=("Gemma 4 decoded without special tokens",),
        opens=("thought\n",),
        closes=(),
        delimiters="text",
        prompt_end="<|turn>model",
    ),
    Scaffold(
        name="granite_sentences",
        families=("Granite 3.2",),
        opens=(
            "Here is my thought process:",
            "Here's my thought process:",
            "Here\u2019s my thought process:",
        ),
        closes=("Here is my response:", "Here's my response:", "Here\u2019s my response:"),
        delimiters="text",
    ),
    Scaffold(
        name="apriel_sentences",
        families=("Apriel 1.5", "Apriel 1.6 (opened by the template)"),
        opens=("Here are my reasoning steps:",),
        closes=("[BEGIN FINAL RESPONSE]",),
        delimiters="text",
        answer_ends=("[END FINAL RESPONSE]",),
        opened_by_template=True,
    ),
    Scaffold(
        name="kimi_triangles",
        families=("Kimi before K2 Thinking",),
        opens=("◁think▷",),
        closes=("◁/think▷",),
        delimiters="special",
    ),
    Scaffold(
        name="kimi_sections",
        families=("Kimi K3",),
        opens=("<|open|>think<|sep|>",),
        closes=("<|close|>think<|sep|>",),
        delimiters="special",
        answer_opens=("<|open|>response<|sep|>",),
        answer_ends=("<|close|>response<|sep|>", "<|close|>message<|sep|>"),
        opened_by_template=True,
    ),
    Scaffold(
        name="seed_think",
        families=("Seed-OSS",),
        opens=("<seed:think>",),
        closes=("</seed:think>",),
        delimiters="special",
    ),
    Scaffold(
        name="hunyuan_opensource",
        families=("Hy3",),
        opens=("<think:opensource>",),
        closes=("</think:opensource>",),
        delimiters="special",
        opened_by_template=True,
    ),
    Scaffold(
        name="command_thinking",
        families=("Command R7B", "Cohere2MoE"),
        opens=("<|START_THINKING|>",),
        closes=("<|END_THINKING|>",),
        delimiters="special",
        answer_opens=("<|START_RESPONSE|>", "<|START_TEXT|>"),
        answer_ends=("<|END_RESPONSE|>", "<|END_TEXT|>"),
        opened_by_template=True,
    ),
    Scaffold(
        name="apertus_inner",
        families=("Apertus",),
        opens=("<|inner_prefix|>",),
        closes=("<|inner_suffix|>",),
        delimiters="special",
    ),
    Scaffold(
        name="minimax_think",
        families=("MiniMax M3",),
        opens=("<mm:think>",),
        closes=("</mm:think>",),
        delimiters="special",
    ),
    Scaffold(
        name="llama_reasoning",
        families=("Llama 4 (reserved tokens of its tokenizer)",),
        opens=("<|reasoning_thinking_start|>",),
        closes=("<|reasoning_thinking_end|>",),
        delimiters="special",
    ),
)
"""Every known scaffold. Where two share their opening, the first is the one reported until an answer
wrapper tells them apart."""

END_OF_TURN_TOKENS: tuple[str, ...] = (
    "<|im_end|>",
    "<|endoftext|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|end_of_text|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|eot|>",
    "<|eom|>",
    "<|end_of_msg|>",
    "<|assistant_end|>",
    "<|END_OF_TURN_TOKEN|>",
    "<end_of_turn>",
    "<turn|>",
    "<seed:eos>",
    # DeepSeek and Hy3 write full-width bars; escaped, because they look like the ASCII one.
    "<\uff5cend\u2581of\u2581sentence\uff5c>",
    "<\uff5chy_eos:opensource\uff5c>",
    "[e~[",
    "</s>",
    "<eos>",
    "<pad>",
)
"""What may be left at the end of an output after its last word: no part of an answer."""
