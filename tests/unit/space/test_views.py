"""Each view against results whose numbers are known."""

from __future__ import annotations

import dataclasses
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_eval_sensitivity.metrics import METRICS
from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.results.read import HubOrigin
from lm_eval_sensitivity.space.page import render
from lm_eval_sensitivity.space.pages.axes import SHAPES
from lm_eval_sensitivity.space.pages.clusters import also_in, groups_of
from lm_eval_sensitivity.space.pages.heatmap import SHADES, counts_of, kind_of, shade_of
from lm_eval_sensitivity.space.query import parse
from lm_eval_sensitivity.space.svg import Point, Scale, label_places, scale_of
from lm_eval_sensitivity.statements.records import HeatmapCell
from lm_eval_sensitivity.stats.rules import MEANINGS, RULES, Constants
from lm_eval_sensitivity.types import RUNGS
from tests.unit.space.known import EDITS, KEYS, MEANS, NAMES, clusters, counts, interval, known_results
from tests.unit.space.reading import Element, assert_inert, read_page

SEEN = tuple(name.replace("\u202e", "U+202E") for name in NAMES)


@pytest.fixture(scope="module")
def results() -> Results:
    return known_results()


def page_of(results: Results, **query: str) -> Element:
    return assert_inert(render(results, query))


def rows_of(table: Element) -> list[list[str]]:
    return [
        [" ".join(cell.text().split()) for cell in row.children if isinstance(cell, Element)]
        for body in table.every("tbody")
        for row in body.every("tr")
    ]


# ---- clusters


def test_clusters_show_every_number_beside_its_system(results: Results) -> None:
    rows = rows_of(page_of(results).one("table", id="systems"))
    assert [row[0] for row in rows] == list(SEEN), "in alphabetical order, not in that of the means"
    first = rows[0]
    for expected in ("0.412", "0.362 to 0.472", "24", "400", "17", "0", "0.01124 prompts", "yes", "a"):
        assert expected in first
    assert rows[2][-1] == "a, b"
    assert rows[3][2:4] == ["–", "–"], "a missing number is no 0"
    assert rows[3][-2:] == ["not judged", "none"]


def test_bars_share_one_scale(results: Results) -> None:
    table = page_of(results).one("table", id="systems")
    centers = [float(dot.attributes["cx"]) for dot in table.every("circle")]
    low, high, middle = (MEANS[index] or 0 for index in (1, 0, 2))
    assert (centers[2] - centers[1]) / (centers[0] - centers[1]) == pytest.approx(
        (middle - low) / (high - low), abs=0.01
    )
    assert len(centers) == 3, "a system without a number has no dot"


def test_groups_have_their_members_and_say_where_else_they_could_be(results: Results) -> None:
    groups = page_of(results).one("dl", css="groups")
    members = [[" ".join(item.text().split()) for item in each.every("li")] for each in groups.every("dd")]
    assert members == [
        ["alpha-4b", "delta-4b-int4 (could also be in b)"],
        ["beta-4b", "delta-4b-int4 (could also be in a)"],
    ]


def test_cautions_and_sentences_are_on_the_page_and_cautions_come_before_numbers(results: Results) -> None:
    html = render(results, {})
    text = read_page(html).text()
    for words in ("The known caution: coverage differs.", "1 of 2 contrasts", "difference of 0.1000",
                  "Cluster b: beta-4b, delta-4b-int4.", "A known remark.", "Few zeros."):  # fmt: skip
        assert words in text
    assert html.index("The known caution") < html.index("<table")


def test_every_contrast_is_there_with_its_finding(results: Results) -> None:
    rows = rows_of(page_of(results).one("details", css="contrasts").one("table"))
    assert [row[2] for row in rows] == ["first higher", "not told apart", "not tested"]
    assert rows[0][3:8] == ["0.278", "0.200 to 0.350", "0.0004", "0.0004", "0.0001"]
    assert rows[2][5] == "–", "p that was not computed is not 0"


def test_the_form_chooses_among_what_was_exported(results: Results) -> None:
    page = page_of(results, rungs="noop")
    (rungs,) = [each for each in page.every("select") if each.attributes["name"] == "rungs"]
    assert [each.attributes["value"] for each in rungs.every("option")] == ["meaning_preserving", "noop"]
    assert [each.attributes["value"] for each in rungs.every("option") if "selected" in each.attributes] == [
        "noop"
    ]


