"""Reading people's own prompts: text, CSV and JSON lines, or the rows of a dataset on the Hub.

    text            one prompt per line
    CSV, JSON lines a field `prompt`, and where wanted `id`, `category`, authored variants under their
                    edit ids (`synonym_1`, ..., `control_topic`), and `<edit>_reason`

Other fields are left alone. An authored source in YAML is read by `sources.py`.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.errors import InputError, did_you_mean
from lm_eval_sensitivity.ladder.files import MAX_CELL_CHARACTERS, decode_utf8, read_limited
from lm_eval_sensitivity.ladder.sources import (
    AUTHORED_EDITS,
    AuthoredPrompt,
    AuthoredVariant,
    Source,
    check_category,
    read_source,
)
from lm_eval_sensitivity.types import UNCATEGORIZED

PROMPT_FIELD = "prompt"
MAX_PROMPTS = 10_000
"""Most prompts of one own ladder: each is generated about twenty times."""

OPTIONAL_FIELDS = ("id", "category", *AUTHORED_EDITS, *(f"{edit}_reason" for edit in AUTHORED_EDITS))
"""Fields that are read besides the prompt."""

FILE_SUFFIXES = (".txt", ".csv", ".jsonl", ".yaml", ".yml")


@dataclass(frozen=True)
class OwnRow:
    """One prompt as it was read, before it is checked."""

    place: str
    """Names file and row in every message."""
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class OwnPrompts:
    """People's own prompts, checked."""

    source: Source
    unused_fields: tuple[str, ...]
    """Fields of the file that mean nothing here."""
    repeated: tuple[str, ...]
    """Places of prompts that were left out because the same text stands before them."""


def read_own_file(
    path: Path,
    *,
    prompt_field: str = PROMPT_FIELD,
    version: str = "1",
    limit: int | None = None,
    skip_repeated: bool = False,
) -> OwnPrompts:
    """Read own prompts from a text, CSV, JSON lines or YAML file.

    Args:
        path: the suffix decides the format.
        prompt_field: the field of a CSV or JSON lines file that holds the prompt.
        version: the ladder version that the rows carry; a YAML file has its own.
        limit: read only so many prompts; None reads all.
        skip_repeated: leave out a prompt that stands there before, instead of refusing it.

    Raises:
        InputError: another format, an unreadable file, or a row that is no prompt; the message names
            the row and the field.
    """
    suffix = path.suffix.lower()
    if suffix in (".yaml", ".yml"):
        source = read_source(path)
        return OwnPrompts(Source(source.ladder_version, source.prompts[:limit]), (), ())
    readers = {".txt": _text_rows, ".csv": _csv_rows, ".jsonl": _json_rows}
    if suffix not in readers:
        raise InputError(
            f"`{path}` ends in {suffix or 'nothing'!r}; accepted are files ending in {', '.join(FILE_SUFFIXES)}, "
            "or a Hub dataset 'ORG/NAME'. Save the prompts in one of these forms."
        )
    rows = readers[suffix](decode_utf8(read_limited(path), path), path)
    field = PROMPT_FIELD if suffix == ".txt" else prompt_field
    return own_prompts(rows[:limit], f"`{path}`", field, version=version, skip_repeated=skip_repeated)


def own_prompts(
    rows: Sequence[OwnRow], where: str, prompt_field: str, *, version: str, skip_repeated: bool
) -> OwnPrompts:
    """Rows of any origin as checked prompts; see `read_own_file` for the arguments."""
    if not rows:
        raise InputError(f"{where} holds no prompt. Write at least one.")
    if len(rows) > MAX_PROMPTS:
        raise InputError(
            f"{where} holds more than {MAX_PROMPTS} prompts, the accepted maximum. Take a part of them with "
            "`--limit`."
        )
    accepted = (prompt_field, *OPTIONAL_FIELDS)
    unused = tuple(dict.fromkeys(name for row in rows for name in row.fields if name not in accepted))
    _refuse_near_names(unused, rows, accepted, where)
    known: dict[str, OwnRow] = {}
    repeated: list[str] = []
    for row in rows:
        text = _text(row, prompt_field)
        first = known.setdefault(text, row)
        if first is not row:
            if not skip_repeated:
                raise InputError(
                    f"{row.place} repeats the prompt of {first.place}. Remove one of them, or leave repeated "
                    "prompts out with `--skip-repeated`."
                )
            repeated.append(row.place)
    ids = _ids(list(known.values()))
    prompts = tuple(
        _prompt(row, prompt_id, text) for prompt_id, (text, row) in zip(ids, known.items(), strict=True)
    )
    return OwnPrompts(Source(version, prompts), unused, tuple(repeated))


