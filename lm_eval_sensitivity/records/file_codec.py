"""Frozen records as JSON and back: strict types, a limit on every text, list and number, null for a missing number.

The types are those of the records. What a stranger's file needs beside them is added here, once for all records.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import SchemaValidator

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.records.codec import first_mistake
from lm_eval_sensitivity.records.limits import (
    LONGEST_SENTENCE,
    LONGEST_SENTENCES,
    MOST_ITEMS,
    MOST_SENTENCES,
)
from lm_eval_sensitivity.text.escape import inert, shown_path
from lm_eval_sensitivity.types import Note

ADVICE = "Export the results again with `lm-eval-sensitivity export`, or copy the folder again."
"""Of a results folder."""

Record = TypeVar("Record")
_LARGEST = 2**31 - 1


class Codec(Generic[Record]):
    """Writes and reads one kind of record.

    Args:
        kind: a frozen dataclass; its fields are texts, numbers, flags, literals, tuples, mappings and such records.
        longest: characters of a text, where its field says nothing else.
        advice: closes every refusal: what to do.

    Example:
        >>> from lm_eval_sensitivity.types import Missing
        >>> codec = Codec(Missing)
        >>> codec.load(codec.dump(Missing("erased", "it is gone")), "`x.json`")
        Missing(kind='erased', detail='it is gone')
        >>> try:
        ...     codec.load(b'{"kind": 1}', "`x.json`")
        ... except ValueError as error:
        ...     print(error)
        `x.json`: `kind` is 1; accepted is a valid string. ...
    """

    def __init__(self, kind: type[Record], longest: int = LONGEST_SENTENCE, advice: str = ADVICE) -> None:
        self._adapter: TypeAdapter[Record] = TypeAdapter(kind)
        self._longest = longest
        self._advice = advice
        self._reader = SchemaValidator(_limited(self._adapter.core_schema, longest))

    def dump(self, record: Record, clean: Callable[[str], str] = str, *, indent: int | None = None) -> bytes:
        """The JSON of a record; equal records give equal bytes.

        Texts are cut to what `load` accepts: nothing that is written may be refused by whoever reads it.

        Args:
            record: what is written.
            clean: is applied to every text, before it is cut.
            indent: spaces of a level; None writes one line.

        Returns:
            UTF-8 with a final newline; a number that is not finite is null.
        """
        value = _cut(json.loads(self._adapter.dump_json(record)), clean, self._longest)
        separators = (",", ":") if indent is None else (",", ": ")
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators)
        return f"{text}\n".encode("utf-8", "replace")

    def load(self, content: bytes, place: str) -> Record:
        """The record of a stranger's JSON.

        Args:
            content: of the file.
            place: the file's name, for messages.

        Returns:
            The record; a number that is null is NaN, and None where its field may be None.

        Raises:
            InputError: one sentence names the file and the field.
        """
        try:
            found: Record = self._reader.validate_json(content, strict=True)
        except ValidationError as error:
            if error.errors(include_url=False)[0]["type"] == "json_invalid":
                what = f"cannot be read as JSON ({inert(error.errors()[0]['msg'])[:300]})"
                raise InputError(f"{place} {what}. {self._advice}") from None
            raise first_mistake(error, place, advice=self._advice) from None
        for path, texts in walk(found):
            if _are_texts(texts) and not _fit([_length(each) for each in texts]):
                raise InputError(
                    f"{place}: `{path}` has {len(texts)} texts; accepted are {MOST_SENTENCES} of {LONGEST_SENTENCES} "
                    f"characters together. {self._advice}"
                )
        return found


def read_stranger(path: Path, most: int, advice: str = ADVICE) -> bytes:
    """What a file holds that may come from anybody.

    Args:
        path: of the file.
        most: bytes that are read at most.
        advice: closes every refusal.

    Raises:
        InputError: it is no file, too large, or cannot be read.
    """
    place = shown_path(path)
    try:
        size = path.stat().st_size
        if path.is_file() and size <= most:
            return path.read_bytes()
    except OSError as error:
        raise InputError(f"{place} cannot be read ({error.strerror}). {advice}") from None
    what = f"has {size} bytes; at most {most} are read" if path.is_file() else "is no file"
    raise InputError(f"{place} {what}. {advice}")


def walk(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every record and every tuple inside a value, itself included.

    Args:
        value: a record, tuple or mapping; anything else has nothing inside.
        path: of the value; empty for a record by itself.

    Returns:
        (path, record or tuple), outermost first; a mapping itself is left out.

    Example:
        >>> from lm_eval_sensitivity.types import Note
        >>> [path for path, _ in walk((Note("remark", "a", ("b",)),), "notes")]
        ['notes', 'notes[0]', 'notes[0].about']
    """
    if isinstance(value, tuple):
        yield path, value
        for at, each in enumerate(value):
            yield from walk(each, f"{path}[{at}]")
    elif is_dataclass(value):
        yield path, value
        for each in fields(value):
            yield from walk(getattr(value, each.name), f"{path}.{each.name}".lstrip("."))
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from walk(each, f"{path}.{inert(name)[:100]}")


