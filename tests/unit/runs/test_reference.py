"""A reference run: the distances of its pairs, which a verdict is judged beside."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.runs import load_reference, load_runs
from tests.unit.runs.made_run import make_run


def test_its_rows_are_those_of_the_pairs_table(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    reference = load_reference(run.folder)
    table = load_runs([run.folder]).table
    assert reference.table == table.select(reference.table.column_names).replace_schema_metadata(None)
    for side, column in (("base", "prompt_id"), ("variant", "pair_id")):
        assert {key.id for key in reference.outputs if key.side == side} == set(table[column].to_pylist())


def test_a_folder_filled_in_two_calls_gives_the_rows_that_every_command_takes(tmp_path: Path) -> None:
    """The newest complete run of each rung, whichever call made it; a newer part of a rung is left out."""
    first = make_run(tmp_path / "run", rungs=("identical", "synonym"), date="2026-08-01T10-00-00")
    make_run(first.folder, rungs=("noop",), date="2026-08-02T10-00-00")
    make_run(first.folder, rungs=("synonym",), limit=2, date="2026-08-03T10-00-00")
    reference = load_reference(first.folder)
    loaded = load_runs([first.folder])
    assert [rung.samples for rung in loaded.systems[0].rungs] == sorted(
        (rung.samples for rung in reference.rungs),
        key=lambda path: ["identical", "noop", "synonym"].index(path.name.split("_")[4]),
    )
    words = reference.in_words()
    assert all(name in words[0] for name in ("identical", "noop", "synonym", "2026-08-01", "2026-08-02"))
    assert "2026-08-03" not in words[0] and "a partial run (2 of" in words[1] and len(words) == 2
    assert reference.dates == ("2026-08-01T10-00-00", "2026-08-02T10-00-00")
    assert [each.about for each in reference.left_out] == [each.about for each in loaded.left_out] != []


def test_only_the_same_weights_read_to_the_same_length_give_the_same_scale(tmp_path: Path) -> None:
    reference = load_reference(make_run(tmp_path / "run").folder)
    own = {"name": "a/copy", "weights_sha256": "e" * 64, "max_tokens": 256}
    assert reference.measured_like(own)
    assert not reference.measured_like({**own, "weights_sha256": "f" * 64})
    assert not reference.measured_like({**own, "max_tokens": 128})


@pytest.mark.parametrize("value", ["0.5", True, math.nan, [0.5]])
def test_a_distance_that_is_no_number_is_refused(tmp_path: Path, value: Any) -> None:
    run = make_run(tmp_path / "run")
    run.edit_rows("synonym", lambda rows: rows[0]["pair"]["scores"].update(cosine_distance=value))
    with pytest.raises(InputError, match=r"synonym.*line 1: `pair.scores.cosine_distance`"):
        load_reference(run.folder)


def test_a_run_that_was_not_measured_is_no_reference(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", rungs=("identical",))
    run.edit_results(
        lambda results: [
            config["metadata"]["sensitivity"].update(embedder=None) for config in results["configs"].values()
        ]
    )
    with pytest.raises(InputError, match="--predict_only"):
        load_reference(run.folder)
