"""A model whose template has the switch that reasoning models have."""

from __future__ import annotations

import shutil
from pathlib import Path

from lm_eval_sensitivity.demo import demo_model_path


def with_thinking_switch(folder: Path) -> None:
    """The demonstration model behind a template with a switch: it begins the thoughts, or begins and ends them."""
    shutil.copytree(demo_model_path(), folder, dirs_exist_ok=True)
    template = folder / "chat_template.jinja"
    text, opening = template.read_text(encoding="utf-8"), "{{- '<|assistant|>' -}}"
    assert text.count(opening) == 1, "the template says once where the answer begins"
    thoughts = "{{- '<think>' if enable_thinking else '<think></think>' -}}"
    template.write_text(text.replace(opening, opening + thoughts), encoding="utf-8")
