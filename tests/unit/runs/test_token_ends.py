"""Ends of tokens in samples: absent in old ones, checked where they are there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.records.packing import pack
from lm_eval_sensitivity.runs import load_runs
from tests.unit.runs.made_run import MadeRun, Rows, make_run


def enter(run: MadeRun, ends: Any) -> None:
    """Write ends into the base of the first raw row; a number per token, or whatever `ends` makes of them."""

    def change(rows: Rows) -> None:
        row = next(row for row in rows if row["filter"] == "raw")
        base, length = row["pair"]["base"], len(row["resps"][0][0])
        spread = [min(step + 1, length) for step in range(base["n_tokens"])]
        base["token_ends"] = ends(spread, length)

    run.edit_rows("synonym", change)


def _without_ends(row: dict[str, Any]) -> dict[str, Any]:
    """As earlier versions wrote it."""
    for side in ("base", "variant"):
        row["pair"][side].pop("token_ends", None)
    return row


def test_samples_with_and_without_ends_are_read(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    n_rows = load_runs([run.folder]).table.num_rows
    enter(run, lambda spread, length: None)
    assert load_runs([run.folder]).table.num_rows == n_rows
    run.edit_rows("synonym", lambda rows: [_without_ends(row) for row in rows])
    assert load_runs([run.folder]).table.num_rows == n_rows


@pytest.mark.parametrize(
    "broken",
    [
        lambda spread, length: pack([*spread[:-1], length + 1], "<i4"),
        lambda spread, length: pack([-1, *spread[1:]], "<i4"),
        lambda spread, length: pack([length, *spread[1:-1], 0], "<i4"),
        lambda spread, length: pack(spread[:-1], "<i4"),
        lambda spread, length: pack(spread, "<f4"),
        lambda spread, length: {**pack(spread, "<i4"), "z": "AAAA"},
        lambda spread, length: spread,
    ],
    ids=["outside", "negative", "falling", "too few", "fractions", "damaged", "not packed"],
)
def test_wrong_ends_are_refused_by_name(tmp_path: Path, broken: Any) -> None:
    run = make_run(tmp_path)
    enter(run, broken)
    with pytest.raises(InputError, match=r"pair\.base\.token_ends"):
        load_runs([run.folder])
