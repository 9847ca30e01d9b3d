"""What users read, byte for byte (JSON but for line breaks): every output over the recordings is the expected one."""

from __future__ import annotations

import difflib

import pytest

from tests.golden.cases import CASES, WITH_A_MODEL
from tests.golden.freeze import EXPECTED, again
from tests.golden.record import RECORDINGS

MOST_LINES = 80


def assert_as_expected(name: str, found: str) -> None:
    expected = (EXPECTED / name).read_bytes().decode()
    lines = difflib.unified_diff(
        expected.splitlines(), found.splitlines(), f"expected/{name}", "found", lineterm="", n=1
    )
    # Compared outside of `assert`: pytest's own account of two long texts takes minutes.
    if found != expected:
        diff = [line[:400] for line in lines]
        more = f"\n... and {len(diff) - MOST_LINES} lines more" if len(diff) > MOST_LINES else ""
        pytest.fail("\n".join(diff[:MOST_LINES]) + more, pytrace=False)


@pytest.mark.parametrize("name", CASES)
def test_what_a_user_reads(name: str) -> None:
    assert_as_expected(name, CASES[name]())


def test_every_expected_file_has_its_case() -> None:
    there = {path.relative_to(EXPECTED).as_posix() for path in EXPECTED.rglob("*") if path.is_file()}
    assert there == {*CASES, *WITH_A_MODEL, *map(again, RECORDINGS)}
