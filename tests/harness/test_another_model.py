"""A system that is another model than its reference: every door that shows its label says what that is worth."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lm_eval_sensitivity.harness.close.last_screen import SUMMARY_FILE
from lm_eval_sensitivity.records.columns import FILTERS
from lm_eval_sensitivity.report.documents.report import PAGE
from lm_eval_sensitivity.results.read import read_results
from lm_eval_sensitivity.results.recompute import recomputed_differences
from lm_eval_sensitivity.results.statements import each_statement
from lm_eval_sensitivity.space.pages import axes
from lm_eval_sensitivity.space.query import Query
from tests.harness import tiny_models
from tests.harness.conftest import FOUR_RUNGS, Lmeval, Run
from tests.running import command
from tests.traps.models.erasing import stripping_tokenizer

SAID = (
    "is another model than the reference, by its {}. STABLE says of such a system only: no further than 2 times what a "
    "harmless edit moves the reference."
)


@pytest.fixture(scope="module")
def reference(demo_of_four_rungs: Run) -> Path:
    return demo_of_four_rungs.folder


@pytest.fixture(scope="module", params=["tokenizer", "architecture"])
def said(request: pytest.FixtureRequest) -> str:
    return SAID.format(request.param)


@pytest.fixture(scope="module")
def candidate(said: str, reference: Path, run_once: Lmeval, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demonstration model behind a tokenizer that strips; a random model of another architecture behind its own."""
    folder = tmp_path_factory.mktemp("models") / "other"
    if "tokenizer" in said:
        stripping_tokenizer(folder)
    else:
        tiny_models.build(folder, "gpt2")
    return run_once(folder, **FOUR_RUNGS, metadata={"reference": str(reference)}).folder


def test_the_last_screen_says_so(candidate: Path) -> None:
    (screen,) = candidate.rglob(SUMMARY_FILE)
    assert "Drift from the reference, another model: 0." in screen.read_text(encoding="utf-8")


def test_the_drift_table_says_so_of_the_other_system_only(
    candidate: Path, reference: Path, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = ("--label", f"{candidate}=other", "--label", f"{reference}=first")
    command("drift", candidate, reference, "--reference", reference, *labels, "--format", "json")
    cautions = json.loads(capsys.readouterr().out)["drift"]["cautions"]
    assert [each["text"] for each in cautions if "another model" in each["text"]] == [f"other {said}"]
    command("drift", candidate, "--reference", reference, *labels, "--drift-factor", "1")
    assert "only: no further than what a harmless edit" in " ".join(capsys.readouterr().out.split())


def test_the_report_and_the_page_say_so(candidate: Path, reference: Path, said: str, tmp_path: Path) -> None:
    beside = (candidate, reference, "--reference", reference, "--label", f"{candidate}=other")
    command("report", *beside, "-o", tmp_path / "report")
    report = (tmp_path / "report" / PAGE).read_text(encoding="utf-8").replace("&#39;", "'")
    assert f"Caution: other: It {said}" in report and f"other {said}" in report
    command("export", *beside, "-o", tmp_path / "results")
    results = read_results(tmp_path / "results")
    assert f"other {said}" in axes.show(results, Query({})).context["cautions"]
    paths = [path for path, _ in each_statement(results.statements) if path.startswith("drift")]
    assert len(paths) == len(FILTERS)
    assert [each for path in paths for each in recomputed_differences(results, path)] == []
