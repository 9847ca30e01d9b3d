"""Each view against results whose numbers are known."""

from __future__ import annotations

import dataclasses
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_eval_sensitivity.metrics import METRICS
from lm_eval_sensitivity.report.marks import MARKS
from lm_eval_sensitivity.report.wording.clusters import clusters_in_words
from lm_eval_sensitivity.report.wording.finding import edits_in_words, finding_in_words
from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.results.read import HubOrigin
from lm_eval_sensitivity.space.axes_drawing import drawings_of
from lm_eval_sensitivity.space.page import render
from lm_eval_sensitivity.space.pages.clusters import colors_of
from lm_eval_sensitivity.space.pages.heatmap import SHADES, counts_of, kind_of, shade_of
from lm_eval_sensitivity.space.query import parse
from lm_eval_sensitivity.space.svg import Scale, scale_of
from lm_eval_sensitivity.statements import Selection
from lm_eval_sensitivity.statements.records import HeatmapCell
from lm_eval_sensitivity.stats import Cluster
from lm_eval_sensitivity.stats.alive import LIFELESS
from lm_eval_sensitivity.stats.rules import RULES, Constants
from lm_eval_sensitivity.types import RUNGS
from tests.unit.space.known import (
    EDITS,
    KEYS,
    MEANS,
    NAMES,
    clusters,
    counts,
    drift,
    heatmap,
    interval,
    known_results,
)
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
    assert rows[0][2:5] == ["0.412 0.362 to 0.472", "a", "responds"]
    assert rows[0][5] == "24 prompts, 400 pairs; 17 erased noise floor 0.011"
    assert rows[1][4] == LIFELESS
    assert rows[2][3] == "ab", "a chip for each letter"
    assert rows[3][1:5] == ["no number", "– –", "none", "not judged"], "a missing number is no 0"


def test_a_system_leads_to_its_pairs(results: Results) -> None:
    page = page_of(results, metric="js_divergence", filter="raw")
    links = [
        parse(each.attributes["href"]) for each in page.one("table", id="systems").one("tbody").every("a")
    ]
    assert links[0] == {"view": "pairs", "system": NAMES[0], "metric": "js_divergence", "filter": "raw"}
    assert len(links) == len(NAMES)


def test_the_first_thing_said_is_the_finding(results: Results) -> None:
    page = page_of(results)
    found = results.clusters[KEYS[1]]
    said = page.one("p", css="finding")
    assert said.text().strip() == " ".join(note.text for note in finding_in_words(found))
    assert (
        next(each for each in page.walk() if each.tag in ("p", "table") and each.has_class("finding")) is said
    )


def test_another_request_stands_beside_the_harmless_edits_where_it_was_exported() -> None:
    control = clusters(Selection("cosine_distance", "answer", "positive_control"), NAMES)
    page = page_of(known_results(clusters=(clusters(KEYS[1], NAMES), control)))
    first = rows_of(page.one("table", id="systems"))[0]
    assert first[4] == "0.412 responds"
    assert "another request by 0.134 to 0.412" in page.one("p", css="finding").text()
    assert len(page.one("table", id="systems").one("tbody").every("circle", css="control")) == 3


def test_systems_are_sorted_by_name_and_by_nothing_else(results: Results) -> None:
    heads = [
        each
        for each in page_of(results).one("table", id="systems").every("th")
        if "aria-sort" in each.attributes
    ]
    assert [each.text().split()[0] for each in heads] == ["system"]
    turned = page_of(results, **parse(heads[0].one("a").attributes["href"])).one("table", id="systems")
    assert [row[0] for row in rows_of(turned)] == list(SEEN[::-1])
    assert turned.every("th")[0].attributes["aria-sort"] == "descending"
    assert page_of(results, sort="mean").every("div", css="complaints")


def test_bars_share_one_scale(results: Results) -> None:
    table = page_of(results).one("table", id="systems")
    centers = [float(dot.attributes["cx"]) for dot in table.one("tbody").every("circle")]
    low, high, middle = (MEANS[index] or 0 for index in (1, 0, 2))
    assert (centers[2] - centers[1]) / (centers[0] - centers[1]) == pytest.approx(
        (middle - low) / (high - low), abs=0.01
    )
    assert len(centers) == 3, "a system without a number has no dot"


