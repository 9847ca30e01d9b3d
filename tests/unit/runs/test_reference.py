"""A reference run: the distances of its pairs, which a verdict is judged beside."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.runs import load_pairs, load_reference
from tests.unit.runs.made_run import make_run


def test_distances_are_those_of_the_pairs_table(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    reference = load_reference(run.folder)
    rows = load_pairs([run.folder]).table.to_pylist()
    assert len(reference.distances) == len(rows)
    for row in rows:
        found = reference.distances[row["prompt_id"], row["edit"], row["rung"], row["filter"]]
        assert (found.cosine_distance, found.audit_status) == (row["cosine_distance"], row["audit_status"])
    assert {each.audit_status for each in reference.distances.values()} == {"erased", "identical", "survived"}
    assert any(each.cosine_distance is None for each in reference.distances.values())


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
    with pytest.raises(InputError, match=r"synonym.*line 1: not a row of a prompt_sensitivity run"):
        load_reference(run.folder)


def test_a_run_that_was_not_measured_has_outputs_and_no_distances(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", rungs=("identical",))
    run.edit_rows("identical", lambda rows: [row["pair"].pop("scores") for row in rows] and None)
    reference = load_reference(run.folder)
    assert reference.outputs and not reference.distances
