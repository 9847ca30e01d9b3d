"""Every metric is described, every description is complete, and importing them stays light."""

from __future__ import annotations

import importlib
import inspect
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from lm_eval_sensitivity import metrics
from lm_eval_sensitivity.metrics import METRICS, MetricCard, measured_under
from lm_eval_sensitivity.metrics.__main__ import document
from lm_eval_sensitivity.metrics.catalogue import Direction, register, scores_of
from lm_eval_sensitivity.metrics.inputs import PairInputs, Side
from lm_eval_sensitivity.types import Channel, Missing

WINDOWS = tuple(f"cosine_distance_{n_tokens}" for n_tokens in (64, 128, 256, 512))
IN_ORDER = (
    *(
        "cosine_distance",
        *WINDOWS,
        "baseline_drift",
        "variant_drift",
        "output_spread",
        "text_edit_distance",
        "token_edit_distance",
        "first_divergence",
    ),
    *("length_change", "js_divergence", "kl_forward", "kl_backward", "top1_probability", "margin_min"),
    *("hidden_distance", "prompt_end_hidden_distance"),
)
"""Columns of the pairs table; files that people wrote have them in this order."""


def function_of(card: MetricCard) -> Callable[..., Any]:
    module, _, name = card.computed_by.rpartition(".")
    function: Callable[..., Any] = getattr(importlib.import_module(f"lm_eval_sensitivity.{module}"), name)
    return function


FUNCTIONS: dict[str, Callable[..., Any]] = {
    name: getattr(metrics, name) for name in metrics.__all__ if inspect.isfunction(getattr(metrics, name))
} | {function_of(card).__name__: function_of(card) for card in METRICS.values()}
del FUNCTIONS["measured_under"]  # it asks the catalogue, and measures nothing


def test_the_catalogue_holds_every_metric_of_a_pair() -> None:
    assert tuple(METRICS) == IN_ORDER


@pytest.mark.parametrize("name", METRICS)
def test_cards_are_complete(name: str) -> None:
    card = METRICS[name]
    assert card.name == name
    for text in (card.what, card.source, card.formula, card.computed_by, card.undefined):
        assert text.strip()
    assert card.what.endswith(".")
    assert -math.inf < card.low < card.high
    assert card.direction in get_args(Direction) and card.unit in {"none", "nats", "tokens"}
    assert card.needs and set(card.needs) <= set(get_args(Channel))
    assert card.filters in (("raw", "answer"), ("raw",))
    assert function_of(card).__name__ in FUNCTIONS


def test_what_is_measured_under_a_filter() -> None:
    answer, raw = ([card.name for card in measured_under(name)] for name in ("answer", "raw"))
    moved = ["text_edit_distance", "token_edit_distance", "length_change"]
    moved += ["baseline_drift", "variant_drift", "output_spread"]
    assert answer == [*IN_ORDER[:5], *moved]
    assert set(raw) - set(answer) == {"js_divergence", "hidden_distance"}


def test_distances_are_named_as_distances_and_grow_apart() -> None:
    for card in METRICS.values():
        if "distance" in card.name:
            assert card.direction == "larger = further apart"
            assert card.low == 0


def test_two_cards_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="js_divergence"):
        register(METRICS["js_divergence"])


# ---- from channels to a number


def side(text: str | Missing, ids: list[int] | Missing) -> Side:
    given = ids if isinstance(ids, Missing) else np.array(ids, np.int32)
    return replace(Side.without(Missing("not given")), text=text, token_ids=given)


def pair_of(*sides: Side, distance: float = 0.5) -> PairInputs:
    return PairInputs(*sides, Missing("not given", "no distribution"), lambda text, other: distance)


def test_a_metric_is_missing_for_the_reason_of_the_channel_that_it_lacks() -> None:
    found = scores_of(pair_of(side("a", [1, 2]), side("b", Missing("text only", "no ids"))), "raw")
    assert found["cosine_distance"] == 0.5
    assert found["token_edit_distance"] == found["length_change"] == Missing("text only", "no ids")
    assert found["js_divergence"] == Missing("not given", "no distribution")
    assert found["hidden_distance"] == Missing("not given")


def test_an_undefined_number_is_missing_for_the_reason_of_its_card() -> None:
    found = scores_of(pair_of(side("", []), side("", []), distance=math.nan), "answer")
    assert str(found["cosine_distance"]) == "empty: one of the texts has nothing to embed"
    assert str(found["text_edit_distance"]) == "empty: neither output has a character"
    assert str(found["length_change"]) == "empty: neither output has a token"
    assert found["token_edit_distance"] == 0.0 and "js_divergence" not in found


def test_of_a_blocked_pair_everything_is_missing() -> None:
    erased = Missing("erased", "the edit does not reach the token ids")
    assert set(scores_of(PairInputs.without(erased), "raw").values()) == {erased}


# ---- a new metric is one file


NEW_METRIC = """
from lm_eval_sensitivity.metrics.catalogue import MetricCard, metric

@metric(
    MetricCard("shouting", "Share of capitals that changed.", "text", 0, 1, "larger = further apart", "none", ("text",),
               "made up", "none")
)
def shouting(text, other):
    return float(text.isupper() != other.isupper())
"""
ASK = """
from lm_eval_sensitivity.metrics.__main__ import document
from lm_eval_sensitivity.metrics.catalogue import METRICS, scores_of
from lm_eval_sensitivity.metrics.inputs import PairInputs, Side
from lm_eval_sensitivity.records.columns import RAW_SCORES, SCHEMA, VIEW_SCORES
from lm_eval_sensitivity.statements.selection import Selection
from lm_eval_sensitivity.types import Missing
from dataclasses import replace

side = Side.without(Missing("none"))
pair = PairInputs(replace(side, text="A"), replace(side, text="a"), Missing("none"), lambda text, other: 0.0)
assert scores_of(pair, "answer")["shouting"] == 1.0
assert "shouting" in RAW_SCORES and "shouting" in VIEW_SCORES
assert {"shouting", "missing_shouting"} <= set(SCHEMA.names)
assert Selection("shouting").in_words().startswith("shouting")
assert "### shouting" in document()
"""


def test_a_file_in_the_folder_is_a_new_metric(tmp_path: Path) -> None:
    copy = tmp_path / "lm_eval_sensitivity"
    shutil.copytree(
        Path(metrics.__file__).parents[1], copy, ignore=shutil.ignore_patterns("demo", "space", "__pycache__")
    )
    (copy / "metrics" / "shouting.py").write_text(NEW_METRIC, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-c", ASK],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert result.returncode == 0, result.stderr


def test_the_page_of_the_metrics_is_up_to_date() -> None:
    page = Path(__file__).parents[3] / "docs" / "metrics.md"
    assert page.read_text(encoding="utf-8") == document(), "write it anew: `make docs`"


# ---- docstrings


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_docstrings_are_complete(name: str) -> None:
    docstring = inspect.getdoc(FUNCTIONS[name]) or ""
    for heading in ("Range:", "Empty:", "Identical:", "Source:", "Args:", "Returns:", "Example:", ">>>"):
        assert heading in docstring, f"{name} says nothing under {heading}"
    assert docstring.split("\n")[0].endswith(".")


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_options_are_keyword_only(name: str) -> None:
    for parameter in inspect.signature(FUNCTIONS[name]).parameters.values():
        if parameter.default is not inspect.Parameter.empty:
            assert parameter.kind is inspect.Parameter.KEYWORD_ONLY, f"{name}: {parameter.name}"
