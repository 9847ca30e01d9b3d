"""Edit by system: order, means, and marks for what has no number."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import pytest

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder.build import edits_of_rung
from lm_eval_sensitivity.metrics import METRICS
from lm_eval_sensitivity.metrics.catalogue import belongs_to_prompt
from lm_eval_sensitivity.report.documents.heatmap import _long, cell_in_words
from lm_eval_sensitivity.statements.heatmap import heatmap_statement
from lm_eval_sensitivity.types import RUNGS
from tests.running import command
from tests.unit.runs.made_run import make_run
from tests.unit.statements.made_table import Row, made_table, panel, partition_of


def cell_text(numbers: list[float | None], *, other: int | None = None) -> str:
    """The cell of one edit with these numbers beside a system with `other` scored pairs."""
    rows: list[Row] = [("m", f"q{i}", "noop", "nfd", number) for i, number in enumerate(numbers)]
    n_other = len(numbers) if other is None else other
    rows += [("n", f"q{i}", "noop", "nfd", 0.5) for i in range(n_other)]
    found = heatmap_statement(partition_of(made_table(rows)), "cosine_distance", "answer")
    cells = {cell.system: cell for cell in found.cells}
    return cell_in_words(cells["m"], max(len(numbers), n_other))


@pytest.mark.parametrize(
    ("numbers", "other", "expected"),
    [
        ([0.25] * 6, None, "0.250"),
        ([0.0] * 6, None, "0.000"),
        ([1e-5] * 6, None, "<0.001"),
        ([math.nan] * 6, None, "erased"),
        ([None] * 6, None, "unscored"),
        ([0.5] * 6 + [math.nan] * 2, None, "0.500 (2e)"),
        ([0.5] * 6 + [math.nan] * 2 + [None], None, "0.500 (2e 1u)"),
        ([math.nan] * 3 + [None] * 3, None, "- (3e 3u)"),
        ([0.5] * 4, None, "-"),
        ([0.5] * 6, 8, "0.500 (n 6)"),
        ([math.nan] * 6, 8, "- (6e n 0)"),
    ],
)
def test_cells_say_what_became_of_the_pairs(
    numbers: list[float | None], other: int | None, expected: str
) -> None:
    assert cell_text(numbers, other=other) == expected


def test_edits_stand_in_the_order_of_the_ladder_and_systems_by_name() -> None:
    edits = [(rung, edit) for rung in RUNGS for edit in edits_of_rung(rung)]
    rows: list[Row] = [(s, "q", rung, edit, 0.5) for rung, edit in reversed(edits) for s in ("z", "b")]
    found = heatmap_statement(partition_of(made_table(rows, shuffle=4)), "cosine_distance", "answer")
    assert list(found.edits) == edits
    assert found.systems == ("b", "z")
    assert len(found.cells) == 2 * len(edits)


def test_a_mean_is_that_of_its_own_edit() -> None:
    rows = panel({"m": 0.1, "n": 0.7})
    found = heatmap_statement(partition_of(made_table(rows)), "cosine_distance", "answer")
    for cell in found.cells:
        own = [row[4] for row in rows if (row[0], row[3]) == (cell.system, cell.edit)]
        assert cell.mean.estimate == pytest.approx(sum(filter(None, own)) / len(own))
        assert cell.counts.n_pairs == 9


def test_a_rung_that_one_system_was_not_given() -> None:
    rows = [row for row in panel({"m": 0.1, "n": 0.7}) if (row[0], row[2]) != ("n", "noop")]
    found = heatmap_statement(partition_of(made_table(rows)), "cosine_distance", "answer")
    cells = {cell.system: cell_in_words(cell, 9) for cell in found.row("leading_space")}
    assert cells["n"] == "not run"
    assert cells["m"] not in ("not run", "-")


def test_forms_of_the_command_agree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [
        make_run(tmp_path / name, model=f"org/{name}", identity={"weights": name * 64}, seed=seed).folder
        for seed, name in enumerate(("system", "edit"))  # names that a table's own columns have
    ]
    outputs = {}
    for form in ("table", "markdown", "csv", "json"):
        assert command("heatmap", *runs, "--format", form, "--resamples", 199) == 0
        outputs[form] = capsys.readouterr().out
        assert "Signature: " in outputs[form]
    block = outputs["csv"].split("\n\n")[0]
    rows = list(csv.DictReader(io.StringIO(block)))
    (found,) = json.loads(outputs["json"])["heatmaps"]
    assert len(rows) == len(found["cells"]) == 2 * len(found["edits"])
    for row, cell in zip(rows, found["cells"], strict=True):
        assert (row["edit"], row["system"]) == (cell["edit"], cell["system"])
        assert int(row["erased"]) == cell["counts"]["n_erased"]
        assert float(row["mean"]) == cell["mean"]["estimate"]
        assert f"{cell['mean']['estimate']:.3f}" in outputs["table"]
    assert "(1e 1u)" in outputs["table"] and "(1e 1u)" in outputs["markdown"]
    assert "edit'" in outputs["table"] and "edit'" not in outputs["json"]


@pytest.mark.parametrize("metric", [*filter(belongs_to_prompt, METRICS), "variant_drift"])
def test_a_metric_that_is_one_number_per_prompt_is_refused(metric: str) -> None:
    assert metric in METRICS
    table = made_table(panel({"m": 0.1}), metric=metric, filter_name="raw")
    with pytest.raises(InputError, match=f"{metric}` is a number of one prompt"):
        heatmap_statement(partition_of(table), metric, "raw")
    with pytest.raises(InputError, match="is a number of one prompt"):
        command("heatmap", "no_such_folder", "--metric", metric, "--filter", "raw")


def test_outputs_that_never_part_are_not_called_missing() -> None:
    table = made_table(panel({"m": 3.0}), metric="first_divergence")
    found = heatmap_statement(partition_of(table), "first_divergence", "answer")
    assert "outputs that never part have no step" in found.cautions[0].text
    assert "no largest value" in _long(found).note and "below 0" not in _long(found).note
    distances = heatmap_statement(partition_of(made_table(panel({"m": 0.1}))), "cosine_distance", "answer")
    assert not distances.cautions and "Bounds are by half points" in _long(distances).note
