"""Which edits of a ladder reach which tokenizers and chat templates, over whole folders of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lm_eval_sensitivity.audit import load_encoder, survival_rows
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.types import Pair

OWN_TEMPLATE = "own"
"""Stands for the chat template that comes with a tokenizer."""
NEUTRAL_TOKENIZER = "gpt2"
"""Stands in where the model's family has no tokenizer in the folder: by itself it erases no edit, so what is
erased under it was erased by the template."""


@dataclass(frozen=True)
class Partner:
    """The tokenizer under which a template file is audited."""

    tokenizer: str
    stand_in: bool
    """True where it is not of the family that the template was written for."""


_STAND_IN = Partner(NEUTRAL_TOKENIZER, stand_in=True)
PARTNERS: Mapping[str, Partner] = {
    "Apriel-1.6-15b-Thinker-fixed": _STAND_IN,
    "ByteDance-Seed-OSS": _STAND_IN,
    "HuggingFaceTB-SmolLM3-3B": _STAND_IN,
    "NVIDIA-Nemotron-3-Nano-30B-A3B-BF16": _STAND_IN,
    "Qwen-QwQ-32B.2025-07": Partner("qwen3", stand_in=False),
    "Qwen-Qwen3-0.6B": Partner("qwen3", stand_in=False),
    # A vocabulary of its own, and for the distilled model another tokenizer class, which may not normalise.
    "Qwen3.5-4B": _STAND_IN,
    "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B.2025-07": _STAND_IN,
    "ai2-olmo_thinker": Partner("olmo2_dolma2", stand_in=False),
    "gemma-3-it": _STAND_IN,
    "google-gemma-4-31B-it": _STAND_IN,
    "ibm-granite-granite-3.3-2B-Instruct": _STAND_IN,
    "llama-2-chat": Partner("llama2", stand_in=False),
    "meta-llama-Llama-3.1-8B-Instruct": Partner("llama3", stand_in=False),
    "mistral-v13-think": Partner("mistral_tekken", stand_in=False),
    "mistral-v3-tekken": Partner("mistral_tekken", stand_in=False),
    "openai-gpt-oss-120b": _STAND_IN,
    # Llama-2's vocabulary with special tokens of its own, which strip their neighbours.
    "phi-3-mini-4k": Partner("llama2", stand_in=True),
    "phi-4": Partner("phi4", stand_in=False),
}
"""By the name of the template file without its suffix. A file that is not named here is audited under the neutral
tokenizer, as a stand-in."""


@dataclass(frozen=True)
class System:
    """One tokenizer and what stands between it and the prompt."""

    tokenizer: str
    """Name of its folder."""
    template: str | None
    """Name of a template file without its suffix, `own`, or None for the bare prompt."""
    stand_in: bool


@dataclass(frozen=True)
class SystemAudit:
    """How many pairs of each edit reach the token ids of one system."""

    system: System
    tokenizer_sha256: str
    """Of `tokenizer.json`, the first 16 digits."""
    template_sha256: str | None
    """Of the template's source, the first 16 digits."""
    n_reached: Mapping[str, int]
    """By edit; pairs whose token ids differ from their base's."""


def find_systems(tokenizers: Path, templates: Path | None) -> list[System]:
    """All systems of two folders: bare tokenizers, then with their own template, then the template files.

    Args:
        tokenizers: folder with one folder per tokenizer.
        templates: folder with `*.jinja` files; None for none.

    Raises:
        InputError: a folder does not exist or holds nothing of the kind.
    """
    names = sorted(path.parent.name for path in _children(tokenizers, "*/tokenizer.json", "--tokenizers"))
    with_own = [name for name in names if load_encoder(str(tokenizers / name)).chat_template is not None]
    systems = [System(name, None, False) for name in names]
    systems += [System(name, OWN_TEMPLATE, False) for name in with_own]
    if templates is not None:
        files = sorted(path.stem for path in _children(templates, "*.jinja", "--templates"))
        systems += [_system_of_template(file, names) for file in files]
    return systems


def audit_system(
    system: System,
    pairs: Iterable[Pair],
    tokenizers: Path,
    templates: Path | None,
    *,
    advance: Callable[[], object] = lambda: None,
) -> SystemAudit:
    """Audit a ladder under one system, without weights.

    Args:
        system: as `find_systems` gives it.
        pairs: ladder rows.
        tokenizers: folder with one folder per tokenizer.
        templates: folder with `*.jinja` files.
        advance: called once per pair, for a progress bar.
    """
    from_file = system.template not in (None, OWN_TEMPLATE)
    file = templates / f"{system.template}.jinja" if from_file and templates else None
    folder = tokenizers / system.tokenizer
    encoder = load_encoder(
        str(folder), chat_template_file=file, use_chat_template=system.template is not None
    )
    rows = survival_rows(encoder, pairs, advance=advance)
    template = encoder.chat_template
    return SystemAudit(
        system,
        _digest((folder / "tokenizer.json").read_bytes()),
        None if template is None else _digest(template.encode("utf-8")),
        {row.edit: row.n_reached for row in rows},
    )


def _system_of_template(file: str, tokenizers: list[str]) -> System:
    partner = PARTNERS.get(file, _STAND_IN)
    if partner.tokenizer in tokenizers:
        return System(partner.tokenizer, file, partner.stand_in)
    # A folder of other tokenizers than ours: any of them shows what the template itself erases.
    return System(NEUTRAL_TOKENIZER if NEUTRAL_TOKENIZER in tokenizers else tokenizers[0], file, True)


def _children(folder: Path, pattern: str, option: str) -> list[Path]:
    found = list(folder.glob(pattern)) if folder.is_dir() else []
    if not found:
        raise InputError(f"`{option} {folder}` has no `{pattern}`. Give a folder that holds such files.")
    return found


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
