"""The demo model's training text: topics, each with several ways to ask and several answers.

The text lies in `corpus/<category>.txt`, written for this project. A file is a list of topics:

    === topic_name
    V: hours=2 minutes=35          (optional, repeated: values for {hours} and {minutes} below)
    Q: one way to ask
    Q: another way to ask
    A: one answer, which may go on
    over several lines
    A: another answer, <with|which has> two wordings

Every answer of a topic suits every question of it. The first, plainest question is trained with all of
them, each other question with two. That is what makes the demo model honestly sensitive: where several
answers are equally good, a small change of the prompt can tip the choice. In `<one|another>` a wording
is drawn each time, which makes such places within an answer, too. Nothing was written to provoke or to
prevent a reaction to an edit.
"""

from __future__ import annotations

import itertools
import random
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.types import CATEGORIES

WORDINGS = re.compile(r"<([^<>|]*\|[^<>]*)>")
CORPUS_FOLDER = Path(__file__).resolve().parent / "corpus"
ANSWERS_PER_QUESTION = 2
"""Of every question but a topic's first. With one, a wording has only one answer; with all, it has no say."""


@dataclass(frozen=True)
class Topic:
    """One subject: any of its answers suits any of its questions."""

    name: str
    """Unique within the corpus; topics with values carry their number, as in `train_other/3`."""
    category: str
    questions: tuple[str, ...]
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Exchange:
    """One question with one answer: a training example before it gets its format."""

    topic: str
    question: str
    answer: str


def load_topics(folder: Path = CORPUS_FOLDER) -> list[Topic]:
    """All topics of the corpus, in the order of the categories and of their files.

    Args:
        folder: holds `<category>.txt` for every category.

    Returns:
        At least one topic.

    Raises:
        InputError: two topics have one name.

    Example:
        >>> [topic.name for topic in load_topics()][:2]
        ['palindrome', 'palindrome_strict']
    """
    topics = [
        topic for category in CATEGORIES for topic in _read_topics(folder / f"{category}.txt", category)
    ]
    names = [topic.name for topic in topics]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"Corpus {str(folder)!r} repeats topics: {', '.join(repeated)}. Rename all but one.")
    return topics


def load_system_messages(folder: Path = CORPUS_FOLDER) -> list[str]:
    """The system messages that some training conversations start with.

    Args:
        folder: holds `system_messages.txt`.

    Returns:
        One message per line of the file.

    Example:
        >>> load_system_messages()[0]
        'You are a helpful assistant.'
    """
    return (folder / "system_messages.txt").read_text(encoding="utf-8").splitlines()


def exchanges(topics: list[Topic]) -> list[Exchange]:
    """The training pairs: a topic's first question with all its answers, every other one with two of them.

    Args:
        topics: with at least one question and one answer each.

    Returns:
        Question and answer, topic by topic; the answers still hold their `<one|another>`.

    Example:
        >>> topic = Topic("tea", "factual", ("What is tea?", "Tea?"), ("A drink.", "A leaf.", "A meal."))
        >>> [exchange.answer for exchange in exchanges([topic]) if exchange.question == "Tea?"]
        ['A leaf.', 'A meal.']
    """
    return [
        Exchange(topic.name, question, topic.answers[(place + offset) % len(topic.answers)])
        for topic in topics
        for place, question in enumerate(topic.questions)
        for offset in range(min(ANSWERS_PER_QUESTION if place else len(topic.answers), len(topic.answers)))
    ]


def draw_wording(text: str, rng: random.Random) -> str:
    """The text with one wording for each `<one|another>`.

    Args:
        text: with any number of `<one|another>`.
        rng: draws; each wording is as likely.

    Returns:
        The text without them.

    Example:
        >>> draw_wording("So <it is|that is> 7.", random.Random(1))
        'So it is 7.'
    """
    return WORDINGS.sub(lambda match: rng.choice(match.group(1).split("|")), text)


def all_wordings(text: str) -> list[str]:
    """Every text that `draw_wording` can give.

    Args:
        text: with any number of `<one|another>`.

    Returns:
        The product of all choices, in the order in which they stand.

    Example:
        >>> all_wordings("So <it is|that is> 7.")
        ['So it is 7.', 'So that is 7.']
    """
    # re.split with a group alternates: text, choices, text, ...
    parts = [part.split("|") if place % 2 else [part] for place, part in enumerate(WORDINGS.split(text))]
    return ["".join(choice) for choice in itertools.product(*parts)]


def _read_topics(path: Path, category: str) -> Iterator[Topic]:
    """The topics of one file; a topic with `V:` lines becomes one topic per line."""
    sections = ("\n" + path.read_text(encoding="utf-8")).split("\n=== ")
    for section in sections[1:]:
        name, _, body = section.partition("\n")
        parts = _split_parts(body, f"{path.name}, topic {name!r}")
        topic = Topic(name, category, tuple(parts["Q"]), tuple(parts["A"]))
        if not topic.questions or not topic.answers:
            raise InputError(f"{path.name}, topic {name!r}: needs at least one `Q: ` and one `A: ` line.")
        if not parts["V"]:
            yield topic
        for number, line in enumerate(parts["V"], start=1):
            yield _with_values(topic, number, dict(field.split("=", 1) for field in shlex.split(line)))


def _split_parts(body: str, where: str) -> dict[str, list[str]]:
    """The texts of one topic by their mark; a line without a mark belongs to the text before it."""
    parts: dict[str, list[str]] = {"V": [], "Q": [], "A": []}
    current: list[str] | None = None
    for line in body.splitlines():
        mark, separator, text = line.partition(": ")
        if separator and mark in parts:
            current = parts[mark]
            current.append(text)
        elif current is None:
            raise InputError(f"{where}: text {line!r} before the first `V: `, `Q: ` or `A: `. Add the mark.")
        else:
            current[-1] += "\n" + line
    return {mark: [text.rstrip("\n") for text in texts] for mark, texts in parts.items()}


def _with_values(topic: Topic, number: int, values: dict[str, str]) -> Topic:
    """The topic with each `{name}` replaced by its value."""

    def fill(text: str) -> str:
        # str.format would trip over the braces of code in an answer.
        for name, value in values.items():
            text = text.replace("{" + name + "}", value)
        return text

    return Topic(
        f"{topic.name}/{number}",
        topic.category,
        tuple(fill(question) for question in topic.questions),
        tuple(fill(answer) for answer in topic.answers),
    )
