"""The command `panel` from its file to its report; its children answer from recorded runs."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from lm_eval_sensitivity.cli import export, report
from lm_eval_sensitivity.cli.analysis_options import run_options
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.panel.panel_file import read_panel
from tests.golden.doors import RUNS
from tests.running import command
from tests.unit.panel.made_panel import stand_in


def written(folder: Path, **content: Any) -> Path:
    """A panel of two recorded systems, and of one that no attempt of gets done."""
    systems = [
        {
            "name": name,
            "env": {"STAND_IN_RUN": str(next((RUNS / "greedy" / recorded).glob("*/"))), "STAND_IN": fault},
        }
        for name, recorded, fault in (
            ("first", "demo", ""),
            ("second", "rounded", ""),
            ("third", "demo", "killed"),
        )
    ]
    file = folder / "panel.yaml"
    content = {
        "output": str(folder / "out"),
        "tasks": ["prompt_sensitivity_mini"],
        "env": stand_in(folder),
        "retries": 0,
        "systems": systems,
        **content,
    }
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return file


def test_the_report_is_of_what_is_there_only_when_told_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: dict[str, argparse.Namespace] = {}
    for name, made_by in (("report", report), ("export", export)):
        monkeypatch.setattr(made_by, "run", lambda options, name=name: made.update({name: options}))
    file, out = written(tmp_path, reference="first"), tmp_path / "out"
    assert command("panel", file) == 1
    said = capsys.readouterr().err
    assert "third on prompt_sensitivity_mini: failed: lm_eval was killed (SIGKILL)" in said
    assert "1 of 3 runs are missing: third on prompt_sensitivity_mini." in said and "--allow-missing" in said
    assert not made
    assert command("panel", file, "--allow-missing") == 1
    folders = [out / "runs" / name for name in ("first", "second")]
    for name, folder in (("report", "report"), ("export", "results")):
        options = made.pop(name)
        assert options.runs == folders and options.reference == folders[0]
        assert run_options(options)["labels"] == {str(each): each.name for each in folders}
        assert options.output == out / folder and options.overwrite
    only = yaml.safe_load(file.read_text())
    only["systems"] = only["systems"][1:]
    assert command("panel", written(tmp_path, **{**only, "reference": "third"}), "--allow-missing") == 1
    assert made["report"].reference is None and "No drift: third" in capsys.readouterr().err
    assert command("panel", written(tmp_path, systems=only["systems"][:1])) == 0
    assert "missing" not in capsys.readouterr().err and made["export"].runs == folders[1:]


def test_a_dry_run_runs_nothing_and_knows_the_pace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = written(tmp_path, report=False), tmp_path / "out"
    command("panel", file, "--dry-run", "--format", "json")
    rows = json.loads(capsys.readouterr().out)["tables"]["panel"]
    assert [(row["system"], row["runs"], row["done"], row["made"]) for row in rows] == [
        *(("first", 1, 0, 0), ("second", 1, 0, 0), ("third", 1, 0, 0)),
    ]
    assert not out.exists() and rows[0]["minutes left"] is None
    command("panel", file)
    assert not (out / "report").exists()
    capsys.readouterr()
    command("panel", file, "--dry-run", "--format", "json")
    first, _, third = json.loads(capsys.readouterr().out)["tables"]["panel"]
    assert (first["done"], first["made"], first["minutes left"]) == (1, 6, 0)
    assert (third["done"], third["made"]) == (0, 2) and third["minutes left"] > 0


def test_a_dry_run_refuses_what_the_run_would(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "panel.yaml"
    assert command("panel", "init", "-o", file, tmp_path / "gone", "gpt2") == 0, "models behind an option"
    command("panel", file, "--dry-run")
    said = "".join(capsys.readouterr().out.split())
    assert f"Nosuchmodelonthismachine:'{tmp_path}/gone'." in said
    # argparse would take the beginning of a name, and lm_eval then one of the two.
    file.write_text(file.read_text().replace("run: {model_args:", "run: {model_arg:"))
    with pytest.raises(InputError, match=r"an option of lm_eval is 'model_arg'.* Did you mean 'model_args'"):
        command("panel", file, "--dry-run")


def test_an_example_is_written_that_can_be_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("panel", "init", "Qwen/Qwen3-4B", "models/int4", "-o", tmp_path / "panel.yaml") == 0
    assert [system.name for system in read_panel(tmp_path / "panel.yaml").systems] == ["Qwen3-4B", "int4"]
    with pytest.raises(InputError, match="exists, and may hold your changes"):
        command("panel", "init", "Qwen/Qwen3-4B", "-o", tmp_path / "panel.yaml")
    command("panel", tmp_path / "panel.yaml", "--dry-run")
    assert "0 of 2 runs are done" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["init"], "`init` needs the models"),
        (["panel.yaml", "more.yaml"], "`more.yaml` is one too many"),
        (["no.yaml"], "`no.yaml` does not exist"),
        (["panel.yaml", "-o", "out"], "A panel writes to the folder `output` of its file"),
    ],
)
def test_what_the_line_lacks_is_said(line: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        command("panel", *line)


def test_a_line_without_a_file_asks_for_no_model(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command("panel")
    assert "are required: FILE\n" in capsys.readouterr().err
