"""A model without a preference, for which some words are the same word: what moves its outputs is rounding.

The weights are random, so that at most steps many next tokens are almost tied, in bfloat16 often exactly. The
words of one group in `TWINS` have one and the same embedding: exchanging them changes the ids that the model is
fed, and nothing that it computes. Whatever distance there is between two such outputs comes from how the
arithmetic of a batch is rounded.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
import transformers

from lm_eval_sensitivity.cli import main as cli
from lm_eval_sensitivity.demo import demo_model_path

TWINS = ((" small", " old", " new"), (" water", " people", " house"))
"""Every word is one token of the demonstration model's tokenizer."""

FILLERS = (
    *("the river", "the sea", "the mountain", "the garden", "the bread", "the window"),
    *("the train", "the letter", "the piano", "the moon", "the snow", "the market"),
)
"""How many of them a prompt names makes its length: no two prompts of a group have the same, so that prompts of a
batch are padded differently, and the rounding of one depends on which others are beside it."""


def prompts() -> list[dict[str, str]]:
    """Rows for `ladder build`: a base and two rewordings of it that are its twins."""
    rows = []
    for words in TWINS:
        for n in range(1, len(FILLERS) + 1):
            texts = [f"Write about {' and '.join(FILLERS[:n])} and the{word} again." for word in words]
            rows.append(dict(zip(("prompt", "synonym_1", "synonym_2"), texts, strict=True)))
    return rows


def write_ladder(folder: Path) -> None:
    """The prompts as a ladder that lm_eval can run."""
    source = folder / "prompts.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in prompts()), encoding="utf-8")
    assert cli.main(["ladder", "build", str(source), "-o", str(folder / "ladder")]) == 0


def write_model(folder: Path) -> None:
    """Save the model in bfloat16."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(demo_model_path())
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=4,
        num_attention_heads=4,
        max_position_embeddings=512,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    torch.manual_seed(3)
    model = transformers.AutoModelForCausalLM.from_config(config)
    embedding = model.get_input_embeddings().weight
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                # The default initialization is so small that every prompt gets nearly the same logits.
                parameter.mul_(6)
        for words in TWINS:
            ids = [tokenizer.encode(word, add_special_tokens=False) for word in words]
            assert all(len(each) == 1 for each in ids), f"one token each: {words} {ids}"
            embedding[[each[0] for each in ids]] = embedding[ids[0][0]].clone()
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
