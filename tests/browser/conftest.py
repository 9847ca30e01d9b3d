"""Results of real runs, served by the real command, in a real browser."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

from lm_eval_sensitivity.cli import main as cli
from lm_eval_sensitivity.demo import demo_model_path
from lm_eval_sensitivity.results import Results, open_results
from tests.browser.hostile import make_hostile_results
from tests.browser.looking import BLIND, Browsing
from tests.browser.serving import serving
from tests.browser.thinking import with_thinking_switch
from tests.conftest import shared_folder
from tests.harness.conftest import _read_only_our_tasks  # noqa: F401 - a fixture
from tests.running import Run
from tests.traps.conftest import (  # noqa: F401 - fixtures
    BuiltModel,
    TrapRun,
    built_model,
    once,
    shared_home,
    trap_run,
)
from tests.traps.models import erasing
from tests.traps.test_collapse import (  # noqa: F401 - fixtures
    SETTINGS,
    reference,
    systems,
)

ROUNDED = ("8-bit", "2-bit", "2-bit_attention", "2-bit_one_scale")
"""Systems of the trap of collapse: two that answer, one that says the same to everything, one that is silent."""
STATISTICS = ("--resamples", "999", "--draws", "999")
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
        """The query of a pair of system 0 whose outputs part, with steps after it."""
        for line in self.results.ladder.values():
            if line.rung == "paraphrase":
                detail = self.results.detail(0, line.pair_id)
                if detail.first_divergence["raw"] is not None:
                    return f"?view=pairs&pair={line.pair_id}"
        raise AssertionError("no outputs of system 0 part")


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
def runs(
    chromium: str,
    trap_run: TrapRun,  # noqa: F811
    built_model: BuiltModel,  # noqa: F811
    reference: Run,  # noqa: F811
    systems: Any,  # noqa: F811
) -> list[Run]:
    """The reference and eight systems of the same prompts and decoding; nine with the shared folder."""

    def run(name: str, model: Path, **options: Any) -> Run:
        beside = {"metadata": {"reference": str(reference.folder)}}
        return trap_run(f"browser_{name}", model, **{**SETTINGS, **beside, **options})

    half = run("bfloat16", demo_model_path(), model_args=f"pretrained={demo_model_path()},dtype=bfloat16")
    switched = built_model("thinks", with_thinking_switch)
    with_switch = f"pretrained={switched},think_end_token=</think>,enable_thinking="
    thinking = [run(f"thinking_{on}", switched, model_args=f"{with_switch}{on}") for on in (True, False)]
    # The only one that is run on the noop edits, half of which never reach it.
    trimming = built_model("erasing_template", erasing.trimming_template)
    erased = run("erased", trimming, tasks=f"{SETTINGS['tasks']},prompt_sensitivity_mini_noop")
    made = [reference, *map(systems, ROUNDED), half, *thinking, erased]
    home = shared_folder()
    if home is not None:
        made.append(run("stories", home / "models" / "stories260K", apply_chat_template=False))
    return made


@pytest.fixture(scope="session")
def real(runs: list[Run], shared_home: Path) -> Real:  # noqa: F811
    """The runs, exported once for all test processes."""
    folders = [str(run.folder) for run in runs]
    home = shared_home / "browser_real"

    def export(folder: Path) -> None:
        beside = ["--reference", folders[0], "-o", str(folder / "results")]
        assert cli.main(["export", *folders, *beside, *STATISTICS]) == 0
        said = ["--format", "json", "-o", str(folder / "clusters.json")]
        assert cli.main(["clusters", *folders, *said, *STATISTICS]) == 0

    once(home, export)
    clusters = json.loads((home / "clusters.json").read_text(encoding="utf-8"))
    return Real(home / "results", open_results(home / "results"), clusters)


@pytest.fixture(scope="session")
def hostile(chromium: str, shared_home: Path) -> Path:  # noqa: F811
    """Results of systems whose names and outputs want to be markup, code or control characters."""
    home = shared_home / "browser_hostile"
    once(home, make_hostile_results)
    return home / "results"


@pytest.fixture(scope="package")
def served(real: Real, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the real results."""
    with serving(real.folder, tmp_path_factory.mktemp("served") / "log") as address:
        yield address


@pytest.fixture(scope="package")
def hostile_served(hostile: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the hostile results."""
    with serving(hostile, tmp_path_factory.mktemp("hostile") / "log") as address:
        yield address


@pytest.fixture(scope="package")
def nothing_served(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server whose results folder does not exist."""
    home = tmp_path_factory.mktemp("nothing")
    with serving(home / "results", home / "log", refused_by_the_command=True) as address:
        yield address


@pytest.fixture(scope="package")
def browser(chromium: str, runs: list[Run]) -> Iterator[Browsing]:
    """Started after the runs were made: playwright keeps an event loop, in which nothing else may want its own."""
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
