"""Numbers that are not those of the pairs never reach the Hub."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lm_eval_sensitivity.cli.main import main
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.results.read import Results, read_results
from lm_eval_sensitivity.results.recompute import check_some, opens_with, recomputed_differences
from lm_eval_sensitivity.results.statements import each_statement
from lm_eval_sensitivity.results.write import export_results
from lm_eval_sensitivity.statements import Selection
from tests.unit.hub.stand_in import StandInHub
from tests.unit.results.made_results import declare, made_request, make_results
from tests.unit.results.test_hostile_results import of, put

STATEMENTS = "statements.json"
MOVED = (
    ("clusters", "systems[0].counts.n_unscored", 1),
    ("clusters", "systems[1].mean.estimate", 1e-4),
    ("drift", "systems[1].preserving.mean.estimate", 1e-4),
    ("drift", "systems[1].verdict.contrasts[0].bounds.estimate", 1e-4),
    ("heatmaps", "cells[5].counts.n_unscored", 1),
    ("windows", "points[3].counts.n_erased", 1),
)


def move(folder: Path, kind: str, path: str, by: float) -> None:
    """Move a number of every statement of a kind: which of them is computed again is not known beforehand."""
    content = json.loads((folder / STATEMENTS).read_text(encoding="utf-8"))
    for statement in content[kind]:
        value = of(path)(statement)
        put(statement, path, None if value is None else value + by)
    (folder / STATEMENTS).write_text(json.dumps(content), encoding="utf-8")
    declare(folder, STATEMENTS)


def in_every_statement(results: Results) -> list[Any]:
    return [
        each
        for path, _ in each_statement(results.statements)
        for each in recomputed_differences(results, path)
    ]


def test_every_statement_is_what_its_pairs_give(exported: Path) -> None:
    assert in_every_statement(read_results(exported)) == []


def test_without_a_reference(tmp_path: Path) -> None:
    assert in_every_statement(read_results(make_results(tmp_path, with_reference=False))) == []


def test_drift_that_the_pairs_do_not_have(tmp_path: Path) -> None:
    """Measured from another system than the reference of the runs, it took the samples: the rest is compared."""
    request = made_request(tmp_path / "runs")
    export_results(replace(request, reference=request.pairs.systems[1]), tmp_path / "results")
    results = read_results(tmp_path / "results")
    assert all(each.is_reference or each.drift_message for each in results.statements.drift[0].systems)
    assert in_every_statement(results) == []
    move(tmp_path / "results", "drift", "systems[1].control.mean.estimate", 1e-4)
    with pytest.raises(InputError, match=r"`drift\[\d\].systems\[1\].control.mean.estimate` is"):
        check_some(read_results(tmp_path / "results"), tmp_path / "results")


@pytest.mark.parametrize(("kind", "path", "by"), MOVED)
def test_a_number_that_is_another_one_is_refused(
    kind: str,
    path: str,
    by: float,
    copied: Path,
    hub: StandInHub,
    capsys: pytest.CaptureFixture[str],
) -> None:
    move(copied, kind, path, by)
    assert main(["publish", str(copied), "me/results"]) == 2
    error = capsys.readouterr().err
    assert (
        f"{STATEMENTS}: `{kind}[" in error
        and f"].{path}` is " in error
        and "the pairs of the folder give" in error
    )
    assert hub.calls == []


def test_a_sentence_that_is_another_one_is_refused(copied: Path) -> None:
    content = json.loads((copied / STATEMENTS).read_text(encoding="utf-8"))
    statements = read_results(copied).statements
    assert statements.clusters[opens_with(statements.clusters)].selection == Selection()
    # What a page opens with is always computed again.
    statement = content["clusters"][opens_with(statements.clusters)]
    statement["cautions"] = [{"kind": "caution", "text": "It is the best.", "about": []}]
    (copied / STATEMENTS).write_text(json.dumps(content), encoding="utf-8")
    declare(copied, STATEMENTS)
    with pytest.raises(InputError, match=r"`clusters\[\d+\].cautions"):
        check_some(read_results(copied), copied)


def test_the_rounding_of_another_machine_is_accepted(copied: Path) -> None:
    for kind, path, by in MOVED:
        if isinstance(by, float):
            move(copied, kind, path, 1e-9)
    assert in_every_statement(read_results(copied)) == []
