"""The export itself: the same bytes for the same runs, no paths, nothing deleted, series."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lm_eval_sensitivity.cli import main
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.results import open_results
from lm_eval_sensitivity.results.private import without_folders
from lm_eval_sensitivity.results.systems import found_series
from lm_eval_sensitivity.results.target import check_target
from lm_eval_sensitivity.runs import load_pairs
from tests.unit.runs.made_run import IDENTITY, make_run

QUICK = ["--resamples", "99", "--draws", "99"]


def runs(home: Path) -> list[str]:
    """Three systems: two precisions of one model, and another model."""
    made = [
        make_run(home / "bf16", rungs=("identical", "noop"), seed=1),
        make_run(
            home / "int8",
            rungs=("identical", "noop"),
            identity={"weights": "8" * 64, "quantization": {"load_in_8bit": True}},
            seed=2,
        ),
        make_run(home / "other", rungs=("noop",), model="org/Other", identity={"weights": "9" * 64}, limit=9),
    ]
    return [str(run.folder) for run in made]


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Any order of the runs gives the same bytes; nothing names the machine; drift that cannot be measured."""
    folders = runs(tmp_path / "home")
    target, again = tmp_path / "results", tmp_path / "again"
    reference = ["--reference", folders[0]]
    assert main(["export", *folders, "-o", str(target), *reference, *QUICK]) == 0
    assert "3 systems" in capsys.readouterr().out
    assert main(["export", *reversed(folders), "-o", str(again), *reference, *QUICK]) == 0
    assert content(target) == content(again)
    assert not any(str(tmp_path).encode() in data for data in content(target).values())
    results = open_results(target)
    names = [each.name for each in results.systems]
    assert names == sorted(names) and results.manifest.reference == names.index("Model-4B bf16")
    assert [each.name for each in results.manifest.series] == ["org/Model-4B"]
    assert [names[index] for index in results.manifest.series[0].systems] == [
        "Model-4B bf16",
        "Model-4B int8",
    ]
    assert any("was run in part" in remark for remark in results.manifest.remarks)
    page = results.axes("cosine_distance", "raw")
    assert page is not None
    drifting = [row for row in page.rows if not row.is_reference]
    assert all(row.b is None and row.b_reason and row.drift_message for row in drifting)

    (target / "pairs" / "000.parquet").write_bytes(b"damaged")
    assert main(["export", *folders, "-o", str(target), *QUICK]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main(["export", *folders[:1], "-o", str(target), "--overwrite", *QUICK]) == 0
    replaced = open_results(target)
    assert len(replaced.systems) == 1 and replaced.axes("cosine_distance", "raw") is None
    assert "No reference" in (replaced.axes_missing or "")
    page_alone = replaced.clusters(replaced.selections()[0])
    assert page_alone.contrasts == () and page_alone.words.family is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "home", "results"]


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        (lambda path: path.mkdir(), "manifest.json is missing"),
        (lambda path: path.write_text("x"), "no folder of its own"),
        (lambda path: path.symlink_to(path.parent), "no folder of its own"),
    ],
)
def test_what_may_not_be_overwritten(prepare: Callable[[Path], Any], says: str, tmp_path: Path) -> None:
    prepare(tmp_path / "results")
    with pytest.raises(InputError, match=says):
        check_target(tmp_path / "results", overwrite=True)


def test_a_folder_with_something_else_is_not_replaced(copied: Path) -> None:
    check_target(copied, overwrite=True)
    for name in ("notes.txt", "pairs/notes.parquet", "pairs/0000.parquet"):
        (copied / name).write_text("mine")
        with pytest.raises(InputError, match="would be lost"):
            check_target(copied, overwrite=True)
        (copied / name).unlink()
    with pytest.raises(InputError, match="cannot be made"):
        check_target(copied / "no" / "folder", overwrite=False)


def test_a_failed_export_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path / "run", rungs=("identical",))

    def damaged(*_: Any) -> None:
        raise InputError("`x` is damaged.")

    monkeypatch.setattr("lm_eval_sensitivity.results.write.read_details", damaged)
    assert main(["export", str(run.folder), "-o", str(tmp_path / "results"), *QUICK]) == 2
    assert "`x` is damaged" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize(
    ("series", "says"),
    [
        (["a"], "accepted is a new name"),
        (["a=x"], "accepted is a new name"),
        (["=x,y"], "accepted is a new name"),
        (["a=x,y", "a=x,y"], "accepted is a new name"),
        (["a=RUN,elsewhere"], "none of the runs"),
        (["a=RUN,RUN"], "Name each system once"),
    ],
)
def test_series_that_are_refused(
    series: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path / "run", rungs=("identical",))
    given = [part for each in series for part in ("--series", each.replace("RUN", str(run.folder)))]
    assert main(["export", str(run.folder), "-o", str(tmp_path / "results"), *given]) == 2
    assert says in capsys.readouterr().err


def test_series_that_are_found(tmp_path: Path) -> None:
    """Only precision may differ, and it must be stated; from the most bits to the least."""
    identities: dict[str, dict[str, Any]] = {
        "4bit": {"quantization": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}, "weights": "4" * 64},
        "bf16": {},
        "int8": {"quantization": {"load_in_8bit": True}, "weights": "8" * 64},
        "other attention": {"attention": "eager", "dtype": "float32"},
        "unknown bits": {"quantization": {"quant_method": "mystery"}},
    }
    folders = [
        make_run(tmp_path / name, rungs=("identical",), identity={**IDENTITY, **identity}).folder
        for name, identity in identities.items()
    ]
    folders.append(
        make_run(
            tmp_path / "other", rungs=("identical",), model="org/Other", identity={"dtype": "float32"}
        ).folder
    )
    systems = sorted(load_pairs(folders).systems, key=lambda each: each.name)
    (series,) = found_series(systems)
    quantizations = [systems[index].identity["quantization"] for index in series.systems]
    assert quantizations == [None, {"load_in_8bit": True}, identities["4bit"]["quantization"]]
    assert found_series([each for each in systems if each.identity["quantization"] is None]) == ()


def test_folders_of_this_machine_are_not_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "a" / "b"
    text = f"{inner}/results.json and {tmp_path / 'a'}/x: broken"
    assert without_folders(text, [tmp_path / "a", inner]) == "b/results.json and a/x: broken"
    monkeypatch.chdir(tmp_path)
    assert without_folders(f"{inner}/x", [Path("a/b")]) == "b/x"


def test_an_embedder_that_was_given_as_a_folder(tmp_path: Path) -> None:
    def change(results: dict[str, Any]) -> None:
        for config in results["configs"].values():
            config["metadata"]["sensitivity"]["embedder"]["name"] = "/home/zz-owner/models/embedder"

    run = make_run(tmp_path / "run", rungs=("identical",))
    run.edit_results(change)
    assert main(["export", str(run.folder), "-o", str(tmp_path / "results"), *QUICK]) == 0
    manifest = open_results(tmp_path / "results").manifest
    assert manifest.embedder.name == "embedder" and "embedder embedder (" in manifest.signature
    assert not any(b"zz-owner" in data for data in content(tmp_path / "results").values())


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["export", "--help"])
    assert "lm-eval-sensitivity export runs/" in capsys.readouterr().out
