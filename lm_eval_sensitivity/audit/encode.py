"""Prompts to token ids without weights, the way `--model hf` would feed them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.errors import InputError


@dataclass(frozen=True)
class PromptEncoder:
    """A tokenizer, and the chat template that stands between a prompt and its ids."""

    name: str
    """As the user named it: a folder or a Hub id."""
    tokenizer: Any
    chat_template: str | None
    """The template's source; None feeds prompts as they are."""
    template_arguments: Mapping[str, Any] = field(default_factory=dict)
    """Switches passed to the template, for example `enable_thinking`."""

    def render(self, prompt: str) -> str:
        """The text that is tokenized: the prompt inside the chat template, up to the model's turn.

        Args:
            prompt: the user's text.

        Returns:
            Text with the template's special tokens in it; without a template, the prompt.

        Raises:
            InputError: the template, which is a program, failed.
        """
        if self.chat_template is None:
            return prompt
        try:
            rendered: str = self.tokenizer.apply_chat_template(
                [{"role": "user", "content": prompt}],
                tokenize=False,
                add_generation_prompt=True,
                chat_template=self.chat_template,
                **self.template_arguments,
            )
        except Exception as error:  # noqa: BLE001  # templates are programs: they raise anything
            raise InputError(
                f"The chat template of `{self.name}` failed on a prompt: {type(error).__name__}: {error}. "
                "Check the template, or give the switches it needs with `--template-args '{\"name\": value}'`."
            ) from None
        return rendered

    def encode(self, rendered: str) -> list[int]:
        """Token ids of a rendered prompt; a BOS is not added twice.

        Args:
            rendered: what `render` gave.

        Returns:
            [position] ids.
        """
        bos = self.tokenizer.bos_token
        plain = bool(bos) and rendered.startswith(bos)
        ids: list[int] = self.tokenizer(rendered, **({"add_special_tokens": False} if plain else {}))[
            "input_ids"
        ]
        return ids


def user_token_span(tokenizer: Any, rendered: str, prompt: str, ids: list[int]) -> tuple[int, int] | None:
    """Positions of the user's text among the ids of a rendered prompt.

    Args:
        tokenizer: a Hugging Face one.
        rendered: the prompt inside its template.
        prompt: the user's text.
        ids: [position] what the model was fed.

    Returns:
        Half-open range, or None where it cannot be told: a tokenizer without offsets, a template that
        changed the text, ids that are not this tokenizer's.
    """
    start = rendered.find(prompt)
    text = prompt
    if start < 0:
        text = prompt.strip()
        start = rendered.find(text)
    if start < 0 or not text or not getattr(tokenizer, "is_fast", False):
        return None
    for special in ({}, {"add_special_tokens": False}):
        encoded = tokenizer(rendered, return_offsets_mapping=True, **special)
        if list(encoded["input_ids"]) == list(ids):
            touching = [
                position
                for position, (first, last) in enumerate(encoded["offset_mapping"])
                if last > start and first < start + len(text)
            ]
            return (touching[0], touching[-1] + 1) if touching else None
    return None


def load_encoder(
    name: str,
    *,
    chat_template_file: Path | None = None,
    use_chat_template: bool = True,
    template_arguments: Mapping[str, Any] | None = None,
) -> PromptEncoder:
    """A tokenizer from a local folder or the Hub, without weights and without running its code.

    Args:
        name: folder or Hub id.
        chat_template_file: replaces the tokenizer's own template.
        use_chat_template: False feeds prompts as they are, whatever template there is.
        template_arguments: switches for the template.

    Returns:
        Tokenizer and template, ready to render and encode.

    Raises:
        InputError: no tokenizer there, or the template file cannot be read.
    """
    try:
        from transformers import AutoTokenizer
    except ImportError:
        raise InputError(
            "The audit reads tokenizers with the `transformers` package, which is not installed: "
            'pip install "lm-eval-sensitivity[audit]".'
        ) from None
    if Path(name).exists() and not Path(name).is_dir():
        raise InputError(f"Tokenizer `{name}` is a file; give the folder that holds tokenizer.json.")
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=False)
    except Exception as error:  # noqa: BLE001  # transformers raises many kinds for one cause
        first_line = next(iter(str(error).strip().splitlines()), "")
        raise InputError(
            f"Tokenizer `{name}` could not be loaded ({type(error).__name__}: {first_line}). Accepted: a folder "
            "with tokenizer files, or a Hub id reachable from this machine."
        ) from None
    template = _template(tokenizer, name, chat_template_file) if use_chat_template else None
    # A template of another family may name special tokens that this tokenizer lacks: they render as nothing.
    # The tokenizer's own template gets no such help, because it gets none when the model is run either.
    absent = {"bos_token": "", "eos_token": ""} if chat_template_file is not None else {}
    absent = {token: text for token, text in absent.items() if getattr(tokenizer, token) is None}
    return PromptEncoder(name, tokenizer, template, {**absent, **(template_arguments or {})})


def _template(tokenizer: Any, name: str, file: Path | None) -> str | None:
    if file is not None:
        try:
            return file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"`--chat-template {file}` cannot be read as UTF-8 text: {error}.") from None
    template: Any = tokenizer.chat_template
    if isinstance(template, dict):
        if "default" not in template:
            raise InputError(
                f"Tokenizer `{name}` has several chat templates ({', '.join(sorted(template))}) and none is the "
                "default; give one with `--chat-template FILE`."
            )
        template = template["default"]
    return None if template is None else str(template)
