"""The one maker of small ladders: a published folder cut from the packaged sources, single rows, own ladders."""

from __future__ import annotations

import functools
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from lm_eval_sensitivity.embedder import Embedder, load_embedder
from lm_eval_sensitivity.ladder import load_ladder, minimal_replacement
from lm_eval_sensitivity.ladder.authoring.audit_grid import System, SystemAudit
from lm_eval_sensitivity.ladder.authoring.folder import build_folder, read_folder, write_card
from lm_eval_sensitivity.ladder.authoring.measured import (
    MEASURED_FILE,
    Measured,
    make_audit,
    measure_distances,
    write_measured,
)
from lm_eval_sensitivity.ladder.build import build_pairs
from lm_eval_sensitivity.ladder.load import packaged_folder
from lm_eval_sensitivity.ladder.parquet import write_parquet
from lm_eval_sensitivity.ladder.sources import (
    AUTHORED_EDITS,
    AuthoredPrompt,
    AuthoredVariant,
    Source,
    read_sources,
)
from lm_eval_sensitivity.types import CATEGORIES, Pair, Rung

packaged = functools.cache(load_ladder)
"""The packaged ladder, or another source, read once per test process."""
VERSION = packaged(subset="mini").version
SUBSETS = ("full", "core", "mini")
PER_CATEGORY = 2
"""Prompts of each category in `full`; `core` and `mini` have one."""


@functools.cache
def chosen_prompts() -> dict[str, tuple[AuthoredPrompt, ...]]:
    """Prompts by subset, those of the packaged mini first, so that tests can name them."""
    packaged = read_sources(packaged_folder() / "sources")
    mini = {prompt.prompt_id for prompt in packaged["mini"].prompts}
    first = sorted(packaged["full"].prompts, key=lambda prompt: prompt.prompt_id not in mini)
    by_category = [[prompt for prompt in first if prompt.category == category] for category in CATEGORIES]
    one_each = tuple(prompts[0] for prompts in by_category)
    full = tuple(prompt for prompts in by_category for prompt in prompts[:PER_CATEGORY])
    return {"full": full, "core": one_each, "mini": one_each}


@functools.cache
def clean_pairs(subset: str = "full") -> tuple[Pair, ...]:
    """The rows of a subset as they are built."""
    return tuple(build_pairs(Source(VERSION, chosen_prompts()[subset])))


def small_folder(folder: Path, *, card: bool = True) -> Path:
    """A copy of the small ladder with all that a published folder has: sources, parquet, measurements, card."""
    for name, content in _files().items():
        if card or name not in ("README.md", MEASURED_FILE):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
    return folder


@functools.cache
def _files() -> dict[str, bytes]:
    """Made once per test process."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "sources").mkdir()
        for category in CATEGORIES:
            prompts = (prompt for prompt in chosen_prompts()["full"] if prompt.category == category)
            entries = [
                {("id" if k == "prompt_id" else k): v for k, v in asdict(each).items()} for each in prompts
            ]
            _dump({"prompts": entries}, folder / "sources" / f"{category}.yaml")
        subsets = {name: [prompt.prompt_id for prompt in chosen_prompts()[name]] for name in SUBSETS[1:]}
        _dump({"ladder_version": VERSION, "subsets": subsets}, folder / "sources" / "ladder.yaml")
        build_folder(folder)
        write_measured(fake_measured(folder), folder / MEASURED_FILE)
        write_card(folder)
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }


def _dump(content: object, path: Path) -> None:
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")


def rebuild(
    folder: Path, change: Callable[[AuthoredPrompt], AuthoredPrompt], subsets: Iterable[str] = SUBSETS
) -> None:
    """Write subsets again from changed prompts, rule rows and hashes included."""
    for subset in subsets:
        prompts = tuple(map(change, chosen_prompts()[subset]))
        write_parquet(build_pairs(Source(VERSION, prompts)), folder / subset / "test.parquet")


def fake_encode(texts: Sequence[str]) -> np.ndarray:
    return np.array([[1.0, len(text)] for text in texts])


def fake_measured(folder: Path) -> Measured:
    """What might have been measured on the rows of a folder."""
    ladder = read_folder(folder)[0]
    edits = dict(Counter(pair.edit for pair in ladder.pairs if pair.rung != "identical"))
    systems = [
        SystemAudit(System("bare", None, False), "a" * 16, None, edits),
        SystemAudit(System("bare", "trims|all", True), "a" * 16, "b" * 16, dict.fromkeys(edits, 0)),
    ]
    distances = measure_distances(ladder, fake_encode, {"name": "fake", "weights_sha256": "c" * 64})
    return Measured(ladder.version, ladder.subset, distances, make_audit(ladder, systems, "0.0"))


@functools.cache
def shared_embedder() -> Embedder:
    """The default embedder; it remembers its vectors, so every text is embedded once per test process."""
    pytest.importorskip("sentence_transformers")
    return load_embedder(device="cpu")


# ---- rows and ladders of one's own


def pair(base: str, variant: str, edit: str = "paraphrase_1", **cells: Any) -> Pair:
    """One row of the prompt `p`, or of `prompt_id`."""
    rung: Rung = AUTHORED_EDITS.get(edit, "noop")
    prompt_id = cells.pop("prompt_id", "p")
    values: dict[str, Any] = {
        "pair_id": f"{prompt_id}/{edit}",
        "prompt_id": prompt_id,
        "category": "factual",
        "rung": rung,
        "rung_index": 0,
        "edit": edit,
        "base": base,
        "variant": variant,
        "meaning_preserving": True,
        "origin": "authored",
        "reason": f"Reason of {prompt_id}/{edit}.",
        "replacements": minimal_replacement(base, variant),
        "ladder_version": "1",
    }
    return Pair(**{**values, **cells})


def prompt(prompt_id: str, base: str, **variants: str) -> AuthoredPrompt:
    authored = {edit: AuthoredVariant(text, f"{edit} of {prompt_id}.") for edit, text in variants.items()}
    return AuthoredPrompt(prompt_id, "uncategorized", base, authored)


def write_own(path: Path, *prompts: AuthoredPrompt | str) -> Path:
    """An own ladder of these prompts, or of prompts with these texts."""
    made = [prompt(f"p{n:03}", each) if isinstance(each, str) else each for n, each in enumerate(prompts)]
    write_parquet(build_pairs(Source("1", tuple(made))), path)
    return path
