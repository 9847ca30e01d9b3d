"""`--label RUN=NAME`: the name stands wherever the system does, and what cannot be a name is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from lm_eval_sensitivity.cli.main import main
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.runs import load_runs
from tests.unit.runs.made_run import make_run

HOSTILE = "\x1b[31m<b>=x|\u202e"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    home = tmp_path_factory.mktemp("labels")
    return (
        make_run(home / "a=1", model="org/one").folder,
        make_run(home / "b", model="org/two", identity={"dtype": "float32"}, seed=1).folder,
    )


def test_a_label_is_the_name_of_the_system_in_the_order_of_the_folders(folders: tuple[Path, Path]) -> None:
    pairs = load_runs(folders, labels={f"{folders[1]}/": "4 bits"})
    assert [each.name for each in pairs.systems] == ["one", "4 bits"]
    assert set(pairs.table["name"].to_pylist()) == {"one", "4 bits"}


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({"runs/other": "x"}, "names none of the runs"),
        ({0: "  "}, "gives no name"),
        ({0: "x" * 81}, "81 characters"),
        ({0: "x", 1: "x"}, "another run has this label"),
        ({0: "two"}, "another system is called 'two'"),
    ],
)
def test_what_cannot_be_a_name_is_refused(
    folders: tuple[Path, Path], labels: dict[str | int, str], words: str
) -> None:
    given = {folders[run] if isinstance(run, int) else run: name for run, name in labels.items()}
    with pytest.raises(InputError, match=words):
        load_runs(folders, labels=given)


def test_two_spellings_of_a_run_are_one_run(folders: tuple[Path, Path]) -> None:
    a, b = folders
    with pytest.raises(InputError, match="has the label 'x' already"):
        load_runs(folders, labels={a: "x", b / ".." / a.name: "y"})


def test_one_system_in_two_folders_has_one_name(tmp_path: Path) -> None:
    a = make_run(tmp_path / "a", rungs=("identical",)).folder
    b = make_run(tmp_path / "b", rungs=("synonym",)).folder
    assert [each.name for each in load_runs([a, b], labels={a: "x"}).systems] == ["x"]
    with pytest.raises(InputError, match="are one system"):
        load_runs([a, b], labels={a: "x", b: "y"})


def test_a_folder_of_two_systems_takes_no_label(tmp_path: Path) -> None:
    make_run(tmp_path, model="org/one")
    make_run(tmp_path, model="org/two", identity={"model": "two"})
    with pytest.raises(InputError, match="holds 2 systems"):
        load_runs([tmp_path], labels={tmp_path: "x"})


def test_the_command_splits_behind_the_folder_and_escapes_the_name(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = map(str, folders)
    line = ["clusters", a, b, "--resamples", "199", "--draws", "199", "--format", "markdown"]
    assert main([*line, "--label", f"{a}=4 bits = q4", "--label", f"{b}={HOSTILE}"]) == 0
    printed = capsys.readouterr().out
    assert "4 bits = q4" in printed and "| one |" not in printed
    assert "\x1b" not in printed and "\u202e" not in printed and "<b>" not in printed


@pytest.mark.parametrize("text", ["x", "=x", "nothing=x"])
def test_the_command_says_what_is_accepted(
    folders: tuple[Path, Path], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["heatmap", str(folders[0]), "--label", text]) == 2
    assert "--label" in capsys.readouterr().err


def test_the_command_takes_one_label_per_run(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    a = str(folders[0])
    assert main(["heatmap", a, "--label", f"{a}=x", "--label", f"{a}=y"]) == 2
    assert "names a run twice" in capsys.readouterr().err
