from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.records.packing import unpack
from lm_eval_sensitivity.report.figures import (
    Caption,
    NotDrawn,
    Picture,
    check_matplotlib,
    clusters,
    disagreement,
    heatmap,
    profiles,
    render,
    traces,
    two_axes,
)
from lm_eval_sensitivity.report.figures.style import ON_THE_PAGE, interval_bar, page_rules, panels, wrapped
from lm_eval_sensitivity.report.figures.two_axes import bit_series
from lm_eval_sensitivity.runs import Runs, load_runs, read_samples
from lm_eval_sensitivity.statements import Selection, TablePartition
from lm_eval_sensitivity.statements.clusters import clusters_statement
from lm_eval_sensitivity.statements.heatmap import heatmap_statement
from lm_eval_sensitivity.statements.profiles import rung_profiles, window_profiles
from lm_eval_sensitivity.statements.records import HeatmapCell, HeatmapStatement
from lm_eval_sensitivity.statements.traces import read_traces
from lm_eval_sensitivity.stats import PairCounts, mean_interval
from lm_eval_sensitivity.types import MEANING_PRESERVING_RUNGS
from tests.unit.report.conftest import HOSTILE, PLAIN
from tests.unit.runs.made_run import make_run


@pytest.fixture(scope="module")
def partition(pairs: Runs) -> TablePartition:
    return TablePartition(pairs.table, resamples=99)


def drawn(picture: Picture | NotDrawn) -> Figure:
    assert isinstance(picture, Picture)
    figure = Figure(figsize=picture.size, layout="constrained")
    FigureCanvasAgg(figure)
    picture.draw(figure)
    return figure


def one_text(text: str) -> Picture:
    def draw(figure: Figure) -> None:
        figure.subplots().set_title(text)

    return Picture("one", text, Caption("", "", ""), (3, 2), draw)


# ---- rendering


def test_strangers_names_stay_texts_in_svg() -> None:
    found = render(one_text(HOSTILE), "by hand")
    for svg in (found.inline.encode(), found.svg):
        root = ElementTree.fromstring(svg)  # noqa: S314 - our own
        texts = ["".join(each.itertext()) for each in root.iter("{http://www.w3.org/2000/svg}text")]
        assert HOSTILE in texts  # one text: no mathematics, no element made of it
        assert not [each for each in root.iter() if each.tag.endswith(("script", "}b", "image"))]
        assert not [name for each in root.iter() for name in each.attrib if name.startswith("on")]


def test_the_same_picture_gives_the_same_bytes_whatever_the_readers_settings() -> None:
    import matplotlib

    first = render(one_text("a"), "by hand")
    with matplotlib.rc_context({"font.size": 20, "svg.fonttype": "path", "axes.linewidth": 5}):
        second = render(one_text("a"), "by hand")
    assert (first.inline, first.svg, first.png) == (second.inline, second.svg, second.png)
    assert b"Date" not in first.svg and b"dc:date" not in first.svg


def test_the_files_carry_n_and_signature() -> None:
    picture = Picture("one", "Title", Caption("", "nine prompts", ""), (4, 2), one_text("a").draw)
    found = render(picture, "by hand, seed 7")
    assert b"nine prompts" in found.svg and b"Signature: by hand, seed 7" in found.svg
    assert "seed 7" not in found.inline  # it stands in the caption there


def test_every_color_of_lines_follows_the_page(partition: TablePartition) -> None:
    rules = page_rules()
    assert all(f"fill: {color}" in rules and f"stroke: {color}" in rules for color in ON_THE_PAGE)
    # Markers are clones below `<use>`: a rule that names an ancestor leaves them dark on a dark page.
    selectors = [each.strip() for line in rules.splitlines() for each in line.split("{")[0].split(",")]
    assert selectors and all(re.fullmatch(r"\[[^\]]+\]", each) for each in selectors)
    picture = clusters.picture(clusters_statement(partition, Selection(), draws=99))
    assert isinstance(picture, Picture)
    edits = heatmap.picture(heatmap_statement(partition, "cosine_distance", "answer"))
    assert isinstance(edits, Picture)
    for each in (picture, edits):
        assert set(re.findall(r"#[0-9a-f]{6}\b", render(each, "").inline)) <= set(ON_THE_PAGE)


