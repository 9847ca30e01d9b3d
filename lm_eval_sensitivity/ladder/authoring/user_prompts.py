"""Reading people's own prompts: text, CSV and JSON lines, or the rows of a dataset on the Hub.

    text            one prompt per line
    CSV, JSON lines a field `prompt`, and where wanted `id`, `category`, authored variants under their
                    edit ids (`synonym_1`, ..., `control_topic`), and `<edit>_reason`
                    or one row per pair, see `own_pairs.py`

Other fields are left alone. An authored source in YAML is read by `sources.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from lm_eval_sensitivity.errors import InputError, did_you_mean
from lm_eval_sensitivity.ladder.authoring.own_pairs import BASE_FIELD, FIELDS, gather_pairs, holds_pairs
from lm_eval_sensitivity.ladder.authoring.tables import PROMPT_FIELD, Row, csv_rows, is_blank, text_rows
from lm_eval_sensitivity.ladder.files import (
    LOST_CHARACTER,
    MAX_CELL_CHARACTERS,
    control_character,
    decode_text,
    has_content,
    read_limited,
)
from lm_eval_sensitivity.ladder.jsonl import json_objects
from lm_eval_sensitivity.ladder.sources import (
    AUTHORED_EDITS,
    AuthoredPrompt,
    AuthoredVariant,
    Source,
    check_category,
    read_source,
)
from lm_eval_sensitivity.types import CATEGORIES, UNCATEGORIZED, Category

if TYPE_CHECKING:
    from typing_extensions import Unpack

MAX_PROMPTS = 10_000
"""Most prompts of one own ladder: each is generated about twenty times."""

OPTIONAL_FIELDS = ("id", "category", *AUTHORED_EDITS, *(f"{edit}_reason" for edit in AUTHORED_EDITS))
"""Fields that are read besides the prompt."""

FILE_SUFFIXES = (".txt", ".csv", ".tsv", ".jsonl", ".yaml", ".yml")


class Reading(TypedDict, total=False):
    """How own prompts are read, from a file or a dataset."""

    prompt_field: str | None
    """The field that holds the prompt; None is `prompt`."""
    version: str | None
    """The ladder version that the rows carry; None is "1"."""
    limit: int | None
    """Read only so many prompts; None reads all."""
    skip_repeated: bool
    """Leave out a prompt that stands there before, instead of refusing it."""


@dataclass(frozen=True)
class OwnPrompts:
    """People's own prompts, checked."""

    source: Source
    unused_fields: tuple[str, ...]
    """Fields of the file that mean nothing here."""
    repeated: tuple[str, ...]
    """Places of prompts that were left out because the same text stands before them."""
    notes: tuple[str, ...]
    """Whole sentences: what was read otherwise than it stands there."""


def read_own_file(path: Path, **reading: Unpack[Reading]) -> OwnPrompts:
    """Read own prompts from a text, CSV, JSON lines or YAML file.

    Args:
        path: the suffix decides the format.
        reading: a YAML file has its own version and fields.

    Returns:
        The prompts in file order.

    Raises:
        InputError: another format, an unreadable file, or a row that is no prompt; the message names
            the row and the field.
    """
    suffix = path.suffix.lower()
    fixed = {
        ".txt": ("prompt_field",),
        ".yaml": ("prompt_field", "version"),
        ".yml": ("prompt_field", "version"),
    }
    for name in fixed.get(suffix, ()):
        if reading.get(name) is not None:
            option = {"prompt_field": "--prompt-field", "version": "--ladder-version"}[name]
            raise InputError(
                f"`{option}` means nothing for `{path}`: its format says it already. Leave it out."
            )
    if suffix in (".yaml", ".yml"):
        return _from_yaml(path, reading)
    if suffix not in FILE_SUFFIXES:
        raise InputError(
            f"`{path}` does not end in {', '.join(FILE_SUFFIXES)}, and is no Hub dataset 'ORG/NAME'. Save the prompts "
            "in one of these forms."
        )
    rows, notes = _rows(decode_text(read_limited(path, "file"), path), path, reading.get("prompt_field"))
    own = own_prompts(rows[: reading.get("limit")], f"`{path}`", reading)
    return replace(own, notes=(*notes, *own.notes))


def _rows(text: str, path: Path, prompt_field: str | None) -> tuple[list[Row], tuple[str, ...]]:
    suffix = path.suffix.lower()
    if suffix == ".txt":
        return text_rows(text, path), ()
    if suffix == ".jsonl":
        return list(json_objects(text, path)), ()

    def is_header(names: Sequence[str]) -> bool:
        return (prompt_field or PROMPT_FIELD) in names or holds_pairs(names, prompt_field)

    return csv_rows(text, path, is_header)


