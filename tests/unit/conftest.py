"""One exported folder for all tests, copies of it that a test may damage, and a Hub."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lm_eval_sensitivity.results import decode, read
from lm_eval_sensitivity.results.write import Request, export_results
from tests.unit.hub.serving import hub_here
from tests.unit.hub.stand_in import StandInHub
from tests.unit.results.made_results import made_request, make_answered, make_beside

_READ: set[tuple[str, str]] = set()
"""Manifests by their sha256, and parts, that were accepted."""


@pytest.fixture(autouse=True)
def the_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the child process reads first is read here, by the same code: starting it for every damaged folder takes
    a second each. `test_sandbox.py` has the child itself."""

    def read_here(folder: Path, part: str, sha256: str) -> None:
        if (sha256, part) not in _READ:
            decode._read(folder, part, sha256)
            _READ.add((sha256, part))

    monkeypatch.setattr(read, "try_to_read", read_here)


@pytest.fixture(scope="session")
def request_made(tmp_path_factory: pytest.TempPathFactory) -> Request:
    return made_request(tmp_path_factory.mktemp("exported"))


@pytest.fixture(scope="session")
def exported(request_made: Request, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Do not change it."""
    folder = tmp_path_factory.mktemp("results") / "results"
    export_results(request_made, folder)
    return folder


@pytest.fixture(scope="session")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs of a wrapped task whose texts are hostile; do not change it."""
    return make_answered(tmp_path_factory.mktemp("answered"))


@pytest.fixture(scope="session")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a run of the ladder with wrapped tasks beside it, one of them with two filters."""
    return make_beside(tmp_path_factory.mktemp("beside"))


@pytest.fixture
def copied(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "results"))


@pytest.fixture
def hub(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInHub]:
    """An empty Hub on the loopback interface, and the client of this process pointed at it."""
    with hub_here(tmp_path_factory.mktemp("home"), monkeypatch) as found:
        yield found
