"""The demonstration model behind a template or a tokenizer that takes the edges off every prompt."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from lm_eval_sensitivity.demo import demo_model_path

CONTENT = "message['content']"


def trimming_template(folder: Path) -> None:
    """A chat template that trims its content, as those of Llama 3 and Gemma do."""
    _copy_demo(folder)
    template = folder / "chat_template.jinja"
    text = template.read_text(encoding="utf-8")
    assert text.count(CONTENT) == 1, "the template says once where the content stands"
    template.write_text(text.replace(CONTENT, f"({CONTENT} | trim)"), encoding="utf-8")


def stripping_tokenizer(folder: Path) -> None:
    """Turn markers that eat the white space beside them, as Phi's do: it is in the rendered text, not in the ids."""
    _copy_demo(folder)
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    side_of = {"<|user|>": "rstrip", "<|end|>": "lstrip"}
    for token in tokenizer["added_tokens"]:
        if token["content"] in side_of:
            token[side_of[token["content"]]] = True
    path.write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")


def _copy_demo(folder: Path) -> None:
    shutil.copytree(demo_model_path(), folder, dirs_exist_ok=True)
