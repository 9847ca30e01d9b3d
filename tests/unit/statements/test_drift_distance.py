"""Where drift comes from: the run, or the samples of both runs under the same embedder."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lm_eval_sensitivity.embedder import TextDistances
from lm_eval_sensitivity.embedder.load import DEFAULT_SHA256
from lm_eval_sensitivity.embedder.text_distances import EMPTY
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.runs import load_runs
from lm_eval_sensitivity.statements import Selection, drift_distance
from lm_eval_sensitivity.statements.drift_distance import (
    BASE,
    check_drift_metric,
    find_distances,
    measure_drift,
)
from lm_eval_sensitivity.types import Missing
from tests.unit.runs.made_run import Rows, make_run

NO_ANSWER = "no answer: the reference run has none for this prompt"


class Lengths(TextDistances):
    """Texts are as far apart as their lengths; no embedder."""

    def __init__(self) -> None:
        pass

    def prepare(self, texts: Any) -> None:
        assert list(texts)

    def distance(self, text: str, other: str) -> float | Missing:
        return EMPTY if not text.strip() else abs(len(text) - len(other)) / 10


def no_distances() -> TextDistances:
    raise AssertionError("the embedder is not needed")


def longer(prompt: str, text: str) -> Any:
    def change(rows: Rows) -> None:
        for each in rows:
            if each["doc"]["prompt_id"] == prompt:
                each["resps"][0][0] = each["filtered_resps"][0] = text
                each["pair"]["base"]["token_ends"] = None  # those of the former text

    return change


def test_drift_of_the_run_is_taken_where_it_was_measured_from_this_reference(tmp_path: Path) -> None:
    reference = make_run(tmp_path / "ref")
    fingerprint = load_runs([reference.folder]).systems[0].fingerprint
    candidate = make_run(tmp_path / "m", identity={"dtype": "float16"}, drift_from=fingerprint)
    pairs = load_runs([reference.folder, candidate.folder])
    base, own = pairs.systems
    found = measure_drift(pairs.table, own, base, Selection(), no_distances)
    recorded = {}
    for line in candidate.samples["synonym"].read_text(encoding="utf-8").splitlines():
        each = json.loads(line)
        recorded[each["doc"]["prompt_id"]] = each["baseline_drift"]
    assert fingerprint in found.source
    assert found.by_prompt == pytest.approx(recorded)
    assert found.source.startswith("measured in its run, against the run with")
    assert {edit for _, edit in found.texts} > {BASE} and found.reasons == {}


def test_drift_is_recomputed_from_the_samples_otherwise(tmp_path: Path) -> None:
    reference = make_run(tmp_path / "ref")
    candidate = make_run(tmp_path / "m", identity={"dtype": "float16"}, drift_from="0" * 16)
    text = json.loads(candidate.samples["synonym"].read_text(encoding="utf-8").splitlines()[0])
    prompt, output = text["doc"]["prompt_id"], text["filtered_resps"][0]
    for rung in candidate.samples:
        candidate.edit_rows(rung, longer(prompt, output + " and on"))
        reference.edit_rows(rung, longer(prompt, output))
    pairs = load_runs([reference.folder, candidate.folder])
    base, own = pairs.systems
    found = measure_drift(pairs.table, own, base, Selection(), Lengths)
    assert found.source.startswith("recomputed")
    assert found.texts[prompt, BASE] == pytest.approx(0.7)
    prompts = {each["prompt_id"] for each in pairs.table.to_pylist()}
    assert set(found.by_prompt) == prompts and len(prompts) > 5
    # The outputs to its two variants are the reference's, except that one has no answer.
    edits = {edit: value for (of, edit), value in found.texts.items() if of == prompt and edit}
    assert set(edits) == {"synonym_1", "synonym_2"} and set(edits.values()) <= {
        0.0,
        Missing.from_text(NO_ANSWER),
    }
    assert found.by_prompt[prompt] == pytest.approx(0.7 / (1 + list(edits.values()).count(0.0)))
    # The first three characters are those of the window, and there the two are the same.
    window = measure_drift(pairs.table, own, base, Selection("cosine_distance_64"), Lengths)
    assert window.texts[prompt, BASE] == 0.0


def test_an_empty_output_has_no_drift(tmp_path: Path) -> None:
    reference = make_run(tmp_path / "ref")
    candidate = make_run(tmp_path / "m", identity={"dtype": "float16"})
    prompt = json.loads(candidate.samples["identical"].read_text(encoding="utf-8").splitlines()[0])["doc"][
        "prompt_id"
    ]
    for rung in candidate.samples:
        candidate.edit_rows(rung, longer(prompt, " "))
    pairs = load_runs([reference.folder, candidate.folder])
    base, own = pairs.systems
    found = measure_drift(pairs.table, own, base, Selection(), Lengths)
    assert [key for key, value in found.texts.items() if value == EMPTY] == [(prompt, BASE)]
    assert found.reasons["empty"] == 1


def test_an_embedder_that_cannot_be_loaded_is_a_message(tmp_path: Path) -> None:
    pairs = load_runs(
        [make_run(tmp_path / "ref").folder, make_run(tmp_path / "m", identity={"dtype": "float16"}).folder]
    )
    base, own = pairs.systems
    found = measure_drift(pairs.table, own, base, Selection(), lambda: find_distances(base.embedder, None))
    assert math.isnan(found.mean) and "'an/embedder', which is not the default one" in found.message
    assert set(found.reasons) == {"not measured"}


def test_a_name_from_a_run_is_never_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    @dataclass(frozen=True)
    class Other:
        name: str = "another"
        weights_sha256: str = "f" * 64
        max_tokens: int = 256

    class Fake:
        identity = Other()

    def load(name: str | None) -> Any:
        asked.append(name)
        return Fake()

    monkeypatch.setattr(drift_distance, "load_embedder", load)
    default = {"name": "../../etc", "weights_sha256": DEFAULT_SHA256["model.safetensors"], "max_tokens": 256}
    with pytest.raises(InputError, match=r"has weights_sha256 .*another scale"):
        find_distances(default, None)
    with pytest.raises(InputError, match="Give it with `--embedder`"):
        find_distances({**default, "weights_sha256": "f" * 64}, None)
    found = find_distances({**default, "weights_sha256": "f" * 64}, "mine")
    assert asked == [None, "mine"] and isinstance(found, TextDistances)
    with pytest.raises(InputError, match="has max_tokens 256, and that of the runs has 128"):
        find_distances({"name": "x", "weights_sha256": "f" * 64, "max_tokens": 128}, "mine")


def test_drift_is_a_distance_of_texts() -> None:
    check_drift_metric(Selection("cosine_distance_256"))
    with pytest.raises(InputError, match="drift compares texts"):
        check_drift_metric(Selection("token_edit_distance"))
