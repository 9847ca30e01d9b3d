"""Results of recorded runs, served by the real command, in a real browser."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlencode

import pytest

from lm_eval_sensitivity.cli import main as cli
from lm_eval_sensitivity.demo import demo_model_path
from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.results.read import read_results
from lm_eval_sensitivity.space.choices import address_of
from tests.browser.hostile import MARKUP, NAMES, TEMPLATES, make_hostile_results
from tests.browser.looking import BLIND, Browsing
from tests.browser.serving import ANY_FOLDERS, serving, serving_together
from tests.golden.doors import RUNS
from tests.traps.conftest import once
from tests.unit.results.made_results import make_answered, make_beside

RECORDED = ("demo", "rounded", "coarse")
"""Runs of the demonstration model and of two that were rounded, with every token that they said."""
FEWEST_STEPS = 5
STATISTICS = ("--ladder", str(RUNS.parent / "ladder.jsonl"), "--resamples", "199", "--draws", "199")
"""For `export` and `clusters` alike."""
FIRST_PAGE = "cosine_distance answer meaning_preserving"
"""What an address without a query shows."""


@dataclass(frozen=True)
class Real:
    """An exported folder, opened, and what the command line says of the same runs."""

    folder: Path
    results: Results
    clusters: dict[str, Any]

    def systems(self) -> list[dict[str, Any]]:
        """The systems of the first page, as `clusters --format json` has them."""
        found: list[dict[str, Any]] = self.clusters["tables"][f"systems {FIRST_PAGE}"]
        return found

    def contrasts(self) -> list[dict[str, Any]]:
        """Every two of them."""
        found: list[dict[str, Any]] = self.clusters["tables"][f"contrasts {FIRST_PAGE}"]
        return found

    def parting_pair(self) -> str:
        """The query of a pair whose outputs part after some steps, with as many after them."""
        for system in self.results.systems:
            for pair in self.results.pairs(system.index)["pair_id"].unique().to_pylist():
                detail = self.results.detail(system.index, pair)
                parted, steps = detail.first_divergence["raw"], len(detail.curves["raw"] or ())
                if parted is not None and FEWEST_STEPS <= parted < steps - FEWEST_STEPS:
                    return "?" + urlencode({"view": "pairs", "system": address_of(system), "pair": pair})
        raise AssertionError("no outputs part in their middle")


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's path. Without one the tests are skipped, but never where changes are judged."""
    found = os.environ.get("LM_EVAL_SENSITIVITY_BROWSER") or shutil.which("chromium")
    if found is None:
        _lacking("needs chromium on the PATH or in LM_EVAL_SENSITIVITY_BROWSER")
    try:
        import playwright.sync_api  # noqa: F401 - only whether it is there
    except ImportError:
        _lacking('needs playwright: pip install "lm-eval-sensitivity[browser]"')
    return found


def _lacking(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def real(chromium: str, shared_home: Path) -> Real:
    """The runs, exported once for all test processes."""
    home = shared_home / "browser_real"

    def export(folder: Path) -> None:
        probed = probed_run(folder)
        folders = [str(probed), *(str(RUNS / "greedy" / name) for name in RECORDED[1:])]
        beside = ["--reference", folders[0], "-o", str(folder / "results")]
        assert cli.main(["export", *folders, *beside, *STATISTICS]) == 0
        said = ["--format", "json", "-o", str(folder / "clusters.json")]
        assert cli.main(["clusters", *folders, *said, *STATISTICS]) == 0

    once(home, export)
    clusters = json.loads((home / "clusters.json").read_text(encoding="utf-8"))
    return Real(home / "results", read_results(home / "results"), clusters)


def probed_run(folder: Path) -> Path:
    """A copy of the run of the demonstration model, in which somebody looked inside."""
    run = folder / "runs" / RECORDED[0]
    shutil.copytree(RUNS / "greedy" / RECORDED[0], run)
    model = ("--model_args", f"pretrained={demo_model_path()}", "--device", "cpu")
    assert cli.main(["probe", "stretch", str(run), *model, "-o", str(folder / "stretch.txt")]) == 0
    return run


@pytest.fixture(scope="session")
def hostile(real: Real, shared_home: Path) -> Path:
    """Results of systems whose names and outputs want to be markup, code or control characters."""
    home = shared_home / "browser_hostile"
    (result,) = real.results.probes["stretch"].values()
    once(home, lambda folder: make_hostile_results(folder, result))
    return home / "results"


@pytest.fixture(scope="session")
def hostile_results(hostile: Path) -> Results:
    """The same, read in this process: the server has checked them."""
    return read_results(hostile)


@pytest.fixture(scope="session")
def answers(shared_home: Path) -> tuple[Results, Results]:
    """Of a wrapped task whose texts are loud, and of such tasks beside the ladder."""

    def make(folder: Path) -> None:
        make_answered(
            folder, texts=[f"{{}} {TEMPLATES.replace('{', '{{').replace('}', '}}')} {MARKUP}?"], choices=NAMES
        )
        make_beside(folder / "beside")

    once(shared_home / "browser_answers", make)
    home = shared_home / "browser_answers"
    return read_results(home / "results"), read_results(home / "beside" / "results")


@pytest.fixture(scope="package")
def served(real: Real, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the real results."""
    with serving(real.folder, tmp_path_factory.mktemp("served") / "log") as address:
        yield address


@pytest.fixture(scope="package")
def others_served(hostile: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Addresses of the hostile results, and of a folder that does not exist. Gradio is slow to come: it does once."""
    home = tmp_path_factory.mktemp("others")
    with serving_together(ANY_FOLDERS, (hostile, home / "results"), home / "log") as (first, second):
        yield first, second


@pytest.fixture(scope="package")
def hostile_served(others_served: tuple[str, str]) -> str:
    """Address of the hostile results."""
    return others_served[0]


@pytest.fixture(scope="package")
def nothing_served(others_served: tuple[str, str]) -> str:
    """Address of a server whose results folder does not exist."""
    return others_served[1]


@pytest.fixture(scope="package")
def browser(chromium: str) -> Iterator[Browsing]:
    """Started once: every reader is a context of its own."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=[*BLIND])
        yield Browsing(launched)
        launched.close()


@pytest.fixture
def browsing(browser: Browsing) -> Iterator[Browsing]:
    """Opens pages. At the end of every test: no page has failed, and none has asked anybody but its server."""
    yield browser
    assert not browser.close_pages()
