"""What is read from a results folder is what the statements of the commands say and the samples files hold."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder import load_ladder
from lm_eval_sensitivity.records.columns import SCHEMA
from lm_eval_sensitivity.records.limits import LONGEST_OUTPUT
from lm_eval_sensitivity.records.packing import pack
from lm_eval_sensitivity.results import Results, open_results
from lm_eval_sensitivity.results.details import read_details
from lm_eval_sensitivity.results.findings import compute
from lm_eval_sensitivity.results.manifest import details_name, file_names
from lm_eval_sensitivity.results.system_files import CODEC
from lm_eval_sensitivity.results.tables import DETAILS, PAIRS
from lm_eval_sensitivity.results.write import Request
from lm_eval_sensitivity.runs import load_runs
from lm_eval_sensitivity.statements import Selection
from lm_eval_sensitivity.types import Missing
from tests.unit.results.made_results import NASTY_NAMES
from tests.unit.runs.made_run import Rows, make_run


@pytest.fixture(scope="module")
def results(exported: Path) -> Results:
    return open_results(exported)


def test_the_statements_are_those_of_the_commands(results: Results, request_made: Request) -> None:
    """To the last bit and the last word. NaN is not equal to itself, so that texts are compared."""
    found, left_out = compute(
        request_made.pairs, request_made.reference, request_made.alpha, request_made.signature, None
    )
    assert repr(results.statements) == repr(found)
    assert results.manifest.selections_left_out == left_out
    assert [len(found.clusters), len(found.drift), len(found.heatmaps), len(found.windows)] == [44, 2, 4, 4]


def test_means_by_length_stand_in_the_order_of_the_page(results: Results) -> None:
    assert list(results.windows) == ["meaning_preserving", "positive_control"]
    points = results.windows["positive_control"]
    keys = [(each.selection.filter_name, each.system, each.selection.window) for each in points]
    lengths = (64, 128, 256, 512, None)
    assert keys == [
        (name, s, length) for name in ("raw", "answer") for s in NASTY_NAMES for length in lengths
    ]


def test_pairs_are_those_of_the_runs(results: Results, request_made: Request) -> None:
    table = request_made.pairs.table
    for system, name in enumerate(NASTY_NAMES):
        own = table.filter(pc.equal(table["name"], name))
        assert results.pairs(system).to_pylist() == own.select(SCHEMA.names).to_pylist()


def test_details_and_ladder_are_those_of_the_samples(results: Results, request_made: Request) -> None:
    for index in (0, 3):
        for rung in request_made.pairs.systems[index].rungs:
            rows = [json.loads(line) for line in rung.samples.read_text(encoding="utf-8").splitlines()]
            for row in (row for row in rows if row["filter"] == "raw"):
                detail = results.detail(index, row["doc"]["pair_id"])
                assert [detail.base.text, detail.variant.text] == [text for (text,) in row["resps"]]
                n = len(
                    detail.base.text
                )  # four numbers with a space between them, and an end that is not seen
                assert detail.base.margins == (1.0,) * 5 and detail.base.token_ends == (1, 3, 5, n, n)
                assert (detail.base.answer_start, detail.base.answer_end) == (0, n)
                assert detail.variant.status == row["pair"]["variant"]["answer"]["status"]
                assert detail.first_divergence["raw"] == row["pair"]["token_path"]["first_divergence"]
                asked = results.ladder[row["doc"]["pair_id"]]
                assert (asked.base, asked.variant) == (row["doc"]["base"], row["doc"]["variant"])
                assert (asked.rung, asked.edit) == (row["doc"]["rung"], row["doc"]["edit"])
    unclosed = [
        each for each in results.pairs(0).to_pylist() if each["base_n_tokens"] and each["variant_unclosed"]
    ]
    detail = results.detail(0, unclosed[0]["pair_id"])
    assert detail.curves["answer"] is None and detail.curves["raw"] is not None
    assert detail.censored["answer"] is None and detail.censored["raw"] is not None


def test_one_pair_takes_one_row_group(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    results.check(0)
    read: list[list[int]] = []
    original = pq.ParquetFile.read_row_groups

    def counted(self: pq.ParquetFile, groups: list[int], **options: Any) -> Any:
        read.append(groups)
        return original(self, groups, **options)

    monkeypatch.setattr(pq.ParquetFile, "read_row_groups", counted)
    pair_ids = sorted(set(results.pairs(0)["pair_id"].to_pylist()))
    assert results.detail(0, pair_ids[20])
    assert read == [[20 // DETAILS.row_group_rows]]


def test_details_that_change_are_refused(copied: Path) -> None:
    results = open_results(copied)
    pair_id = next(iter(results.ladder))
    results.detail(0, pair_id)
    path = copied / details_name(0)
    path.write_bytes(path.read_bytes() + b"?")
    with pytest.raises(InputError, match="has changed since"):
        results.detail(0, pair_id)


def test_missing_has_a_reason(results: Results) -> None:
    """Rungs that were not run; the pair without an answer. Zeros alone have an upper bound."""
    manifest = results.manifest
    left = {what: each.text for each in manifest.selections_left_out for what in each.about}
    assert (
        left["clusters of cosine_distance, filter raw, rungs paraphrase"]
        == "no system was run on these rungs"
    )
    assert len(left) + len(results.clusters) == 56
    noise = results.clusters[Selection("cosine_distance", "raw", "identical")]
    means = [row.mean for row in noise.systems]
    assert all(mean.estimate == mean.lower == 0 < mean.upper < 1 for mean in means)
    rows = [row for row in results.pairs(0).to_pylist() if row["filter"] == "answer"]
    missing = [row["missing_cosine_distance"] for row in rows if row["cosine_distance"] is None]
    assert {Missing.from_text(each).kind for each in missing} == {"erased", "unclosed"}


def test_the_manifest(results: Results, exported: Path, request_made: Request) -> None:
    manifest = results.manifest
    assert tuple(each.name for each in manifest.systems) == NASTY_NAMES
    assert manifest.reference == 0 and manifest.series == {"<i>a series</i>": (1, 2)}
    assert ("Model", "org/Model-1") in manifest.systems[1].facts
    assert ("Precision", "bf16") in manifest.systems[1].facts
    assert manifest.n_pairs == len(results.ladder)
    made = request_made.signature
    assert replace(manifest.signature, decoding=made.decoding, embedder=made.embedder) == made
    assert manifest.signature.in_words() == made.in_words()
    written = {path.relative_to(exported).as_posix() for path in exported.rglob("*.*")}
    assert written == {"manifest.json", *manifest.files} == {"manifest.json", *file_names(4)}


def test_every_column_is_described() -> None:
    for spec in (PAIRS, DETAILS):
        assert all(field.metadata[b"description"] for field in spec.schema)


def test_the_ladder_is_a_ladder(results: Results, exported: Path) -> None:
    assert load_ladder(exported / "ladder.parquet").pairs == tuple(results.ladder.values())


def test_long_texts_token_ends_and_odd_margins(tmp_path: Path) -> None:
    """Arrays as a newer engine records them, an output beyond the limit, half a surrogate pair."""
    text = "a\ud800" + "b" * LONGEST_OUTPUT

    def change(rows: Rows) -> None:
        for row in (row for row in rows if row["doc_id"] == 0):
            row["resps"][0] = [text]
            row["filtered_resps"][0] = text
            if row["filter"] == "raw":
                side = row["pair"]["base"]
                side["token_ends"] = pack(
                    [1, 2, LONGEST_OUTPUT, LONGEST_OUTPUT + 2, LONGEST_OUTPUT + 2], "<i4"
                )
                side["margins"] = pack([0.5, math.inf, 0.0, 2.0], "<f4")
                side["visible_text"] = None

    run = make_run(tmp_path / "run", rungs=("identical",))
    run.edit_rows("identical", change)
    (system,) = load_runs([run.folder]).systems
    details, _ = read_details(system)
    first = next(each for each in details.values() if each.base.cut_characters)
    assert CODEC.load(CODEC.dump(first), "x") == first
    assert first.base.text == "a\ufffd" + "b" * (LONGEST_OUTPUT - 2) and first.base.cut_characters == 2
    assert first.base.token_ends == (1, 2, LONGEST_OUTPUT)
    assert first.base.margins == (0.5, None, 0.0, 2.0)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("margins", pack([-1.0], "<f4"), "below 0, or none"),
        ("margins", pack([math.nan], "<f4"), "below 0, or none"),
        ("margins", {"dtype": "<f4", "n": 9, "z": "x"}, "packed array"),
    ],
)
def test_damaged_arrays_of_a_run_are_refused(field: str, value: Any, says: str, tmp_path: Path) -> None:
    def change(rows: Rows) -> None:
        next(row for row in rows if row["filter"] == "raw")["pair"]["base"][field] = value

    run = make_run(tmp_path / "run", rungs=("identical",))
    run.edit_rows("identical", change)
    (system,) = load_runs([run.folder]).systems
    with pytest.raises(InputError, match=says):
        read_details(system)


def test_samples_that_change_while_they_are_exported(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", rungs=("identical",))
    (system,) = load_runs([run.folder]).systems
    run.edit_rows("identical", lambda rows: rows[:-1])
    with pytest.raises(InputError, match="has changed since it was loaded"):
        read_details(system)
