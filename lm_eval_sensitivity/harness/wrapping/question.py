"""Where a document keeps its question: the string that shows in the prompt, and in nothing that is scored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lm_eval.api.task import Task

from lm_eval_sensitivity.errors import InputError, did_you_mean
from lm_eval_sensitivity.harness.tasks.chat_template import MARK
from lm_eval_sensitivity.text.escape import shown

Path = tuple[str | int, ...]
"""Keys and positions from a document to one of its strings."""

USUAL = (
    *("question", "question_stem", "problem", "query", "instruction", "prompt", "goal", "input"),
    *("ctx", "premise", "sentence", "sentence1", "text", "context", "passage", "article"),
)
"""Names of fields that hold a question, the most telling first."""


def strings(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every string in a document.

    Example:
        >>> list(strings({"a": "x", "b": {"c": ["y", 1]}}))
        [(('a',), 'x'), (('b', 'c', 0), 'y')]
    """
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from strings(inner, (*path, key))
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield from strings(inner, (*path, index))


def with_text(value: Any, path: Path, text: str) -> Any:
    """A copy of a document with another string at one place.

    Example:
        >>> with_text({"a": "x", "b": ["y", "z"]}, ("b", 1), "new")
        {'a': 'x', 'b': ['y', 'new']}
    """
    if not path:
        return text
    key, rest = path[0], path[1:]
    if isinstance(value, Mapping):
        return {**value, key: with_text(value[key], rest, text)}
    return [with_text(each, rest, text) if index == key else each for index, each in enumerate(value)]


def text_at(value: Any, path: Path) -> str | None:
    """The string at one place of a document; None where there is none."""
    for key in path:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return None
    return value if isinstance(value, str) else None


def name_of(path: Path) -> str:
    """A place as a user would write it.

    Example:
        >>> name_of(("turns", 0, "text"))
        'turns.0.text'
    """
    return ".".join(map(str, path))


def is_free(task: Task, doc: Any, edited: Any) -> bool:
    """Whether an edited document is scored like the original: same target, same choices."""
    try:
        return bool(_scored(task, doc) == _scored(task, edited))
    except Exception:  # noqa: BLE001 - templates and functions of tasks raise anything
        return False


def _scored(task: Task, doc: Any) -> tuple[Any, Any]:
    return task.doc_to_target(doc), choices_of(task, doc)


def choices_of(task: Task, doc: Any) -> Any:
    """The texts that are scored; None where the task names none."""
    return task.doc_to_choice(doc) if getattr(task.config, "doc_to_choice", None) else None


def question_of(task: Task, doc: Any, wanted: str | None = None) -> Path:
    """Where the documents of a task keep their question.

    A mark is put into each string in turn. It has to show in the prompt, and leave target and choices alone.

    Args:
        task: whose prompt it is.
        doc: one of its documents.
        wanted: name that the user gave, or None.

    Returns:
        The place: of several the one with a usual name, else the one that shows last.

    Raises:
        InputError: there is none, or not the wanted one.
    """
    shows: dict[Path, int] = {}
    for path, text in strings(doc):
        marked = with_text(doc, path, f"{text} {MARK}")
        try:
            position = str(task.doc_to_text(marked)).casefold().find(MARK)
        except Exception:  # noqa: BLE001, S112 - as above
            continue
        if text.strip() and position >= 0 and is_free(task, doc, marked):
            shows[path] = position
    names = {name_of(path): path for path in shows}
    if wanted is not None and wanted in names:
        return names[wanted]
    if wanted is not None or not shows:
        accepted = f"accepted: {', '.join(names)}" if names else "no string of its documents does that"
        given = (
            f"`metadata: sensitivity_field: {shown(wanted)}` "
            if wanted is not None
            else "has no question field: it "
        )
        raise InputError(
            f"Task `{task.config.task}` {given}must show in the prompt and change neither target nor choices; "
            f"{accepted}.{did_you_mean(str(wanted), tuple(names)) if wanted else ''}"
        )
    usual = [path for name in USUAL for path in shows if path[-1] == name]
    return usual[0] if usual else max(shows, key=lambda path: shows[path])
