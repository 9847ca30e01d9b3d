"""The one maker of byte-level tokenizers, with the faults that erase edits switched on one by one."""

from __future__ import annotations

from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

PLAIN = "{% for m in messages %}<|u|>{{ m.content }}{% endfor %}<|a|>"
TRIMMED = PLAIN.replace("m.content", "m.content | trim")
EDGES = ("leading_space", "trailing_space", "leading_newline", "trailing_newline")


def build(folder: Path, *, template: str | None = None, strips: bool = False, nfc: bool = False) -> Path:
    """Save one, as a model folder has it."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    if nfc:
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.add_special_tokens([AddedToken(t, lstrip=strips, rstrip=strips) for t in ("<|u|>", "<|a|>")])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    fast.chat_template = template
    fast.save_pretrained(folder)
    return folder
