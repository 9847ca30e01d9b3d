"""The metric folders through the real `evaluate`, and their Space pages."""

from __future__ import annotations

import gc
import json
import re
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from lm_eval_sensitivity import __version__
from lm_eval_sensitivity.embedder import TextDistances, load_embedder
from lm_eval_sensitivity.stats import largest_value, mean_interval
from tests.conftest import REPOSITORY

evaluate = pytest.importorskip("evaluate")
pytest.importorskip("sentence_transformers")

FOLDERS = sorted((REPOSITORY / "metrics").iterdir())
NAMES = [folder.name for folder in FOLDERS]
COPIES = "evaluate_modules"
BASES = ["It is Paris.", "Two hours.", "Yeast eats sugar.", "A list.", "Nobody knows.", "On the coast."]
OTHERS = ["It is Paris.", "Four days.", "The dough rises.", "A new list.", "", "Far inland."]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """A metric from its folder, as a user who stands in a checkout loads it: copied, and imported from there."""
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setattr("evaluate.config.HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr(sys, "path", [path for path in sys.path if not Path(path, COPIES).exists()])
    for name in [name for name in sys.modules if name.partition(".")[0] == COPIES]:
        monkeypatch.delitem(sys.modules, name)
    return lambda name: evaluate.load(f"./metrics/{name}", cache_dir=str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def distances() -> TextDistances:
    return TextDistances(load_embedder)


def test_there_are_two() -> None:
    assert NAMES == ["answer_cosine_distance", "prompt_sensitivity_drift"]


def test_distances_are_those_of_the_suite(load: Any, distances: TextDistances) -> None:
    found = load("answer_cosine_distance").compute(predictions=OTHERS, references=BASES)
    expected = [distances.distance(*texts) for texts in zip(OTHERS, BASES, strict=True) if all(texts)]
    assert [value for value in found["distances"] if value is not None] == expected
    assert found["distances"][0] == 0 and found["distances"][4] is None
    assert found["missing"] == [None] * 4 + ["empty: one of the texts has nothing to embed", None]
    assert (found["n_scored"], found["answer_cosine_distance"]) == (5, pytest.approx(sum(expected) / 5))


def test_drift_is_a_mean_over_prompts_with_their_interval(load: Any, distances: TextDistances) -> None:
    drift = load("prompt_sensitivity_drift")
    texts = zip(OTHERS, BASES, strict=True)
    one = [distances.distance(*both) if all(both) else None for both in texts]
    by_prompt = {"a": (one[0] + one[1]) / 2, "b": one[2], "c": one[3], "d": None, "e": one[5]}
    found = drift.compute(predictions=OTHERS, references=BASES, prompt_ids=list("aabcde"))
    assert found["by_prompt"] == pytest.approx(by_prompt)
    there = [value for value in by_prompt.values() if value is not None]
    assert found["prompt_sensitivity_drift"] == pytest.approx(sum(there) / 4)
    assert found["lower"] is None and "at least 5 are needed" in found["reason"] and found["n_prompts"] == 4
    alone = load("prompt_sensitivity_drift").compute(predictions=OTHERS, references=BASES)
    scored = [value for value in one if value is not None]
    expected = mean_interval(scored, largest=largest_value(scored, 2))
    assert (alone["lower"], alone["upper"]) == (expected.lower, expected.upper)
    assert (alone["n_prompts"], alone["reason"]) == (5, None)


@pytest.mark.parametrize("name", NAMES)
def test_where_nothing_can_be_compared_there_is_no_number(name: str, load: Any) -> None:
    found = load(name).compute(predictions=["", "<think>x"], references=["a", "b"])
    assert found[name] is None and found["distances"] == [None, None]
    assert [reason.partition(":")[0] for reason in found["missing"]] == ["empty", "unclosed"]
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    nothing = load(name).compute(predictions=[], references=[])
    assert nothing[name] is None and nothing["distances"] == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"predictions": ["a"], "references": ["a", "b"]}, r"predictions \(1\) and references \(2\)"),
        ({"predictions": ["a"], "references": ["b"], "embedder": "./nowhere"}, "looks like a folder"),
    ],
)
def test_mistakes_are_sentences(name: str, given: dict[str, Any], message: str, load: Any) -> None:
    with pytest.raises(ValueError, match=message):
        load(name).compute(**given)


def test_as_many_prompt_ids_as_outputs_are_needed(load: Any) -> None:
    with pytest.raises(ValueError, match="names 1 prompts for 2 outputs"):
        load("prompt_sensitivity_drift").compute(
            predictions=["a", "b"], references=["a", "c"], prompt_ids=["x"]
        )


@pytest.mark.filterwarnings(
    # Gradio leaves event loops and sockets to the garbage collector.
    "ignore::pytest.PytestUnraisableExceptionWarning",
    "ignore::ResourceWarning",
)
@pytest.mark.parametrize("folder", FOLDERS, ids=NAMES)
def test_the_page_of_a_space_measures_the_same(folder: Path, load: Any) -> None:
    pytest.importorskip("gradio")
    page = runpy.run_path(str(folder / "app.py"))["page"]  # which serves only as a program of its own
    found = page.fn("\n".join(BASES[:2]), "\n".join(OTHERS[:2]))
    assert found == load(folder.name).compute(predictions=BASES[:2], references=OTHERS[:2])
    assert page.title == folder.name
    del page
    gc.collect()  # here, not in the test of somebody else


@pytest.mark.parametrize("folder", FOLDERS, ids=NAMES)
def test_a_card_has_the_header_that_the_hub_reads(folder: Path) -> None:
    assert {path.name for path in folder.iterdir() if path.is_file()} == {
        "README.md",
        "app.py",
        "requirements.txt",
        f"{folder.name}.py",
    }
    found = re.match(r"---\n(.*?)\n---\n", (folder / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    header = yaml.safe_load(found[1])
    assert {"title", "emoji", "colorFrom", "colorTo", "license", "pinned"} <= set(header)
    assert (header["sdk"], header["app_file"]) == ("gradio", "app.py")
    assert {"evaluate", "metric"} <= set(header["tags"])
    pinned = dict(re.findall(r"^([\w-]+)==(.+)$", (REPOSITORY / "constraints.txt").read_text(), re.MULTILINE))
    assert header["sdk_version"] == pinned["gradio"]
    asked = dict(
        re.findall(r"^([\w-]+)(?:\[\w+\])?==(.+)$", (folder / "requirements.txt").read_text(), re.MULTILINE)
    )
    assert asked.pop("lm-eval-sensitivity") == __version__
    assert {name: pinned[name] for name in asked} == asked and "evaluate" in asked
