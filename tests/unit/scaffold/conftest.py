"""Where the scaffold tests find real chat templates and tokenizers; without them those tests are skipped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

SPECIAL_TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
USER_TEXT = "What do <think> and </think> mean, and [THINK]?"


@pytest.fixture(scope="session")
def render_prompt(shared: Path) -> Callable[..., str]:
    """Render a real template with its switches; returns the end of the prompt."""
    utilities = pytest.importorskip("transformers.utils.chat_template_utils")

    def render(template: str, user: str = USER_TEXT, *, system: str | None = None, **switches: object) -> str:
        messages = [{"role": "user", "content": user}]
        if system is not None:
            messages.insert(0, {"role": "system", "content": system})
        text = (shared / "templates" / f"{template}.jinja").read_text(encoding="utf-8")
        prompts, _ = utilities.render_jinja_template(
            [messages], chat_template=text, add_generation_prompt=True, **SPECIAL_TOKENS, **switches
        )
        tail: str = prompts[0][-400:]
        return tail

    return render
