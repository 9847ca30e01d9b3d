"""The recordings made again with the real `lm_eval`, and what else needs a model: the same but for rounding."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lm_eval_sensitivity.harness.close.table_errors import STDERR
from tests.golden.cases import WITH_A_MODEL
from tests.golden.doors import RUNS, differences, said, same_in_print
from tests.golden.freeze import EXPECTED, again
from tests.golden.record import DRIFTED, RECORDINGS, record, workplace
from tests.golden.test_corpus import assert_as_expected
from tests.running import read_run

MOST_DIFFERENCES = 30


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    with workplace() as folder:
        yield folder


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_run_again_is_the_recorded_one(name: str, place: Path) -> None:
    reference = DRIFTED["metadata"]["reference"]
    if name != reference and not (place / reference).exists():
        shutil.copytree(RUNS / reference, place / reference)
    shutil.rmtree(place / name, ignore_errors=True)
    record(name, place)
    found = [*differences(*(_written(folder / name) for folder in (RUNS, place)))]
    assert not found, "\n".join(found[:MOST_DIFFERENCES])
    expected, today = (EXPECTED / again(name)).read_text(encoding="utf-8"), said(place / name)
    assert same_in_print(expected, today), today


def _written(folder: Path) -> dict[str, Any]:
    """What the recordings can be held against: which rows stand in lm_eval's table, standard errors, the metrics that a
    configuration names and what a group counts are newer."""
    run = read_run(folder)
    with_numbers = {
        name: row
        for name, row in run.results.get("groups", {}).items()
        if any("," in column for column in row)
    }
    results = {**run.results, "results": {}, "groups": with_numbers}
    for task in run.results["results"]:
        results["results"][task] = {
            name: value
            for name, value in run.table(task).items()
            if STDERR not in name and (name != "sample_len" or task in run.results["configs"])
        }
    for config in run.results["configs"].values():
        config.pop("metric_list", None)
        for name in ("rows", "summary"):
            config["metadata"].get("sensitivity", {}).pop(name, None)
    return {"results": results, "samples": run.samples}


@pytest.mark.parametrize("name", WITH_A_MODEL)
def test_what_a_user_reads_of_a_model(name: str) -> None:
    found = WITH_A_MODEL[name]()
    if not same_in_print((EXPECTED / name).read_text(encoding="utf-8"), found):
        assert_as_expected(name, found)
