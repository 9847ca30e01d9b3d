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


PARTNERS: Mapping[str, str | None] = {
    "Apriel-1.6-15b-Thinker-fixed": None,
    "ByteDance-Seed-OSS": None,
    "HuggingFaceTB-SmolLM3-3B": None,
    "NVIDIA-Nemotron-3-Nano-30B-A3B-BF16": None,
    "Qwen-QwQ-32B.2025-07": "qwen3",
    "Qwen-Qwen3-0.6B": "qwen3",
    # A vocabulary of its own, and for the distilled model another tokenizer class, which may not normalize.
    "Qwen3.5-4B": None,
    "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B.2025-07": None,
    "ai2-olmo_thinker": "olmo2_dolma2",
    "gemma-3-it": None,
    "google-gemma-4-31B-it": None,
    "ibm-granite-granite-3.3-2B-Instruct": None,
    "llama-2-chat": "llama2",
    "meta-llama-Llama-3.1-8B-Instruct": "llama3",
    "mistral-v13-think": "mistral_tekken",
    "mistral-v3-tekken": "mistral_tekken",
    "openai-gpt-oss-120b": None,
    "phi-3-mini-4k": "llama2",
    "phi-4": "phi4",
}
"""The tokenizer under which a template is audited, by the name of its file without its suffix. None, and a file that
is not named here: the neutral tokenizer, as a stand-in."""
STAND_INS = frozenset({"phi-3-mini-4k"})
"""Templates whose partner is not of their family. This one's model has Llama-2's vocabulary with special tokens of its
own, which strip their neighbors."""


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

    Returns:
        Systems in this order, each sorted by name.

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

    Returns:
        The system with checksums of its tokenizer and template, and by edit how many pairs reach the token ids.

    Raises:
        InputError: tokenizer or template cannot be read.
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
    partner = PARTNERS.get(file)
    if partner in tokenizers:
        return System(str(partner), file, file in STAND_INS)
    # A folder of other tokenizers than ours: any of them shows what the template itself erases.
    return System(NEUTRAL_TOKENIZER if NEUTRAL_TOKENIZER in tokenizers else tokenizers[0], file, True)


def _children(folder: Path, pattern: str, option: str) -> list[Path]:
    found = list(folder.glob(pattern)) if folder.is_dir() else []
    if not found:
        raise InputError(f"`{option} {folder}` has no `{pattern}`. Give a folder that holds such files.")
    return found


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
