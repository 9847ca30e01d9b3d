"""One name per thing: every word that is printed stands in the glossary, and the page of the docs is it."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import pytest

from lm_eval_sensitivity.cli.main import COMMANDS
from lm_eval_sensitivity.glossary import GLOSSARY, VIEWS, Kind, title_of
from lm_eval_sensitivity.glossary.__main__ import document
from lm_eval_sensitivity.ladder import load_ladder
from lm_eval_sensitivity.records.columns import FILTERS, FLAGS
from lm_eval_sensitivity.report.blocks import COUNTS, MEAN
from lm_eval_sensitivity.space.view import VIEWS as PAGES
from lm_eval_sensitivity.statements.selection import RUNG_SETS
from lm_eval_sensitivity.stats.alive import LIFELESS
from lm_eval_sensitivity.stats.rules import AXES, MEANINGS
from lm_eval_sensitivity.types import RUNGS

PAGE = Path(__file__).parents[2] / "docs" / "glossary.md"

PRINTED: dict[Kind, set[str]] = {
    "rung": set(RUNGS),
    "rung set": set(RUNG_SETS) - set(RUNGS),
    "edit": {pair.edit for pair in load_ladder().pairs} - {"identical"},
    "filter": set(FILTERS),
    "verdict": {word for rules in AXES.values() for _, word in rules} | {"unclear", LIFELESS},
    "label": set(MEANINGS),
    "count": {column.name for column in COUNTS} | set(FLAGS),
}


def test_the_page_of_the_docs_is_written_from_it() -> None:
    assert PAGE.read_text(encoding="utf-8") == document(), "write it anew: make docs"


@pytest.mark.parametrize("kind", PRINTED)
def test_what_is_printed_has_a_meaning(kind: Kind) -> None:
    assert PRINTED[kind] and PRINTED[kind] <= GLOSSARY[kind].keys()


def test_intervals_are_called_by_one_name_in_every_table() -> None:
    named = set(chain(*(name.split(", ") for name in GLOSSARY["column"])))
    assert {column.name for column in MEAN} <= named


def test_a_view_is_called_as_its_command_and_its_page_are() -> None:
    over_runs = {"clusters", "drift", "heatmap", "compare", "pairs", "neighborhood", "audit"}
    assert over_runs <= {command.__name__.rsplit(".", 1)[-1] for command in COMMANDS}
    assert over_runs <= VIEWS.keys()
    assert {each.title for each in VIEWS.values()} >= set(PAGES.values())
    for view, term in VIEWS.items():
        assert term.title.lower().replace(" ", "_") == view
        assert title_of(view).startswith(f"{term.title}: ")


def test_a_meaning_is_a_sentence() -> None:
    for kind, terms in GLOSSARY.items():
        for term in terms.values():
            assert term.meaning.endswith("."), (kind, term.name)
            assert term.meaning.count(". ") <= 2, (kind, term.name)
