"""Records to a file's JSON and back: one codec, and refusals that name place and field."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.text.escape import inert, shown

ADVICE = "Take the file as lm_eval wrote it, or repeat the run."

Record = TypeVar("Record")

_HALVES = re.compile("[\ud800-\udfff]")
_WORDS = {
    "Input should be ": "",
    "String should have ": "a text with ",
    "String should match ": "a text that matches ",
    "List should have ": "a list with ",
    " after validation": "",
    "Value error, ": "",
    "Unexpected keyword argument": "no field of this name",
}


_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}


def _adapter(kind: Any) -> TypeAdapter[Any]:
    """Made once for each record, as that takes longer than reading a row."""
    return _ADAPTERS.get(kind) or _ADAPTERS.setdefault(kind, TypeAdapter(kind))


def decode(kind: type[Record], value: Any, place: str, name: str = "", advice: str = ADVICE) -> Record:
    """A record from parsed JSON; kinds of values are taken strictly, names that the record lacks are left.

    Args:
        kind: a frozen dataclass.
        value: what stands there. Half surrogates in its texts become U+FFFD, as UTF-8 has none.
        place: file and line; opens every message.
        name: dotted name of the value at that place.
        advice: what to do; closes every message.

    Returns:
        The record.

    Raises:
        InputError: the first field that is missing or not accepted, and what is accepted there.

    Example:
        >>> from lm_eval_sensitivity.types import AnswerSpan
        >>> whole = {"status": "none", "scaffold": None, "start": 0, "end": 3}
        >>> decode(AnswerSpan, whole, "`samples.jsonl`, line 3")
        AnswerSpan(status='none', scaffold=None, start=0, end=3)
        >>> try:
        ...     decode(AnswerSpan, {**whole, "end": True}, "`samples.jsonl`, line 3", "pair.base.answer")
        ... except InputError as error:
        ...     print(error)
        `samples.jsonl`, line 3: `pair.base.answer.end` is True; accepted is a valid integer. Take the file ...
    """
    text = json.dumps(value, ensure_ascii=False)
    try:
        found: Record = _adapter(kind).validate_json(_HALVES.sub("\ufffd", text), strict=True)
    except ValidationError as error:
        raise first_mistake(error, place, name, advice) from None
    return found


def first_mistake(error: ValidationError, place: str, name: str = "", advice: str = ADVICE) -> InputError:
    """The refusal of the first field that is missing or not accepted.

    Args:
        error: of pydantic.
        place: file and line; opens the message.
        name: dotted name of the value at that place.
        advice: what to do; closes the message.
    """
    first = error.errors(include_url=False, include_context=False)[0]
    field = _dotted(name, first["loc"])
    if first["type"] == "missing":
        return absent(place, field, advice)
    words = first["msg"]
    for theirs, ours in _WORDS.items():
        words = words.replace(theirs, ours)
    return refused(place, field, first["input"], words, advice)


def _dotted(name: str, location: tuple[int | str, ...]) -> str:
    """Names as a user would write them: `pair.base.view`, `resps[1][0]`."""
    for part in location:
        if isinstance(part, int):
            name += f"[{part}]"
        elif not part.endswith("]"):  # the keys of an object are shown by their values' names
            part = part if len(part) <= 100 else part[:100] + "..."
            name += f".{part}" if name else part
    return name


def absent(place: str, name: str, advice: str = ADVICE) -> InputError:
    """A refusal for want of a field."""
    return InputError(f"{place}: `{inert(name)}` is missing. {advice}")


def refused(place: str, name: str, value: Any, accepted: str, advice: str = ADVICE) -> InputError:
    """A refusal of one value: what stands there, and what is accepted."""
    what = f"`{inert(name)}`" if name else "the row"
    return InputError(f"{place}: {what} is {shown(value)}; accepted is {accepted}. {advice}")


def contradiction(place: str, name: str, value: Any, other: str, advice: str = ADVICE) -> InputError:
    """A refusal of two places that disagree.

    Args:
        place: file and line.
        name: dotted name of the field.
        value: what stands there.
        other: the end of the sentence "`field` is x, but ...".
        advice: what to do.
    """
    return InputError(f"{place}: `{inert(name)}` is {shown(value)}, but {other}. {advice}")


def encode(record: Any) -> Any:
    """A record as plain JSON values: NaN becomes null, and a field that may be absent is, where it has its default.

    Args:
        record: a frozen dataclass, or anything that its fields hold.

    Returns:
        What `decode` takes.

    Example:
        >>> from lm_eval_sensitivity.types import AnswerSpan
        >>> encode(AnswerSpan("none", None, 0, 3))
        {'status': 'none', 'scaffold': None, 'start': 0, 'end': 3}
    """
    if is_dataclass(record):
        return {
            each.name: encode(getattr(record, each.name))
            for each in fields(record)
            if each.default is MISSING or getattr(record, each.name) != each.default
        }
    if isinstance(record, Mapping):
        return {str(key): encode(value) for key, value in record.items()}
    if isinstance(record, (list, tuple)):
        return [encode(value) for value in record]
    if isinstance(record, float):
        return float(record) if math.isfinite(record) else None
    return record
