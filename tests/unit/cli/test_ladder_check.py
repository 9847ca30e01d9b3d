"""The command `ladder check`: exit status, table and JSON, what it says when something is not installed."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest

from lm_eval_sensitivity.cli import ladder_check
from lm_eval_sensitivity.cli.main import build_parser, main
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder import load_ladder
from lm_eval_sensitivity.ladder.authoring.checks import check_ladder
from lm_eval_sensitivity.ladder.load import packaged_folder
from lm_eval_sensitivity.ladder.parquet import write_parquet
from lm_eval_sensitivity.types import RUNGS
from tests.unit.ladder.corruptions import dropping
from tests.unit.ladder.small_ladder import SUBSETS, clean_pairs, shared_embedder, small_folder, write_own


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return small_folder(tmp_path / "ladder", card=False)


@pytest.fixture
def broken(small: Path) -> Path:
    """A folder with two violations, both of one missing row."""
    row = dropping("sky-colours/synonym_1")
    for subset in SUBSETS:
        kept = [pair for pair in clean_pairs(subset) if row(pair) and (subset, pair.edit) != ("mini", "nbsp")]
        write_parquet(kept, small / subset / "test.parquet")
    shutil.rmtree(small / "sources")
    return small


@pytest.mark.slow
def test_the_packaged_ladder_passes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ladder_check, "load_embedder", shared_embedder)
    assert main(["ladder", "check", str(packaged_folder())]) == 0
    output = capsys.readouterr().out
    assert "No violations." in output
    assert "Note" not in output
    for subset in ("full", "core", "mini"):
        ladder = load_ladder(subset=subset)
        assert ladder.content_hash[:16] in output
        assert str(len(ladder.pairs)) in output


def test_the_packaged_ladder_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(
        ladder_check, "check_ladder", lambda *arguments, **_: seen.append(arguments) or REPORT
    )
    assert main(["ladder", "check", "--no-embedding"]) == 0
    assert seen == [(None, None)]


REPORT = check_ladder(packaged_folder() / "mini" / "test.parquet")


def test_table_says_what_is_there(
    small: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ladder_check, "load_embedder", shared_embedder)
    assert main(["ladder", "check", str(small)]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]
    for subset in ("full", "core", "mini"):
        ladder = load_ladder(small, subset)
        counts = [str(len(ladder.prompts)), str(len(ladder.pairs))]
        assert [subset, *counts, ladder.version, ladder.content_hash[:16]] in lines
    rungs = {line[0]: line[1:] for line in lines}
    assert {*RUNGS, "control_reversal", "control_topic"} - {"positive_control"} <= set(rungs)
    assert rungs["identical"] == ["12", "0.0000", "6", "0.0000", "6", "0.0000"]
    assert float(rungs["paraphrase"][1]) < float(rungs["control_topic"][1])
    assert lines[-1] == ["No", "violations."]


def test_without_embedding_says_so(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ladder", "check", str(small), "--no-embedding"]) == 0
    output = capsys.readouterr().out
    assert "Note: The checks by sentence embeddings" in output
    assert "median distance" not in output.replace("median prompt distance", "")


def test_every_violation_is_one_line(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ladder", "check", str(broken), "--no-embedding"]) == 1
    lines = capsys.readouterr().out.splitlines()
    missing = [line for line in lines if "'sky-colours/synonym_1'" in line]
    assert [line.startswith(f"`{broken / 'full' / 'test.parquet'}`") for line in missing] == [True, False]
    n_violations = sum(line.endswith("]") for line in lines)
    assert lines[-1] == f"{n_violations} violations."
    assert n_violations == len(check_ladder(broken).violations)


def test_remarks_are_said_to_be_remarks_and_do_not_fail(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_own(tmp_path / "test.parquet", " Greet the customer.", "Greet the  customer!")
    assert main(["ladder", "check", str(tmp_path), "--no-embedding"]) == 0
    lines = capsys.readouterr().out.splitlines()
    remarks = [line for line in lines if line.startswith("Remark, no violation in an own ladder: ")]
    assert [line.rpartition("[")[2] for line in remarks] == [
        "white_space]",
        "white_space]",
        "near_duplicates]",
    ]
    assert lines[-1] == "No violations, 3 remarks."


def test_the_table_form_is_capped_and_json_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Remarks of a template; violations of one rule row that is missing of every prompt."""
    n_prompts = ladder_check.MOST_SHOWN + 33
    write_own(tmp_path / "test.parquet", *(f"Reply to the order number {n}." for n in range(n_prompts)))
    rows = [pair for pair in load_ladder(tmp_path).pairs if pair.edit != "nbsp"]
    write_parquet(rows, tmp_path / "test.parquet")
    assert main(["ladder", "check", str(tmp_path), "--no-embedding"]) == 1
    lines = capsys.readouterr().out.splitlines()
    for check, n_more in {"rules": 33, "near_duplicates": 32}.items():
        found = [line for line in lines if line.endswith(f"[{check}]")]
        assert len(found) == ladder_check.MOST_SHOWN + 1
        assert f"and {n_more} more in `{tmp_path / 'test.parquet'}`, which `--format json` names" in found[-1]
    assert lines[-1] == f"{n_prompts} violations, {n_prompts - 1} remarks."
    assert main(["ladder", "check", str(tmp_path), "--no-embedding", "--format", "json"]) == 1
    content = json.loads(capsys.readouterr().out)
    assert (len(content["violations"]), len(content["remarks"])) == (n_prompts, n_prompts - 1)


def test_json_has_everything(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ladder", "check", str(broken), "--no-embedding", "--format", "json"]) == 1
    output = capsys.readouterr().out
    assert output.isascii()
    content = json.loads(output)
    report = check_ladder(broken)
    assert content == json.loads(json.dumps({"passed": False, **asdict(report)}))
    assert {"file", "row", "column", "problem", "check"} == set(content["violations"][0])


def test_missing_embedder_names_both_ways_out(
    small: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def absent() -> None:
        raise InputError("There is no embedder.")

    monkeypatch.setattr(ladder_check, "load_embedder", absent)
    assert main(["ladder", "check", str(small)]) == 2
    assert "There is no embedder. Or leave these checks out with `--no-embedding`." in capsys.readouterr().err


def test_names_of_files_are_inert(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hostile = tmp_path / "[red]\x1b[31m\u202e"
    shutil.copytree(small / "mini", hostile / "a\x1b[31m[b]")
    assert main(["ladder", "check", str(hostile), "--no-embedding"]) == 0
    output = capsys.readouterr().out
    assert all(line.isprintable() for line in output.splitlines())
    assert "[red]\\x1b[31m\\u202e" in output
    assert "a\\x1b[31m[b]" in output


def test_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        build_parser().parse_args(["ladder", "check", "--help"])
    assert done.value.code == 0
    assert "example" in capsys.readouterr().out
