"""Where the scaffold tests find real chat templates and tokenizers; without them those tests are skipped."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
SPECIAL_TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
USER_TEXT = "What do <think> and </think> mean, and [THINK]?"


def _shared_folder() -> Path:
    return Path(os.environ.get("LM_EVAL_SENSITIVITY_SHARED") or REPOSITORY.parent / "shared")


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """The folder with `templates/` and `tokenizers/`."""
    folder = _shared_folder()
    if not (folder / "templates").is_dir():
        pytest.skip(
            f"no templates under {folder}; set LM_EVAL_SENSITIVITY_SHARED to the folder that has them"
        )
    return folder


@pytest.fixture(scope="session")
def render_prompt(shared_folder: Path) -> Callable[..., str]:
    """Render a real template with its switches; returns the end of the prompt."""
    utilities = pytest.importorskip("transformers.utils.chat_template_utils")

    def render(template: str, user: str = USER_TEXT, *, system: str | None = None, **switches: object) -> str:
        messages = [{"role": "user", "content": user}]
        if system is not None:
            messages.insert(0, {"role": "system", "content": system})
        text = (shared_folder / "templates" / f"{template}.jinja").read_text(encoding="utf-8")
        prompts, _ = utilities.render_jinja_template(
            [messages],
            chat_template=text,
            add_generation_prompt=True,
            **SPECIAL_TOKENS,
            **switches,
        )
        tail: str = prompts[0][-400:]
        return tail

    return render
