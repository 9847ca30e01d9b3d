"""The training text: complete, correct where it can be computed, and free of the ladder's variants."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from lm_eval_sensitivity.demo.corpus import (
    all_wordings,
    draw_wording,
    exchanges,
    load_system_messages,
    load_topics,
)
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder import load_ladder
from lm_eval_sensitivity.types import CATEGORIES

TOPICS = load_topics()
QUESTIONS = {" ".join(question.split()) for topic in TOPICS for question in topic.questions}


def _topics(name: str) -> list[tuple[str, str]]:
    """Question and answer of every exchange of the topics called `name` or `name/<number>`."""
    found = [topic for topic in TOPICS if topic.name.split("/")[0] == name]
    return [(one.question, text) for one in exchanges(found) for text in all_wordings(one.answer)]


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return 60 * int(hours) + int(minutes)


def test_every_category_has_topics() -> None:
    assert {topic.category for topic in TOPICS} == set(CATEGORIES)


def test_every_topic_has_alternatives() -> None:
    assert [topic.name for topic in TOPICS if len(topic.answers) < 2] == []


def test_no_question_belongs_to_two_topics() -> None:
    questions = [question for topic in TOPICS for question in topic.questions]
    assert sorted({question for question in questions if questions.count(question) > 1}) == []


def test_no_placeholder_is_left() -> None:
    texts = [text for topic in TOPICS for text in (*topic.questions, *topic.answers)]
    assert [text for text in texts if re.search(r"\{\w+\}", text)] == []


def test_text_is_plain() -> None:
    texts = [text for topic in TOPICS for text in (*topic.questions, *topic.answers)]
    characters = set("".join([*texts, *load_system_messages()]))
    assert {c for c in characters if not c.isascii()} <= set("áãéíú")
    assert [text for text in texts if text != text.strip()] == []


def test_base_prompts_are_in_the_text_and_variants_are_not() -> None:
    pairs = load_ladder(subset="mini").pairs
    bases = {" ".join(pair.base.split()) for pair in pairs}
    variants = {" ".join(pair.variant.split()) for pair in pairs}
    assert bases <= QUESTIONS
    assert (variants - bases) & QUESTIONS == set()


@pytest.mark.parametrize("name", ["train_journey", "train_other"])
def test_journeys_add_up(name: str) -> None:
    for question, answer in _topics(name):
        leave, arrive = re.findall(r"\d+:\d\d", question)
        hours, minutes = map(int, re.findall(r"(\d+) hours and (\d+) minutes", answer)[-1])
        assert _minutes(arrive) - _minutes(leave) == 60 * hours + minutes, question


def test_recipes_scale() -> None:
    for topic in TOPICS:
        if topic.name.split("/")[0] not in ("recipe_ten", "recipe_other"):
            continue
        numbers = {int(number) for number in re.findall(r"\d+", " ".join(topic.questions))}
        (people,) = numbers - {4, 300, 2, 150} or {2}
        for answer in [text for marked in topic.answers for text in all_wordings(marked)]:
            for amount in (300, 2, 150):
                assert re.search(rf"(?<![\d.]){amount * people / 4:g}(?![\d.])", answer), answer


def test_code_in_answers_runs() -> None:
    checks = {"palindrome": ("is_palindrome", "A man, a plan!nalp a nam a"), "is_prime": ("is_prime", 97)}
    for name, (function, argument) in checks.items():
        for _, answer in _topics(name):
            code = answer[answer.index("def ") :].split("\n\n")[0]
            namespace: dict[str, object] = {}
            exec(code, namespace)  # noqa: S102 - our own text
            assert namespace[function](argument) is True


def test_drawn_wordings_are_the_listed_ones() -> None:
    text = "<One|Two> and <three|four|five>."
    drawn = {draw_wording(text, random.Random(seed)) for seed in range(100)}
    assert drawn == set(all_wordings(text))
    assert len(drawn) == 6


def test_no_wording_mark_is_left() -> None:
    texts = [text for topic in TOPICS for marked in topic.answers for text in all_wordings(marked)]
    assert [text for text in texts if "|" in text or re.search("<[^ =]", text)] == []


def test_text_before_the_first_mark_is_refused(tmp_path: Path) -> None:
    for category in CATEGORIES:
        (tmp_path / f"{category}.txt").write_text("=== tea\nloose\nQ: a\nA: b\n", encoding="utf-8")
    with pytest.raises(InputError, match="'loose' before the first"):
        load_topics(tmp_path)


def test_topic_without_answer_is_refused(tmp_path: Path) -> None:
    for category in CATEGORIES:
        (tmp_path / f"{category}.txt").write_text("=== tea\nQ: a\n", encoding="utf-8")
    with pytest.raises(InputError, match="needs at least one"):
        load_topics(tmp_path)


def test_repeated_topic_is_refused(tmp_path: Path) -> None:
    for category in CATEGORIES:
        (tmp_path / f"{category}.txt").write_text("=== tea\nQ: a\nA: b\n", encoding="utf-8")
    with pytest.raises(InputError, match="repeats topics: tea"):
        load_topics(tmp_path)
