"""`compare` and `drift` over real runs of small models: both ways to measure drift, and what is refused."""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lm_eval_sensitivity.cli import compare, drift
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.records.columns import FILTERS
from lm_eval_sensitivity.runs import load_runs
from lm_eval_sensitivity.statements import Selection
from lm_eval_sensitivity.statements.drift_distance import find_distances, measure_drift
from tests.harness.conftest import FOUR_RUNGS, Lmeval, Run


@pytest.fixture(scope="module")
def runs(
    demo_of_four_rungs: Run, model: Path, run_once: Lmeval, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """The demonstration model, and a random model that measured its drift from it, in one folder."""
    home = tmp_path_factory.mktemp("runs")
    reference = demo_of_four_rungs.folder
    candidate = run_once(model, **FOUR_RUNGS, metadata={"reference": str(reference)}).folder
    found = {"reference": reference, "candidate": candidate}
    return {name: shutil.copytree(folder, home / name) for name, folder in found.items()}


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Any:
    """Run one command line and return what it prints."""
    parser = argparse.ArgumentParser()
    subparsers = parser.add_subparsers()
    for module in (compare, drift):
        module.add_parser(subparsers)

    def run(*line: object) -> str:
        options = parser.parse_args([*map(str, line), "--resamples", "999"])
        assert options.run(options) == 0
        return capsys.readouterr().out

    return run


def test_drift_recomputed_is_the_drift_of_the_run(runs: dict[str, Path], command: Any) -> None:
    text = command("drift", runs["candidate"], "--reference", runs["reference"], "--format", "json")
    reference, candidate = json.loads(text)["drift"]["systems"]
    assert reference["is_reference"] and reference["verdict"] is None
    assert (
        candidate["drift_source"].startswith("measured in its run, against")
        and candidate["drift"]["mean"]["estimate"] > 0.1
    )
    assert candidate["verdict"]["label"] not in {"STABLE", "RESPONSIVE"}
    pairs = load_runs(list(runs.values()))
    base, own = pairs.systems
    for filter_name in FILTERS:
        recorded, recomputed = (
            measure_drift(
                pairs.table,
                system,
                base,
                Selection("cosine_distance", filter_name),
                lambda: find_distances(base.embedder, None),
            )
            for system in (own, replace(own, reference=None))
        )
        assert recomputed.source.startswith("recomputed") and len(recorded.by_prompt) >= 5
        assert recomputed.texts.keys() == recorded.texts.keys()
        assert len(recorded.texts) > len(recorded.by_prompt), "variants are measured, too"
        for key, value in recorded.texts.items():
            assert recomputed.texts[key] == (
                pytest.approx(value, abs=1e-6) if isinstance(value, float) else value
            )
        assert recomputed.mean == pytest.approx(recorded.mean, abs=1e-6)


def test_the_order_of_runs_and_the_missing_reference(runs: dict[str, Path], command: Any) -> None:
    folders = [runs["reference"], runs["candidate"]]
    one, other = (
        json.loads(command("drift", *order, "--format", "json")) for order in (folders, folders[::-1])
    )
    assert one["drift"]["systems"] == other["drift"]["systems"][::-1]
    assert {each["reduced"]["label"] for each in one["drift"]["systems"]} <= {
        "alive",
        "collapsed or indiscriminate",
        "UNDETERMINED",
    }
    assert "all that can be said without a reference" in command("drift", *folders)


def test_mistakes_are_sentences(runs: dict[str, Path], command: Any) -> None:
    reference, candidate = runs["reference"], runs["candidate"]
    for line, message in (
        (("compare", reference, reference), "same system"),
        (("compare", reference.parent, candidate), r"holds 2 systems: .* Give a folder with one"),
        (("compare", candidate, reference.parent), "holds 2 systems"),
        (("compare", reference, candidate, "--margin", "0"), "share above 0"),
        (("compare", reference, candidate, "--rungs", "noop"), "has no pair of"),
        (("drift", reference, "--reference", reference), "only system"),
        (("drift", reference, "--metric", "token_edit_distance"), "drift compares texts"),
    ):
        with pytest.raises(InputError, match=message):
            command(*line)