def test_without_matplotlib_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(InputError, match=r"lm-eval-sensitivity\[report\]"):
        check_matplotlib()


@pytest.mark.parametrize("name", ["a", "", "-", "a b", "x" * 81, "some-model-07-7b-instruct", "a/b_c--d  e"])
def test_wrapping_loses_no_letter(name: str) -> None:
    lines = wrapped(name, 10).split("\n")
    assert "".join(lines).replace(" ", "") == name.replace(" ", "")
    assert max(map(len, lines)) <= 10


# ---- clusters


def test_systems_stand_in_the_order_of_letters_with_their_counts(partition: TablePartition) -> None:
    found = clusters_statement(partition, Selection(), draws=99)
    axes = drawn(clusters.picture(found)).axes[0]
    names, counts = (
        [each.get_text() for each in axes.get_yticklabels(minor=minor)] for minor in (False, True)
    )
    assert [name.replace("\n", " ") for name in names] == sorted([HOSTILE, *PLAIN])
    for label, each in zip(counts, found.systems, strict=True):
        assert label.startswith(f"{each.counts.n_prompts} prompts, {each.counts.n_pairs} pairs, ")
        assert label.endswith(f"{each.counts.n_erased} erased, {each.counts.n_unscored} unscored")
    head, *letters = [text.get_text() for text in axes.texts]
    assert head == "group" and letters == [letter for each in found.systems for letter in each.letters]


# ---- heatmap


def test_an_erased_cell_is_hatched_and_never_shaded(partition: TablePartition) -> None:
    """Of every edited rung one pair is erased and one, in answers, unscored."""
    found = heatmap_statement(partition, "cosine_distance", "answer")
    axes = drawn(heatmap.picture(found)).axes[0]
    hatches = [patch for patch in axes.patches if patch.get_hatch()]
    lost = sum((c.counts.n_erased > 0) + (c.counts.n_unscored > 0) for c in found.cells)
    assert len(hatches) == lost > 0
    assert all(patch.get_facecolor()[:3] == pytest.approx((1, 1, 1), abs=0.01) for patch in hatches)
    numbers = sum(re.fullmatch(r"\d\.\d\d|<\.01", text.get_text()) is not None for text in axes.texts)
    means = sum(not math.isnan(cell.mean.estimate) for cell in found.cells)
    assert 0 < numbers <= means


def test_a_wholly_erased_cell_says_so_instead_of_a_number() -> None:
    def cell(system: str, values: list[float], counts: PairCounts) -> HeatmapCell:
        return HeatmapCell(system, mean_interval(values, resamples=99), counts, 0, None, "noop", "nbsp")

    cells = (
        cell("erased", [], PairCounts(0, 9, 0, 9, 0, 0)),
        cell("scored", [0.1 * i for i in range(9)], PairCounts(9, 0, 9, 0, 0, 0)),
        cell("unscored", [], PairCounts(0, 9, 0, 0, 9, 0)),
        cell("zero", [], PairCounts(0, 0, 0, 0, 0, 0)),
    )
    names = tuple(each.system for each in cells)
    found = HeatmapStatement("cosine_distance", "raw", names, (("noop", "nbsp"),), cells, (), 0, 99)
    axes = drawn(heatmap.picture(found)).axes[0]
    assert [text.get_text() for text in axes.texts] == ["erased", "0.40", "unscored", "×", "noop"]
    assert [patch.get_hatch() for patch in axes.patches] == ["////", None, "....", None]


# ---- profiles