def test_a_metric_without_the_filter_shows_the_one_it_has(results: Results) -> None:
    assert "js_divergence, filter raw" in page_of(results, metric="js_divergence").text()
    page = page_of(results, metric="js_divergence", filter="answer")
    assert not page.every("div", css="complaints"), "a form sends the filter of the metric before"
    assert "js_divergence only with raw" in page.one("p", css="missing").text()


def test_hiding_rows_changes_no_group_and_the_page_says_so() -> None:
    """The box is for many systems only, and nothing in an address hides a system."""
    page = clusters(KEYS[1], NAMES)
    shown = page_of(known_results(clusters=(dataclasses.replace(page, systems=(page.systems * 3)[:9]),)))
    box = shown.one("input", type="search")
    assert "name" not in box.attributes, "it is never part of an address"
    assert box.attributes["data-rows"] == "systems"
    assert "Hiding rows changes no number and no group" in shown.text()


# ---- axes


def test_axes_show_verdicts_in_words_and_shapes(results: Results) -> None:
    page = page_of(results, view="axes")
    rows = rows_of(page.every("table")[0])
    assert [row[2] for row in rows] == ["reference", "COLLAPSED", "UNDETERMINED", "STABLE"]
    assert [row[3] for row in rows][1:3] == [
        "collapsed, as the reference, far",
        "alive, as the reference, drift unclear",
    ]
    assert rows[1][4:9] == ["0.134", "0.104 to 0.164", "0.623", "0.583 to 0.663", "2 of 24"]
    drawn = [each.attributes["d"] for each in page.one("svg", css="chart").every("path")]
    assert drawn == [SHAPES["reference"], SHAPES["COLLAPSED"], SHAPES["UNDETERMINED"]]
    assert "Not in the drawing" in page.text()
    assert "Its run is of other prompts." in page.text()


def test_a_series_is_joined_in_its_own_order(results: Results) -> None:
    chart = page_of(results, view="axes").one("svg", css="chart")
    (line,) = chart.every("polyline", css="series")
    marks = [each.attributes["transform"] for each in chart.every("path")]
    ends = [f"translate({point.replace(',', ' ')})" for point in line.attributes["points"].split()]
    assert ends == [marks[0], marks[1]]


def test_every_label_has_a_shape_and_no_two_share_one_but_by_filling() -> None:
    assert set(SHAPES) == {*MEANINGS, "reference"}
    assert [label for label, path in SHAPES.items() if path == SHAPES["STABLE"]] == ["STABLE", "UNDETERMINED"]


def test_without_a_reference_the_page_says_what_is_missing_and_what_can_be_said() -> None:
    page = page_of(known_results(reference=None), view="axes")
    assert "No reference was given" in page.text()
    assert "--reference RUN" in page.text()
    assert [row[:2] for row in rows_of(page.one("table"))] == list(
        map(list, zip(SEEN, ("yes", "no", "unclear", "not judged"), strict=True))
    )
    assert not page.every("svg")


def test_labels_of_marks_avoid_each_other() -> None:
    marks = [Point(100 + 3 * each, 100) for each in range(4)]
    labels = label_places(marks, width=400, height=300)
    pairs = [(one, other) for one in labels for other in labels if one is not other]
    assert not any(one.is_near(other, 18, 14) for one, other in pairs)


# ---- heatmap


def cells_of(results: Results) -> dict[tuple[str, int], Element]:
    table = page_of(results, view="heatmap").one("table", css="heatmap")
    rows = [row for row in table.every("tr") if row.every("td")]
    return {
        (row.one("th").text(), system): cell for row in rows for system, cell in enumerate(row.every("td"))
    }  # fmt: skip


def test_only_numbers_are_colored(results: Results) -> None:
    cells = cells_of(results)
    assert len(cells) == len(EDITS) * len(NAMES)
    found = {(each.edit, each.system): each for each in results.heatmaps["cosine_distance", "answer"].cells}
    for (edit, system), cell in cells.items():
        mean = found[edit, NAMES[system]].mean.estimate
        assert bool(re.search("shade-", cell.attributes["class"])) == (not math.isnan(mean))


def test_erased_and_unscored_cells_say_so(results: Results) -> None:
    cells = {key: " ".join(cell.text().split()) for key, cell in cells_of(results).items()}
    assert cells["trailing_space", 0] == "erasedall 24"
    assert cells["trailing_space", 1] == "0.0514 of 24 erased"
    assert cells["nbsp", 2] == "no number24 of 24 unscored"
    assert cells["nbsp", 3] == "not run"
    assert cells["paraphrase_1", 2] == "0.3121 of 24 erased, 2 of 24 unscored"
    assert cells["replicate", 0] == "0.000"
    assert cells_of(results)["trailing_space", 0].has_class("erased")


