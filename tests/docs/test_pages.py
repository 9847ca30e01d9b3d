"""What pages say: tables as computed, messages as printed, nothing twice."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.pages import OUTSIDE
from docs.tables import DOCS, MARK, TABLES, with_tables
from tests.conftest import REPOSITORY
from tests.golden.doors import RUNS

PAGES = sorted(DOCS.rglob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_computed_tables_are_up_to_date(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert with_tables(text) == text, "run `make docs`"


def test_every_table_stands_somewhere() -> None:
    found = [name for page in PAGES for _, name, _ in MARK.findall(page.read_text(encoding="utf-8"))]
    assert sorted(found) == sorted(TABLES)


def test_the_readme_is_short() -> None:
    assert len((REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_no_sentence_stands_in_two_pages() -> None:
    places: dict[str, set[str]] = {}
    for page in {*PAGES, *(REPOSITORY / source for source in OUTSIDE.values())}:
        if page.name in ("glossary.md", "CHANGELOG.md"):  # that one repeats what the cards of the metrics say
            continue
        text = re.sub(
            r"^```.*?^```$|<!--.*?-->|^#[^\n]*$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.M
        )
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
        for sentence in re.split(r"(?<=[.:?!])\s+|\n\n|\|", text):
            words = sentence.split()
            if len(words) >= 7:
                places.setdefault(" ".join(words), set()).add(str(page))
    assert len(places) > 500
    assert not {sentence: pages for sentence, pages in places.items() if len(pages) > 1}


def test_quoted_messages_are_printed_by_somebody() -> None:
    import lm_eval

    page = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    quoted = re.findall(r"^\| `([^`]* [^`]*)`", page, flags=re.MULTILINE)
    assert len(quoted) > 3
    code = "".join(
        path.read_text(encoding="utf-8")
        for package in (REPOSITORY / "lm_eval_sensitivity", Path(lm_eval.__file__).parent)
        for path in package.rglob("*.py")
        if "tasks" not in path.relative_to(package).parts[:1]
    )
    assert [message for message in quoted if message not in code] == ["fatal: not a git repository"]  # git's


def test_the_25_questions_name_lines_of_the_last_screen() -> None:
    import lm_eval_sensitivity as les

    page = (DOCS / "questions.md").read_text(encoding="utf-8")
    numbers = [int(number) for number in re.findall(r"^\| (\d+)\. ", page, flags=re.MULTILINE)]
    assert numbers == list(range(1, 26))
    named = set(re.findall(r"(?<!\*)\*([^*\n]+)\*(?!\*)", page)) - {"italics"}
    assert len(named) > 8
    last_screen = str(les.summary(RUNS / "greedy" / "demo", resamples=199))
    assert [words for words in named if words not in last_screen] == []
    # The lines that README.md shows were recorded: they still have to begin as they are printed today.
    recorded = (REPOSITORY / "benchmarks" / "smollm2_summary.txt").read_text(encoding="utf-8")
    beginnings = [line.strip() for line in re.findall(r"^  (?! )\D*", recorded, flags=re.MULTILINE)]
    assert len(beginnings) > 10
    assert [
        line for line in beginnings if line not in last_screen and line[:5] not in ("Files", "Next:")
    ] == []


def test_the_page_of_the_space_names_every_view() -> None:
    from lm_eval_sensitivity.space.view import VIEWS

    page = (REPOSITORY / "leaderboard" / "README.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"\*\*(\w+)\*\*", page)) == sorted(VIEWS.values())