def test_a_caution_stands_on_the_row_that_it_belongs_to(results: Results) -> None:
    page = page_of(results)
    chips = [
        row.every("details", css="chip") for row in page.one("table", id="systems").one("tbody").every("tr")
    ]
    assert [len(each) for each in chips] == [0, 0, 0, 1]
    (own,) = chips[3]
    assert own.one("summary").text() == "1 caution" and "The identical rung was not run." in own.text()
    (common,) = [each for each in page.every("details", css="chip") if each is not own]
    assert "The known caution: coverage differs." in common.text()


def test_a_mean_over_few_of_the_prompts_says_so_where_it_stands() -> None:
    """Silence must not look like a number of all prompts: not in the finding, not in a row, not beside a verdict."""
    known = clusters(KEYS[1], NAMES)
    first = dataclasses.replace(known.systems[0].counts, n_prompts_lost=20)
    systems = (dataclasses.replace(known.systems[0], counts=first), *known.systems[1:])
    apart = drift(KEYS[1], NAMES)
    row = apart.systems[0]
    row = dataclasses.replace(row, preserving=dataclasses.replace(row.preserving, counts=first))
    results = known_results(
        clusters=(dataclasses.replace(known, systems=systems),),
        drift=(dataclasses.replace(apart, systems=(row, *apart.systems[1:])),),
    )
    page = page_of(results)
    assert (
        f"Only a part of the prompts has a number: {NAMES[0]} (24 of 44 prompts)."
        in page.one("p", css="finding").text()
    )
    for view in ("clusters", "axes"):
        (said,) = page_of(results, view=view).every("span", css="alarm")[:1]
        assert said.text() == "24 of 44 prompts", view


def test_names_with_a_comma_of_their_own_are_told_apart() -> None:
    commas = known_results(names=("a, 4 bits", "b", "c", "d"))
    groups = dataclasses.replace(
        commas.clusters[KEYS[1]], clusters=(Cluster("a", ("a, 4 bits", "c")), Cluster("b", ("b", "d")))
    )
    said = [note.text for note in clusters_in_words(groups)]
    assert said[0].startswith("Cluster a: a, 4 bits; c. ") and said[1].startswith("Cluster b: b, d. ")


def test_method_and_groups_are_said_below_the_table(results: Results) -> None:
    html = render(results, {})
    text = read_page(html).text()
    for words in (
        "1 of 2 contrasts",
        "difference of 0.1000",
        "Cluster b: beta-4b, delta-4b-int4.",
        "A known remark.",
        "Few zeros.",
    ):
        assert words in text
        assert html.index(words) > html.index("</table>")


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


@pytest.mark.parametrize("sheet", ["wide", "narrow"])
def test_axes_show_verdicts_in_words_and_shapes(results: Results, sheet: str) -> None:
    page = page_of(results, view="axes")
    rows = rows_of(page.every("table")[0])
    assert [row[1].strip() for row in rows] == ["reference", "COLLAPSED", "UNDETERMINED", "STABLE"]
    words = [each.one("summary").text() for each in page.every("details", css="reasons")]
    assert words[:2] == ["collapsed, as the reference, far", "alive, as the reference, drift unclear"]
    assert "COLLAPSED as known." in page.every("details", css="reasons")[0].text()
    assert rows[1][3:5] == ["0.134(0.104 to 0.164)", "0.623(0.583 to 0.663)"] and rows[1][8] == "2 of 24"
    marks = page.one("svg", css=sheet).every("a")
    drawn = [each.one("path", css="shape").attributes["d"] for each in marks]
    assert drawn == [MARKS[label].path(7) for label in ("reference", "COLLAPSED", "UNDETERMINED")]
    assert "Not in the drawing" in page.text()
    assert "Its run is of other prompts." in page.text()