def _from_yaml(path: Path, reading: Reading) -> OwnPrompts:
    source = read_source(path)
    prompts = source.prompts[: reading.get("limit")]
    rows = [(f"`{path}`, prompt {each.prompt_id!r}", {PROMPT_FIELD: each}) for each in prompts]
    _check_number(rows, f"`{path}`")
    for place, fields in rows:
        prompt = fields[PROMPT_FIELD]
        for name, text in [
            ("base", prompt.base),
            *((edit, each.text) for edit, each in prompt.variants.items()),
        ]:
            _refuse_control_characters(text, name, place)
    distinct, repeated = _distinct(rows, lambda row: str(row[1][PROMPT_FIELD].base), reading)
    kept = tuple(fields[PROMPT_FIELD] for _, fields in distinct.values())
    return OwnPrompts(Source(source.ladder_version, kept), (), repeated, ())


def own_prompts(rows: Sequence[Row], where: str, reading: Reading, *, foreign: bool = False) -> OwnPrompts:
    """Rows of any origin as checked prompts.

    Args:
        rows: what was read.
        where: the file or dataset, for messages.
        reading: its limit has been kept already.
        foreign: somebody else's data, whose other columns nobody can correct: what does not fit is noted
            instead of refused.

    Returns:
        The prompts in the order of the rows, with ids made for those that have none.

    Raises:
        InputError: there are none or more than `MAX_PROMPTS`, or a row is no prompt.
    """
    names = dict.fromkeys(name for _, fields in rows for name in fields)
    if holds_pairs(names, reading.get("prompt_field")):
        return _own_pairs(rows, where, reading, foreign=foreign)
    prompt_field = reading.get("prompt_field") or PROMPT_FIELD
    accepted = (prompt_field, *OPTIONAL_FIELDS)
    unused = tuple(name for name in names if name not in accepted)
    if not foreign:
        _refuse_near_names(unused, rows, accepted, where)
    return replace(
        _prompts(rows, where, prompt_field, AUTHORED_EDITS, reading, foreign), unused_fields=unused
    )


def _own_pairs(rows: Sequence[Row], where: str, reading: Reading, *, foreign: bool) -> OwnPrompts:
    """One row per pair."""
    base_field = reading.get("prompt_field") or BASE_FIELD
    accepted = (base_field, *FIELDS)
    unused = tuple(dict.fromkeys(name for _, fields in rows for name in fields if name not in accepted))
    if not foreign:
        _refuse_near_names(unused, rows, accepted, where)
    found = gather_pairs(rows, base_field, _text, skip_repeated=bool(reading.get("skip_repeated")))
    own = _prompts(found.rows, where, PROMPT_FIELD, found.edits, reading, foreign)
    added = {edit: rung for edit, rung in found.edits.items() if edit not in AUTHORED_EDITS}
    return OwnPrompts(
        replace(own.source, own_edits=added), unused, found.repeated, (*found.notes, *own.notes)
    )


def _prompts(
    rows: Sequence[Row],
    where: str,
    prompt_field: str,
    edits: Iterable[str],
    reading: Reading,
    foreign: bool,
) -> OwnPrompts:
    """One row per prompt, with a field for each of these edits."""
    _check_number(rows, where)
    distinct, repeated = _distinct(rows, lambda row: _text(row, prompt_field), reading)
    ids, id_notes = _ids(list(distinct.values()), foreign)
    categories, category_notes = _categories(list(distinct.values()), foreign)
    prompts = tuple(
        AuthoredPrompt(prompt_id, category, text, _variants(row, text, edits))
        for prompt_id, category, (text, row) in zip(ids, categories, distinct.items(), strict=True)
    )
    source = Source(reading.get("version") or "1", prompts)
    return OwnPrompts(source, (), repeated, (*id_notes, *category_notes, *_on_lost_characters(prompts)))


def _on_lost_characters(prompts: Sequence[AuthoredPrompt]) -> tuple[str, ...]:
    texts = [[each.base, *(variant.text for variant in each.variants.values())] for each in prompts]
    count = sum(any(LOST_CHARACTER in text for text in own) for own in texts)
    if not count:
        return ()
    return (f"Prompts with U+FFFD, which stands for a character that somebody could not decode: {count}.",)


def _check_number(rows: Sequence[Row], where: str) -> None:
    if not rows:
        raise InputError(f"{where} holds no prompt. Write at least one.")
    if len(rows) > MAX_PROMPTS:
        raise InputError(
            f"{where} holds more than {MAX_PROMPTS} prompts, the accepted maximum. Take a part of them with "
            "`--limit`."
        )


def _distinct(
    rows: Iterable[Row], text_of: Callable[[Row], str], reading: Reading
) -> tuple[dict[str, Row], tuple[str, ...]]:
    """Rows by their prompt, and the places of those whose prompt stands there before."""
    found: dict[str, Row] = {}
    repeated: list[str] = []
    for row in rows:
        first = found.setdefault(text_of(row), row)
        if first is row:
            continue
        if not reading.get("skip_repeated"):
            raise InputError(
                f"{row[0]} repeats the prompt of {first[0]}. Remove one of them, or leave repeated "
                "prompts out with `--skip-repeated`."
            )
        repeated.append(row[0])
    return found, tuple(repeated)