def test_every_cell_links_to_its_pairs(results: Results) -> None:
    link = parse(cells_of(results)["nbsp", 1].one("a").attributes["href"])
    assert link == {"view": "pairs", "system": NAMES[1], "edit": "nbsp"}
    page = read_page(render(results, {"view": "heatmap", "metric": "js_divergence"}))
    links = [parse(each.attributes["href"]) for each in page.one("table", css="heatmap").every("a")]
    assert all(each["metric"] == "js_divergence" for each in links)


def test_shades_rise_with_the_number() -> None:
    shades = [shade_of(value / 100, 1.0) for value in range(101)]
    assert shades == sorted(shades)
    assert set(shades) == set(range(SHADES))
    assert shade_of(0.0, 0.0) == 0


def test_a_cell_without_a_number_has_no_shade_whatever_else_it_says() -> None:
    record = HeatmapCell(
        "m", interval(None, n=0, reason="Nothing."), counts(0, 0, 3, 2), 0, None, "noop", "x"
    )
    assert (kind_of(record), counts_of(record)) == ("unscored", "3 of 5 erased, 2 of 5 unscored")


def test_what_was_erased_is_no_number_even_if_one_is_given() -> None:
    record = HeatmapCell("m", interval(0.0), counts(0, 0, 5), 0, None, "noop", "x")
    assert kind_of(record) == "erased"


def test_a_number_of_which_some_pairs_were_erased_is_hatched_at_its_edge(results: Results) -> None:
    cells = cells_of(results)
    partly = {key for key, cell in cells.items() if cell.has_class("partly")}
    assert partly == {("trailing_space", 1), ("paraphrase_1", 2)}
    assert "partly erased" in page_of(results, view="heatmap").one("p", css="key").text()


def test_the_row_of_the_identical_rung_is_called_the_noise_floor(results: Results) -> None:
    table = page_of(results, view="heatmap").one("table", css="heatmap")
    rungs = [each.text() for each in table.every("th", scope="rowgroup")]
    assert rungs == ["identical: the noise floor", "noop", "paraphrase", "positive control"]
    assert "up to 24 pairs per cell" in table.one("caption").text()


def test_a_cell_links_to_the_metric_that_it_shows(results: Results) -> None:
    """Also where the address asks for one that only other views have."""
    page = page_of(results, view="heatmap", metric="token_edit_distance", window="64")
    links = [parse(each.attributes["href"]) for each in page.one("table", css="heatmap").every("a")]
    assert links and not [each for each in links if {"metric", "window"} & set(each)]


# ---- length


def rows_by_system(page: Element) -> dict[str, list[list[str]]]:
    """Name -> its rows of the table; every system has a body of its own."""
    bodies = page.every("table")[0].every("tbody")
    found = [rows_of(Element("table", {}, [body])) for body in bodies]
    return {name: rows for [[name], *rows] in found}


def test_length_shows_both_texts_of_every_system(results: Results) -> None:
    page = page_of(results, view="length")
    panels = page.one("div", css="panels").every("figure")
    captions = [panel.one("figcaption").text() for panel in panels]
    assert captions == [*(f"{name} n = 24 prompts, 400 pairs" for name in SEEN[:3]), SEEN[3]]
    for panel, n in zip(panels, (4, 4, 4, 0), strict=True):
        assert len(panel.every("circle")) == len(panel.every("rect")) == n
    assert "the first 64 tokens, the first 128 tokens" in " ".join(panels[0].text().split())
    assert "Mostly scaffold" not in panels[1].text()
    rows = rows_by_system(page)
    assert list(rows) == list(SEEN)
    assert {len(own) for own in rows.values()} == {8}
    assert [
        "raw",
        "64",
        "0.082",
        "0.062 to 0.102",
        "24",
        "400",
        "17",
        "3",
        "0.011 (24 prompts)",
        "mostly scaffold",
    ] in rows["alpha-4b"]


def test_length_shows_the_noise_floor_where_the_results_have_it(results: Results) -> None:
    """The floor of raw outputs is known for all of them and for 64 tokens, that of answers for all of them."""
    page = page_of(results, view="length")
    floors = {tuple(row[:2]): row[-2] for row in rows_by_system(page)["beta-4b"]}
    assert {key for key, floor in floors.items() if floor != "–"} == {
        ("raw", "64"),
        ("raw", "whole"),
        ("answer", "whole"),
    }
    panels = page.one("div", css="panels").every("figure")
    assert [len(panel.every("line", css="noise")) for panel in panels] == [3, 3, 3, 0]
    assert "Short dashed lines: the noise floor" in page.text()
    without = page_of(known_results(clusters=()), view="length")
    assert "noise floor of these lengths was not exported" in without.text()
    assert not without.every("line", css="noise")


