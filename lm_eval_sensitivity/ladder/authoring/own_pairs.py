"""Own pairs: a table with one row per pair becomes one row per prompt, with a field for each edit.

    base, variant, rung, edit      a pair, its rung, and its kind of edit under the user's own name
    id, category, reason           optional; the first two belong to the prompt

Several pairs of one kind and prompt are numbered: `typo` becomes `typo_1`, `typo_2`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from lm_eval_sensitivity.errors import InputError, did_you_mean, unknown_name
from lm_eval_sensitivity.ladder.authoring.tables import PROMPT_FIELD, Row, is_blank
from lm_eval_sensitivity.ladder.edits import EDITS
from lm_eval_sensitivity.ladder.schema import IDENTICAL_EDIT
from lm_eval_sensitivity.ladder.sources import AUTHORED_EDITS
from lm_eval_sensitivity.types import RUNGS, Rung

BASE_FIELD = "base"
REQUIRED = ("variant", "rung", "edit")
OF_PROMPT = ("id", "category")
FIELDS = (*REQUIRED, *OF_PROMPT, "reason")
"""Fields of a pair besides its base."""
LONGEST_NAME = 80
GENERIC_CONTROL = "control_other_prompt"
"""Edit of the positive controls that `generic_control` makes of other prompts."""

TextOf = Callable[[Row, str], str]
"""The text in a field of a row, or an InputError that names both."""


@dataclass(frozen=True)
class PairsByPrompt:
    """Pairs, gathered by their prompt."""

    rows: list[Row]
    """[prompt] place of its first pair, and `prompt`, `id`, `category`, every edit and its `<edit>_reason`."""
    edits: dict[str, Rung]
    """Names of edits in order of appearance, and their rungs."""
    repeated: tuple[str, ...]
    """Places of pairs that stand there before."""
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _OwnPair:
    place: str
    base: str
    variant: str
    rung: Rung
    kind: str
    row: Row


def holds_pairs(names: Iterable[str], prompt_field: str | None) -> bool:
    """Whether a table with these columns has one row per pair.

    Args:
        names: its columns.
        prompt_field: as the user named the column of the base, if at all.

    Returns:
        True where there are a base and a variant; a base that was named without rung and edit is a prompt.

    Example:
        >>> holds_pairs(["base", "variant", "rung", "edit"], None), holds_pairs(["prompt", "id"], None)
        (True, False)
    """
    present = set(names)
    if "variant" not in present or (prompt_field or BASE_FIELD) not in present:
        return False
    return prompt_field is None or bool({"rung", "edit"} & present)


def gather_pairs(
    rows: Sequence[Row], base_field: str, text_of: TextOf, *, skip_repeated: bool
) -> PairsByPrompt:
    """Rows of pairs as rows of prompts.

    Args:
        rows: at least one.
        base_field: the column of the base.
        text_of: reads and checks a text.
        skip_repeated: leave out a pair that stands there before, instead of refusing it.

    Returns:
        Prompts in the order of their first pairs.

    Raises:
        InputError: a field is missing or not accepted, a pair is repeated, a kind stands on two rungs, or a prompt
            has two ids; the message names the row.
    """
    pairs, repeated = _distinct([_pair(row, base_field, text_of) for row in rows], skip_repeated)
    _refuse_kinds_in_two(pairs)
    names = _names(pairs)
    by_base: dict[str, dict[str, object]] = {}
    places: dict[str, str] = {}
    for pair, name in zip(pairs, names, strict=True):
        place = places.setdefault(pair.base, pair.place)
        fields = by_base.setdefault(pair.base, {PROMPT_FIELD: pair.base})
        fields[name] = pair.variant
        fields[f"{name}_reason"] = pair.row[1].get("reason")
        for field in OF_PROMPT:
            _take(fields, field, pair, place)
    edits = {name: pair.rung for name, pair in zip(names, pairs, strict=True)}
    return PairsByPrompt(
        [(places[base], fields) for base, fields in by_base.items()], edits, repeated, _rewritten(pairs)
    )


def _pair(row: Row, base_field: str, text_of: TextOf) -> _OwnPair:
    place, fields = row
    for field in (base_field, *REQUIRED):
        if field not in fields:
            raise InputError(
                f"{place}: the field `{field}` is missing.{did_you_mean(field, [name[:80] for name in fields])} Pairs "
                f"have {base_field}, {', '.join(REQUIRED)}. Add it."
            )
    base, variant = text_of(row, base_field), text_of(row, "variant")
    if base == variant:
        raise InputError(
            f"{place}: `variant` equals `{base_field}`. Change its wording, or leave the row out."
        )
    return _OwnPair(place, base, variant, _rung(row, text_of), _kind(row, text_of), row)


def _rung(row: Row, text_of: TextOf) -> Rung:
    given = text_of(row, "rung")
    name = re.sub("[ -]+", "_", given.strip().lower())
    if name == IDENTICAL_EDIT:
        raise InputError(
            f"{row[0]}: `rung` is {given!r}, which every prompt gets by itself. Leave the row out."
        )
    found = next((rung for rung in RUNGS if rung == name), None)
    if found is None:
        raise unknown_name(f"{row[0]}: `rung`", given, RUNGS[1:])
    return found


def _kind(row: Row, text_of: TextOf) -> str:
    """The user's name of an edit in letters, digits and underscores: it becomes a part of the pair's id."""
    given = text_of(row, "edit")
    name = "_".join(re.findall(r"\w+", unicodedata.normalize("NFKC", given).lower()))
    if not name.strip("_") or len(name) > LONGEST_NAME:
        raise InputError(
            f"{row[0]}: `edit` is {given[:80]!r}; accepted are up to {LONGEST_NAME} characters with a letter or a "
            "digit among them. Rename it."
        )
    return name


def _distinct(pairs: Iterable[_OwnPair], skip_repeated: bool) -> tuple[list[_OwnPair], tuple[str, ...]]:
    found: dict[tuple[str, str], _OwnPair] = {}
    repeated = []
    for pair in pairs:
        first = found.setdefault((pair.base, pair.variant), pair)
        if first is pair:
            continue
        if not skip_repeated:
            raise InputError(
                f"{pair.place} repeats the pair of {first.place}. Remove one of them, or leave repeated pairs out "
                "with `--skip-repeated`."
            )
        repeated.append(pair.place)
    return list(found.values()), tuple(repeated)


def _refuse_kinds_in_two(pairs: Iterable[_OwnPair]) -> None:
    """One name is one kind of edit: spelled in one way, on one rung."""
    first: dict[str, _OwnPair] = {}
    for pair in pairs:
        known = first.setdefault(pair.kind, pair)
        given, before = _given(pair), _given(known)
        if given != before:
            raise InputError(
                f"{pair.place}: `edit` is {given[:80]!r}, which is {pair.kind!r} in a ladder, as {before[:80]!r} of "
                f"{known.place} is. Rename one."
            )
        if pair.rung != known.rung:
            raise InputError(
                f"{pair.place}: the edit {given[:80]!r} stands on the rung {pair.rung!r}, and in {known.place} on "
                f"{known.rung!r}. One kind of edit has one rung: rename one, or correct the rung."
            )


def _given(pair: _OwnPair) -> str:
    return str(pair.row[1]["edit"]).strip()


def _names(pairs: Sequence[_OwnPair]) -> list[str]:
    """The edit of every pair: its kind, numbered within the prompt where some prompt has several of it."""
    several = {kind for (_, kind), n in Counter((each.base, each.kind) for each in pairs).items() if n > 1}
    counted: Counter[tuple[str, str]] = Counter()
    kind_of: dict[str, str] = {}
    names = []
    for pair in pairs:
        counted[pair.base, pair.kind] += 1
        name = f"{pair.kind}_{counted[pair.base, pair.kind]}" if pair.kind in several else pair.kind
        _refuse_name_of_ours(name, pair)
        if kind_of.setdefault(name, pair.kind) != pair.kind:
            raise InputError(
                f"{pair.place}: `edit` is {_given(pair)[:80]!r}; {name!r} is also the number of another kind. Rename "
                "one."
            )
        names.append(name)
    return names


def _refuse_name_of_ours(name: str, pair: _OwnPair) -> None:
    if name in EDITS or name in (IDENTICAL_EDIT, GENERIC_CONTROL):
        raise InputError(
            f"{pair.place}: `edit` is {_given(pair)[:80]!r}, and {name!r} is built by program. Rename it, or leave the "
            "row out."
        )
    rung = AUTHORED_EDITS.get(name, pair.rung)
    if rung != pair.rung:
        raise InputError(
            f"{pair.place}: `edit` is {_given(pair)[:80]!r}, and {name!r} stands on the rung {rung!r}, not on "
            f"{pair.rung!r}. Rename it, or correct the rung."
        )


def _take(fields: dict[str, object], field: str, pair: _OwnPair, place: str) -> None:
    """Take what belongs to the prompt from one of its pairs."""
    value = pair.row[1].get(field)
    if is_blank(value):
        return
    known = fields.setdefault(field, value)
    if known != value:
        raise InputError(
            f"{pair.place}: `{field}` is {str(value)[:80]!r}, but {str(known)[:80]!r} in a row with the same base, "
            f"the first of which is {place}. It names the prompt, not the pair: give one, or leave the column out."
        )


def _rewritten(pairs: Iterable[_OwnPair]) -> tuple[str, ...]:
    changed = {_given(pair): pair.kind for pair in pairs if _given(pair) != pair.kind}
    if not changed:
        return ()
    old, new = next(iter(changed.items()))
    count = f"{len(changed)} names of edits were" if len(changed) > 1 else "1 name of an edit was"
    return (f"{count} rewritten to lower-case letters, digits and underscores, as {old[:80]!r} to {new!r}.",)
