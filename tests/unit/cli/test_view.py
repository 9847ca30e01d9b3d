"""`view`: an export that nobody has to think of, and that leaves nothing behind."""

from __future__ import annotations

import importlib
import signal
import tempfile
from pathlib import Path
from typing import Any

import pytest

from lm_eval_sensitivity.cli import view
from lm_eval_sensitivity.cli.main import STATUS_OF_AN_INTERRUPT, main

pytest.importorskip("gradio")
app = importlib.import_module("lm_eval_sensitivity.space.app")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_runs_are_exported_and_served_and_nothing_stays(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[Any] = []

    def export(options: Any, folder: Path) -> None:
        assert [each.name for each in options.runs] == ["one", "two"] and options.reference.name == "one"
        folder.mkdir()

    def serve(folder: Path, host: str, port: int | None, *, browser: bool) -> None:
        assert folder.is_dir() and temporary in folder.parents
        served.append((host, port, browser))

    monkeypatch.setattr(view, "export", export)
    monkeypatch.setattr(app, "serve", serve)
    before = signal.getsignal(signal.SIGTERM)
    assert main(["view", "one", "two", "--reference", "one", "--port", "7999", "--no-browser"]) == 0
    assert served == [("127.0.0.1", 7999, False)]
    assert list(temporary.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) is before


def test_who_is_told_to_end_removes_the_folder_first(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view, "export", lambda options, folder: signal.raise_signal(signal.SIGTERM))
    assert main(["view", "one"]) == STATUS_OF_AN_INTERRUPT
    assert list(temporary.iterdir()) == []


def test_a_folder_without_runs_is_refused_as_export_does(
    temporary: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["view", "nowhere"]) == 2
    assert "nowhere" in capsys.readouterr().err
    assert list(temporary.iterdir()) == []


def test_the_command_says_when_gradio_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["view", "nowhere"]) == 2
    assert "lm-eval-sensitivity[space]" in capsys.readouterr().err