def test_a_mark_says_its_numbers_and_leads_to_its_pairs(results: Results) -> None:
    mark = page_of(results, view="axes", filter="raw").one("svg", css="wide").every("a")[1]
    values = " ".join(mark.one("g", css="values").text().split())
    assert values == f"{SEEN[1]}: COLLAPSED p 0.134 (0.104 to 0.164), b 0.623 (0.583 to 0.663)"
    assert mark.attributes["aria-label"] == f"{SEEN[1]}, COLLAPSED: p 0.134, b 0.623. To its pairs."
    assert parse(mark.attributes["href"]) == {"view": "pairs", "system": NAMES[1], "filter": "raw"}


def test_more_to_the_right_is_more_sensitive_and_higher_is_further_from_the_reference() -> None:
    page = drift(KEYS[1], NAMES)
    for drawing in drawings_of(page, page.systems):
        reference, collapsed, undetermined = drawing.marks
        assert collapsed.at.x < undetermined.at.x < reference.at.x
        assert collapsed.at.y < undetermined.at.y < reference.at.y
        assert all(mark.name_at.x > drawing.sheet.right for mark in drawing.marks)


def test_an_interval_that_goes_on_ends_in_an_arrow() -> None:
    page = drift(KEYS[1], NAMES)
    first, second, *others = page.systems
    assert second.drift is not None
    far = dataclasses.replace(second.drift, mean=dataclasses.replace(second.drift.mean, upper=1.9))
    long = dataclasses.replace(page, systems=(first, dataclasses.replace(second, drift=far), *others))
    drawing = drawings_of(long, long.systems)[0]
    assert [mark.up and mark.up.goes_on for mark in drawing.marks] == [None, True, False]
    shown = page_of(known_results(drift=(long,)), view="axes").one("svg", css="wide")
    assert len(shown.every("path", css="arrow")) == 1


def test_a_series_is_joined_in_its_own_order(results: Results) -> None:
    chart = page_of(results, view="axes").one("svg", css="wide")
    (line,) = chart.every("polyline", css="series")
    marks = [each.attributes["transform"] for each in chart.every("path", css="shape")]
    ends = [f"translate({point.replace(',', ' ')})" for point in line.attributes["points"].split()]
    assert ends == [marks[0], marks[1]]


def test_without_a_reference_the_page_says_what_is_missing_and_what_can_be_said() -> None:
    page = page_of(known_results(reference=None), view="axes")
    assert "No reference was given" in page.text()
    assert "--reference RUN" in page.text()
    assert [row[:2] for row in rows_of(page.one("table"))] == list(
        map(list, zip(SEEN, ("yes", "no", "unclear", "not judged"), strict=True))
    )
    assert not page.every("svg")


# ---- heatmap


