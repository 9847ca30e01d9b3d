"""Answers of wrapped tasks on the page: what a difference is worth is read first, and nothing of a stranger acts."""

from __future__ import annotations

from pathlib import Path

import pytest

from lm_eval_sensitivity.results.read import Results, read_results
from lm_eval_sensitivity.space.choices import address_of
from lm_eval_sensitivity.space.downloads import documents, make_table
from lm_eval_sensitivity.space.page import render, view_of, views_of
from lm_eval_sensitivity.space.query import parse
from tests.unit.results.made_results import HOSTILE, HOSTILE_CHOICES
from tests.unit.runs.made_answers import NO_ANSWER, NO_PLACE, TASK
from tests.unit.space.reading import Element, read_page

CLAUSE = "is within what an extra space does."


@pytest.fixture(scope="module")
def results(answered: Path) -> Results:
    return read_results(answered)


@pytest.fixture(scope="module")
def mixed(beside: Path) -> Results:
    return read_results(beside)


def page(results: Results, **query: str) -> Element:
    return read_page(render(results, query))


def cells(row: Element) -> list[str]:
    return [" ".join(each.text().split()) for each in row.children if isinstance(each, Element)]


def test_runs_of_a_wrapped_task_open_at_their_answers(results: Results) -> None:
    assert next(iter(views_of(results))) == "answers" and "length" not in views_of(results)
    found = page(results)
    (first, *_) = found.every("p", css="finding")
    assert first.text().startswith(
        "science acc 0.571 to 0.714 in 2 systems; under harmless edits 0.500 to 0.714; "
    )
    assert first.text().strip().endswith(f"a difference between two models below 0.143 {CLAUSE}")
    rows = [cells(row) for row in found.one("table", id="systems").one("tbody").every("tr")]
    assert [row[2:5] for row in rows] == [
        ["acc 0.571 0.500 to 0.571", "0.071", "2 of 14 documents0.051 (0.014 to 0.226) of the edits"],
        ["acc 0.714 0.571 to 0.714", "0.143", "2 of 14 documents0.051 (0.014 to 0.226) of the edits"],
    ]
    for words in ("noise: 0 of 13", "no answer: 1 of 14 documents", "40 survived, 1 no place, 1 erased"):
        assert words in rows[0][5]
    assert "These are not stable" in rows[0][6], "the caution stands on its row"


def test_beside_the_ladder_the_first_screen_has_the_widest_task(mixed: Results) -> None:
    found = page(mixed)
    (said,) = found.every("p", css="of-tasks")
    assert CLAUSE in said.text() and "science acc" in said.text() and "2 more tasks." in said.text()
    assert said.one("a").attributes["href"] == "?view=answers"
    assert "How far" not in said.text() and "another request" in found.one("table", id="systems").text()
    chosen = page(mixed, view="answers", task="sums (flexible)")
    assert chosen.every("p", css="finding")[0].text().startswith("sums (flexible) acc")
    assert [each.attributes["value"] for each in chosen.one("select", name="task").every("option")] == [
        "science",
        "sums (strict)",
        "sums (flexible)",
    ]


def test_documents_whose_answer_changes_lead_to_both_answers(results: Results) -> None:
    found = page(results)
    table = next(each for each in found.every("table", css="lines"))
    assert [cells(row)[0] for row in table.one("tbody").every("tr")] == ["0", "5"]
    link = parse(table.every("a")[0].attributes["href"])
    assert link == {
        "system": address_of(results.systems[0]),
        "pair": f"{TASK}/0/double_space",
        "task": TASK,
    }
    one = page(results, view="answers", pair=f"{TASK}/0/double_space")
    before, after = (each.text().strip() for each in one.every("div", css="text"))
    assert (before, after) == (f"1: {HOSTILE_CHOICES[1]}", f"2: {HOSTILE_CHOICES[2]}")
    assert f"target: 0: {HOSTILE_CHOICES[0]}" in " ".join(one.one("ul", css="facts").text().split())
    asked = one.one("blockquote")
    assert HOSTILE[0].format(0).split(" ")[0] in asked.text() and asked.every("ins") and asked.every("del")
    shares = [cells(row) for row in one.every("tbody")[0].every("tr")]
    assert shares[1] == [f"1: {HOSTILE_CHOICES[1]}", "0.600", "0.133"]
    assert "The answer changes." in one.one("p", css="finding").text()


def test_a_pair_is_the_same_page(results: Results) -> None:
    for pair in (f"{TASK}/0/double_space", f"{TASK}/1/nbsp", f"{TASK}/2/identical"):
        bodies = [
            page(results, view=view, pair=pair).one("div", css="pair").one("div", css="outputs").text()
            for view in ("pairs", "answers")
        ]
        assert bodies[0] == bodies[1]


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (f"{TASK}/{NO_PLACE}/drop_final_period", "This was not asked. The edit has no place"),
        (f"{TASK}/{NO_ANSWER}/nbsp", "There is no answer, before or after the edit."),
        (f"{TASK}/1/nbsp", "The answer stays. The edit reaches"),
        (f"{TASK}/1/identical", "The same prompt, asked again: The answer stays."),
    ],
)
def test_what_became_of_an_edit_is_said_first(pair: str, words: str, results: Results) -> None:
    found = page(results, view="answers", pair=pair)
    assert words in " ".join(found.one("p", css="finding").text().split())


@pytest.mark.parametrize(
    "pair", ["x", f"{TASK}/99/nbsp", f"{TASK}/0/../x", f"{TASK}/-1/nbsp", "other/0/nbsp", "\u0663"]
)
def test_no_such_answer_is_complained_of(pair: str, results: Results) -> None:
    found = page(results, view="answers", pair=pair)
    assert "There is no answer" in found.one("div", css="complaints").text() and found.one(
        "table", id="systems"
    )


def test_nothing_of_a_stranger_is_markup(results: Results) -> None:
    for query in (
        *({"view": view} for view in views_of(results)),
        {"view": "answers", "pair": f"{TASK}/0/double_space"},
        {"view": "answers", "pair": f"{TASK}/1/nbsp"},
        {"view": "pairs", "search": "<script>"},
    ):
        html = render(results, query)
        found = read_page(html)
        tags = {each.tag for each in found.walk()}
        assert not tags & {"script", "img", "iframe", "object", "style"}, query
        assert all(each.attributes["href"].startswith(("?", "#")) for each in found.every("a")), query
        assert not any(name.startswith("on") for each in found.walk() for name in each.attributes), query
        assert "\u202e" not in html and "\x1b" not in html and "49" not in found.one("h1").text(), query


def test_the_tables_of_answers_are_files(results: Results) -> None:
    assert "answers" in documents(results)
    view = view_of(results, {})
    for name in ("scores", "flips"):
        file = make_table(view, {"view": "answers"}, name)
        assert file is not None and file["name"] == f"answers_{name}.csv"
