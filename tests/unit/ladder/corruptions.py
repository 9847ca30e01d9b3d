"""More than a hundred ways to spoil a good ladder, each with what the check must say about it.

in bytes      a parquet file that is cut, overwritten, replaced
in tables     columns that are dropped, retyped, renamed, doubled
in cells      a cell edited, its hashes stale
in lines      JSON lines that are no rows
in sources    YAML that does not read, or does not give the rows
in content    rows that are wrong, with every hash made right again
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from lm_eval_sensitivity.ladder import minimal_replacement
from lm_eval_sensitivity.ladder.parquet import SCHEMA, write_parquet
from lm_eval_sensitivity.ladder.schema import COLUMNS, rows_from_pairs
from lm_eval_sensitivity.ladder.sources import AUTHORED_EDITS, AuthoredPrompt, AuthoredVariant
from lm_eval_sensitivity.types import Pair, Replacement
from tests.unit.ladder.checked_ladder import VERSION, clean_pairs, rebuild

FULL, CORE, MINI = (f"{subset}/test.parquet" for subset in ("full", "core", "mini"))
ALL = ("full", "core", "mini")
Row = dict[str, Any]

UNREADABLE, WRONG = 2, 1
"""Exit statuses: not a ladder at all, and a ladder that breaks a promise."""


@dataclass(frozen=True)
class Corruption:
    """One way to spoil a ladder."""

    name: str
    apply: Callable[[Path], None]
    """Changes a copy of the clean folder in place."""
    status: int
    says: tuple[str, ...]
    """Parts of one line of the output: the file and, where there is one, the row and the column."""
    target: str = "."
    """What is checked, relative to the folder."""
    embedding: bool = False
    """Only the checks by sentence embeddings can see it."""


def corruptions() -> list[Corruption]:
    """All of them."""
    return [
        *in_bytes(),
        *in_tables(),
        *in_cells(),
        *in_lines(),
        *in_unreadable_sources(),
        *in_readable_sources(),
        *in_rule_rows(),
        *in_authored_rows(),
        *in_bases(),
        *in_subsets(),
        *in_space(),
    ]


# --- bytes -----------------------------------------------------------------------------------------------------------


def in_bytes() -> Iterator[Corruption]:
    def spoil(
        name: str, change: Callable[[bytes], bytes], says: str = "not a readable parquet"
    ) -> Corruption:
        def apply(folder: Path) -> None:
            path = folder / FULL
            path.write_bytes(change(path.read_bytes()))

        return Corruption(f"parquet {name}", apply, UNREADABLE, (FULL, says))

    yield spoil("is empty", lambda good: b"", "is empty")
    yield spoil("is cut in half", lambda good: good[: len(good) // 2])
    yield spoil("lacks its last byte", lambda good: good[:-1])
    yield spoil("lacks its first bytes", lambda good: good[4:])
    yield spoil("has bytes after its end", lambda good: good + b"\n")
    yield spoil("is a pointer of a file store", lambda good: b"version https://git-lfs.github.com/spec/v1\n")
    yield spoil("is JSON", lambda good: b'{"pair_id": "a"}\n')
    yield spoil("is a pickle", lambda good: b"\x80\x04cos\nsystem\n(S'false'\ntR.")
    yield spoil("is zeros", lambda good: b"\0" * len(good))
    yield spoil("has a footer of absurd length", lambda good: good[:-8] + b"\xff\xff\xff\x7fPAR1")
    yield spoil("has zeros in its first page", lambda good: good[:40] + b"\0" * 64 + good[104:])
    yield spoil("has zeros in its footer", lambda good: good[:-300] + b"\0" * 64 + good[-236:])

    def folder_instead(folder: Path) -> None:
        (folder / FULL).unlink()
        (folder / FULL).mkdir()

    def dangling_link(folder: Path) -> None:
        (folder / FULL).unlink()
        (folder / FULL).symlink_to(folder / "nowhere.parquet")

    yield Corruption("parquet is a folder", folder_instead, UNREADABLE, (FULL, "not a regular file"))
    yield Corruption("parquet is a link to nowhere", dangling_link, WRONG, ("sources", "'full'", "no file"))
    yield Corruption(
        "parquet is gone", lambda folder: (folder / CORE).unlink(), WRONG, ("sources", "'core'", "no file")
    )
    yield Corruption(
        "folder is empty",
        lambda folder: [shutil.rmtree(folder / each) for each in (*ALL, "sources")] and None,
        UNREADABLE,
        ("holds no ladder",),
    )


# --- tables ----------------------------------------------------------------------------------------------------------


def in_tables() -> Iterator[Corruption]:
    def spoil(name: str, change: Callable[[pa.Table], pa.Table], *says: str) -> Corruption:
        def apply(folder: Path) -> None:
            table = pq.read_table(folder / MINI)
            pq.write_table(change(table), folder / MINI)

        return Corruption(name, apply, UNREADABLE, (MINI, *says))

    for column in COLUMNS:
        yield spoil(f"column {column} dropped", _dropped(column), f"`{column}` is missing")
        yield spoil(f"column {column} of another type", _retyped(column), f"`{column}` has the type")
    for column in ("pair_id", "variant", "rung_index", "replacements"):
        yield spoil(f"column {column} without a value", _with_null(column), f"`{column}` is missing")
    yield spoil(
        "column base twice", lambda table: table.append_column("base", table["base"]), "`base`", "2 times"
    )
    yield spoil(
        "column unknown",
        lambda table: table.append_column("note", table["base"]),
        "`note` is not part of a ladder",
    )
    yield spoil(
        "column misspelt",
        lambda table: table.rename_columns(
            ["varient" if each == "variant" else each for each in table.column_names]
        ),
        "`variant` is missing",
        "'varient'",
    )
    yield spoil("no rows", lambda table: table.slice(0, 0), "has no rows")
    yield spoil("some rows dropped", lambda table: table.slice(1), "content hash")
    yield spoil(
        "rows in another order", lambda table: table.take(list(range(len(table)))[::-1]), "content hash"
    )
    yield spoil("metadata gone", lambda table: table.replace_schema_metadata({}), "no content hash")
    yield spoil("metadata of another version", _metadata("ladder_version", "9.9"), "ladder version '9.9'")
    yield spoil("metadata of another hash", _metadata("content_hash", "0" * 64), "content hash")
    yield spoil(
        "cell that is not UTF-8",
        _not_utf8,
        "row 'palindrome-function/identical'",
        "`base` is not valid UTF-8",
    )


def _dropped(column: str) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.drop_columns([column])


def _put(table: pa.Table, column: str, values: Any) -> pa.Table:
    return table.set_column(table.schema.get_field_index(column), column, values)


def _retyped(column: str) -> Callable[[pa.Table], pa.Table]:
    others = {
        "rung_index": pa.int64(),
        "meaning_preserving": pa.int8(),
        "replacements": pa.large_list(SCHEMA.field("replacements").type.value_type),
    }
    return lambda table: _put(table, column, table[column].cast(others.get(column, pa.large_string())))


def _with_null(column: str) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        values = [None, *table[column].to_pylist()[1:]]
        return _put(table, column, pa.array(values, SCHEMA.field(column).type))

    return change


def _metadata(key: str, value: str) -> Callable[[pa.Table], pa.Table]:
    name = f"lm_eval_sensitivity.{key}".encode()
    return lambda table: table.replace_schema_metadata({**table.schema.metadata, name: value.encode()})


def _not_utf8(table: pa.Table) -> pa.Table:
    cells = [b"\xff\xfe", *(text.encode() for text in table["base"].to_pylist()[1:])]
    return _put(table, "base", pa.array(cells, pa.binary()).view(pa.string()))


# --- cells, with stale hashes ----------------------------------------------------------------------------------------

CELLS: dict[str, tuple[Any, str]] = {
    # column: the edited cell, and the column that the message names
    "pair_id": ("sky-colours/synonym_3", "`pair_id`"),
    "prompt_id": ("sky-colour", "`pair_id`"),
    "category": ("factual", "`row_hash`"),
    "rung": ("paraphrase", "`rung_index`"),
    "rung_index": (4, "`rung_index`"),
    "edit": ("synonym_2", "`pair_id`"),
    "base": ("Why is the sky blue?", "`replacements`"),
    "variant": ("Why is the sky so blue?", "`replacements`"),
    "meaning_preserving": (False, "`meaning_preserving`"),
    "origin": ("rule", "`row_hash`"),
    "reason": ("Because it is the same.", "`row_hash`"),
    "replacements": ([{"start": 0, "end": 0, "replacement": " "}], "`replacements`"),
    "ladder_version": ("9.9", "`row_hash`"),
    "row_hash": ("0" * 16, "`row_hash`"),
}


def in_cells() -> Iterator[Corruption]:
    def spoil(name: str, says: tuple[str, ...], **cells: Any) -> Corruption:
        def apply(folder: Path) -> None:
            table = pq.read_table(folder / FULL)
            rows = table.to_pylist()
            next(row for row in rows if row["pair_id"] == "sky-colours/synonym_1").update(cells)
            pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), folder / FULL)

        row = cells.get("pair_id", "sky-colours/synonym_1")
        return Corruption(name, apply, UNREADABLE, (FULL, row if row.strip() else "row number", *says))

    for column, (value, named) in CELLS.items():
        yield spoil(f"cell {column} edited", (named,), **{column: value})
    for column in ("pair_id", "prompt_id", "rung", "edit", "base", "variant", "ladder_version"):
        yield spoil(f"cell {column} blank", (f"`{column}`",), **{column: " "})
    for column in ("base", "variant", "reason"):
        yield spoil(f"cell {column} huge", (f"`{column}`", "100000"), **{column: "x" * 500_000})
    for column in ("rung", "category", "origin"):
        yield spoil(f"cell {column} unknown", (f"`{column}`", "accepted"), **{column: "other"})
    yield spoil("cell id of another row", ("two rows",), **_cells_of("sky-colours/synonym_2"))
    outside = [{"start": 3, "end": 9_999, "replacement": ""}]
    yield spoil("cell replacement outside", ("`replacements`", "9999"), replacements=outside)
    overlapping = [{"start": 5, "end": 9, "replacement": ""}, {"start": 7, "end": 8, "replacement": ""}]
    yield spoil("cell replacements overlap", ("`replacements`", "before the end"), replacements=overlapping)


def _cells_of(pair_id: str) -> Row:
    return next(row for row in rows_from_pairs(clean_pairs()) if row["pair_id"] == pair_id)


# --- JSON lines ------------------------------------------------------------------------------------------------------

LINES = "rows.jsonl"


def in_lines() -> Iterator[Corruption]:
    def lines(name: str, change: Callable[[list[str]], list[str]], *says: str) -> Corruption:
        def apply(folder: Path) -> None:
            text = "\n".join(change([json.dumps(row) for row in rows_from_pairs(clean_pairs())]))
            (folder / LINES).write_text(text, encoding="utf-8")

        return Corruption(f"line {name}", apply, UNREADABLE, (LINES, *says), LINES)

    def cell(name: str, column: str, value: Any, *says: str) -> Corruption:
        def change(good: list[str]) -> list[str]:
            return [*good[:4], json.dumps({**json.loads(good[4]), column: value}), *good[5:]]

        row = clean_pairs()[4].pair_id
        return lines(name, change, *((row,) if column != "pair_id" else ()), f"`{column}`", *says)

    def raw(name: str, content: bytes, *says: str) -> Corruption:
        return Corruption(
            f"line {name}", lambda folder: _write(folder / LINES, content), UNREADABLE, (LINES, *says), LINES
        )

    yield lines(
        "cut", lambda good: [*good[:-1], good[-1][:100]], f"line {len(clean_pairs())}", "not a JSON object"
    )
    yield lines("no JSON", lambda good: [good[0], "{oops"], "line 2", "not a JSON object")
    yield lines("an array", lambda good: [good[0], "[1, 2]"], "line 2", "list")
    yield lines("nested absurdly", lambda good: [good[0], "[" * 100_000], "line 2")
    yield lines("repeats a field", lambda good: ['{"base": "a", "base": "b"}'], "line 1", "twice")
    yield lines(
        "lacks a field", lambda good: [good[0].replace('"edit"', '"edits"')], "line 1", "`edit` is missing"
    )
    yield lines("has one field more", lambda good: [good[0][:-1] + ', "note": 1}'], "line 1", "`note`")
    yield lines("twice", lambda good: [*good, good[0]], clean_pairs()[0].pair_id, "`pair_id`", "two rows")
    yield lines("none", lambda good: [""], "empty")
    yield lines("blank only", lambda good: ["", " ", ""], "no rows")
    for name, value in {"null": None, "number": 7, "list": ["a"], "boolean": True}.items():
        yield cell(f"with {name} for text", "variant", value, "accepted is str")
    yield cell("with boolean for number", "rung_index", True, "accepted is int")
    yield cell("with fraction for number", "rung_index", 1.0, "accepted is int")
    yield cell("with infinity for number", "rung_index", float("inf"), "accepted is int")
    yield cell("with number for boolean", "meaning_preserving", 1, "accepted is bool")
    yield cell("with text for list", "replacements", "none", "accepted is list")
    yield cell("with text in list", "replacements", ["x"], "'x'")
    yield cell("with half an object in list", "replacements", [{"start": 0}], "`end`")
    yield cell("with huge text", "reason", "x" * 100_001, "100000")
    yield cell("with half a character", "reason", "a\ud800", "surrogate")
    yield cell("with number for id", "pair_id", 5, "row number 5")
    yield raw("in Latin-1", b'{"base": "caf\xe9"}', "not valid UTF-8 at line 1")
    yield raw("in UTF-16", "{}".encode("utf-16"), "not valid UTF-8")


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


# --- sources ---------------------------------------------------------------------------------------------------------

FACTUAL, TOP = "sources/factual.yaml", "sources/ladder.yaml"


def in_unreadable_sources() -> Iterator[Corruption]:
    def put(name: str, file: str, old: str, new: str, *says: str) -> Corruption:
        return Corruption(f"sources {name}", _replacing(file, old, new), UNREADABLE, (file, *says))

    def raw(name: str, file: str, content: bytes, *says: str) -> Corruption:
        return Corruption(
            f"sources {name}", lambda folder: _write(folder / file, content), UNREADABLE, (file, *says)
        )

    yield raw("empty", FACTUAL, b"", "empty")
    yield raw("not UTF-8", FACTUAL, b"prompts:\n- id: caf\xe9", "not valid UTF-8 at line 2")
    yield raw("cut", FACTUAL, b'prompts:\n- id: "brasil', "line 2")
    yield raw("a list", FACTUAL, b"- 1\n", "not a mapping")
    yield raw("without prompts", FACTUAL, b"prompts: []\n", "`prompts`")
    yield raw("run code", FACTUAL, b"prompts: !!python/object/apply:os.system ['false']", "line 1")
    yield raw("repeat an anchor", FACTUAL, b"prompts: [&a {id: x, base: y}, *a]\n", "line 1", "aliases")
    yield raw("hold a date", FACTUAL, b"prompts: [{id: 2020-01-01, base: y}]\n", "number 1", "`id`")
    yield put("without a base", FACTUAL, "  base:", "  bass:", "prompt number 1", "'bass'")
    yield put("of an unknown edit", FACTUAL, "synonym_1:", "synonym_3:", "'brasilia-capital'", "'synonym_3'")
    yield put(
        "of an unknown category", FACTUAL, "category: factual", "category: facts", "`category`", "'facts'"
    )
    yield put("with a bad id", FACTUAL, "id: brasilia-capital", "id: Brasilia", "prompt number 1", "`id`")
    yield put("with a field twice", FACTUAL, "  category: factual\n", "  category: factual\n" * 2, "twice")
    yield put("without a version", TOP, "ladder_version", "version", "'version'")
    yield put("of an unknown prompt", TOP, "- brasilia-capital", "- brasilia", "subset `core`", "'brasilia'")
    yield Corruption(
        "sources of another id",
        _replacing(FACTUAL, "id: brasilia-capital", "id: brasilia"),
        UNREADABLE,
        (TOP, "subset `core`", "'brasilia-capital'"),
    )
    yield put("of a prompt twice", TOP, "- brasilia-capital", "- sky-colours", "subset `core`", "twice")
    yield put("of an unknown subset", TOP, "mini:", "tiny:", "'tiny'")
    yield Corruption(
        "sources without ladder.yaml",
        lambda folder: (folder / TOP).unlink(),
        UNREADABLE,
        (TOP, "does not exist"),
    )
    yield Corruption(
        "sources with an id in two files",
        _replacing("sources/reasoning_math.yaml", "id: train-journey", "id: brasilia-capital"),
        UNREADABLE,
        ("sources", "'brasilia-capital'", "twice"),
    )


def in_readable_sources() -> Iterator[Corruption]:
    def put(name: str, file: str, old: str, new: str, *says: str) -> Corruption:
        return Corruption(f"sources {name}", _replacing(file, old, new), WRONG, says)

    row = "'brasilia-capital/synonym_1'"
    yield put("have another variant", FACTUAL, "had that role", "owned that role", FULL, row, "`variant`")
    yield put("have another version", TOP, VERSION, "9.9.9", MINI, "`ladder_version`", "'9.9.9'")
    yield put(
        "have another reason", FACTUAL, "reason: ", "reason: New. ", FULL, "brasilia-capital", "`reason`"
    )
    yield put("have another category", FACTUAL, "y: factual", "y: creative_writing", FULL, "`category`")
    yield Corruption(
        "sources lack a variant",
        _without_variant("synonym_1"),
        WRONG,
        (FULL, row, "not built from the sources"),
    )


def _without_variant(edit: str) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        parsed = yaml.safe_load((folder / FACTUAL).read_text(encoding="utf-8"))
        del parsed["prompts"][0]["variants"][edit]
        (folder / FACTUAL).write_text(yaml.safe_dump(parsed, allow_unicode=True), encoding="utf-8")

    return apply


def _replacing(file: str, old: str, new: str) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        text = (folder / file).read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {file}"
        (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")

    return apply


# --- content, with every hash made right again -----------------------------------------------------------------------


def content(
    name: str,
    change: Callable[[Pair], Pair | None],
    *says: str,
    subsets: Iterable[str] = ALL,
    embedding: bool = False,
) -> Corruption:
    """Rows changed (None drops one) in the given subsets, without the sources that would tell."""

    def apply(folder: Path) -> None:
        shutil.rmtree(folder / "sources")
        for subset in subsets:
            changed = [change(pair) for pair in clean_pairs(subset)]
            write_parquet([pair for pair in changed if pair], folder / subset / "test.parquet")

    return Corruption(name, apply, WRONG, says, embedding=embedding)


def in_row(pair_id: str, /, **cells: Any) -> Callable[[Pair], Pair]:
    """A change of one row; a new variant gets its replacements."""

    def change(pair: Pair) -> Pair:
        if pair.pair_id != pair_id:
            return pair
        changed = replace(pair, **cells)
        if "variant" in cells and "replacements" not in cells:
            changed = replace(changed, replacements=minimal_replacement(pair.base, changed.variant))
        return changed

    return change


def dropping(*pair_ids: str) -> Callable[[Pair], Pair | None]:
    return lambda pair: None if pair.pair_id in pair_ids else pair


def text_of(pair_id: str) -> str:
    return next(pair.variant for pair in clean_pairs() if pair.pair_id == pair_id)


def in_rule_rows() -> Iterator[Corruption]:
    for edit in (
        "identical",
        "leading_space",
        "trailing_newline",
        "double_space",
        "nbsp",
        "parenthesize_word",
    ):
        row = f"sky-colours/{edit}"
        yield content(f"rule row {edit} dropped", dropping(row), FULL, repr(row), "missing")
    row = "sky-colours/double_space"
    elsewhere = text_of("sky-colours/identical").replace(" ", "  ", 1)
    yield content("rule row at another place", in_row(row, variant=elsewhere), FULL, repr(row), "`variant`")
    swapped = in_row("sky-colours/leading_space", variant=text_of("sky-colours/trailing_space"))
    yield content("rule row of another rule", swapped, FULL, "'sky-colours/leading_space'", "`variant`")
    yield content(
        "rule row with other replacements",
        in_row("sky-colours/leading_space", replacements=_whole("sky-colours/leading_space")),
        FULL,
        "'sky-colours/leading_space'",
        "`replacements`",
    )
    yield content("rule row with a reason", in_row(row, reason="Because."), FULL, repr(row), "`reason`")
    yield content(
        "rule row as authored", in_row(row, origin="authored", reason="Wide."), FULL, repr(row), "`origin`"
    )
    yield content(
        "rule row where no rule applies",
        _with_row("sky-colours/nfd", "noop", 1),
        FULL,
        "'sky-colours/nfd'",
        "not exist",
    )
    yield content(
        "rule row of an unknown edit",
        _with_row("sky-colours/tabs", "noop", 1),
        FULL,
        "'sky-colours/tabs'",
        "`edit`",
    )

    def on_another_rung(pair: Pair) -> Pair:
        return replace(pair, rung="punctuation", rung_index=2) if pair.edit == "nbsp" else pair

    yield content("rule edit on another rung", on_another_rung, FULL, "'sky-colours/nbsp'", "`rung`")


def _whole(pair_id: str) -> tuple[Replacement, ...]:
    base = text_of(pair_id.split("/")[0] + "/identical")
    return (Replacement(0, len(base), text_of(pair_id)),)


def _with_row(pair_id: str, rung: str, rung_index: int) -> Callable[[Pair], Pair]:
    """Another row in the place of `sky-colours/leading_space`, whose absence is named too."""
    cells = {"pair_id": pair_id, "edit": pair_id.split("/")[1], "rung": rung, "rung_index": rung_index}
    text = text_of("sky-colours/identical") + " \t"
    return in_row("sky-colours/leading_space", variant=text, **cells)


def in_authored_rows() -> Iterator[Corruption]:
    for edit in AUTHORED_EDITS:
        row = f"sky-colours/{edit}"
        yield content(f"authored row {edit} dropped", dropping(row), FULL, repr(row), "missing")

    def variant(name: str, row: str, old: str, new: str, *says: str) -> Corruption:
        assert old in text_of(row), f"{old!r} is not in {row}"
        text = text_of(row).replace(old, new, 1)
        return content(f"variant {name}", in_row(row, variant=text), FULL, repr(row), "`variant`", *says)

    yield variant("with two other words", "sky-colours/synonym_1", "noon", "midday", "2 words")
    yield variant("with a word more", "sky-colours/synonym_1", "appear blue", "appear all blue", "words")
    yield variant(
        "with other white space", "sky-colours/synonym_1", "appear blue", "appear\nblue", "white space"
    )
    yield variant("with other punctuation", "train-journey/synonym_1", "departs", "departs,", "punctuation")
    yield content(
        "variant in capitals only",
        in_row("sky-colours/synonym_1", variant=text_of("sky-colours/identical").replace("sky", "Sky")),
        FULL,
        "'sky-colours/synonym_1'",
        "`variant`",
        "spelling",
    )
    yield content(
        "variant with the same synonym",
        in_row("sky-colours/synonym_2", variant=text_of("sky-colours/identical").replace("look", "seem")),
        FULL,
        "'sky-colours/synonym_2'",
        "`variant`",
        "same word",
    )
    quoted = text_of("plain-sentence/identical").replace("further review", "further scrutiny")
    row = "plain-sentence/synonym_1"
    yield content("variant with a quoted synonym", in_row(row, variant=quoted), FULL, repr(row), "`variant`")
    for number, (old, new) in enumerate({"14:35": "14:53", "17:10": "5:10"}.items(), 1):
        yield variant(
            f"with another number {number}", "train-journey/paraphrase_1", old, new, "number", repr(old)
        )
    yield variant("with a number more", "train-journey/paraphrase_1", "steps", "3 steps", "adds", "'3'")
    yield variant("with other code", "palindrome-function/paraphrase_1", "is_palin", "is_a_palin", "code")
    yield variant("with another quotation", "plain-sentence/paraphrase_1", "deferred", "postponed", "quote")
    yield variant("with another unit", "recipe-scaling/paraphrase_1", "300 g", "300 kg", "number 300")
    yield variant(
        "with a link more", "sky-colours/paraphrase_1", "Explain", "See a.example.org. Explain", "link"
    )
    for edit in ("synonym_1", "paraphrase_1", "semantic_1", "control_reversal"):
        base = text_of("sky-colours/identical")
        for name, text in {"short": base[:9], "long": " ".join([base] * 3)}.items():
            row = f"sky-colours/{edit}"
            yield content(
                f"variant {edit} {name}",
                in_row(row, variant=text),
                FULL,
                repr(row),
                "`variant`",
                "times as long",
            )
    yield variant("with a space at its end", "sky-colours/paraphrase_1", ".", ". ", "white space")
    yield variant("with a space at its start", "sky-colours/semantic_1", "Why", " Why", "white space")
    yield variant("with a double space", "sky-colours/control_topic", " ", "  ", "white space")
    yield variant("with a tab", "sky-colours/control_topic", " ", "\t\t", "white space")
    equal = in_row("sky-colours/paraphrase_2", variant=text_of("sky-colours/paraphrase_1"))
    yield content("variant twice", equal, FULL, "'sky-colours/paraphrase_2'", "`variant`", "equals")
    equal = in_row("sky-colours/semantic_1", variant=text_of("sky-colours/leading_space"))
    yield content("variant of a rule", equal, FULL, "'sky-colours/semantic_1'", "`variant`", "equals")
    row = "sky-colours/semantic_1"
    yield content("reason missing", in_row(row, reason=""), FULL, repr(row), "`reason` is empty")
    yield content("reason blank", in_row(row, reason=" \n"), FULL, repr(row), "`reason` is empty")
    repeated = next(pair.reason for pair in clean_pairs() if pair.pair_id == "sky-colours/synonym_1")
    yield content("reason repeated", in_row(row, reason=repeated), FULL, repr(row), "`reason` repeats")
    yield content(
        "reason repeated in capitals",
        in_row(row, reason=repeated.upper()),
        FULL,
        repr(row),
        "`reason` repeats",
    )
    yield content(
        "authored row as a rule's", in_row(row, origin="rule", reason=""), FULL, repr(row), "`origin`"
    )

    def on_another_rung(pair: Pair) -> Pair:
        return replace(pair, rung="synonym", rung_index=3) if pair.edit == "paraphrase_1" else pair

    yield content(
        "authored edit on another rung", on_another_rung, FULL, "'sky-colours/paraphrase_1'", "`rung`"
    )

    def exchange_rows(pair: Pair) -> Pair:
        ids = {
            "sky-colours/synonym_1": "sky-colours/control_topic",
            "sky-colours/control_topic": "sky-colours/synonym_1",
        }
        return in_row(pair.pair_id, variant=text_of(ids[pair.pair_id]))(pair) if pair.pair_id in ids else pair

    yield content("authored rows exchanged", exchange_rows, FULL, "'sky-colours/synonym_1'", "`variant`")


def in_bases() -> Iterator[Corruption]:
    def base(
        name: str, prompt_id: str, change: Callable[[str], str], *says: str, row: str = "identical"
    ) -> Corruption:
        def of_prompt(prompt: AuthoredPrompt) -> AuthoredPrompt:
            return replace(prompt, base=change(prompt.base)) if prompt.prompt_id == prompt_id else prompt

        def apply(folder: Path) -> None:
            shutil.rmtree(folder / "sources")
            rebuild(folder, of_prompt, ALL)

        return Corruption(f"base {name}", apply, WRONG, (FULL, f"'{prompt_id}/{row}'", *says))

    other = text_of("brasilia-capital/identical")
    yield base("with a space at its end", "sky-colours", lambda text: text + " ", "`base`", "white space")
    yield base(
        "with a line break at its start", "sky-colours", lambda text: "\n" + text, "`base`", "white space"
    )
    yield base(
        "with a double space", "sky-colours", lambda text: text.replace(" ", "  ", 1), "`base`", "white space"
    )
    yield base("in code only", "sky-colours", lambda text: "`sky`", "`base`", "edits of the rung 'noop'")
    yield base(
        "of another prompt",
        "sky-colours",
        lambda text: other,
        "`base` equals",
        "'brasilia-capital/identical'",
    )
    yield base(
        "of another prompt in capitals",
        "sky-colours",
        lambda text: other.upper(),
        "`base` equals",
        "brasilia-capital",
    )
    yield base(
        "of another prompt without punctuation",
        "sky-colours",
        lambda text: other.replace("?", "").replace(",", ""),
        "`base` equals",
        "brasilia-capital",
    )
    yield base(
        "nearly of another prompt",
        "sky-colours",
        lambda text: other.replace("capital of", "main city of"),
        "`base` has nearly the words",
        "brasilia-capital",
    )
    yield base(
        "of another prompt in another order",
        "sky-colours",
        lambda text: " ".join(reversed(other.split())),
        "`base` has nearly the words",
        "brasilia-capital",
    )
    yield content(
        "topic of another prompt",
        in_row("sky-colours/control_topic", variant=text_of("brasilia-capital/semantic_1")),
        FULL,
        "'sky-colours/control_topic'",
        "`variant` has nearly the words",
        "'brasilia-capital/identical'",
    )


def in_subsets() -> Iterator[Corruption]:
    def moved(pair: Pair) -> Pair:
        return replace(pair, category="factual") if pair.prompt_id == "sky-colours" else pair

    def uncategorized(pair: Pair) -> Pair:
        return replace(pair, category="uncategorized") if pair.prompt_id == "sky-colours" else pair

    def without(prompt_id: str) -> Callable[[Pair], Pair | None]:
        return lambda pair: None if pair.prompt_id == prompt_id else pair

    def of_version(pair: Pair) -> Pair:
        return replace(pair, ladder_version="9.9")

    row = "'sky-colours/identical'"
    yield content(
        "prompt in another category", moved, FULL, "`category`", "factual 3", "scientific_explanation 1"
    )
    yield content("prompt in no category", uncategorized, FULL, row, "`category` is 'uncategorized'")
    yield content(
        "prompt missing in full", without("plain-sentence"), FULL, "`category`", "unequal", subsets=["full"]
    )
    yield content(
        "prompt missing in core", without("sky-colours"), CORE, "`category`", "unequal", subsets=["core"]
    )
    yield content(
        "category missing in mini", without("sky-colours"), MINI, "`category`", "lacks", subsets=["mini"]
    )
    yield content(
        "prompt not in the larger subset", without("sky-colours"), CORE, row, "'full'", subsets=["full"]
    )
    other_reason = in_row("sky-colours/semantic_1", reason="Noon and night are not the same.")
    row = "'sky-colours/semantic_1'"
    yield content(
        "row differs in mini", other_reason, MINI, row, "`reason` differs", "'core'", subsets=["mini"]
    )
    yield content(
        "row differs in core", other_reason, CORE, row, "`reason` differs", "'full'", subsets=["core"]
    )
    yield content(
        "row differs in full", other_reason, CORE, row, "`reason` differs", "'full'", subsets=["full"]
    )
    dropped = dropping("sky-colours/semantic_1")
    yield content("row missing in mini", dropped, MINI, row, "'core'", "missing", subsets=["mini"])
    yield content("version differs in mini", of_version, MINI, "`ladder_version` is '9.9'", subsets=["mini"])
    yield content("version differs in full", of_version, CORE, "`ladder_version`", "'9.9'", subsets=["full"])

    def renamed(folder: Path) -> None:
        shutil.rmtree(folder / "sources")
        (folder / "full").rename(folder / "complete")

    def one_more(folder: Path) -> None:
        shutil.copytree(folder / "mini", folder / "tiny")

    yield Corruption(
        "subset of another name", renamed, WRONG, ("complete/test.parquet", "'complete'", "accepted")
    )
    yield Corruption("subset that no source lists", one_more, WRONG, ("sources", "'tiny'", "Remove"))

    def stale(folder: Path) -> None:
        write_parquet(clean_pairs("full")[:-1], folder / FULL)

    last = clean_pairs("full")[-1].pair_id
    yield Corruption(
        "row that the sources give is missing", stale, WRONG, (FULL, repr(last), "sources", "missing")
    )

    def reordered(folder: Path) -> None:
        pairs = clean_pairs("full")
        write_parquet([pairs[1], pairs[0], *pairs[2:]], folder / FULL)

    yield Corruption("rows in another order than the sources", reordered, WRONG, (FULL, "stands where"))


def in_space() -> Iterator[Corruption]:
    base = text_of("sky-colours/identical")
    near = "What makes the sky appear blue around noon, and red as the sun sets? Explain for people without physics."
    topic = "How come the sky is blue at noon, though it is red at dusk? Tell a person who has no idea of physics."

    def base_of_books(prompt: AuthoredPrompt) -> AuthoredPrompt:
        return replace(prompt, base=near) if prompt.prompt_id == "books-after-dune" else prompt

    def same_request(folder: Path) -> None:
        shutil.rmtree(folder / "sources")
        rebuild(folder, base_of_books, ALL)

    yield Corruption(
        "base asks for the same in other words",
        same_request,
        WRONG,
        (FULL, "/identical'", "`base` asks for nearly", "books-after-dune", "sky-colours"),
        embedding=True,
    )
    yield content(
        "topic control asks for another prompt's request",
        in_row("books-after-dune/control_topic", variant=topic),
        FULL,
        "'books-after-dune/control_topic'",
        "`variant` asks for nearly",
        "'sky-colours/identical'",
        embedding=True,
    )
    yield content(
        "topic control on the same topic",
        in_row("sky-colours/control_topic", variant=base.replace("blue", "grey").replace("red", "orange")),
        FULL,
        "'sky-colours/control_topic'",
        "`variant` lies",
        "0.5",
        embedding=True,
    )

    def with_texts_of(**edits: str) -> Callable[[AuthoredPrompt], AuthoredPrompt]:
        def change(prompt: AuthoredPrompt) -> AuthoredPrompt:
            texts = {
                edit: AuthoredVariant(prompt.variants[other].text, prompt.variants[edit].reason)
                for edit, other in edits.items()
            }
            return replace(prompt, variants={**prompt.variants, **texts})

        return change

    def exchanged(name: str, *says: str, **edits: str) -> Corruption:
        def apply(folder: Path) -> None:
            shutil.rmtree(folder / "sources")
            rebuild(folder, with_texts_of(**edits), ALL)

        return Corruption(
            f"order: {name}", apply, WRONG, (FULL, "median prompt distance", *says), embedding=True
        )

    yield exchanged(
        "synonyms and paraphrases exchanged",
        "of synonym is",
        "of paraphrase",
        synonym_1="paraphrase_1",
        synonym_2="paraphrase_2",
        paraphrase_1="synonym_1",
        paraphrase_2="synonym_2",
    )
    yield exchanged(
        "paraphrases and reversals exchanged",
        "of paraphrase is",
        "of control_reversal",
        paraphrase_1="control_reversal",
        paraphrase_2="control_topic",
        control_reversal="paraphrase_1",
    )
    yield exchanged(
        "topics and reversals exchanged",
        "of control_topic is",
        "0.7",
        control_topic="control_reversal",
        control_reversal="control_topic",
    )
    yield exchanged(
        "topics are semantic changes",
        "of control_topic is",
        "0.7",
        control_topic="semantic_1",
        semantic_1="control_topic",
    )
