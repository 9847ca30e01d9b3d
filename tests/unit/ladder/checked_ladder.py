"""A small published ladder cut from the packaged sources, and sentence vectors that are computed once."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from lm_eval_sensitivity.embedder import Embedder, load_embedder
from lm_eval_sensitivity.ladder import load_ladder
from lm_eval_sensitivity.ladder.authoring.folder import build_folder
from lm_eval_sensitivity.ladder.build import build_pairs
from lm_eval_sensitivity.ladder.load import packaged_folder
from lm_eval_sensitivity.ladder.parquet import write_parquet
from lm_eval_sensitivity.ladder.sources import AuthoredPrompt, Source, read_sources
from lm_eval_sensitivity.types import CATEGORIES, Pair

VERSION = load_ladder().version
PER_CATEGORY = 2
"""Prompts of each category in `full`; `core` and `mini` have one."""


@functools.cache
def chosen_prompts() -> dict[str, list[AuthoredPrompt]]:
    """Prompts by subset, those of the packaged mini first, so that tests can name them."""
    packaged = read_sources(packaged_folder() / "sources")
    mini = {prompt.prompt_id for prompt in packaged["mini"].prompts}
    first = sorted(packaged["full"].prompts, key=lambda prompt: prompt.prompt_id not in mini)
    by_category = [[prompt for prompt in first if prompt.category == category] for category in CATEGORIES]
    return {
        "full": [prompt for prompts in by_category for prompt in prompts[:PER_CATEGORY]],
        "core": [prompts[0] for prompts in by_category],
        "mini": [prompts[0] for prompts in by_category],
    }


def write_sources(folder: Path) -> None:
    """One YAML file per category, and `ladder.yaml`."""
    folder.mkdir(parents=True)
    prompts = chosen_prompts()
    for category in CATEGORIES:
        entries = [_entry(prompt) for prompt in prompts["full"] if prompt.category == category]
        _dump({"prompts": entries}, folder / f"{category}.yaml")
    subsets = {name: [prompt.prompt_id for prompt in prompts[name]] for name in ("core", "mini")}
    _dump({"ladder_version": VERSION, "subsets": subsets}, folder / "ladder.yaml")


def build_small_ladder(folder: Path) -> None:
    """Sources and parquet files."""
    write_sources(folder / "sources")
    build_folder(folder)


def rebuild(
    folder: Path, change: Callable[[AuthoredPrompt], AuthoredPrompt], subsets: Iterable[str] = ("full",)
) -> None:
    """Write subsets again from changed prompts, rule rows and hashes included."""
    for subset in subsets:
        prompts = tuple(change(prompt) for prompt in chosen_prompts()[subset])
        write_parquet(build_pairs(Source(VERSION, prompts)), folder / subset / "test.parquet")


@functools.cache
def clean_pairs(subset: str = "full") -> tuple[Pair, ...]:
    """The rows of a subset as they are built."""
    return tuple(build_pairs(Source(VERSION, tuple(chosen_prompts()[subset]))))


_vectors: dict[str, NDArray[np.floating]] = {}


@functools.cache
def _embedder() -> Embedder:
    pytest.importorskip("sentence_transformers")
    return load_embedder(device="cpu")


def cached_encode(texts: Sequence[str]) -> NDArray[np.floating]:
    """The default embedder's vectors; every text is encoded once per test process."""
    missing = [text for text in dict.fromkeys(texts) if text not in _vectors]
    if missing:
        _vectors.update(zip(missing, _embedder().encode(missing), strict=True))
    return np.array([_vectors[text] for text in texts])


def _entry(prompt: AuthoredPrompt) -> dict[str, Any]:
    variants = {
        edit: {"text": variant.text, "reason": variant.reason} for edit, variant in prompt.variants.items()
    }
    return {"id": prompt.prompt_id, "category": prompt.category, "base": prompt.base, "variants": variants}


def _dump(content: object, path: Path) -> None:
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
