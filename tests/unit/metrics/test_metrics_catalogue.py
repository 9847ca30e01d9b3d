"""Every metric is described, every description is complete, and importing them stays light."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any, get_args

import pytest

from lm_eval_sensitivity import metrics
from lm_eval_sensitivity.metrics import METRICS, MetricCard
from lm_eval_sensitivity.metrics.catalogue import Direction, Needs, _catalogue

EXPECTED_NAMES = {
    "cosine_distance",
    "cosine_distance_64",
    "cosine_distance_128",
    "cosine_distance_256",
    "cosine_distance_512",
    "token_edit_distance",
    "first_divergence",
    "js_divergence",
    "kl_forward",
    "kl_backward",
    "top1_probability",
    "hidden_distance",
    "prompt_end_hidden_distance",
    "margin_min",
    "baseline_drift",
}

FUNCTIONS: dict[str, Callable[..., Any]] = {
    name: getattr(metrics, name) for name in metrics.__all__ if inspect.isfunction(getattr(metrics, name))
}


def function_of(card: MetricCard) -> Callable[..., Any]:
    module, _, name = card.computed_by.rpartition(".")
    function: Callable[..., Any] = getattr(importlib.import_module(f"lm_eval_sensitivity.{module}"), name)
    return function


def test_the_catalogue_holds_every_metric_of_a_pair() -> None:
    assert set(METRICS) == EXPECTED_NAMES


@pytest.mark.parametrize("name", sorted(METRICS))
def test_cards_are_complete(name: str) -> None:
    card = METRICS[name]
    assert card.name == name
    for field in dataclasses.fields(card):
        assert getattr(card, field.name).strip(), f"{name}: {field.name} is empty"
    assert card.what.endswith(".")
    assert re.match(r"[\[(].+[\])]$", card.range)
    assert card.direction in get_args(Direction)
    assert card.needs in get_args(Needs)
    assert card.unit in {"none", "nats", "tokens"}
    assert function_of(card).__name__ in FUNCTIONS


def test_distances_are_named_as_distances_and_grow_apart() -> None:
    for card in METRICS.values():
        if "distance" in card.name:
            assert card.direction == "larger = further apart"
            assert card.range.startswith("[0")


def test_two_cards_of_one_name_are_refused() -> None:
    card = METRICS["js_divergence"]
    with pytest.raises(ValueError, match="js_divergence"):
        _catalogue([card, card])


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_docstrings_are_complete(name: str) -> None:
    docstring = inspect.getdoc(FUNCTIONS[name]) or ""
    for heading in ("Range:", "Empty:", "Identical:", "Source:", "Args:", "Example:", ">>>"):
        assert heading in docstring, f"{name} says nothing under {heading}"
    assert docstring.split("\n")[0].endswith(".")


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_options_are_keyword_only(name: str) -> None:
    for parameter in inspect.signature(FUNCTIONS[name]).parameters.values():
        if parameter.default is not inspect.Parameter.empty:
            assert parameter.kind is inspect.Parameter.KEYWORD_ONLY, f"{name}: {parameter.name}"


def test_importing_metrics_loads_no_heavy_library() -> None:
    heavy = ("torch", "transformers", "datasets", "lm_eval", "sentence_transformers", "scipy", "pandas")
    code = f"import sys, lm_eval_sensitivity.metrics; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