def _prompt(row: OwnRow, prompt_id: str, text: str) -> AuthoredPrompt:
    category = str(row.fields.get("category") or UNCATEGORIZED)
    variants = {
        edit: AuthoredVariant(_text(row, edit), str(row.fields.get(f"{edit}_reason") or ""))
        for edit in AUTHORED_EDITS
        if row.fields.get(edit) not in (None, "")
    }
    for edit, variant in variants.items():
        if variant.text == text:
            raise InputError(
                f"{row.place}: `{edit}` equals the prompt. Change its wording, or leave the field empty."
            )
    return AuthoredPrompt(prompt_id, check_category(category, row.place), text, variants)


def _text(row: OwnRow, field: str) -> str:
    """The text in a field of a row, or an InputError that names both."""
    if field not in row.fields:
        suggestion = did_you_mean(field, list(row.fields))
        raise InputError(
            f"{row.place}: the field `{field}` is missing.{suggestion} It has "
            f"{', '.join(f'`{name[:80]}`' for name in row.fields) or 'no fields'}. Add it, or name the one that holds "
            "the prompt with `--prompt-field`."
        )
    value = row.fields[field]
    if not isinstance(value, str) or not value.strip():
        raise InputError(
            f"{row.place}: `{field}` is {str(value)[:80]!r} of type {type(value).__name__}; accepted is a text that "
            "is not blank."
        )
    if len(value) > MAX_CELL_CHARACTERS:
        raise InputError(
            f"{row.place}: `{field}` has {len(value)} characters; accepted are at most {MAX_CELL_CHARACTERS}. "
            "Shorten it."
        )
    return value


def _ids(rows: Sequence[OwnRow]) -> list[str]:
    """One id per row: from its field `id`, in the form that a ladder accepts, else its number."""
    width = len(str(len(rows)))
    found: dict[str, OwnRow] = {}
    for number, row in enumerate(rows, 1):
        given = row.fields.get("id")
        if given in (None, ""):
            name = f"prompt-{number:0{width}d}"
        else:
            name = "-".join(re.findall(r"[a-z0-9]+", str(given).lower()))
            if not name or len(name) > 200:
                raise InputError(
                    f"{row.place}: `id` is {str(given)[:80]!r}; accepted are up to 200 characters with letters a to "
                    "z or digits among them. Rename it."
                )
        if found.setdefault(name, row) is not row:
            raise InputError(
                f"{row.place} has the id {name!r}, as {found[name].place} does. Rename one of them."
            )
    return list(found)


def _refuse_near_names(
    unused: Iterable[str], rows: Sequence[OwnRow], accepted: Sequence[str], where: str
) -> None:
    """A field whose name is nearly one that means something is a typing mistake, not another field."""
    used = {name for row in rows for name in row.fields}
    for name in unused:
        suggestion = did_you_mean(name[:80], [each for each in accepted[2:] if each not in used])
        if suggestion:
            raise InputError(
                f"{where}: the field `{name[:80]}` means nothing here.{suggestion} Correct or rename it."
            )


def _text_rows(text: str, path: Path) -> list[OwnRow]:
    # Not splitlines: it also cuts at U+2028 and form feeds, which may stand inside a prompt.
    lines = enumerate(text.replace("\r\n", "\n").split("\n"), 1)
    return [
        OwnRow(f"`{path}`, line {number}", {PROMPT_FIELD: line}) for number, line in lines if line.strip()
    ]


def _csv_rows(text: str, path: Path) -> list[OwnRow]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    rows: list[OwnRow] = []
    try:
        names = list(reader.fieldnames or [])
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise InputError(f"`{path}`: the column `{twice[:80]}` stands there twice. Rename one.")
        for fields in reader:
            place = f"`{path}`, row {len(rows) + 1} (line {reader.line_num})"
            if None in fields or None in fields.values():
                raise InputError(
                    f"{place} has another number of cells than the header's {len(names)}. Put texts with commas or "
                    "line breaks in double quotes."
                )
            rows.append(OwnRow(place, fields))
    except csv.Error as error:
        raise InputError(
            f"`{path}` is no readable CSV at line {reader.line_num}: {error}. Save it as CSV with a header, commas "
            "and double quotes."
        ) from None
    return rows


def _json_rows(text: str, path: Path) -> list[OwnRow]:
    rows = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        place = f"`{path}`, line {number}"
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{place} is not a JSON object: {str(error)[:200]}. Write one object per line."
            ) from None
        if not isinstance(fields, dict):
            raise InputError(
                f'{place} holds a {type(fields).__name__}, not a JSON object. Write `{{"prompt": "..."}}`, one per '
                "line."
            )
        rows.append(OwnRow(place, fields))
    return rows