def test_a_longer_window_stands_further_right_and_a_larger_distance_higher(results: Results) -> None:
    panel = page_of(results, view="length").one("div", css="panels").every("figure")[0]
    across = [float(dot.attributes["cx"]) for dot in panel.every("circle")]
    down = [float(dot.attributes["cy"]) for dot in panel.every("circle")]
    assert across == sorted(across)
    assert down == sorted(down, reverse=True)


# ---- method


def test_method_says_which_commit_is_shown(results: Results) -> None:
    assert "Hugging Face Hub" not in page_of(results, view="method").text()
    origin = HubOrigin("org/results", "v1.0.0", "ab" * 20)
    fetched = known_results(origin=origin)
    text = " ".join(page_of(fetched, view="method").text().split())
    assert (
        f"The dataset org/results on the Hugging Face Hub, at commit {'ab' * 20}, which was v1.0.0 when"
        in text
    )
    pinned = known_results(origin=HubOrigin("org/results", "ab" * 20, "ab" * 20))
    assert "when this page was started" not in page_of(pinned, view="method").text()


def test_every_definition_is_there(results: Results) -> None:
    page = page_of(results, view="method")
    text = " ".join(page.text().split())
    for expected in (
        *METRICS,
        *(card.what for card in METRICS.values()),
        *RUNGS,
        *(label for _, label in RULES),
    ):
        assert expected in text
    for formula in Constants().formulas.values():
        assert formula in text
    assert "kC = 0.2, kR = 0.25, kP = 0.5, lambda = 2.0" in text
    assert "A small distance is no merit." in text
    assert "It was killed." in text


@pytest.mark.parametrize(
    ("alpha", "said"), [(0.05, "5 %"), (0.005, "0.5 %"), (0.025, "2.5 %"), (0.0001, "0.01 %")]
)
def test_the_error_that_was_allowed_is_never_rounded_away(results: Results, alpha: float, said: str) -> None:
    manifest = dataclasses.replace(results.manifest, alpha=alpha)
    page = page_of(known_results(manifest=manifest))
    assert f"tested together at {said}." in page.text()


MAGNITUDES = st.floats(1e-300, 1e300)


@given(st.lists(st.tuples(st.sampled_from((-1, 0, 1)), MAGNITUDES), min_size=1, max_size=4))
def test_a_scale_holds_numbers_of_any_size(drawn: list[tuple[int, float]]) -> None:
    numbers = [sign * size for sign, size in drawn]
    scale = scale_of(numbers, 0, 1000)
    low, high = min([0.0, *numbers]), max([0.0, *numbers])
    assert scale.low <= low
    assert scale.high >= high
    if high > low:
        assert scale(high) >= 900, "the largest number stands near the end"
    ticks = scale.ticks(5)
    assert 1 <= len(ticks) <= 6
    assert all(0 <= tick.at <= 1000 for tick in ticks)
    assert all(len(tick.words) <= 12 for tick in ticks)
    assert len({tick.words for tick in ticks}) == len(ticks)


@pytest.mark.parametrize("number", [5e-324, 1e-310, 0.0])
def test_what_is_too_small_to_draw_is_drawn_as_nothing(number: float) -> None:
    assert scale_of([number], 0, 100) == Scale(0.0, 1.0, 0, 100)


def test_a_scale_holds_its_ends_and_its_ticks_are_round() -> None:
    scale = Scale(0.0, 0.3, 10, 110)
    assert (scale(0.0), scale(0.3), scale(9.0)) == (10, 110, 110)
    assert [tick.words for tick in scale.ticks(4)] == ["0", "0.1", "0.2", "0.3"]


def test_many_groups_that_overlap_are_named_up_to_a_number() -> None:
    letters = [*"abcdefghijklmnopqrstuvwxyz", "aa", "ab"]
    assert also_in(letters[:3], "c") == "a, b"
    assert also_in(letters[:13], "m") == "a, b, c, d, e, f, g, h, i, j, k, l"
    assert also_in(letters, "a") == "b, c, d, e, f, g, h, i, j, k, l, m and 15 more"
    assert also_in(letters, "ab") == "a, b, c, d, e, f, g, h, i, j, k, l and 15 more"
    row = dataclasses.replace(clusters(KEYS[0], NAMES).systems[0], letters=tuple(letters))
    assert list(groups_of([row])) == letters, "aa comes after z"
