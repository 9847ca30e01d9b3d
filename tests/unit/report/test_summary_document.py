"""`show`: the last screen again, and every number that lm_eval's table left out."""

from __future__ import annotations

import csv
import io
import json

import pytest

from lm_eval_sensitivity.runs import load_runs
from lm_eval_sensitivity.statements.partition import TablePartition
from lm_eval_sensitivity.statements.summary import summary_statement
from tests.golden.doors import RUNS, inside
from tests.running import command

DEMO, LADDER = "greedy/demo", "../ladder.jsonl"


def shown(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    with inside(RUNS):
        assert command("show", DEMO, "--ladder", LADDER, "--resamples", "199", *options) == 0
    return capsys.readouterr().out


def test_the_forms_have_the_same_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    with inside(RUNS):
        partition = TablePartition(load_runs(DEMO, ladder=LADDER).table, 199)
        found = summary_statement(partition, "demo")
    text = shown(capsys)
    assert f"move an answer by    {found.axes.preserving.mean.estimate:.3f} " in text
    rows = [*csv.DictReader(io.StringIO(shown(capsys, "--format", "csv").split("\n\n")[0]))]
    assert rows[0]["what"] == "harmless edits"
    assert float(rows[0]["mean"]) == pytest.approx(found.axes.preserving.mean.estimate, rel=1e-12)
    (read,) = json.loads(shown(capsys, "--format", "json"))["summaries"]
    assert read["axes"]["preserving"]["mean"]["estimate"] == found.axes.preserving.mean.estimate


def test_all_has_every_metric_that_the_run_measured(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "--all")
    assert all(
        name in text for name in ("js_divergence", "token_edit_distance", "hidden_distance", "paraphrase")
    )
    assert "cosine_distance_64" not in text, "no output of that run has 64 tokens"
    assert "js_divergence" not in shown(capsys)