def _limited(schema: Any, longest: int) -> Any:
    """A core schema of pydantic with the limits of a stranger's file; limits that a field states itself stay."""
    if isinstance(schema, list):
        return [_limited(each, longest) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: _limited(each, longest) for name, each in schema.items()}
    kind = schema.get("type")
    if kind == "str":
        return {"max_length": longest, **inner}
    if kind == "int":
        return {"ge": 0, "le": _LARGEST, **inner}
    if kind == "float":
        number = {**inner, "allow_inf_nan": False}
        if "ge" in schema:  # a setting, which is never missing
            return number
        function = {"type": "no-info", "function": _or_nan}
        return {
            "type": "function-after",
            "function": function,
            "schema": {"type": "nullable", "schema": number},
        }
    if kind == "nullable" and schema["schema"]["type"] == "float":  # None is another thing than NaN there
        return {**inner, "schema": {**schema["schema"], "allow_inf_nan": False}}
    if kind == "tuple":
        return {"max_length": MOST_ITEMS, "fail_fast": True, **inner}
    if kind == "dict":
        return {"max_length": MOST_ITEMS, **inner}
    if kind == "dataclass-args":
        return {**inner, "extra_behavior": "forbid"}
    return inner


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _fit(lengths: Sequence[int]) -> bool:
    """A page shows a list of texts in full, so that all of them together have a limit, too."""
    return len(lengths) <= MOST_SENTENCES and sum(lengths) <= LONGEST_SENTENCES


def _are_texts(value: Any) -> bool:
    is_list = isinstance(value, (list, tuple))
    return is_list and all(isinstance(each, str | Note) or _is_note(each) for each in value)


def _is_note(item: Any) -> bool:
    """Whether a JSON value is a note."""
    return isinstance(item, dict) and item.keys() == {"kind", "text", "about"}


def _length(item: Any) -> int:
    """Characters of a text, or of a note, as a record or as JSON."""
    if isinstance(item, str):
        return len(item)
    text, about = (item["text"], item["about"]) if isinstance(item, dict) else (item.text, item.about)
    return len(text) + sum(map(len, about))


def _cut(value: Any, clean: Callable[[str], str], longest: int) -> Any:
    """JSON values whose texts are clean and short enough; where something had to go, the text says so."""
    if isinstance(value, str):
        text = clean(value)
        end = f" [... cut: {len(text)} characters]"
        return text if len(text) <= longest else text[: longest - len(end)] + end
    if isinstance(value, dict):
        return {name: _cut(each, clean, longest) for name, each in value.items()}
    if not isinstance(value, list):
        return value
    whole = [_cut(each, clean, longest) for each in value]
    lengths = [_length(each) for each in whole] if _are_texts(whole) else []
    if _fit(lengths):
        return whole
    most = LONGEST_SENTENCES - LONGEST_SENTENCE
    kept = sum(total <= most for total in accumulate(lengths[: MOST_SENTENCES - 1]))
    left_out = f"{len(whole) - kept} more sentences are left out here."
    rest = {**whole[0], "text": left_out, "about": []} if _is_note(whole[0]) else left_out
    return [*whole[:kept], rest]
