"""The command line: help everywhere, paths that exist, mistakes without tracebacks."""

from __future__ import annotations

from pathlib import Path

import pytest

from lm_eval_sensitivity import __version__
from lm_eval_sensitivity.cli.main import COMMANDS, build_parser, main


def subcommands() -> list[str]:
    return [command.__name__.rsplit(".", 1)[1].replace("_", "-") for command in COMMANDS]


def test_every_subcommand_has_help_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    for name in subcommands():
        with pytest.raises(SystemExit) as done:
            build_parser().parse_args([name, "--help"])
        assert done.value.code == 0
        assert "example" in capsys.readouterr().out


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out.split() == ["lm-eval-sensitivity", __version__]


def test_paths_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo-model"]) == 0
    assert (Path(capsys.readouterr().out.strip()) / "config.json").is_file()
    assert main(["tasks-path"]) == 0
    assert (Path(capsys.readouterr().out.strip()) / "prompt_sensitivity" / "_base.yaml").is_file()


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["audit"]])
def test_a_wrong_call_says_how_to_call(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main(arguments)
    assert done.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["neighborhood", "Why?", "--model-args", "api_key=secret"],
            "neighborhood: '--model-args' is no option of this command. Did you mean '--model_args'?",
        ),
        (["clusters", "runs/x", "--filtre=raw"], "Did you mean '--filter'?"),
        (["ladder", "build", "a.txt", "-o", "b", "--nam", "x", "--zzz"], "ladder build: "),
        (["audit", "x", "--zzz"], "audit: '--zzz' is no option of this command. Accepted: --"),
        (["tasks-path", "one"], "tasks-path: 'one' is one argument too many."),
        (["clusterz", "runs/x"], "Did you mean 'clusters'?"),
        (
            ["audit", "x", "--format", "tabel"],
            "'tabel' is not accepted; accepted: table, csv, json. Did you mean",
        ),
    ],
)
def test_an_option_that_is_none_names_the_nearest(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as done:
        main(arguments)
    error = capsys.readouterr().err
    assert done.value.code == 2
    assert words in " ".join(error.split())
    assert "secret" not in error and "Traceback" not in error


@pytest.mark.parametrize(
    "words",
    [
        ["a", "b", "--seed", "3"],
        ["a", "--seed", "3", "b"],
        ["--seed", "3", "a", "b"],
        ["--seed=3", "a", "--row", "x", "b"],
    ],
)
def test_a_list_may_go_on_behind_an_option(words: list[str]) -> None:
    options = build_parser("clusters").parse_args(["clusters", *words])
    assert (options.runs, options.seed) == ([Path("a"), Path("b")], 3)


def test_a_defect_keeps_its_traceback_and_is_no_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(options: object) -> int:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("lm_eval_sensitivity.cli.tasks_path.run", broken)
    assert main(["tasks-path"]) == 70
    assert "ZeroDivisionError: a defect" in capsys.readouterr().err


@pytest.mark.parametrize("prompt", ["", "  \n", "a\udc80b", "x" * 100_001])
def test_a_prompt_that_is_none_is_refused_before_anything_is_loaded(
    prompt: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["neighborhood", prompt, "--model_args", "pretrained=nowhere"]) == 2
    assert "PROMPT" in capsys.readouterr().err


def test_a_metric_that_there_is_not_is_refused_before_a_run_is_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["heatmap", "runs", "--metric", "cosine"]) == 2
    assert "`--metric cosine`: accepted are" in capsys.readouterr().err


@pytest.mark.parametrize(
    "line",
    ["clusters |", "compare runs/a |", "export | -o x", "export runs/a -o x --reference |", "rescore | -o x",
     "rescore runs/a -o x --reference |", "drift runs/a --reference |", "report runs/a -o x --reference |"],
)  # fmt: skip
def test_a_blank_folder_is_not_the_working_folder(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main([word.replace("|", " ") for word in line.split()])
    assert done.value.code == 2
    assert "a folder is blank" in capsys.readouterr().err


@pytest.mark.parametrize("option", [["--subset", "core"], ["--ladder", "x"], ["--exclude-mismatched"]])
def test_a_plan_without_runs_refuses_what_chooses_among_them(
    option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ladder", "plan", "--prompts", "50", *option]) == 2
    assert "Give `--from RUN`, too." in capsys.readouterr().err


def test_an_output_whose_name_is_no_text_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("Why is the sky blue?\n")
    assert main(["ladder", "build", str(prompts), "-o", str(tmp_path / "x\udcff")]) == 2
    error = capsys.readouterr().err
    assert "`--output" in error and "no UTF-8 text" in error and error.count("\n") == 1


@pytest.mark.parametrize(
    "line",
    ["clusters {}", "ladder check {}", "ladder push o/n {}", "ladder describe {}", "ladder build {} -o x", "space {}",
     "export runs -o x --reference {}", "heatmap runs --ladder {}", "publish {} o/n", "rescore {} -o x"],
)  # fmt: skip
def test_a_path_whose_name_is_no_text_is_refused_everywhere(
    line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        assert main(line.format("x\udcff").split(" ")) == 2
    except SystemExit as error:
        pytest.fail(f"{error}: {capsys.readouterr().err}")
    error = capsys.readouterr().err
    assert "x\\udcff` is no UTF-8 text" in error and error.count("\n") == 1
