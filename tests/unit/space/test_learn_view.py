"""The lesson: its rules against theory, its script against its Python, its page against what a reader needs."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from functools import cache
from importlib import resources
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.space.learn import logistic, ripple
from lm_eval_sensitivity.space.learn import view as learn
from lm_eval_sensitivity.space.learn.clouds import CLOSE, FAR, four_clouds
from lm_eval_sensitivity.space.learn.logistic import (
    bifurcation,
    column_r,
    stretch_per_step,
    trajectory,
    two_trajectories,
)
from lm_eval_sensitivity.space.learn.raster import shade_paths
from lm_eval_sensitivity.space.page import VIEWS, render
from lm_eval_sensitivity.space.query import parse
from lm_eval_sensitivity.types import RUNGS
from tests.unit.space.reading import Element, read_page

KNOB = [round(2.5 + 0.01 * step, 2) for step in range(151)]
"""Every position of the knob."""


# The logistic map against theory.


@pytest.mark.parametrize("r", [1.2, 2.0, 2.5, 2.95])
def test_below_3_every_start_ends_at_the_fixed_point(r: float) -> None:
    ends = trajectory(r, np.array([0.01, 0.4, 0.99]), 3_000)[-1]
    assert ends == pytest.approx(1 - 1 / r, abs=1e-9)


@pytest.mark.parametrize("r", [3.05, 3.2, 3.4, 3.44])
def test_between_3_and_1_plus_root_6_two_values_alternate(r: float) -> None:
    root = math.sqrt((r - 3) * (r + 1))
    ends = trajectory(r, 0.4, 3_000)[-4:]
    assert sorted(ends[:2]) == pytest.approx([(r + 1 - root) / (2 * r), (r + 1 + root) / (2 * r)], abs=1e-9)
    assert ends[2:] == pytest.approx(ends[:2], abs=1e-9)


def at_4(start: float, step: int) -> float:
    """The closed form of r = 4."""
    return math.sin(2**step * math.asin(math.sqrt(start))) ** 2


def test_at_4_the_trajectories_part_as_the_closed_form_says() -> None:
    both = two_trajectories(4.0)
    for step in range(31):
        rounding = 2**step * 1e-14  # a rounding error doubles with every step, as every gap does
        assert both.first[step] == pytest.approx(at_4(0.4, step), abs=rounding)
        assert both.second[step] == pytest.approx(at_4(0.4 + 1e-6, step), abs=rounding)
    gaps = [abs(at_4(0.4, step) - at_4(0.4 + 1e-6, step)) for step in range(31)]
    assert both.parted_at == next(step for step, gap in enumerate(gaps) if gap > 0.1)


@pytest.mark.parametrize("r", [1.5, 2.5, 2.9])
def test_at_a_fixed_point_a_gap_shrinks_by_its_slope(r: float) -> None:
    assert stretch_per_step(r) == pytest.approx(abs(2 - r), rel=1e-6)


@pytest.mark.parametrize("r", [3.1, 3.3, 3.4])
def test_on_a_cycle_of_two_a_gap_shrinks_by_the_mean_slope(r: float) -> None:
    assert stretch_per_step(r) == pytest.approx(math.sqrt(abs(4 + 2 * r - r * r)), rel=1e-6)


def test_the_lyapunov_exponent_is_negative_on_cycles_and_ln_2_at_4() -> None:
    assert stretch_per_step(2.0) == 0  # the fixed point is 1/2, where the slope is 0
    assert stretch_per_step(3.5) < 1 and stretch_per_step(3.83) < 1  # cycles of four and of three
    assert stretch_per_step(3.7) > 1 and stretch_per_step(3.9) > 1
    # ln |4 (1 - 2x)| has variance pi^2 / 12 there; five standard errors, if steps were independent.
    error = 5 * math.sqrt(math.pi**2 / 12 / logistic.STRETCH_STEPS)
    assert math.log(stretch_per_step(4.0)) == pytest.approx(math.log(2), abs=error)


def test_the_diagram_shows_the_fixed_point_the_two_values_and_the_band() -> None:
    shades, r = bifurcation(), column_r()
    assert shades.shape == (logistic.COLUMNS, logistic.ROWS) and shades.max() == len(logistic.SHADES)
    for column in np.flatnonzero(r < 2.95):
        (row,) = np.flatnonzero(shades[column])
        assert row == int((1 / r[column]) * logistic.ROWS), "row 0 is at the top, where x is 1"
    assert {len(np.flatnonzero(shades[column])) for column in np.flatnonzero((r > 3.05) & (r < 3.44))} == {2}
    for column in np.flatnonzero(r > 3.6):
        rows = np.flatnonzero(shades[column])
        highest, lowest = r[column] / 4, r[column] ** 2 * (4 - r[column]) / 16
        assert rows.min() >= int((1 - highest) * logistic.ROWS) and rows.max() <= int(
            (1 - lowest) * logistic.ROWS
        )
    assert len(np.flatnonzero(shades[-1])) > 0.9 * logistic.ROWS, "chaos visits nearly everything"


def test_every_position_of_the_knob_gets_the_sentence_that_is_true_of_it() -> None:
    seen = set()
    for r in KNOB:
        both = two_trajectories(r)
        said = learn.result_sentence(both)
        parted = bool((both.gap > 0.1).any())
        assert ("the two part" in said) == parted and f"r = {r:.2f}" in said and "{" not in said
        assert ("gaps shrink" in said) <= (both.stretch < 1) and ("gaps grow." in said) <= (both.stretch > 1)
        seen.add((parted, both.stretch < 1))
    assert len(seen) == len(learn.SENTENCES), "a sentence that nobody reads"


# The ripple.


def slow_step(grid: np.ndarray[Any, Any], gain: float) -> np.ndarray[Any, Any]:
    size, new = len(grid), grid.copy()
    for row in range(size):
        for column in range(size):
            cells = [
                (row, column),
                (row - 1, column),
                (row + 1, column),
                (row, column - 1),
                (row, column + 1),
            ]
            inside = [grid[min(max(i, 0), size - 1), min(max(j, 0), size - 1)] for i, j in cells]
            new[row, column] = min(gain * sum(inside) / 5, 1)
    return new


@pytest.mark.parametrize("gain", [0.7, 1.0, 1.4, 9.0])
def test_a_step_is_the_mean_of_five_cells_times_the_gain(gain: float) -> None:
    grid = np.random.default_rng(1).random((ripple.SIZE, ripple.SIZE))
    assert ripple.ripple_step(grid, gain) == pytest.approx(slow_step(grid, gain), abs=1e-12)


@pytest.mark.parametrize("cell", [(10, 10), (0, 0), (20, 7)])
@pytest.mark.parametrize("gain", [0.7, 0.95, 1.0, 1.05, 1.25])
def test_the_total_is_multiplied_by_the_gain_until_a_cell_is_full(gain: float, cell: tuple[int, int]) -> None:
    grids = ripple.ripple(gain, *cell)
    full = np.flatnonzero((grids[1:] >= 1).any(axis=(1, 2)))
    free = int(full[0]) if full.size else ripple.FRAMES
    assert free > 5
    expected = gain ** np.arange(free + 1)
    assert grids[: free + 1].sum(axis=(1, 2)) == pytest.approx(expected, rel=1e-9)


def test_below_1_it_dies_out_and_above_1_it_grows_until_every_cell_is_full() -> None:
    assert ripple.ripple(0.7)[-1].sum() < 1e-8
    grown = ripple.ripple(1.4)
    totals = grown.sum(axis=(1, 2))
    assert (np.diff(totals) >= -1e-12).all() and totals[-1] == pytest.approx(ripple.SIZE**2)
    assert grown.max() == 1.0


def test_a_ripple_from_the_middle_is_symmetric() -> None:
    for grid in ripple.ripple(1.25)[[1, 7, 30]]:
        for other in (grid[::-1], grid[:, ::-1], grid.T):
            assert grid == pytest.approx(other, abs=1e-12)


def test_paths_draw_every_cell_once() -> None:
    shades = ripple.shades(ripple.ripple(1.25)[15])
    drawn = np.zeros_like(shades)
    for shade, path in enumerate(shade_paths(shades, len(ripple.SHADES)), start=1):
        for stroke in path.split("M")[1:]:
            start, rest = stroke.split(" ")
            line, length = rest.split("h")
            drawn[int(float(line)), int(start) : int(start) + int(length)] += shade
    assert (drawn == shades).all() and shades.max() == len(ripple.SHADES)


# The clouds: the words beside each drawing are true of it.


def test_the_words_beside_the_clouds_are_true_of_the_drawing() -> None:
    for clouds in four_clouds():
        test, centers = clouds["test"], clouds["centers"]
        assert clouds["base"].mean(axis=0) == pytest.approx(centers[0])
        apart = pytest.approx(FAR if clouds["far"] else CLOSE)
        assert np.linalg.norm(centers[1] - centers[0]) == apart
        assert (test.p_value < 0.05) == clouds["far"]
        assert (min(test.within_a, test.within_b) > 0.3) == clouds["wide"]
        assert (test.between > max(test.within_a, test.within_b)) == clouds["far"]
    low, moved, noisy, both = four_clouds()
    assert low["test"].between < noisy["test"].between, "all small, all large"
    assert moved["test"].p_value < both["test"].p_value, "the same move is harder to see in noise"


# The page.


@cache
def page(**query: str) -> str:
    """The lesson reads nothing of the results, so they hold only what the frame of every page needs."""
    bare = SimpleNamespace(
        manifest=SimpleNamespace(
            signature=SimpleNamespace(in_words=lambda: "of a test"), is_of_answers=False
        ),
        statements=SimpleNamespace(answers=()),
        systems=(),
        probes={},
    )
    return render(cast(Results, bare), {"view": "learn", **query})


def tree(**query: str) -> Element:
    return read_page(page(**query))


def section(found: Element, name: str) -> Element:
    return next(each for each in found.every("section") if f"data-{name}" in each.attributes)


def test_headings_are_in_order_and_ids_unique() -> None:
    every = list(tree().walk())
    levels = [int(each.tag[1]) for each in every if each.tag in ("h1", "h2", "h3", "h4")]
    assert levels[0] == 1 and levels.count(1) == 1 and levels.count(2) == 6
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = [each.attributes["id"] for each in every if "id" in each.attributes]
    assert len(ids) == len(set(ids))
    for name in ("aria-labelledby", "aria-describedby", "for"):
        assert {each.attributes.get(name, ids[0]) for each in every} <= {*ids}


def test_every_control_is_labeled_and_every_drawing_described() -> None:
    found = tree()
    labeled = {each.attributes["for"] for each in found.every("label") if each.text().strip()}
    knobs = found.every("input", type="range")
    assert len(knobs) == 3 and {each.attributes["id"] for each in knobs} <= labeled
    assert all(each.text().strip() for each in found.every("button"))
    inner = [id(each) for svg in found.every("svg") for each in svg.every("svg")]
    drawings = [each for each in found.every("svg") if id(each) not in inner]
    assert len(drawings) == 3 + 2 * len(learn.FRAMES_SHOWN) + 4 + 8
    described = [*found.every(role="img"), *found.every(role="grid")]
    assert {id(each) for each in drawings} <= {id(each) for each in described}
    assert all(len(each.attributes["aria-label"]) > 10 for each in described)
    assert {each.attributes.get("aria-live") for each in found.every("output")} == {"polite"}


def test_nothing_of_the_page_comes_from_elsewhere_or_runs() -> None:
    every = list(tree().walk())
    assert "//" not in page()
    assert not {each.tag for each in every} & {
        *["script", "style", "img", "image", "iframe", "link", "object"]
    }
    names = {name for each in every for name in each.attributes}
    assert "src" not in names and not [name for name in names if name.startswith("on")]


def test_the_contents_lead_to_every_chapter() -> None:
    found = tree()
    links = [each.attributes["href"].split("#") for each in found.one("nav", css="learn-contents").every("a")]
    assert [address for address, _ in links] == ["?view=learn"] * 6
    assert [name for _, name in links] == [each.attributes["id"] for each in found.every("h2")]
    assert all(each.attributes["tabindex"] == "-1" for each in found.every("h2")), (
        "a click leads the keyboard there"
    )


def test_the_lesson_is_short() -> None:
    assert len(tree().one("div", css="content").text().split()) <= 1300


def test_the_picture_that_moves_by_itself_says_what_became_of_it() -> None:
    said = section(tree(), "ripple").one("output").text()
    assert "Gain 0.80: swallowed. After 60 steps less than 0.01" in said and "Gain 1.25: amplified." in said
    assert "IntersectionObserver" in SCRIPT and "prefers-reduced-motion" in SCRIPT


def test_the_page_is_small() -> None:
    assert len(page().encode()) < 150_000
    assert sum(map(len, learn.diagram_paths())) < 60_000


def test_the_knob_is_in_the_address() -> None:
    found = tree(r="3.2")
    form = found.one("form", css="learn-knob")
    assert form.attributes["method"] == "get"
    inside = {each.attributes["name"]: each.attributes["value"] for each in form.every("input")}
    assert inside == {"view": "learn", "r": "3.20"}
    assert "At r = 3.20 the two stay together" in section(found, "logistic").text()
    assert "At r = 4.00 the two part: at step 18" in section(tree(r="4"), "logistic").text()
    assert not found.every("div", role="alert")


@pytest.mark.parametrize("wrong", ["2.49", "4.01", "-3", "nan", "inf", "3,7", "1e0", "<b>", "٣.٥", "3.7.1"])
def test_a_knob_out_of_range_is_complained_of_and_the_default_shown(wrong: str) -> None:
    found = tree(r=wrong)
    alert = found.one("div", role="alert").text()
    assert "`r` is" in alert and "a number from 2.5 to 4" in alert and "Shown is 3.7" in alert
    assert "At r = 3.70" in section(found, "logistic").text()
    assert "<b>" not in page(r=wrong)


def test_there_is_one_edit_for_every_rung_and_its_change_is_marked() -> None:
    base, examples = learn.example()
    assert [rung for rung, *_ in examples] == list(RUNGS)
    rows = tree().one("table", css="learn-ladder").every("tr")[1:]
    assert len(rows) == len(RUNGS) and rows[0].text().strip().endswith(base)
    assert [bool(row.every("ins")) for row in rows] == [False] + [True] * 6
    (synonym,) = [row for row in rows if row.one("th").text().startswith("synonym")]
    assert [each.text() for tag in ("del", "ins") for each in synonym.every(tag)] == ["held", "had"]
    assert "·" in rows[1].every("ins")[0].text(), "an edit that nobody sees is shown"


def test_eight_traps_each_with_a_drawing_of_its_own_and_a_link_to_a_view() -> None:
    found = tree()
    pictures = found.every("svg", css="learn-picture")
    strokes = [str([(each.tag, each.attributes) for each in picture.walk()]) for picture in pictures]
    assert len(set(strokes)) == 8 and min(map(len, strokes)) > 100
    links = [link.attributes["href"] for card in found.every("article") for link in card.every("a")]
    assert len(links) == 8 and {parse(each).get("view", "clusters") for each in links} <= set(VIEWS)


# The script.

NODE = shutil.which("node")
SCRIPT = resources.files("lm_eval_sensitivity.space").joinpath("learn.js").read_text(encoding="utf-8")


def in_node(expression: str, **values: Any) -> Any:
    """What the script's own functions give, as a JavaScript engine computes it."""
    given = "".join(f"const {name} = {json.dumps(value)};" for name, value in values.items())
    done = subprocess.run(
        [str(NODE), "-"],
        input=f"{SCRIPT}\n{given}\nconsole.log(JSON.stringify({expression}))",
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.skipif(NODE is None, reason="no JavaScript engine here")
def test_the_knob_of_the_script_computes_what_python_does() -> None:
    settings = json.loads(section(tree(), "logistic").attributes["data-logistic"])
    told = tree().one("output", **{"for": "learn-r"}).attributes
    camel = {
        "".join(w.title() if i else w for i, w in enumerate(k.split("-"))): told[f"data-{k}"]
        for k in learn.SENTENCES
    }
    runs = in_node(
        "knob.map((r) => { const run = learn.twoTrajectories(r, settings); return { ...run, said: learn.fill("
        "sentences[learn.kind(run)], { r: r.toFixed(2), step: run.partedAt, steps: settings.steps, "
        "stretch: run.stretch.toFixed(3) }) }; })",
        knob=KNOB,
        settings=settings,
        sentences=camel,
    )
    for r, run in zip(KNOB, runs, strict=True):
        ours = two_trajectories(r)
        assert run["first"] == ours.first.tolist() and run["second"] == ours.second.tolist(), (
            "to the last bit"
        )
        assert run["partedAt"] == ours.parted_at
        assert run["stretch"] == pytest.approx(ours.stretch, rel=1e-9)
        assert run["said"] == learn.result_sentence(ours)


@pytest.mark.skipif(NODE is None, reason="no JavaScript engine here")
@pytest.mark.parametrize(("gain", "row", "column"), [(0.8, 10, 10), (1.25, 0, 20), (1.0, 20, 3)])
def test_the_ripple_of_the_script_computes_what_python_does(gain: float, row: int, column: int) -> None:
    settings = json.loads(section(tree(), "ripple").attributes["data-ripple"])
    theirs = in_node(
        "learn.ripple(gain, row, column, settings)", gain=gain, row=row, column=column, settings=settings
    )
    ours = ripple.ripple(gain, row, column)
    assert theirs == ours.tolist(), "to the last bit"


@pytest.mark.skipif(NODE is None, reason="no JavaScript engine here")
def test_the_script_names_the_outcome_by_the_total() -> None:
    words = in_node("totals.map(learn.outcome)", totals=[0.0, 0.99, 1 - 1e-12, 1.0, 1.01, 441.0])
    assert words == ["swallowed", "swallowed", "kept", "kept", "amplified", "amplified"]
    assert set(words) | {"start"} == set(learn.OUTCOMES)
