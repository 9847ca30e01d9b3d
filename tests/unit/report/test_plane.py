"""Marks, axes and names that the page and the figures share."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import combinations, pairwise

import pytest

from lm_eval_sensitivity.metrics.catalogue import ANSWER_FLIP
from lm_eval_sensitivity.report.labels import _cross, beside, spread
from lm_eval_sensitivity.report.marks import MARKS, REFERENCE, mark_of
from lm_eval_sensitivity.report.plane import place_of, plane_of, reach
from lm_eval_sensitivity.report.shades import SHADES
from lm_eval_sensitivity.report.windows import is_flat, telling_windows
from lm_eval_sensitivity.statements.records import ProfilePoint
from lm_eval_sensitivity.statements.selection import Selection
from lm_eval_sensitivity.stats import PairCounts, mean_interval
from lm_eval_sensitivity.stats.rules import MEANINGS
from tests.unit.space.known import KEYS, NAMES, drift


def luminance(color: str) -> float:
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts]
    return sum(weight * each for weight, each in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_every_label_has_a_shape_of_its_own_and_can_be_seen() -> None:
    assert set(MARKS) == {*MEANINGS, REFERENCE}
    assert len({mark.outline for mark in MARKS.values()}) == len(MARKS)
    for mark in MARKS.values():
        assert (luminance("#fffffe") + 0.05) / (luminance(mark.light) + 0.05) >= 4.5
        assert (luminance(mark.dark) + 0.05) / (luminance("#14171a") + 0.05) >= 4.5
    assert mark_of("alive") is MARKS["UNDETERMINED"]


def test_the_stronger_the_color_the_more_and_the_number_on_it_can_be_read() -> None:
    for sides in (("light", "light_letters"), ("dark", "dark_letters")):
        colors, letters = ([luminance(getattr(shade, side)) for shade in SHADES] for side in sides)
        assert colors == sorted(colors, reverse=sides[0] == "light")
        for color, letter in zip(colors, letters, strict=True):
            assert (max(color, letter) + 0.05) / (min(color, letter) + 0.05) >= 4.5
    assert len({shade.light_letters for shade in SHADES} | {shade.light for shade in SHADES}) == 2 * len(
        SHADES
    )


@pytest.mark.parametrize("seed", range(10))
def test_names_do_not_overlap_and_their_lines_do_not_cross(seed: int) -> None:
    source = random.Random(seed)
    marks = [(source.random(), source.random()) for _ in range(source.randint(1, 25))]
    sizes = [0.035] * len(marks)
    found = beside(marks, sizes, 1.1, 0.0, 1.0)
    assert all(high - low >= 0.035 - 1e-6 for low, high in pairwise(sorted(found)))
    lines = [(mark, (1.1, y)) for mark, y in zip(marks, found, strict=True)]
    assert not any(_cross(*one, *other) for one, other in combinations(lines, 2))


@pytest.mark.parametrize("seed", range(10))
def test_labels_do_not_overlap_and_keep_their_order(seed: int) -> None:
    source = random.Random(seed)
    places = sorted(source.random() for _ in range(source.randint(1, 25)))
    sizes = [source.uniform(0.01, 0.039) for _ in places]
    found = spread(places, sizes, 0.0, 1.0)
    edges = [(y - size / 2, y + size / 2) for y, size in zip(found, sizes, strict=True)]
    assert edges[0][0] >= -1e-6 and edges[-1][1] <= 1 + 1e-6
    assert all(high <= low + 1e-6 for (_, high), (low, _) in pairwise(edges))


def test_regions_lie_between_the_lines_of_the_rules() -> None:
    found = drift(KEYS[1], NAMES)
    (reference,) = [each for each in found.systems if each.is_reference]
    p, b = place_of(reference) or (0.0, 1.0)
    plane = plane_of(found)
    assert (plane.more, plane.far, b) == (pytest.approx(1.5 * p), pytest.approx(2 * p), 0.0)
    stable, drifted, responsive = plane.regions
    assert (stable.right, stable.high) == (plane.more, plane.far) == (drifted.right, drifted.low)
    assert (responsive.left, responsive.right, responsive.high) == (plane.more, plane.across, plane.up)
    assert [each.words for each in plane.regions] == [f"{each.label} if alive" for each in plane.regions]
    of_answers = replace(found, selection=Selection(ANSWER_FLIP))
    assert [each.words for each in plane_of(of_answers).regions] == [each.label for each in plane.regions]
    still = replace(reference, preserving=replace(reference.preserving, mean=mean_interval([0.0] * 9)))
    assert plane_of(replace(found, systems=(still,))).regions == (), "no multiple of 0 parts anything"


def test_an_axis_holds_every_mark_and_is_not_squeezed_by_one_interval() -> None:
    assert reach([0.2, float("nan")], [0.25, 9.0]) < 0.3
    assert reach([0.0, 0.0], [0.4]) > 0.4
    assert reach([], []) == 1.0


def point(window: int | None, estimate: float, system: str = "m") -> ProfilePoint:
    name = "cosine_distance" if window is None else f"cosine_distance_{window}"
    mean = mean_interval([estimate] * 9)
    return ProfilePoint(system, mean, PairCounts(9, 0, 9, 0, 0, 0), 0, None, Selection(name, "raw"), False)


def test_a_window_beyond_the_longest_output_says_nothing() -> None:
    points = [point(64, 0.1), point(128, 0.2), point(256, 0.2), point(None, 0.2)]
    assert telling_windows(points) == (64, None)
    assert not is_flat(points) and is_flat(points[1:])
    flat = [point(64, 0.3, "n"), point(None, 0.3, "n")]
    assert is_flat(flat) and telling_windows([*points, *flat]) == (64, None)
