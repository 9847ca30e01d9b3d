"""The export itself: the same bytes for the same runs, no paths, nothing deleted, series."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import TypeAdapter

from lm_eval_sensitivity.cli.main import main
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.records.limits import LONGEST_ID, LONGEST_NAME
from lm_eval_sensitivity.results import open_results
from lm_eval_sensitivity.results.findings import compute
from lm_eval_sensitivity.results.manifest import CODEC, Manifest
from lm_eval_sensitivity.results.output_folder import check_target
from lm_eval_sensitivity.results.redact_paths import without_folders
from lm_eval_sensitivity.results.systems import found_series
from lm_eval_sensitivity.results.write import Request, check_names, export_results
from lm_eval_sensitivity.runs import load_runs
from lm_eval_sensitivity.space.page import render
from lm_eval_sensitivity.statements import Selection, signature
from lm_eval_sensitivity.types import Note
from tests.unit.results.made_results import make_runs, renamed
from tests.unit.runs.made_run import IDENTITY, make_run
from tests.unit.space.known import manifest
from tests.unit.space.reading import read_page

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
    assert list(results.manifest.series) == ["org/Model-4B"]
    assert [names[index] for index in results.manifest.series["org/Model-4B"]] == [
        "Model-4B bf16",
        "Model-4B int8",
    ]
    assert any("was run in part" in remark for remark in results.manifest.remarks)
    drift = results.drift["cosine_distance", "raw"]
    for row in drift.systems:
        assert row.is_reference == (row.drift is None)
        if row.drift is not None:
            assert math.isnan(row.drift.mean.estimate) and row.drift.mean.reason and row.drift_message

    (target / "pairs" / "000.parquet").write_bytes(b"damaged")
    assert main(["export", *folders, "-o", str(target), *QUICK]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main(["export", *folders[:1], "-o", str(target), "--overwrite", *QUICK]) == 0
    replaced = open_results(target)
    assert len(replaced.systems) == 1 and replaced.drift == {}
    alone = next(iter(replaced.clusters.values()))
    assert alone.contrasts == () and alone.family is None
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
    systems = sorted(load_runs(folders).systems, key=lambda each: each.name)
    (series,) = found_series(systems).values()
    quantizations = [systems[index].identity["quantization"] for index in series]
    assert quantizations == [None, {"load_in_8bit": True}, identities["4bit"]["quantization"]]
    assert found_series([each for each in systems if each.identity["quantization"] is None]) == {}


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
    assert "embedder embedder (" in manifest.signature.in_words()
    assert not any(b"zz-owner" in data for data in content(tmp_path / "results").values())


# ---- the order of names


def test_systems_stand_in_the_order_that_a_reader_expects(tmp_path: Path) -> None:
    """Capitals among small letters, although the analyses sort by code point: every table follows the manifest."""
    runs = make_runs(tmp_path / "runs", 3, rungs=("identical", "noop"))
    own = sorted(each.name for each in runs.pairs.systems)
    pairs = renamed(runs.pairs, dict(zip(own, ("gemma", "Llama", "Qwen"), strict=True)))
    settings = {"resamples": 99, "draws": 99, "seed": 0}
    reference = pairs.systems[0]
    signed = signature(pairs, **settings)
    export_results(Request(pairs, reference, None, signed, 0.05, folders=runs.folders), tmp_path / "results")
    results = open_results(tmp_path / "results")
    names = [each.name for each in results.systems]
    assert names == ["gemma", "Llama", "Qwen"] != sorted(names)
    rows = results.in_order(results.clusters[Selection("cosine_distance", "raw")].systems)
    assert [row.system for row in rows] == names
    first = read_page(render(results, {"filter": "raw"})).one("table", id="systems")
    assert [each.text() for each in first.every("th", scope="row")] == names
    points = results.windows["meaning_preserving"]
    in_rows = [
        each.system for each in points if (each.selection.filter_name, each.selection.window) == ("raw", 64)
    ]
    assert in_rows == names


# ---- how long texts may be


def test_what_is_written_is_accepted() -> None:
    """Sentences of any length and number are cut, and say so; texts without a limit to them are the worst case."""
    long = ("a" * 50_000, "\U0001f600" * 50_000, *(f"{n}: " + "b" * 3_000 for n in range(700)))
    left_out = tuple(Note("left_out", each, (each,)) for each in long)
    described = replace(manifest(("m",), None), series={}, remarks=long, left_out=left_out)
    with pytest.raises(InputError, match="`remarks"):
        CODEC.load(TypeAdapter(Manifest).dump_json(described), "x")
    found = CODEC.load(CODEC.dump(described), "x")
    assert found.remarks[0].startswith("a" * 3_000) and found.remarks[0].endswith(
        "[... cut: 50000 characters]"
    )
    *kept, last = found.remarks
    assert tuple(kept[2:]) == long[2 : len(kept)]
    assert last == f"{702 - len(kept)} more sentences are left out here."
    assert found.left_out[0].text == kept[0] and len(found.left_out) < len(found.remarks)
    assert found.left_out[-1].text == f"{703 - len(found.left_out)} more sentences are left out here."
    short = replace(described, remarks=long[2:5], left_out=left_out[2:5])
    assert CODEC.load(CODEC.dump(short), "x").remarks == long[2:5]


def test_more_clusters_than_a_page_shows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """They are left out with a reason, and neither cut nor in the way of everything else."""
    runs = make_runs(tmp_path / "runs", 3, rungs=("noop",))
    signed = signature(runs.pairs, resamples=99, draws=99, seed=0)
    every, without = compute(runs.pairs, None, 0.05, signed, None)
    most = max(len(each.clusters) for each in every.clusters)
    monkeypatch.setattr("lm_eval_sensitivity.results.findings.MOST_CLUSTERS", most - 1)
    found, more = compute(runs.pairs, None, 0.05, signed, None)
    lost = [each.selection for each in every.clusters if len(each.clusters) == most]
    kept = {each.selection for each in every.clusters}.difference(lost)
    assert lost and {each.selection for each in found.clusters} == kept
    added = more[len(without) :]
    assert [each.about for each in added] == [
        (f"clusters of {each.metric}, filter {each.filter_name}, rungs {each.rung_set}",) for each in lost
    ]
    assert {each.text for each in added} == {
        f"its systems are in {most} clusters that overlap, and at most {most - 1} are shown"
    }


def test_names_and_ids_that_no_folder_holds_are_refused_at_once(tmp_path: Path) -> None:
    """They are not cut: two could become one."""
    runs = make_runs(tmp_path / "runs", 1, rungs=("identical",))
    (own,) = (each.name for each in runs.pairs.systems)
    fine, long = (renamed(runs.pairs, {own: "x" * n}) for n in (LONGEST_NAME, LONGEST_NAME + 1))
    check_names(fine.table, ["s" * LONGEST_NAME])
    with pytest.raises(InputError, match=f"`name` 'xxx.* of {LONGEST_NAME + 1} characters"):
        check_names(long.table, [])
    with pytest.raises(InputError, match=f"`--series` .* of {LONGEST_NAME + 1} characters"):
        check_names(fine.table, ["s" * (LONGEST_NAME + 1)])
    for name in ("pair_id", "prompt_id", "edit"):
        for n, refused in ((LONGEST_ID, False), (LONGEST_ID + 1, True)):
            at = fine.table.schema.get_field_index(name)
            table = fine.table.set_column(at, name, pa.array(["i" * n] * fine.table.num_rows))
            with pytest.raises(InputError, match=f"`{name}`") if refused else nullcontext():
                check_names(table, [])
    signed = signature(runs.pairs, resamples=99, draws=99, seed=0)
    with pytest.raises(InputError, match="a results folder holds at most"):
        export_results(Request(long, None, None, signed, 0.05), tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["export", "--help"])
    assert "lm-eval-sensitivity export runs/" in capsys.readouterr().out
