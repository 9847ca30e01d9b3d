"""The results of real systems that the repository shows: read as strangers' data are, and the numbers of their page."""

from __future__ import annotations

import json
from pathlib import Path

from lm_eval_sensitivity.results import open_results
from lm_eval_sensitivity.statements import Selection

ROOT = Path(__file__).resolve().parents[3]


def test_they_hold_the_numbers_of_the_page() -> None:
    recorded = json.loads((ROOT / "benchmarks" / "panel_results.json").read_text(encoding="utf-8"))
    expected = recorded["96 tokens"]["systems"]
    results = open_results(ROOT / "examples" / "results", everything=True)
    wanted = Selection("cosine_distance", "answer", "meaning_preserving")
    clusters = next(each for each in results.statements.clusters if each.selection == wanted)
    found = {row.system: (row.mean, list(row.letters)) for row in clusters.systems}
    assert list(found) == list(expected)
    for name, (mean, letters) in found.items():
        bounds = [round(value, 4) for value in (mean.estimate, mean.lower, mean.upper)]
        assert (bounds, letters) == (expected[name]["harmless"], expected[name]["letters"])


def test_they_say_which_systems_are_another_model_than_the_reference() -> None:
    for found in open_results(ROOT / "examples" / "results", everything=True).statements.drift:
        other = [note.about for note in found.cautions if "another model" in note.text]
        assert other == [("Gemma 3, base",), ("Qwen2.5-Coder",)]
