"""Randomly initialized models of several architectures: they know nothing, and their arithmetic is real."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers

from lm_eval_sensitivity.demo import demo_model_path

SMALL = {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4}
HEADS = {"num_key_value_heads": 2, "head_dim": 12}


def _gpt2(vocabulary: int) -> transformers.PretrainedConfig:
    return transformers.GPT2Config(vocab_size=vocabulary, n_embd=48, n_layer=2, n_head=4, n_positions=512)


CONFIGS: dict[str, Callable[[int], transformers.PretrainedConfig]] = {
    "llama": lambda v: transformers.LlamaConfig(vocab_size=v, max_position_embeddings=512, **SMALL, **HEADS),
    "gpt2": _gpt2,
    "gpt_neox": lambda v: transformers.GPTNeoXConfig(vocab_size=v, max_position_embeddings=512, **SMALL),
    "qwen3": lambda v: transformers.Qwen3Config(vocab_size=v, max_position_embeddings=512, **SMALL, **HEADS),
    "gemma2": lambda v: transformers.Gemma2Config(
        vocab_size=v, max_position_embeddings=512, **SMALL, **HEADS
    ),
    "gemma3": lambda v: transformers.Gemma3TextConfig(
        vocab_size=v, max_position_embeddings=512, **SMALL, **HEADS
    ),
    "phi3": lambda v: transformers.Phi3Config(
        vocab_size=v, max_position_embeddings=512, num_key_value_heads=2, **SMALL, pad_token_id=0
    ),
}


def build(folder: Path, architecture: str, dtype: str = "float32", seed: int = 0, **generation: Any) -> Path:
    """Save a random model with the demonstration model's tokenizer.

    Args:
        folder: created; holds the model afterwards.
        architecture: a key of `CONFIGS`.
        dtype: of the saved weights.
        seed: of the random weights.
        generation: settings for `generation_config.json`, as a checkpoint might ship them.
    """
    tokenizer = transformers.AutoTokenizer.from_pretrained(demo_model_path())
    config = CONFIGS[architecture](len(tokenizer))
    config.eos_token_id = tokenizer.eos_token_id
    config.bos_token_id = tokenizer.bos_token_id
    config.pad_token_id = tokenizer.pad_token_id
    torch.manual_seed(seed)
    model = transformers.AutoModelForCausalLM.from_config(config).to(getattr(torch, dtype))
    with torch.no_grad():
        # Default initialization is so small that every prompt gets nearly the same logits.
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(4)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    for name, value in generation.items():
        setattr(model.generation_config, name, value)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def copy_demo(folder: Path) -> Path:
    """A copy of the demonstration model that a test may change."""
    shutil.copytree(demo_model_path(), folder)
    return folder
