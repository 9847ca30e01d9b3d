"""The package in a notebook, over recorded runs: the same numbers as the commands, in every form."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lm_eval_sensitivity as les
from lm_eval_sensitivity.cli.main import main
from lm_eval_sensitivity.errors import InputError
from tests.golden.doors import RUNS

DEMO, ROUNDED = (str(RUNS / "greedy" / name) for name in ("demo", "rounded"))
FEW = {"resamples": 199}


@pytest.mark.parametrize("given", [DEMO, Path(DEMO), [DEMO], (Path(DEMO),)])
def test_a_folder_is_a_string_or_a_path_and_one_or_several(given: str | Path) -> None:
    loaded = les.load(given)
    assert [system.name for system in loaded.systems] == ["demo"]
    assert les.load(loaded) is loaded


def test_pairs_come_with_their_texts() -> None:
    loaded = les.load(DEMO)
    plain, with_text = loaded.pairs(), loaded.pairs(text=True)
    assert with_text.select(plain.column_names).to_pylist() == plain.to_pylist()
    assert with_text.column_names[len(plain.column_names) :] == [
        "base",
        "variant",
        "base_output",
        "variant_output",
    ]
    for row in with_text.to_pylist():
        assert (row["base"] == row["variant"]) == (row["rung"] == "identical")
        if row["cosine_distance"] not in (None, 0.0):
            assert row["base_output"] != row["variant_output"]
        assert len(row["base_output"]) == row["base_n_characters"]
    frame = loaded.to_pandas()
    assert frame.shape == (plain.num_rows, plain.num_columns)
    assert "demo" in str(loaded) and "<table>" in loaded._repr_html_()


def printed(capsys: pytest.CaptureFixture[str], *line: str) -> str:
    assert main([*line, "--resamples", "199", "--format", "csv"]) == 0
    return capsys.readouterr().out


def test_statements_are_those_of_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    from lm_eval_sensitivity.report import render

    both = [DEMO, ROUNDED]
    for found, line in (
        (les.summary(both, **FEW), ["show", *both]),
        (les.clusters(both, **FEW), ["clusters", *both]),
        (les.compare(*both, **FEW), ["compare", *both]),
        (les.drift(ROUNDED, reference=DEMO, **FEW), ["drift", ROUNDED, "--reference", DEMO]),
        (les.drift(both, **FEW), ["drift", *both]),
    ):
        assert render(found.document, "csv") == printed(capsys, *line)
        assert found.statement is not None and found.document.title in str(found) == repr(found)
        assert not re.search("<script|<p>:?</p>", found._repr_html_())


def test_a_frame_has_all_digits_and_missing_numbers() -> None:
    found = les.drift([DEMO, ROUNDED], reference=DEMO, **FEW)
    frame = found.to_frame()
    drift = found.statement.systems[1].drift
    assert list(frame["system"]) == ["demo", "rounded"]
    assert math.isnan(frame["drift mean"][0]) and np.isclose(
        frame["drift mean"][1], drift.mean.estimate, rtol=0, atol=0
    )
    with pytest.raises(InputError, match="there is no such table; there are"):
        found.to_frame("sytems")


def test_drift_of_loaded_runs_keeps_their_labels() -> None:
    loaded = les.load([ROUNDED, DEMO], labels={DEMO: "whole", ROUNDED: "coarse"})
    found = les.drift(loaded, reference=DEMO, **FEW).statement
    assert [(each.system, each.is_reference) for each in found.systems] == [
        ("whole", True),
        ("coarse", False),
    ]


def test_figures_and_their_absence(tmp_path: Path) -> None:
    both = [DEMO, ROUNDED]
    for found in (les.clusters(both, **FEW), les.drift(both, reference=DEMO, **FEW)):
        found.plot().savefig(tmp_path / "figure.png")
        assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    for found in (les.compare(*both, **FEW), les.load(DEMO).contents(), les.drift(both, **FEW)):
        with pytest.raises(InputError, match="There is no figure"):
            found.plot()


def test_a_name_that_is_none_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'ranks'"):
        les.ranks  # noqa: B018
    assert set(les.__all__) <= {*dir(les), "clusters", "compare", "drift", "from_results", "load", "summary"}


@pytest.mark.parametrize(
    ("call", "names"),
    [
        (lambda: les.load(5), ["`runs` is 5", "--output_path"]),
        (lambda: les.load(None), ["`runs` is null"]),
        (lambda: les.load(""), ["`runs` is ''"]),
        (lambda: les.load([DEMO, 3]), ["`runs` is a list"]),
        (lambda: les.load(DEMO, subest="mini"), ["`subest`", "Did you mean 'subset'?"]),
        (lambda: les.clusters(DEMO, metric=3), ["`metric` is 3"]),
        (lambda: les.clusters(DEMO, metrc="cosine_distance"), ["`metrc`"]),
        (lambda: les.clusters(DEMO, seed=-1), ["`seed` is -1", "from 0"]),
        (lambda: les.clusters(DEMO, resamples=0), ["`resamples` is 0"]),
        (lambda: les.clusters(DEMO, alpha=1.0), ["`alpha` is 1.0"]),
        (lambda: les.compare(DEMO, ROUNDED, margin=0), ["`margin` is 0"]),
        (lambda: les.compare(DEMO, DEMO), ["same system"]),
        (lambda: les.drift(DEMO, seed="a"), ["`seed` is 'a'"]),
        (lambda: les.drift(DEMO, metric="hidden_distance"), ["hidden_distance", "filter raw"]),
    ],
)
def test_mistakes_are_one_sentence(call: Any, names: list[str]) -> None:
    with pytest.raises(InputError) as refused:
        call()
    assert all(name in str(refused.value) for name in names), str(refused.value)
