"""What is kept of the models that the traps build: one build of each, and never one that is not ours to remove."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from filelock import FileLock

from lm_eval_sensitivity.ladder import load_ladder
from tests.traps import conftest
from tests.traps.conftest import models_in


def fill(folder: Path, text: str) -> None:
    """A builder; other arguments make another key, as a change of its code does."""
    (folder / "weights").write_text(text, encoding="utf-8")


def builds(home: Path, name: str) -> list[str]:
    return sorted((folder / "weights").read_text(encoding="utf-8") for folder in home.glob(f"*/{name}"))


def test_a_new_build_removes_the_earlier_ones_of_its_name_only(tmp_path: Path) -> None:
    model = models_in(tmp_path)
    model("other", partial(fill, text="old"))
    first = model("mine", partial(fill, text="old"))
    second = model("mine", partial(fill, text="new"))
    assert first.parent != second.parent and not first.exists()
    assert (builds(tmp_path, "mine"), builds(tmp_path, "other")) == (["new"], ["old"])
    # A folder of nothing but a lock would stay for ever.
    assert len([*tmp_path.glob("*/mine.lock")]) == len([*tmp_path.glob("*/other.lock")]) == 1


def test_whoever_finds_its_model_removes_nothing(tmp_path: Path) -> None:
    """Another process, with a changed builder, may have built a newer one and be reading it."""
    model = models_in(tmp_path)
    found = model("mine", partial(fill, text="ours"))
    theirs = tmp_path / "another_key" / "mine"
    theirs.mkdir(parents=True)
    fill(theirs, "theirs")
    assert model("mine", partial(fill, text="ours")) == found
    assert builds(tmp_path, "mine") == ["ours", "theirs"]


def test_a_build_at_work_stays(tmp_path: Path) -> None:
    theirs = tmp_path / "another_key" / "mine"
    theirs.mkdir(parents=True)
    fill(theirs, "theirs")
    with FileLock(f"{theirs}.lock"):
        models_in(tmp_path)("mine", partial(fill, text="ours"))
    assert builds(tmp_path, "mine") == ["ours", "theirs"]


def test_other_prompts_are_another_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scripts are written for the prompts of the ladder: with others the models would say something else."""
    model = models_in(tmp_path)
    first = model("mine", partial(fill, text="old prompts"))
    other = replace(load_ladder(None, "mini"), content_hash="0" * 64)
    monkeypatch.setattr(conftest, "load_ladder", lambda *_: other)
    assert model("mine", partial(fill, text="old prompts")).parent != first.parent


def test_other_code_of_the_ladder_is_another_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the builds is a ladder that `ladder build` makes."""
    package = tmp_path / "ladder"
    package.mkdir()
    monkeypatch.setattr(conftest.ladder, "__file__", str(package / "__init__.py"))
    (package / "build.py").write_text("made = 1", encoding="utf-8")
    model = models_in(tmp_path / "models")
    (tmp_path / "models").mkdir()
    first = model("mine", partial(fill, text="one"))
    (package / "build.py").write_text("made = 2", encoding="utf-8")
    assert model("mine", partial(fill, text="one")).parent != first.parent