def test_profiles_are_means_over_prompts_by_brute_force(pairs: Runs, partition: TablePartition) -> None:
    rows = pairs.table.to_pylist()
    for point in rung_profiles(partition, "token_edit_distance", "raw").points:
        by_prompt: dict[str, list[float]] = {}
        wanted = (point.system, point.selection.rung_set, "raw")
        for row in rows:
            value = row["token_edit_distance"]
            if (row["name"], row["rung"], row["filter"]) == wanted and value is not None:
                by_prompt.setdefault(row["prompt_id"], []).append(value)
        expected = np.mean([np.mean(values) for values in by_prompt.values()])
        assert point.mean.estimate == pytest.approx(expected, abs=1e-12)
        assert point.counts.n_prompts == len(by_prompt)


def test_profile_figures_have_a_panel_per_system(partition: TablePartition) -> None:
    both = [window_profiles(partition, each, "meaning_preserving") for each in ("raw", "answer")]
    along = rung_profiles(partition, "cosine_distance", "answer")
    # These outputs are shorter than every window, and no figure is drawn of that.
    assert isinstance(profiles.windows_picture(*both), NotDrawn)
    first, *others = both[0].points
    other = replace(first, mean=replace(first.mean, estimate=0.9 * first.mean.estimate))
    longer = replace(both[0], points=(other, *others))
    for picture in (profiles.windows_picture(longer, both[1]), profiles.rungs_picture(along)):
        shown = [axes for axes in drawn(picture).axes if axes.get_visible()]
        titles = [axes.get_title(loc="left").replace("\n", " ") for axes in shown]
        assert titles == sorted([HOSTILE, *PLAIN])
    assert [point.selection.window for point in both[0].of(PLAIN[0])] == [64, 128, 256, 512, None]


def test_what_has_no_mean_gets_a_sentence(tmp_path: Path) -> None:
    """Two prompts are too few for any mean."""
    run = make_run(tmp_path / "few", rungs=("identical",), limit=2)
    few = TablePartition(load_runs([run.folder]).table, resamples=99)
    along = rung_profiles(few, "cosine_distance", "raw")
    windows = window_profiles(few, "raw", "meaning_preserving")
    for picture in (profiles.rungs_picture(along), profiles.windows_picture(windows, windows)):
        assert isinstance(picture, NotDrawn) and picture.reason.endswith(".")


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_panels_fill_the_width(n: int) -> None:
    figure = Figure(figsize=(7, 2))
    grid = panels(figure, [f"m{each}" for each in range(n)])
    assert grid[0].get_subplotspec().get_gridspec().ncols == min(n, 3)


def test_an_interval_beyond_the_axis_ends_in_an_arrow() -> None:
    axes = Figure().subplots()
    for upper in (0.9, 4.0):
        interval_bar(
            axes, 0, replace(mean_interval([0.1 * i for i in range(9)], resamples=99), upper=upper), 1.0
        )
    markers = [line.get_marker() for line in axes.lines]
    assert markers == ["None", "o", "None", "^", "o"]
    assert max(float(max(line.get_ydata())) for line in axes.lines) == 1.0


# ---- traces


def harmless_records(pairs: Runs, name: str) -> list[dict[str, Any]]:
    system = next(each for each in pairs.systems if each.name == name)
    return [
        row
        for rung in system.rungs
        if rung.metadata.rung in MEANING_PRESERVING_RUNGS
        for row in read_samples(rung.samples)
        if row["filter"] == "raw" and row["pair"]["audit"]["status"] != "erased"
    ]


def test_token_paths_are_quartiles_by_brute_force(pairs: Runs) -> None:
    system = next(each for each in pairs.systems if each.name == PLAIN[0])
    found = read_traces(pairs.table, system)
    curves = [
        unpack(row["pair"]["token_path"]["curve"]).tolist() for row in harmless_records(pairs, PLAIN[0])
    ]
    assert found.path is not None and found.path.n_pairs == len(curves) and found.path.n_without == 0
    for t in range(found.path.n_steps):
        at_t = sorted(curve[min(t, len(curve) - 1)] for curve in curves)
        assert found.path.quartiles[:, t].tolist() == np.percentile(at_t, [25, 50, 75]).tolist()


