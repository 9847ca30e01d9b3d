"""Branch cards of a real run, through the command: written, written again without the model, checked, reported."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from lm_eval_sensitivity.results import open_results
from lm_eval_sensitivity.runs import load_runs
from lm_eval_sensitivity.space.page import render
from tests.running import Run, command

QUICK = ("--resamples", 199, "--draws", 199)


@pytest.fixture(scope="module")
def carded(demo_of_four_rungs: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run with three cards, and the folder of their files."""
    folder = tmp_path_factory.mktemp("carded")
    shutil.copytree(demo_of_four_rungs.folder, folder / "run")
    line = (
        "probe",
        "cards",
        folder / "run",
        "--device",
        "cpu",
        "--top",
        3,
        "--every-layer",
        1,
        "--every-position",
    )
    assert command(*line, "--folder", folder / "cards") == 0
    return folder / "run", folder / "cards"


def test_every_output_comes_out_again(carded: tuple[Path, Path]) -> None:
    cards = [json.loads(path.read_text()) for path in sorted(carded[1].glob("*.json"))]
    assert len(cards) == 3 == len(list(carded[1].glob("*.html"))) - 1
    system = load_runs(carded[0]).systems[0]
    for each in cards:
        assert (each["format"], each["system"], each["name"]) == (
            "branchcard/1",
            system.fingerprint,
            system.name,
        )
        card = each["card"]
        assert card["replayed_at_build"] == {"status": "observed", "value": True, "reason": ""}
        assert card["controls"]["self_patch"]["value"] == pytest.approx(0, abs=1e-5)
        assert card["controls"]["before_edit"]["value"] == pytest.approx(0, abs=1e-3)
        assert card["signature"]["status"] == "derived"


def test_what_is_kept_is_written_again(carded: tuple[Path, Path], tmp_path: Path) -> None:
    assert command("probe", "cards", carded[0], "--kept", "--folder", tmp_path) == 0
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        path.name: path.read_bytes() for path in carded[1].iterdir()
    }


def test_a_card_is_checked_by_the_command(
    carded: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = min(carded[1].glob("*.json"))
    line = ("probe", "cards", carded[0], "--device", "cpu", "--check")
    assert command(*line, path) == 0
    assert "The card comes out again" in capsys.readouterr().out
    card = json.loads(path.read_text())
    card["conditions"]["dtype"] = "bfloat16"
    (tmp_path / "other.json").write_text(json.dumps(card))
    assert command(*line, tmp_path / "other.json") == 1
    assert "Changed: dtype." in " ".join(capsys.readouterr().out.split())


def test_cards_are_a_part_of_reports_and_results(carded: tuple[Path, Path], tmp_path: Path) -> None:
    assert command("report", carded[0], "-o", tmp_path / "report", *QUICK) == 0
    assert (tmp_path / "report" / "probe_cards.svg").exists()
    assert "Branch cards" in (tmp_path / "report" / "index.html").read_text()
    assert command("export", carded[0], "-o", tmp_path / "results", *QUICK) == 0
    view = render(open_results(tmp_path / "results", everything=True), {"view": "probes", "probe": "cards"})
    assert "Copying one state of the unedited run" in view and "<svg" in view
