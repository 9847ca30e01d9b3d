"""The demo model's own tokenizer: byte-level BPE, no normalizer, five special tokens, a chat template.

Byte-level and without a normalizer on purpose: a double space, a newline, a no-break space, a
zero-width space and a decomposed accent must all reach the model, or the demo could not show them.
"""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

PAD, SYSTEM, USER, ASSISTANT, END = "<|pad|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"
SPECIAL_TOKENS = [PAD, SYSTEM, USER, ASSISTANT, END]

# The content goes in untouched. Many published templates trim it, which erases a leading space
# before the model can see it; the demo is there to show the edit, so it must not.
CHAT_TEMPLATE = (
    "{%- for message in messages -%}\n"
    "{%- if message['role'] not in ['system', 'user', 'assistant'] -%}\n"
    "{{- raise_exception('Accepted roles: system, user, assistant.') -}}\n"
    "{%- endif -%}\n"
    "{{- '<|' + message['role'] + '|>' + message['content'] + '<|end|>' -}}\n"
    "{%- endfor -%}\n"
    "{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}\n"
)


def train_tokenizer(texts: list[str], vocab_size: int) -> Tokenizer:
    """A byte-level BPE tokenizer of at most `vocab_size` tokens, the special ones included.

    Args:
        texts: to learn merges from.
        vocab_size: at least the 256 bytes and the special tokens.

    Returns:
        A tokenizer that gives every text back unchanged.

    Example:
        >>> tokenizer = train_tokenizer(["a tea, a tea"], vocab_size=270)
        >>> tokenizer.decode(tokenizer.encode(" a\\u00a0tea\\n").ids)
        ' a\\xa0tea\\n'
    """
    tokenizer = Tokenizer(models.BPE())
    # One token per digit, so that 14:35 and 14:45 differ in one token and not in the whole number.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=SPECIAL_TOKENS,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, folder: Path, max_length: int) -> None:
    """Write the files that `AutoTokenizer.from_pretrained(folder)` reads, the chat template among them.

    Args:
        tokenizer: from `train_tokenizer`.
        folder: exists; files of the same names are replaced.
        max_length: tokens that the model reads at most.
    """
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8", newline="\n")
    # Written by hand: `save_pretrained` names a class that older transformers releases do not have.
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": END,
        "pad_token": PAD,
        "padding_side": "left",
        "model_max_length": max_length,
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
    }
    text = json.dumps(settings, indent=2) + "\n"
    (folder / "tokenizer_config.json").write_text(text, encoding="utf-8", newline="\n")


def chat_prompt(question: str, system: str | None = None) -> str:
    """What the chat template renders for one question, generation prompt included.

    Args:
        question: the user's text, put in as it is.
        system: a system message before it.

    Returns:
        Text that ends where the answer begins.

    Example:
        >>> chat_prompt(" Why?")
        '<|user|> Why?<|end|><|assistant|>'
    """
    opening = f"{SYSTEM}{system}{END}" if system else ""
    return f"{opening}{USER}{question}{END}{ASSISTANT}"