def cells_of(results: Results) -> dict[tuple[str, int], Element]:
    table = page_of(results, view="heatmap").one("table", css="heatmap")
    rows = [row for row in table.every("tr") if row.every("td")]
    return {
        (row.one("th").text(), system): cell for row in rows for system, cell in enumerate(row.every("td")[1:])
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
    assert cells["trailing_space", 0] == "erased"
    assert cells["trailing_space", 1] == "0.051 4e"
    assert cells["nbsp", 2] == "unscored"
    assert cells["nbsp", 3] == "·"
    assert cells["paraphrase_1", 2] == "0.312 1e 2u"
    assert cells["replicate", 0] == "0.000"
    found = cells_of(results)
    assert found["trailing_space", 0].has_class("erased")
    assert found["nbsp", 3].one("span").attributes["title"] == "not run"
    assert (
        found["paraphrase_1", 2].one("a").attributes["title"].endswith("; 1 of 24 erased, 2 of 24 unscored")
    )


def test_edits_stand_by_the_ladder_by_name_or_by_the_distance_of_a_system(results: Results) -> None:
    def edits(**query: str) -> list[str]:
        return [row[0] for row in rows_of(page_of(results, view="heatmap", **query).one("table", id="edits"))]

    assert edits() == [edit for _, edit in EDITS]
    assert edits(sort="edit") == sorted(edit for _, edit in EDITS)
    assert edits(sort=NAMES[0])[-1] == "trailing_space", "no number comes last"
    assert edits(sort=NAMES[0])[0] == "control_topic"
    assert page_of(results, view="heatmap", sort="mean").every("div", css="complaints")


def test_rungs_that_few_systems_ran_are_folded_and_said() -> None:
    found = heatmap("cosine_distance", "answer", NAMES)
    none = counts(0, 0)
    cells = tuple(
        dataclasses.replace(each, counts=none, mean=interval(None))
        if each.rung == "noop" and each.system in NAMES[1:]
        else each
        for each in found.cells
    )
    page = page_of(known_results(heatmaps=(dataclasses.replace(found, cells=cells),)), view="heatmap")
    assert "noop" not in page.one("table", id="edits").text()
    (folded,) = [each for each in page.every("details") if "ran it: noop (1 of 4)" in each.text()]
    assert [row[0] for row in rows_of(folded.one("table"))] == ["trailing_space", "nbsp"]


def test_the_finding_of_a_heatmap_is_the_edit_that_moves_furthest(results: Results) -> None:
    assert (
        page_of(results, view="heatmap")
        .one("p", css="finding")
        .text()
        .startswith("Of 3 harmless edits, paraphrase_1 moves an answer furthest: by 0.313 in cosine_distance")
    )
    control = tuple(
        each
        for each in results.heatmaps[("cosine_distance", "answer")].cells
        if each.rung == "positive_control"
    )
    found = dataclasses.replace(results.heatmaps["cosine_distance", "answer"], cells=control)
    assert list(edits_in_words(found)) == []


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
    rungs = dict.fromkeys(row.every("td")[0].text() for row in table.one("tbody").every("tr"))
    assert list(rungs) == ["identical: noise floor", "noop", "paraphrase", "positive_control"]
    assert "up to 24 pairs per cell" in table.one("caption").text()


def test_a_cell_links_to_the_metric_that_it_shows(results: Results) -> None:
    """Also where the address asks for one that only other views have."""
    page = page_of(results, view="heatmap", metric="token_edit_distance", window="64")
    cells = page.one("table", css="heatmap").one("tbody").every("a")
    links = [parse(each.attributes["href"]) for each in cells]
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
    assert captions == [f"{name} n = 24 prompts, 400 pairs" for name in SEEN[:3]]
    assert f"There is no number of {SEEN[3]}: No pair has a number." in page.text()
    for panel in panels:
        assert len(panel.every("circle")) == len(panel.every("rect")) == 4
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
    assert [len(panel.every("line", css="noise")) for panel in panels] == [3, 3, 3]
    assert "Short dashed lines: the noise floor" in page.text()
    without = page_of(known_results(clusters=()), view="length")
    assert "noise floor of these lengths was not exported" in without.text()
    assert not without.every("line", css="noise")


def test_what_is_the_same_at_every_length_is_a_sentence_and_no_window_says_it_again(results: Results) -> None:
    level = tuple(
        dataclasses.replace(
            each, points=tuple(dataclasses.replace(point, mean=each.points[0].mean) for point in each.points)
        )
        for each in results.statements.windows
    )
    page = page_of(known_results(windows=level), view="length")
    assert not page.every("figure")
    assert "The same at every length: alpha-4b 0.400 (raw 0.082), beta-4b 0.400" in page.text()
    assert "An output that ends before 64 tokens is read whole." in page.text()
    assert {row[1] for rows in rows_by_system(page).values() for row in rows} == {"whole"}


def test_where_raw_and_answer_are_one_text_one_line_is_drawn(results: Results) -> None:
    answer, raw = results.statements.windows
    both = dataclasses.replace(
        answer,
        points=tuple(
            dataclasses.replace(point, mean=twin.mean, counts=twin.counts)
            for point, twin in zip(answer.points, raw.points, strict=True)
        ),
    )
    panel = page_of(known_results(windows=(both, raw)), view="length").every("figure")[0]
    assert len(panel.every("circle")) == 4 and not panel.every("rect")
    assert "Raw and answer have the same numbers." in panel.text()


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
    letters = (*"abcdefghijklmnopqrstuvwxyz", "aa", "ab")
    found = clusters(KEYS[1], NAMES)
    rows = (dataclasses.replace(found.systems[0], letters=letters), *found.systems[1:])
    page = page_of(known_results(clusters=(dataclasses.replace(found, systems=rows),)))
    assert rows_of(page.one("table", id="systems"))[0][3] == "abcdefghijkl and 16 more"
    assert list(colors_of(rows)) == list(letters), "aa comes after z"
