"""What is read from a results folder is what the analyses found and the samples files hold."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.records.columns import SCHEMA
from lm_eval_sensitivity.records.packing import pack
from lm_eval_sensitivity.report.blocks import ResultTable, in_words
from lm_eval_sensitivity.report.documents.clusters import clusters_document
from lm_eval_sensitivity.report.documents.drift import drift_document
from lm_eval_sensitivity.results import Results, SelectionKey, open_results
from lm_eval_sensitivity.results import records as kinds
from lm_eval_sensitivity.results.details import read_details
from lm_eval_sensitivity.results.schema import (
    AXES,
    AXES_CONTRASTS,
    CLUSTERS,
    CONTRASTS,
    DETAIL_ROWS,
    HEATMAP,
    LONGEST_OUTPUT,
    WINDOWS,
    details_name,
    table_specs,
)
from lm_eval_sensitivity.results.tables import make_table
from lm_eval_sensitivity.results.write import Request
from lm_eval_sensitivity.runs import load_pairs
from lm_eval_sensitivity.statements import Selection, TablePartition
from lm_eval_sensitivity.statements.clusters import clusters_statement
from lm_eval_sensitivity.statements.drift import drift_statement
from lm_eval_sensitivity.statements.drift_distance import measure_drifts
from lm_eval_sensitivity.statements.heatmap import heatmap_statement
from lm_eval_sensitivity.statements.profiles import window_profiles
from lm_eval_sensitivity.statements.records import ClustersStatement, SystemMean
from tests.unit.results.made_results import NASTY_NAMES, STATISTICS
from tests.unit.runs.made_run import Rows, make_run

RESAMPLING = {"resamples": STATISTICS.resamples, "seed": STATISTICS.seed}
SELECTIONS = (
    Selection("cosine_distance", "answer", "meaning_preserving"),
    Selection("token_edit_distance", "raw", "identical"),
    Selection("cosine_distance_64", "answer", "positive_control"),
    Selection("hidden_distance", "raw", "meaning_preserving"),
)


@pytest.fixture(scope="module")
def results(exported: Path) -> Results:
    return open_results(exported)


def same(found: float | None, expected: float) -> bool:
    """Equal to the last bit; None stands for NaN, and for NaN only."""
    return found is None if math.isnan(expected) else found == expected


def partition(request: Request) -> TablePartition:
    return TablePartition(request.pairs.table, **RESAMPLING)


def analysed(request: Request, selection: Selection) -> ClustersStatement:
    return clusters_statement(partition(request), selection, draws=STATISTICS.draws)


@pytest.mark.parametrize("selection", SELECTIONS, ids=Selection.in_words)
def test_clusters(selection: Selection, results: Results, request_made: Request) -> None:
    page = results.clusters(SelectionKey(selection.metric, selection.filter_name, selection.rung_set))
    found = analysed(request_made, selection)
    assert [NASTY_NAMES[row.system] for row in page.rows] == [each.system for each in found.systems]
    for row, each in zip(page.rows, found.systems, strict=True):
        assert same(row.mean, each.mean.estimate)
        assert same(row.lower, each.mean.lower) and same(row.upper, each.mean.upper)
        assert (row.interval_method, row.reason) == (each.mean.method, each.mean.reason)
        counts = each.counts
        assert (row.n_prompts, row.n_pairs) == (counts.n_prompts, counts.n_pairs)
        assert (row.n_erased, row.n_unscored) == (counts.n_erased, counts.n_unscored)
        assert same(row.noise_floor, each.noise.estimate) and row.noise_prompts == each.noise.n
        assert row.noise_reason == (each.noise.reason if row.noise_floor is None else None)
        assert row.letters == each.letters and row.alive == each.responsiveness
        assert (row.lower is None) == (row.reason is not None)
    assert len(page.contrasts) == len(found.contrasts) == 6
    for contrast, tested in zip(page.contrasts, found.contrasts, strict=True):
        pair = (NASTY_NAMES[contrast.first], NASTY_NAMES[contrast.second])
        assert pair == (tested.first, tested.second)
        assert same(contrast.difference, tested.difference.estimate)
        assert same(contrast.lower, tested.difference.lower) and same(contrast.upper, tested.difference.upper)
        assert same(contrast.p_adjusted, tested.p_adjusted)
        assert contrast.attainable_p == tested.attainable_p
        assert (contrast.n_prompts, contrast.n_pairs) == (tested.counts.n_prompts, tested.counts.n_pairs)
        assert (contrast.n_lost, contrast.finding) == (tested.n_pairs_lost, tested.finding)
        assert contrast.reason == (tested.reason or tested.difference.reason)
        assert contrast.caution == (str(tested.caution) if tested.caution else None)
    assert page.cautions == tuple(map(str, found.cautions))


def test_the_sentences_are_those_of_the_command_line(results: Results, request_made: Request) -> None:
    selection = SELECTIONS[0]
    page = results.clusters(SelectionKey(selection.metric, selection.filter_name, selection.rung_set))
    document = clusters_document(
        [analysed(request_made, selection)], request_made.pairs, _signed(request_made), pairwise=False
    )
    printed = said(document.parts)
    words = page.words
    assert words.clusters and words.family and words.detectable
    assert {*words.clusters, words.family, words.detectable} <= set(printed)
    assert {f"Caution: {each}" for each in page.cautions} <= set(printed)
    assert all(reason in document.tables_in("csv")[0].note for reason in words.reasons)


def said(parts: Any) -> list[str]:
    return [in_words(part) for part in parts if not isinstance(part, ResultTable)]


def _signed(request: Request) -> Any:
    from lm_eval_sensitivity.statements import signature

    return signature(request.pairs, draws=STATISTICS.draws, **RESAMPLING)


@pytest.mark.parametrize("filter_name", ["raw", "answer"])
def test_axes(filter_name: str, results: Results, request_made: Request) -> None:
    selection, pairs = Selection("cosine_distance", filter_name), request_made.pairs
    reference = request_made.reference
    assert reference is not None
    found = drift_statement(
        partition(request_made),
        NASTY_NAMES,
        selection,
        reference=reference.name,
        drifts=measure_drifts(pairs, reference, selection, None),
    )
    page = results.axes("cosine_distance", filter_name)
    assert page is not None and results.axes_missing is None
    assert [NASTY_NAMES[row.system] for row in page.rows] == [each.system for each in found.systems]
    printed = said(drift_document(found, pairs, _signed(request_made)).parts)
    assert {page.symbols, page.constants} <= set(printed)
    for row, each in zip(page.rows, found.systems, strict=True):
        axes = {"p": each.preserving, "c": each.control, "f": each.identical, "b": each.drift}
        for symbol, axis in axes.items():
            check_axis(row, symbol, axis)
        assert row.is_reference == each.is_reference and row.verdict == each.label
        assert same(row.silent_share, each.silent_share)
        if each.verdict is None:
            assert row.is_reference and row.verdict_words is None and row.possible == ()
        else:
            assert row.verdict_words in printed
            assert same(row.ratio, each.verdict.harmless_over_control)
            assert row.possible == each.verdict.possible and row.reasons == each.verdict.reasons
            assert row.b_zeros == (0 if each.drift is None else each.drift.n_zero)
    contrasts = [
        *found.probe,
        *(c for each in found.systems if each.verdict for c in each.verdict.contrasts),
    ]
    assert [row.name for row in page.contrasts] == [each.name for each in contrasts]
    for row, each in zip(page.contrasts, contrasts, strict=True):
        assert same(row.estimate, each.bounds.estimate) and row.n == each.bounds.n
        assert same(row.lower, each.bounds.lower) and same(row.upper, each.bounds.upper)
        assert row.sign == {"+": "above 0", "-": "below 0", "unclear": "unclear"}[each.sign]
    assert [row.system for row in page.contrasts[:3]] == [None, None, 1]


def check_axis(row: kinds.AxesRow, symbol: str, axis: SystemMean | None) -> None:
    value, lower, upper, n, reason = (
        getattr(row, f"{symbol}{end}") for end in ("", "_lower", "_upper", "_n", "_reason")
    )
    if axis is None:
        assert row.is_reference and (value, lower, upper, n) == (None, None, None, 0) and reason
        return
    assert same(value, axis.mean.estimate) and n == axis.mean.n and reason == axis.mean.reason
    assert same(lower, axis.mean.lower) and same(upper, axis.mean.upper)


def test_heatmaps(results: Results, request_made: Request) -> None:
    for metric, filter_name in results.heatmap_keys():
        found = heatmap_statement(partition(request_made), metric, filter_name)
        page = results.heatmap(metric, filter_name)
        assert page.edits == found.edits and page.cautions == tuple(map(str, found.cautions))
        assert len(page.cells) == len(found.cells)
        for each in found.cells:
            cell = page.cells[each.edit, NASTY_NAMES.index(each.system)]
            assert (cell.rung, cell.edit) == (each.rung, each.edit)
            assert same(cell.mean, each.mean.estimate) and cell.reason == each.mean.reason
            assert same(cell.lower, each.mean.lower) and same(cell.upper, each.mean.upper)
            given = (cell.n_given, cell.n_scored, cell.n_erased, cell.n_unscored)
            counts = each.counts
            assert given == (each.n_given, counts.n_pairs, counts.n_erased, counts.n_unscored)


def test_windows(results: Results, request_made: Request) -> None:
    assert results.window_rung_sets() == ("meaning_preserving", "positive_control")
    rows = iter(results.windows("positive_control"))
    for filter_name in ("raw", "answer"):
        found = window_profiles(partition(request_made), filter_name, "positive_control")
        for system, name in enumerate(found.systems):
            for window, point in zip((64, 128, 256, 512, None), found.of(name), strict=True):
                row = next(rows)
                assert (row.system, row.filter_name, row.window) == (system, filter_name, window)
                assert same(row.mean, point.mean.estimate) and row.n_pairs == point.counts.n_pairs
                assert same(row.lower, point.mean.lower) and same(row.upper, point.mean.upper)
    assert next(rows, None) is None


def test_pairs_are_those_of_the_runs(results: Results, request_made: Request) -> None:
    table = request_made.pairs.table
    for system, name in enumerate(NASTY_NAMES):
        own = table.filter(pc.equal(table["name"], name))
        assert results.pairs(system).to_pylist() == own.select(SCHEMA.names).to_pylist()
    lines = results.pairs_of_cell(2, "synonym_1", "cosine_distance", "answer")
    rows = [
        row
        for row in table.filter(pc.equal(table["name"], NASTY_NAMES[2])).to_pylist()
        if row["edit"] == "synonym_1" and row["filter"] == "answer"
    ]
    assert [line.prompt_id for line in lines] == sorted(row["prompt_id"] for row in rows)
    for row in rows:
        line = next(line for line in lines if line.pair_id == row["pair_id"])
        assert (line.value, line.missing) == (row["cosine_distance"], row["missing_cosine_distance"])
        assert (line.value is None) != (line.missing is None)
        assert line.first_divergence == row["first_divergence"]


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
                asked = results.ladder_pair(row["doc"]["pair_id"])
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
    assert results.detail(0, pair_ids[20]).pair_id == pair_ids[20]
    assert read == [[20 // DETAIL_ROWS]]


def test_details_that_change_are_refused(copied: Path) -> None:
    results = open_results(copied)
    pair_id = results.ladder_pairs()[0].pair_id
    results.detail(0, pair_id)
    path = copied / details_name(0)
    path.write_bytes(path.read_bytes() + b"?")
    with pytest.raises(InputError, match="has changed since"):
        results.detail(0, pair_id)


def test_missing_is_none_with_a_reason(results: Results) -> None:
    """Rungs that were not run; numbers without spread; the pair without an answer."""
    manifest = results.manifest
    left = {each.what: each.reason for each in manifest.selections_left_out}
    assert (
        left["clusters of cosine_distance, filter raw, rungs paraphrase"]
        == "no system was run on these rungs"
    )
    assert len(left) + len(results.selections()) == 52
    noise = results.clusters(SelectionKey("cosine_distance", "raw", "identical"))
    assert all(row.mean == 0 and row.lower is None and row.reason for row in noise.rows)
    assert all(contrast.p_adjusted is None and contrast.reason for contrast in noise.contrasts) or all(
        contrast.p_adjusted == 1 for contrast in noise.contrasts
    )
    edits = [edit for _, edit in results.heatmap("cosine_distance", "answer").edits]
    lines = [line for edit in edits for line in results.pairs_of_cell(0, edit, "cosine_distance", "answer")]
    missing = [line for line in lines if line.value is None]
    assert {(line.missing or "").split(":")[0] for line in missing} == {"erased", "unclosed"}


def test_the_manifest(results: Results, exported: Path) -> None:
    manifest = results.manifest
    assert tuple(each.name for each in manifest.systems) == NASTY_NAMES
    assert manifest.reference == 0 and [each.is_reference for each in manifest.systems] == [
        True,
        False,
        False,
        False,
    ]
    assert [each.series for each in manifest.systems] == [None, "<i>a series</i>", "<i>a series</i>", None]
    assert manifest.series[0].systems == (1, 2)
    assert ("Model", "org/Model-1") in manifest.systems[1].facts
    assert ("Precision", "bf16") in manifest.systems[1].facts
    assert manifest.ladder.n_pairs == len(results.ladder_pairs())
    assert manifest.embedder.name == "an/embedder" and manifest.decoding.max_gen_toks == 12
    assert manifest.statistics == STATISTICS
    written = {path.relative_to(exported).as_posix() for path in exported.rglob("*.*")}
    assert written == {"manifest.json", *manifest.files} == {"manifest.json", *table_specs(4)}


def test_every_column_is_described_and_in_its_record() -> None:
    keys = {"metric", "filter_name", "rung_set"}
    for spec, kind in (
        (CLUSTERS, kinds.ClusterRow),
        (CONTRASTS, kinds.ContrastRow),
        (AXES, kinds.AxesRow),
        (AXES_CONTRASTS, kinds.AxesContrastRow),
        (HEATMAP, kinds.HeatmapCellRow),
        (WINDOWS, kinds.WindowRow),
    ):
        names = {each.name for each in spec.columns}
        own = {each.name for each in fields(kind)}
        assert own <= names and names - own <= keys
    for spec in table_specs(1).values():
        assert all(each.description for each in spec.columns)
        assert all(field.metadata[b"description"] for field in spec.schema)


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
    (system,) = load_pairs([run.folder]).systems
    rows = read_details(system).rows
    first = next(row for row in rows if row["base_cut_characters"])
    assert first["base_text"] == "a\ufffd" + "b" * (LONGEST_OUTPUT - 2) and first["base_cut_characters"] == 2
    assert np.frombuffer(first["base_token_ends"], "<i4").tolist() == [1, 2, LONGEST_OUTPUT]
    assert np.frombuffer(first["base_margins"], "<f4").tolist() == [0.5, math.inf, 0.0, 2.0]
    assert make_table(table_specs(1)[details_name(0)], rows).num_rows == len(rows)


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
    (system,) = load_pairs([run.folder]).systems
    with pytest.raises(InputError, match=says):
        read_details(system)


def test_samples_that_change_while_they_are_exported(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", rungs=("identical",))
    (system,) = load_pairs([run.folder]).systems
    run.edit_rows("identical", lambda rows: rows[:-1])
    with pytest.raises(InputError, match="has changed since it was loaded"):
        read_details(system)
