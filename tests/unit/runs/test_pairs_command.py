"""`lm-eval-sensitivity pairs`: summary, files, refusals. Called as its parser calls it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from lm_eval_sensitivity.cli import pairs as command
from lm_eval_sensitivity.errors import InputError
from tests.unit.runs.made_run import make_run


def call(*arguments: object) -> int:
    parser = argparse.ArgumentParser(prog="lm-eval-sensitivity")
    command.add_parser(parser.add_subparsers(dest="command"))
    options: Any = parser.parse_args(["pairs", *map(str, arguments)])
    return int(options.run(options))


def test_it_writes_the_table_and_sums_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")  # all columns side by side
    run = make_run(tmp_path / "a", rungs=("synonym",))
    target = tmp_path / "pairs.parquet"
    assert call(run.folder, "-o", target) == 0
    table = pq.read_table(target)
    output = capsys.readouterr().out
    n_pairs = table.num_rows // 2
    lines = [line.split() for line in output.splitlines()]
    assert ["Model-4B", "1", str(len(set(table["prompt_id"].to_pylist()))), str(n_pairs)] == next(
        line[:4] for line in lines if line[:1] == ["Model-4B"]
    )
    assert ["raw", str(n_pairs - 1), "1", "0"] in [line[4:8] for line in lines]
    assert ["answer", str(n_pairs - 2), "1", "1", "1", "unclosed"] in lines
    assert f"Wrote {table.num_rows} rows to {target}" in output


def test_the_order_of_runs_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [
        make_run(
            tmp_path / name, rungs=("synonym",), model=f"org/{name}", identity={"weights": name * 64}
        ).folder
        for name in ("zeta", "alpha")
    ]
    for ending in ("csv", "jsonl", "parquet"):
        written = []
        for folders in (runs, runs[::-1]):
            call(*folders, "-o", tmp_path / f"x.{ending}")
            written.append(((tmp_path / f"x.{ending}").read_bytes(), capsys.readouterr().out))
        assert written[0] == written[1]
    assert written[0][1].index("alpha") < written[0][1].index("zeta")


def test_left_out_and_partial_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = make_run(tmp_path / "a", rungs=("synonym",), identity={"dtype": "float32"})
    part = make_run(tmp_path / "b", rungs=("synonym",), limit=4)
    other = make_run(tmp_path / "c", rungs=("synonym",), max_gen_toks=99)
    assert call(whole.folder, part.folder, other.folder, "--exclude-mismatched") == 0
    output = capsys.readouterr().out
    assert "4 of " in output and "--limit 4" in output
    words = "".join(output.split())  # a line may end within a path
    assert "Leftout:system" in words and "Thetokenlimit(`max_gen_toks`)is99in" in words
    assert str(other.results.parent) in words and str(whole.results.parent) in words


def test_output_is_inert(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(tmp_path / "a\x1b[31m", rungs=("synonym",), model="x/[bold]\x1b[2J")
    (run.results.parent / "samples_\x1b[2J_2026-08-01T10-00-00.jsonl").write_text("")
    assert call(run.folder) == 0
    output = capsys.readouterr().out
    assert "\x1b" not in output and "[bold]" in output


def test_a_bad_target_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.parquet, \.csv, \.jsonl"):
        call(tmp_path / "nowhere", "-o", tmp_path / "x.txt")


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        call("--help")
    output = capsys.readouterr().out
    assert "pairs.parquet" in output and "--exclude-mismatched" in output
