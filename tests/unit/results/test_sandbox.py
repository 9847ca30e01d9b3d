"""A stranger's folder is read by a child process first: what it refuses, needs or breaks is one sentence here."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.records.limits import MOST_ITEMS
from lm_eval_sensitivity.results import open_results, sandbox
from lm_eval_sensitivity.results.sandbox import EVERYTHING, STATEMENTS, try_to_read
from tests.unit.results.made_results import declare
from tests.unit.results.test_hostile_results import changed, in_json, of_bytes

MIB = 2**20


@pytest.fixture(autouse=True)
def the_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child itself; nothing was read before."""
    monkeypatch.setattr(sandbox, "_accepted", set())


def digest(folder: Path) -> str:
    return hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()


def test_what_the_child_refuses_is_refused_here_and_names_the_path_as_it_was_given(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_json("statements.json", **{"clusters[0].systems[0].mean.n": -1})(copied)
    monkeypatch.chdir(copied.parent)
    (copied.parent / "json.py").write_text("raise SystemExit('the working directory was imported from')")
    with pytest.raises(
        InputError, match=r"^results/statements.json: `clusters\[0\].systems\[0\].mean.n` is -1"
    ):
        open_results(Path("results"))


def test_pairs_and_details_are_read_by_a_child_when_they_are_asked_for(copied: Path) -> None:
    of_bytes("details/001.parquet", lambda _: b"PAR1 nothing PAR1")(copied)
    results = open_results(copied)
    assert results.pairs(0).num_rows
    with pytest.raises(InputError, match=r"details/001.parquet is no parquet file"):
        results.pairs(1)
    with pytest.raises(InputError, match=r"details/001.parquet is no parquet file"):
        open_results(copied, everything=True)


def test_nothing_is_read_by_a_child_twice(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_results(exported, everything=True)

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("a child was started")

    monkeypatch.setattr(subprocess, "run", never)
    assert open_results(exported).pairs(2).num_rows


def repeated_text(table: pa.Table) -> pa.Table:
    """A text of 1 MB in every one of many rows: small as a dictionary, hundreds of MB when it is written out."""
    table = pa.concat_tables([table] * 5)
    indices = pa.array(np.zeros(table.num_rows, np.int32))
    column = pa.DictionaryArray.from_arrays(indices, ["a" * 1_000_000])
    at = table.schema.get_field_index("missing_margin_min")
    return table.set_column(at, "missing_margin_min", column)


def test_a_table_that_grows_in_memory(copied: Path) -> None:
    changed("pairs/001.parquet", repeated_text, store_schema=False, row_group_size=65_536)(copied)
    assert (copied / "pairs/001.parquet").stat().st_size < MIB
    with pytest.raises(InputError, match=r"pairs/001.parquet"):
        try_to_read(copied, "1", digest(copied), memory=700 * MIB)


def test_records_that_grow_in_memory(copied: Path) -> None:
    content = json.loads((copied / "statements.json").read_text(encoding="utf-8"))
    for heatmap in content["heatmaps"][:2]:
        heatmap["cells"] = (heatmap["cells"] * 2_000)[:MOST_ITEMS]
    (copied / "statements.json").write_text(json.dumps(content), encoding="utf-8")
    declare(copied, "statements.json")
    with pytest.raises(InputError, match=r"statements.json takes more than 700 MiB of memory"):
        try_to_read(copied, STATEMENTS, digest(copied), memory=700 * MIB)


@pytest.mark.parametrize("seconds", [0.01, 1e-6])
def test_a_folder_that_takes_too_long(seconds: float, exported: Path) -> None:
    with pytest.raises(InputError, match=r"takes more than .* seconds to read"):
        try_to_read(exported, EVERYTHING, digest(exported), seconds=seconds)


def test_a_manifest_that_changes_in_between(exported: Path) -> None:
    with pytest.raises(InputError, match="has changed since it was checked"):
        try_to_read(exported, STATEMENTS, "0" * 64)


def test_a_mistake_of_the_reader_is_no_mistake_of_the_folder(exported: Path) -> None:
    with pytest.raises(RuntimeError, match="ValueError"):
        try_to_read(exported, "no part", digest(exported))


def test_the_child_is_light(exported: Path) -> None:
    heavy = ("torch", "gradio", "lm_eval", "matplotlib", "transformers", "datasets", "statsmodels")
    program = (
        "import sys, pathlib; from lm_eval_sensitivity.results.read import read_everything; "
        f"read_everything(pathlib.Path(sys.argv[1])); print([each for each in {heavy} if each in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(exported)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