def _categories(rows: Sequence[Row], foreign: bool) -> tuple[list[Category], tuple[str, ...]]:
    """One category per row; in foreign data an unknown one is left out, and noted."""
    found: list[Category] = []
    unknown: list[str] = []
    for place, fields in rows:
        given = fields.get("category")
        name = UNCATEGORIZED if is_blank(given) else str(given)
        if foreign and name not in (*CATEGORIES, UNCATEGORIZED):
            unknown.append(name)
            name = UNCATEGORIZED
        found.append(check_category(name, place))
    if not unknown:
        return found, ()
    return found, (
        f"{len(unknown)} rows have a category of another kind, as {unknown[0][:80]!r} is: they are uncategorized.",
    )


def _variants(row: Row, text: str, edits: Iterable[str]) -> dict[str, AuthoredVariant]:
    """The authored variants of a row, by edit."""
    place, fields = row
    variants = {}
    for edit in edits:
        reason = "" if is_blank(fields.get(f"{edit}_reason")) else _text(row, f"{edit}_reason")
        if is_blank(fields.get(edit)):
            if reason:
                raise InputError(
                    f"{place}: `{edit}_reason` is there, but `{edit}` is not. Write the variant, or leave the "
                    "reason empty."
                )
            continue
        variant = AuthoredVariant(_text(row, edit), reason)
        if variant.text == text:
            raise InputError(
                f"{place}: `{edit}` equals the prompt. Change its wording, or leave the field empty."
            )
        variants[edit] = variant
    return variants


def _text(row: Row, field: str) -> str:
    """The text in a field of a row, or an InputError that names both."""
    place, fields = row
    if field not in fields:
        suggestion = did_you_mean(field, list(fields))
        raise InputError(
            f"{place}: the field `{field}` is missing.{suggestion} It has "
            f"{', '.join(f'`{name[:80]}`' for name in fields) or 'no fields'}. Add it, or name the one that holds "
            "the prompt with `--prompt-field`."
        )
    value = fields[field]
    if not isinstance(value, str) or not has_content(value):
        raise InputError(
            f"{place}: `{field}` is {str(value)[:80]!r} of type {type(value).__name__}; accepted is a text that "
            "is not blank."
        )
    if len(value) > MAX_CELL_CHARACTERS:
        raise InputError(
            f"{place}: `{field}` has {len(value)} characters; accepted are at most {MAX_CELL_CHARACTERS}. "
            "Shorten it."
        )
    _refuse_control_characters(value, field, place)
    return value


def _refuse_control_characters(text: str, field: str, place: str) -> None:
    problem = control_character(text)
    if problem is not None:
        raise InputError(
            f"{place}: `{field}` {problem}, which no prompt has. Remove it, or save the file as UTF-8."
        )


def _ids(rows: Sequence[Row], foreign: bool) -> tuple[list[str], tuple[str, ...]]:
    """One id per row: from its field `id`, in the form that a ladder accepts, else its number."""
    numbered = [f"prompt-{number:0{len(str(len(rows)))}d}" for number in range(1, len(rows) + 1)]
    found: dict[str, Row] = {}
    rewritten: list[tuple[str, str]] = []
    for row, number in zip(rows, numbered, strict=True):
        given = row[1].get("id")
        if isinstance(given, (bool, list, dict)):
            raise InputError(
                f"{row[0]}: `id` is of type {type(given).__name__}; accepted are texts and numbers. Rename it."
            )
        name = number if is_blank(given) else "-".join(re.findall(r"[a-z0-9]+", str(given).lower()))
        problem = _id_problem(name, row, found)
        if problem and foreign:
            return numbered, (
                "The column `id` cannot name prompts (" + problem + "): they are numbered instead.",
            )
        if problem:
            raise InputError(f"{row[0]}: {problem}. Rename it.")
        found[name] = row
        if not is_blank(given) and name != str(given):
            rewritten.append((str(given)[:80], name))
    if not rewritten:
        return list(found), ()
    old, new = rewritten[0]
    return list(found), (
        f"{len(rewritten)} ids were rewritten to lower-case letters, digits and hyphens, as {old!r} to {new!r}.",
    )


def _id_problem(name: str, row: Row, found: Mapping[str, Row]) -> str | None:
    given = str(row[1].get("id"))[:80]
    if not name or len(name) > 200:
        return (
            f"`id` is {given!r}; accepted are up to 200 characters with letters a to z or digits among them"
        )
    if name in found:
        return f"`id` is {given!r}, which is {name!r} in a ladder, as that of {found[name][0]} is"
    return None


def _refuse_near_names(
    unused: Iterable[str], rows: Sequence[Row], accepted: Sequence[str], where: str
) -> None:
    """A field whose name is nearly one that means something is a typing mistake, not another field."""
    used = {name for _, fields in rows for name in fields}
    for name in unused:
        suggestion = did_you_mean(name[:80], [each for each in accepted[2:] if each not in used])
        if suggestion:
            raise InputError(
                f"{where}: the field `{name[:80]}` means nothing here.{suggestion} Correct or rename it."
            )
