"""The tables of the pages are those that the ladder, the code and the recorded files give."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.tables import DOCS, LIMIT_TOKENS, MARK, REPETITIONS, TABLES, with_tables
from tests.conftest import REPOSITORY

PAGES = sorted(DOCS.glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_computed_tables_are_up_to_date(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert with_tables(text) == text, "run `make docs`"


def test_every_table_stands_somewhere() -> None:
    found = [name for page in PAGES for _, name, _ in MARK.findall(page.read_text(encoding="utf-8"))]
    assert sorted(found) == sorted(TABLES)


def test_the_counts_are_those_of_the_code() -> None:
    from lm_eval_sensitivity.harness.engines.run import REPETITIONS as repeated
    from lm_eval_sensitivity.harness.generate.decoding import DEFAULT_MAX_GEN_TOKS

    assert (DEFAULT_MAX_GEN_TOKS, repeated) == (LIMIT_TOKENS, REPETITIONS)


def test_the_readme_is_short() -> None:
    assert len((REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
