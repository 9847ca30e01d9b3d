"""docs/traps.md says of the traps what was measured, and names what there is."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from docs.tables import MARK
from tests.conftest import REPOSITORY
from tests.traps.pictures.shown import claim

PAGE = REPOSITORY / "docs" / "traps.md"
IMAGES = REPOSITORY / "docs" / "images" / "traps"
TRAPS = REPOSITORY / "tests" / "traps"
NAMES = sorted(path.stem.removeprefix("test_") for path in TRAPS.glob("test_*.py"))
LARGEST_PICTURE = 220_000
"""Bytes."""

CONSTANTS: dict[str, set[str]] = {
    "erased_edit": {"3"},  # Llama 3
    "scaffold": {"64"},  # tokens of the window
    "collapse": {"0", "8", "4", "3", "2"},  # no distance and no weight; bits
    "confident_but_unstable": {
        "0",
        "40",
        "60",
    },  # the first step; tokens that differ, and all of the variant's
    "noise": {"0", "8", "1", "95"},  # no distance; sizes of a batch; per cent of an interval
    "stale_answers": {"0", "2"},  # no drift; bits
    "responsive_is_not_fragile": {"3", "7"},  # edits under which an answer changes, and all
    "two_attractors": {"8", "0.1", "20", "1"},  # prompts; temperature; odds, e^3 to 1
    "rare_and_far": {"6", "0.06", "0.14", "0.6"},  # one prompt of so many; how far each moves
}
"""Numbers of a trap's section that follow from how it is built."""
NUMBER = re.compile(r"(?<![\w.-])-?\d+(?:\.\d+)?(?![\w])(?!\.\d)")
TEST = re.compile(r"\btest_[a-z0-9_]+\b(?!\.py)")


@cache
def sections() -> dict[str, str]:
    """Trap -> its section, without the heading; a section belongs to the trap of its picture."""
    parts = re.split(r"^## .*$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = {}
    for part in parts:
        pictures = re.findall(r"\(images/traps/(\w+)\.png\)", part)
        if pictures:
            (name,) = pictures
            assert name not in found
            found[name] = part
    return found


@cache
def measured() -> dict[str, Any]:
    return json.loads((IMAGES / "numbers.json").read_text(encoding="utf-8"))


def leaves(value: Any) -> Iterator[Any]:
    """Everything in nested lists and dicts that is neither."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from leaves(each)
    else:
        yield value


def is_measured(quoted: str, values: Sequence[float], texts: Sequence[str]) -> bool:
    """Whether some value rounds to a quoted number, with two digits or more of it kept, or users saw it in a text."""
    decimals = len(quoted.partition(".")[2])
    half = 0.5 * 10**-decimals * (1 + 1e-9)
    for value in values:
        rounded = decimals or abs(value) >= 10
        if abs(value - float(quoted)) <= (half if rounded else 0):
            return True
    return any(quoted in NUMBER.findall(text) for text in texts)


def functions_of(name: str) -> set[str]:
    tree = ast.parse((TRAPS / f"test_{name}.py").read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_trap_is_on_the_page_and_every_picture_is_that_of_one() -> None:
    assert sorted(sections()) == NAMES == sorted(measured())
    assert {path.name for path in IMAGES.iterdir()} == {*(f"{name}.png" for name in NAMES), "numbers.json"}
    assert all(path.stat().st_size < LARGEST_PICTURE for path in IMAGES.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_every_number_of_a_section_was_measured_or_follows_from_the_construction(name: str) -> None:
    values = [float(each) for each in leaves(measured()[name]) if isinstance(each, int | float)]
    texts = [each for each in leaves(measured()[name]) if isinstance(each, str)]
    quoted = set(NUMBER.findall(MARK.sub("", sections()[name])))  # tests/docs holds computed tables
    assert {each for each in quoted - CONSTANTS[name] if not is_measured(each, values, texts)} == set()
    assert quoted >= CONSTANTS[name], "a constant that the section does not mention"
    assert any("." in each for each in quoted - CONSTANTS[name]), "a section without a measured number"


@pytest.mark.parametrize("name", NAMES)
def test_what_users_see_is_quoted_to_the_letter(name: str) -> None:
    texts = [each for each in leaves(measured()[name]) if isinstance(each, str)]
    for quotation in re.findall(r"(?:^> .*\n)+", sections()[name], flags=re.MULTILINE):
        words = " ".join(quotation.replace("\n> ", " ").removeprefix("> ").split())
        assert any(words in text for text in texts), words
    for verdict in re.findall(r"\b[A-Z]{6,}\b", sections()[name]):
        assert verdict in texts, verdict


def test_every_test_that_is_named_exists_where_it_is_said_to_be() -> None:
    for name, section in sections().items():
        named = set(TEST.findall(section)) - {f"test_{name}"}
        assert len(named) > 1 and named <= functions_of(name), named - functions_of(name)
        assert f"`tests/traps/test_{name}.py::test_the_naive_probe" in section or (
            f"`tests/traps/test_{name}.py::test_the_naive_prompt_end_probe" in section
        )


def test_every_test_of_a_trap_is_named() -> None:
    for name, section in sections().items():
        there = {each for each in functions_of(name) if each.startswith("test_")}
        assert there <= set(TEST.findall(section)), there - set(TEST.findall(section))


def rows_of_what_was_broken() -> list[list[str]]:
    (table,) = re.findall(r"## What was broken on purpose\n.*", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line for line in table.splitlines() if line.startswith("| ") and "`" in line]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_what_was_broken_is_there_and_so_are_the_tests_that_failed() -> None:
    order = list(sections())
    rows = rows_of_what_was_broken()
    assert {row[0] for row in rows} == {str(place) for place in range(1, len(order) + 1)}
    for trap, where, _, failed in rows:
        file, code = re.findall(r"`([^`]+)`", where)
        source = (REPOSITORY / "lm_eval_sensitivity" / file).read_text(encoding="utf-8")
        assert re.search(rf"^\s*(?:def |class )?{code}\b", source, re.MULTILINE), where
        named = TEST.findall(failed)
        assert named and set(named) <= functions_of(order[int(trap) - 1]), failed


def test_no_link_is_dead() -> None:
    text = PAGE.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)\)", text)
    assert len(links) > len(NAMES)
    for link in links:
        assert (PAGE.parent / link).exists(), link
    for path in re.findall(r"`((?:tests|docs|lm_eval_sensitivity)/[\w/.]+)", text):
        assert Path(REPOSITORY / path).exists(), path


@pytest.mark.parametrize(
    ("quoted", "expected"),
    [
        ("0.061", True),
        ("0.062", False),
        ("0.06", True),
        ("38", True),
        ("39", False),
        ("9", False),
        ("77", True),
    ],
)
def test_a_number_is_measured_if_a_value_rounds_to_it(quoted: str, expected: bool) -> None:
    assert is_measured(quoted, [0.06072, 8.7, 76.55], ["38 of 74 pairs scored"]) == expected


def test_no_picture_is_drawn_with_words_that_the_numbers_do_not_bear_out() -> None:
    assert claim("4 edits move nothing", True) == "4 edits move nothing"
    with pytest.raises(ValueError, match="4 edits move nothing"):
        claim("4 edits move nothing", False)
