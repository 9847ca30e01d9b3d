"""Made runs, loaded and reported once for all tests of this folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from lm_eval_sensitivity.runs import Runs, load_runs
from lm_eval_sensitivity.types import RUNGS
from tests.running import command
from tests.unit.runs.made_run import make_run

HOSTILE = '$x^{2}$ <b onload="x()">&\'--> ]]>'
"""A model's name; what matplotlib, HTML, XML and JSON each would take for something else."""
PLAIN = ("Model-8bit", "Model-4bit")


@dataclass(frozen=True)
class Reported:
    """Run folders and the report over them."""

    folders: tuple[Path, ...]
    """The reference is the first."""
    folder: Path


def make_report(arguments: Sequence[str | Path]) -> int:
    return command("report", *arguments, "--resamples", 199, "--draws", 199)


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    home = tmp_path_factory.mktemp("runs")
    reference = make_run(
        home / "reference", model=f"org/{HOSTILE}", rungs=RUNGS, identity={"weights": "0" * 64}
    )
    fingerprint = load_runs([reference.folder]).systems[0].fingerprint
    others = [
        make_run(
            home / name,
            model=f"org/{name}",
            rungs=RUNGS,
            identity={"weights": str(index) * 64},
            seed=index,
            drift_from=fingerprint,
        )
        for index, name in enumerate(PLAIN, 1)
    ]
    return (reference.folder, *(each.folder for each in others))


@pytest.fixture(scope="session")
def pairs(runs: tuple[Path, ...]) -> Runs:
    return load_runs(runs)


@pytest.fixture(scope="session")
def reported(runs: tuple[Path, ...], tmp_path_factory: pytest.TempPathFactory) -> Reported:
    folder = tmp_path_factory.mktemp("report")
    assert make_report([*runs, "--reference", runs[0], "-o", folder]) == 0
    return Reported(runs, folder)