def test_the_margin_trace_is_of_the_furthest_pair_that_parts(pairs: Runs) -> None:
    system = next(each for each in pairs.systems if each.name == PLAIN[0])
    trace = read_traces(pairs.table, system).margins
    records = [
        r
        for r in harmless_records(pairs, PLAIN[0])
        if r["pair"]["token_path"]["first_divergence"] is not None
    ]
    largest = max(row["cosine_distance"] for row in records)
    assert trace is not None and trace.distance == largest and trace.n_candidates == len(records)
    assert trace.pair_id == min(r["doc"]["pair_id"] for r in records if r["cosine_distance"] == largest)
    record = next(row for row in records if row["doc"]["pair_id"] == trace.pair_id)
    margins = unpack(record["pair"]["base"]["margins"])
    assert trace.flip_step == record["pair"]["token_path"]["first_divergence"]
    assert trace.base.tolist() == margins[trace.first_step : trace.first_step + len(trace.base)].tolist()


def test_engines_without_arrays_give_sentences(tmp_path: Path) -> None:
    run = make_run(tmp_path / "text_only", rungs=("synonym",))

    def strip(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            row["pair"]["token_path"] = None
            row["token_edit_distance"], row["pair"]["scores"]["token_edit_distance"] = math.nan, None
            row["pair"]["missing"].setdefault(
                "token_edit_distance", "no tokens: the engine returns text only"
            )
            for side in ("base", "variant"):
                row["pair"][side].pop("margins", None)

    run.edit_rows("synonym", strip)

    def means(results: dict[str, Any]) -> None:
        for table in results["results"].values():
            table |= {"token_edit_distance,raw": math.nan, "token_edit_distance,answer": math.nan}

    run.edit_results(means)
    pairs = load_runs([run.folder])
    found = [read_traces(pairs.table, pairs.systems[0])]
    for picture in (
        traces.paths_picture(found),
        traces.margins_picture(found),
        disagreement.picture(pairs.table),
    ):
        assert isinstance(picture, NotDrawn)
        assert "text only" in picture.reason or "holds margins" in picture.reason


# ---- two axes


def test_without_a_reference_there_are_no_two_axes() -> None:
    picture = two_axes.picture(None)
    assert isinstance(picture, NotDrawn) and "--reference" in picture.reason


@pytest.mark.parametrize(
    ("names", "series"),
    [
        (["m bf16", "m int8", "m 4bit nf4"], [["m bf16", "m int8"]]),
        (["Qwen3-4B", "Qwen3-8B"], []),
        (["m-4bit", "n-8bit"], []),
        (["m-3-bit", "m-16bit", "m-8 bits"], [["m-16bit", "m-8 bits", "m-3-bit"]]),
    ],
)
def test_only_names_that_differ_in_bits_are_joined(names: list[str], series: list[list[str]]) -> None:
    assert bit_series(names) == series
    assert bit_series(names[::-1]) == series


def test_captions_say_that_long_texts_are_averaged_not_cut(pairs: Runs, partition: TablePartition) -> None:
    along = [window_profiles(partition, name, "meaning_preserving") for name in ("raw", "answer")]
    first, *others = along[0].points
    longer = replace(along[0], points=(replace(first, mean=mean_interval([])), *others))
    for picture in (profiles.windows_picture(longer, along[1]), disagreement.picture(pairs.table)):
        assert isinstance(picture, Picture)
        words = " ".join(vars(picture.caption).values())
        assert "averaged" in words
        assert "limited number of tokens" not in words and "by its beginning" not in words
