"""More than two hundred ways to spoil a good ladder, each with what the check must say about it.

in bytes      a parquet file that is cut, overwritten, replaced
in tables     columns that are dropped, retyped, renamed, doubled
in cells      a cell edited, its hashes stale
in rows       a cell edited and its row hash made right again, in parquet and in JSON lines
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
from lm_eval_sensitivity.ladder.schema import COLUMNS, row_hash, rows_from_pairs
from lm_eval_sensitivity.ladder.sources import AUTHORED_EDITS, AuthoredPrompt, AuthoredVariant
from lm_eval_sensitivity.types import Pair, Replacement
from tests.unit.ladder.small_ladder import SUBSETS, VERSION, clean_pairs, rebuild

FULL, CORE, MINI = (f"{subset}/test.parquet" for subset in SUBSETS)
LINES = "rows.jsonl"
SKY = "sky-colours"
Row = dict[str, Any]
Table = pa.Table

UNREADABLE, WRONG = 2, 1
"""Exit statuses: not a ladder at all, and a ladder that breaks a promise."""


@dataclass(frozen=True)
class Corruption:
    """One way to spoil a ladder."""

    name: str
    apply: Callable[[Path], object]
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
    makers = (
        *(in_bytes, in_tables, in_cells, in_rows, in_lines, in_unreadable_sources, in_readable_sources),
        *(in_rule_rows, in_authored_rows, in_bases, in_subsets, in_space),
    )
    return [each for make in makers for each in make()]


# --- bytes -----------------------------------------------------------------------------------------------------------

BYTES: dict[str, Callable[[bytes], bytes]] = {
    "is cut in half": lambda good: good[: len(good) // 2],
    "lacks its last byte": lambda good: good[:-1],
    "lacks its first bytes": lambda good: good[4:],
    "has bytes after its end": lambda good: good + b"\n",
    "is a pointer of a file store": lambda good: b"version https://git-lfs.github.com/spec/v1\n",
    "is JSON": lambda good: b'{"pair_id": "a"}\n',
    "is a pickle": lambda good: b"\x80\x04cos\nsystem\n(S'false'\ntR.",
    "is zeros": lambda good: b"\0" * len(good),
    "has a footer of absurd length": lambda good: good[:-8] + b"\xff\xff\xff\x7fPAR1",
    "has zeros in its first page": lambda good: good[:40] + b"\0" * 64 + good[104:],
    "has zeros in its footer": lambda good: good[:-300] + b"\0" * 64 + good[-236:],
}


def in_bytes() -> Iterator[Corruption]:
    def spoil(name: str, change: Callable[[bytes], bytes], says: str) -> Corruption:
        def apply(folder: Path) -> None:
            (folder / FULL).write_bytes(change((folder / FULL).read_bytes()))

        return Corruption(f"parquet {name}", apply, UNREADABLE, (FULL, says))

    yield spoil("is empty", lambda good: b"", "is empty")
    for name, change in BYTES.items():
        yield spoil(name, change, "not a readable parquet")

    def folder_instead(folder: Path) -> None:
        (folder / FULL).unlink()
        (folder / FULL).mkdir()

    def dangling_link(folder: Path) -> None:
        (folder / FULL).unlink()
        (folder / FULL).symlink_to(folder / "nowhere.parquet")

    def nothing(folder: Path) -> None:
        for each in (*SUBSETS, "sources"):
            shutil.rmtree(folder / each)

    yield Corruption("parquet is a folder", folder_instead, UNREADABLE, (FULL, "not a regular file"))
    yield Corruption("parquet is a link to nowhere", dangling_link, WRONG, ("sources", "'full'", "no file"))
    gone = ("sources", "'core'", "no file")
    yield Corruption("parquet is gone", lambda folder: (folder / CORE).unlink(), WRONG, gone)
    yield Corruption("folder is empty", nothing, UNREADABLE, ("holds no ladder",))


# --- tables ----------------------------------------------------------------------------------------------------------


def in_tables() -> Iterator[Corruption]:
    def spoil(name: str, change: Callable[[Table], Table], *says: str) -> Corruption:
        def apply(folder: Path) -> None:
            pq.write_table(change(pq.read_table(folder / MINI)), folder / MINI)

        return Corruption(name, apply, UNREADABLE, (MINI, *says))

    for column in COLUMNS:
        yield spoil(f"column {column} dropped", _dropped(column), f"`{column}` is missing")
        yield spoil(f"column {column} of another type", _retyped(column), f"`{column}` has the type")
    for column in ("pair_id", "variant", "rung_index", "replacements"):
        yield spoil(f"column {column} without a value", _with_null(column), f"`{column}` is missing")
    for name, (change, *says) in TABLES.items():
        yield spoil(name, change, *says)


def _dropped(column: str) -> Callable[[Table], Table]:
    return lambda table: table.drop_columns([column])


def _put(table: Table, column: str, values: Any) -> Table:
    return table.set_column(table.schema.get_field_index(column), column, values)


def _retyped(column: str) -> Callable[[Table], Table]:
    others = {
        "rung_index": pa.int64(),
        "meaning_preserving": pa.int8(),
        "replacements": pa.large_list(SCHEMA.field("replacements").type.value_type),
    }
    return lambda table: _put(table, column, table[column].cast(others.get(column, pa.large_string())))


def _with_null(column: str) -> Callable[[Table], Table]:
    def change(table: Table) -> Table:
        return _put(
            table, column, pa.array([None, *table[column].to_pylist()[1:]], SCHEMA.field(column).type)
        )

    return change


def _misspelt(table: Table) -> Table:
    return table.rename_columns(["varient" if each == "variant" else each for each in table.column_names])


def _metadata(*, keep: bool = True, **values: str) -> Callable[[Table], Table]:
    new = {f"lm_eval_sensitivity.{key}".encode(): value.encode() for key, value in values.items()}
    return lambda table: table.replace_schema_metadata({**(table.schema.metadata if keep else {}), **new})


def _not_utf8(table: Table) -> Table:
    cells = [b"\xff\xfe", *(text.encode() for text in table["base"].to_pylist()[1:])]
    return _put(table, "base", pa.array(cells, pa.binary()).view(pa.string()))


def _other_reason(table: Table) -> Table:
    *content, last = table.to_pylist()
    return Table.from_pylist([*content, _hashed({**last, "reason": "Because."})], schema=table.schema)


def _hashed(row: Row) -> Row:
    return {**row, "row_hash": row_hash(row)}


ZEROS = "0" * 64
TABLES: dict[str, tuple[Any, ...]] = {
    "column base twice": (lambda table: table.append_column("base", table["base"]), "`base`", "2 times"),
    "column unknown": (lambda table: table.append_column("note", table["base"]), "`note` is not part of"),
    "column misspelt": (_misspelt, "`variant` is missing", "'varient'"),
    "no rows": (lambda table: table.slice(0, 0), "has no rows"),
    "some rows dropped": (lambda table: table.slice(1), "content hash"),
    "rows in another order": (lambda table: table.take(list(range(len(table)))[::-1]), "content hash"),
    "metadata gone": (_metadata(keep=False), "no content hash"),
    "metadata of another version": (_metadata(ladder_version="9.9"), "metadata says ladder version '9.9'"),
    "metadata of another hash": (_metadata(content_hash=ZEROS), "the stated hash itself was changed"),
    "metadata of one hash": (
        _metadata(keep=False, content_hash=ZEROS, ladder_version=VERSION),
        "content hash",
    ),
    "metadata of no columns": (_metadata(content_hash=ZEROS, column_hashes="[]"), "content hash"),
    "row changed with its own hash": (_other_reason, "content hash", "(changed: `reason`, `row_hash`)"),
    "cell that is not UTF-8": (_not_utf8, "row 'palindrome-function/identical'", "`base` is not valid UTF-8"),
}


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
    for column, (value, named) in CELLS.items():
        cells = {column: value}
        says = (FULL, cells.get("pair_id", f"{SKY}/synonym_1"), named)
        change = _in_cells(f"{SKY}/synonym_1", cells, rehash=False)
        yield Corruption(f"cell {column} edited", _in_parquet(change), UNREADABLE, says)


def _in_cells(pair_id: str, cells: Row, *, rehash: bool = True) -> Callable[[list[Row]], list[Row]]:
    def changed(row: Row) -> Row:
        row = {**row, **cells}
        return _hashed(row) if rehash else row

    return lambda rows: [changed(row) if row["pair_id"] == pair_id else row for row in rows]


def _in_parquet(change: Callable[[list[Row]], list[Row]]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        table = pq.read_table(folder / FULL)
        pq.write_table(Table.from_pylist(change(table.to_pylist()), schema=table.schema), folder / FULL)

    return apply


def _in_jsonl(change: Callable[[list[Row]], list[Row]]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        text = "\n".join(map(json.dumps, change(rows_from_pairs(clean_pairs()))))
        (folder / LINES).write_text(text, encoding="utf-8")

    return apply


# --- rows, in both forms ---------------------------------------------------------------------------------------------


def cut(start: int, end: int) -> Row:
    return {"start": start, "end": end, "replacement": ""}


OVERLAPPING = {"replacements": [cut(5, 9), cut(7, 8)]}
MOVED = {"rung": "punctuation", "rung_index": 2}
SPACE = {"start": 0, "end": 0, "replacement": " "}
BASE = next(pair.base for pair in clean_pairs() if pair.prompt_id == SKY)
ROWS: dict[str, tuple[str, Row, list[str]]] = {
    # name: the edit of the row, its new cells, and what is said besides file and row
    "unknown rung": ("nbsp", {"rung": "nop"}, ["`rung`", "accepted", "Did you mean 'noop'?"]),
    "unknown category": ("nbsp", {"category": "facts"}, ["`category`", "accepted", "'factual'"]),
    "unknown origin": ("nbsp", {"origin": "rules"}, ["`origin`", "accepted", "Did you mean 'rule'?"]),
    "wrong rung index": ("nbsp", {"rung_index": 2}, ["`rung_index` is 2"]),
    "wrong meaning": ("nbsp", {"meaning_preserving": False}, ["`meaning_preserving`"]),
    "wrong pair id": ("nbsp", {"pair_id": f"{SKY}/nbps"}, ["`pair_id`", f"'{SKY}/nbsp'"]),
    **{
        f"blank {column}": ("synonym_1", {column: " "}, [f"`{column}` is blank"])
        for column in ("pair_id", "prompt_id", "edit", "base", "variant", "ladder_version")
    },
    "blank rung": ("synonym_1", {"rung": " "}, ["`rung` is blank"]),
    **{
        f"huge {column}": ("synonym_1", {column: "x" * 500_000}, [f"`{column}`", "100000"])
        for column in ("base", "variant", "reason")
    },
    "changed variant": ("nbsp", {"variant": "Other"}, ["`replacements`", "`variant`"]),
    "changed base": (
        "leading_space",
        {"base": "A.", "variant": " A."},
        ["`base` is 'A.'", f"{SKY}/identical"],
    ),
    "variant equals base": (
        "leading_space",
        {"variant": BASE, "replacements": []},
        ["`variant` equals `base`"],
    ),
    "identical differs": ("identical", {"variant": f" {BASE}", "replacements": [SPACE]}, ["differs from"]),
    "category of one row": ("nbsp", {"category": "factual"}, ["`category`"]),
    "version of one row": ("nbsp", {"ladder_version": "9"}, ["`ladder_version` is '9'"]),
    "edit on two rungs": ("nbsp", MOVED, ["`rung` is 'punctuation'", "palindrome-function/nbsp"]),
    "replacement outside": ("nbsp", {"replacements": [cut(3, 9_999)]}, ["`replacements`", "3 to 9999"]),
    "replacements overlap": ("nbsp", OVERLAPPING, ["`replacements`", "before the end"]),
    "replacements unsorted": (
        "nbsp",
        {"replacements": [cut(3, 5), SPACE]},
        ["`replacements`", "character 0"],
    ),
}
CELLS_OF_LINES: dict[str, tuple[str, Any, str]] = {
    # name: column, the cell, and what is said; parquet cannot hold them, its cells have types
    **{
        f"{type(value).__name__} for text": ("variant", value, "accepted is str")
        for value in (None, 7, ["a"], True)
    },
    **{
        f"{value!r} for a number": ("rung_index", value, "accepted is int")
        for value in (True, 1.0, float("inf"))
    },
    "number for boolean": ("meaning_preserving", 1, "accepted is bool"),
    "text for list": ("replacements", "none", "accepted is list"),
    "text in list": ("replacements", ["x"], "holds 'x'"),
    "half an object in list": ("replacements", [{"start": 0}], "`end`"),
    "object without its end": ("replacements", [{"start": 3, "replacement": ""}], "`end`"),
    "half a character": ("reason", "a\ud800b", "half of a surrogate pair at character 1"),
}


def in_rows() -> Iterator[Corruption]:
    for name, (edit, cells, says) in ROWS.items():
        row = str(cells.get("pair_id", f"{SKY}/{edit}"))
        row = row if row.strip() else "row number"
        change = _in_cells(f"{SKY}/{edit}", cells)
        yield Corruption(f"row with {name}", _in_parquet(change), UNREADABLE, (FULL, row, *says))
        yield Corruption(f"line with {name}", _in_jsonl(change), UNREADABLE, (LINES, row, *says), LINES)
    for name, (column, value, said) in CELLS_OF_LINES.items():
        change = _in_cells(f"{SKY}/nbsp", {column: value})
        says = (LINES, f"{SKY}/nbsp", f"`{column}`", said)
        yield Corruption(f"line with {name}", _in_jsonl(change), UNREADABLE, says, LINES)
    first = clean_pairs()[0].pair_id
    twice = (first, "`pair_id`", "two rows")
    yield Corruption("row twice", _in_parquet(lambda r: [*r, r[0]]), UNREADABLE, (FULL, *twice))
    yield Corruption("line twice", _in_jsonl(lambda r: [*r, r[0]]), UNREADABLE, (LINES, *twice), LINES)
    number = _in_cells(first, {"pair_id": 5})
    says = (LINES, "row number 1", "`pair_id`")
    yield Corruption("line with number for id", _in_jsonl(number), UNREADABLE, says, LINES)


# --- JSON lines ------------------------------------------------------------------------------------------------------

GOOD = json.dumps(rows_from_pairs(clean_pairs())[0])
RAW_LINES: dict[str, tuple[str | bytes, list[str]]] = {
    "cut": (f"{GOOD}\n{GOOD[:100]}", ["line 2", "not a JSON object"]),
    "no JSON": (f"{GOOD}\n{{oops", ["line 2", "not a JSON object"]),
    "an array": (f"{GOOD}\n[1, 2]", ["line 2", "list"]),
    "a number": (f"{GOOD}\n7", ["line 2", "int"]),
    "nested absurdly": (f"{GOOD}\n{'[' * 100_000}", ["line 2"]),
    "repeats a field": ('{"base": "a", "base": "b"}', ["line 1", "twice"]),
    "lacks a field": (GOOD.replace('"edit"', '"edits"'), ["line 1", "`edit` is missing", "'edits'"]),
    "misspelt": ('{"pairid": "a"}', ["line 1", "`pair_id` is missing", "Did you mean 'pairid'?"]),
    "has one field more": (GOOD[:-1] + ', "note": 1}', ["line 1", "`note`"]),
    "has one field near a name": (GOOD[:-1] + ', "variants": ""}', ["`variants`", "Did you mean 'variant'?"]),
    "none": ("", ["empty"]),
    "blank only": ("\n \n", ["no rows"]),
    "in Latin-1": (b'{"base": 1}\n{"base": "caf\xe9"}', ["not valid UTF-8 at line 2"]),
    "in UTF-16": ("{}".encode("utf-16-le"), ["UTF-16 (little-endian)"]),
    "in parquet": (b"PAR1\x15\x04\x15\xe0\xff", ["not valid UTF-8"]),
}


def in_lines() -> Iterator[Corruption]:
    for name, (content, says) in RAW_LINES.items():
        yield Corruption(f"line {name}", _writing(LINES, content), UNREADABLE, (LINES, *says), LINES)


def _writing(file: str, content: str | bytes) -> Callable[[Path], object]:
    raw = content if isinstance(content, bytes) else content.encode()
    return lambda folder: (folder / file).write_bytes(raw)


# --- sources ---------------------------------------------------------------------------------------------------------

FACTUAL, TOP, MATH = "sources/factual.yaml", "sources/ladder.yaml", "sources/reasoning_math.yaml"
RAW_SOURCES: dict[str, tuple[bytes, list[str]]] = {
    "empty": (b"", ["empty"]),
    "not UTF-8": (b"prompts:\n- id: caf\xe9", ["not valid UTF-8 at line 2"]),
    "in UTF-16": ("prompts: []".encode("utf-16-le"), ["UTF-16 (little-endian)"]),
    "cut": (b'prompts:\n- id: "brasil', ["line 2"]),
    "a list": (b"- 1\n", ["not a mapping"]),
    "without prompts": (b"prompts: []\n", ["`prompts`"]),
    "run code": (b"prompts: !!python/object/apply:os.system ['false']", ["line 1"]),
    "repeat an anchor": (b"prompts: [&a {id: x, base: y}, *a]\n", ["line 1", "aliases"]),
    "hold a date": (b"prompts: [{id: 2020-01-01, base: y}]\n", ["number 1", "`id`"]),
}
CAPITAL = "'brasilia-capital'"
CATEGORY = "  category: factual\n"
UNREADABLE_SOURCES: dict[str, tuple[str, str, str, list[str]]] = {
    # name: the file, what is replaced in it and by what, and what is said
    "without a base": (FACTUAL, "  base:", "  bass:", [FACTUAL, "prompt number 1", "'bass'"]),
    "of an unknown edit": (FACTUAL, "synonym_1:", "synonym_3:", [FACTUAL, CAPITAL, "'synonym_3'"]),
    "of an unknown category": (FACTUAL, ": factual", ": facts", [FACTUAL, "`category`", "'facts'"]),
    "with a bad id": (FACTUAL, "id: brasilia-c", "id: Brasilia-c", [FACTUAL, "prompt number 1", "`id`"]),
    "with a field twice": (FACTUAL, CATEGORY, CATEGORY * 2, [FACTUAL, "twice"]),
    "without a version": (TOP, "ladder_version", "version", [TOP, "'version'"]),
    "of an unknown prompt": (TOP, "- brasilia-capital", "- brasilia", [TOP, "subset `core`", "'brasilia'"]),
    "of another id": (FACTUAL, "id: brasilia-capital", "id: brasilia", [TOP, "subset `core`", CAPITAL]),
    "of a prompt twice": (TOP, "- brasilia-capital", "- sky-colours", [TOP, "subset `core`", "twice"]),
    "of an unknown subset": (TOP, "mini:", "tiny:", [TOP, "'tiny'"]),
    "with an id in two files": (MATH, "id: train-journey", "id: brasilia-capital", [CAPITAL, "twice"]),
}
BRASILIA = "'brasilia-capital/synonym_1'"
READABLE_SOURCES: dict[str, tuple[str, str, str, list[str]]] = {
    "have another variant": (FACTUAL, "had that role", "owned that role", [FULL, BRASILIA, "`variant`"]),
    "have another version": (TOP, VERSION, "9.9.9", [MINI, "`ladder_version`", "'9.9.9'"]),
    "have another reason": (FACTUAL, "reason: ", "reason: New. ", [FULL, "brasilia-capital", "`reason`"]),
    "have another category": (FACTUAL, "y: factual", "y: creative_writing", [FULL, "`category`"]),
}


def in_unreadable_sources() -> Iterator[Corruption]:
    for name, (content, said) in RAW_SOURCES.items():
        says = (FACTUAL, *said)
        yield Corruption(f"sources {name}", _writing(FACTUAL, content), UNREADABLE, says)
    for name, (file, old, new, said) in UNREADABLE_SOURCES.items():
        yield Corruption(f"sources {name}", _replacing(file, old, new), UNREADABLE, tuple(said))
    gone = (TOP, "does not exist")
    yield Corruption("sources without ladder.yaml", lambda folder: (folder / TOP).unlink(), UNREADABLE, gone)


def in_readable_sources() -> Iterator[Corruption]:
    for name, (file, old, new, said) in READABLE_SOURCES.items():
        yield Corruption(f"sources {name}", _replacing(file, old, new), WRONG, tuple(said))

    def without_variant(folder: Path) -> None:
        parsed = yaml.safe_load((folder / FACTUAL).read_text(encoding="utf-8"))
        del parsed["prompts"][0]["variants"]["synonym_1"]
        (folder / FACTUAL).write_text(yaml.safe_dump(parsed, allow_unicode=True), encoding="utf-8")

    says = (FULL, BRASILIA, "not built from the sources")
    yield Corruption("sources lack a variant", without_variant, WRONG, says)


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
    subsets: Iterable[str] = SUBSETS,
    embedding: bool = False,
) -> Corruption:
    """Rows changed (None drops one) in the given subsets, without the sources that would tell."""

    def apply(folder: Path) -> None:
        shutil.rmtree(folder / "sources")
        for subset in subsets:
            changed = map(change, clean_pairs(subset))
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


def row(name: str, pair_id: str, *says: str, embedding: bool = False, **cells: Any) -> Corruption:
    """One row changed in every subset, and named by its pair id in the largest."""
    return content(name, in_row(pair_id, **cells), FULL, repr(pair_id), *says, embedding=embedding)


def sky(name: str, edit: str, *says: str, **cells: Any) -> Corruption:
    return row(name, f"{SKY}/{edit}", *says, **cells)


def dropping(*pair_ids: str) -> Callable[[Pair], Pair | None]:
    return lambda pair: None if pair.pair_id in pair_ids else pair


def on_rung(edit: str, **cells: Any) -> Callable[[Pair], Pair]:
    return lambda pair: replace(pair, **cells) if pair.edit == edit else pair


def text_of(pair_id: str) -> str:
    return next(pair.variant for pair in clean_pairs() if pair.pair_id == pair_id)


DROPPED = ("identical", "leading_space", "trailing_newline", "double_space", "nbsp", "parenthesize_word")


def in_rule_rows() -> Iterator[Corruption]:
    for edit in DROPPED:
        pair_id = f"{SKY}/{edit}"
        yield content(f"rule row {edit} dropped", dropping(pair_id), FULL, repr(pair_id), "missing")
    elsewhere, trailing = BASE.replace(" ", "  ", 1), text_of(f"{SKY}/trailing_space")
    whole = (Replacement(0, len(BASE), text_of(f"{SKY}/leading_space")),)
    yield sky("rule row at another place", "double_space", "`variant`", variant=elsewhere)
    yield sky("rule row of another rule", "leading_space", "`variant`", variant=trailing)
    yield sky("rule row with other replacements", "leading_space", "`replacements`", replacements=whole)
    yield sky("rule row with a reason", "double_space", "`reason`", reason="Because.")
    yield sky("rule row as authored", "double_space", "`origin`", origin="authored", reason="Wide.")
    for name, edit, said in (
        ("where no rule applies", "nfd", "not exist"),
        ("of an unknown edit", "tabs", "`edit`"),
    ):
        # In the place of `leading_space`, whose absence is named too.
        cells = {"pair_id": f"{SKY}/{edit}", "edit": edit, "variant": f"{BASE} \t"}
        change = in_row(f"{SKY}/leading_space", **cells)
        yield content(f"rule row {name}", change, FULL, f"'{SKY}/{edit}'", said)
    moved = on_rung("nbsp", rung="punctuation", rung_index=2)
    yield content("rule edit on another rung", moved, FULL, "'sky-colours/nbsp'", "`rung`")


VARIANTS: list[tuple[str, str, str, str, list[str]]] = [
    # name, row, what is replaced in its variant and by what, and what is said
    ("with two other words", f"{SKY}/synonym_1", "noon", "midday", ["2 words"]),
    ("with a word more", f"{SKY}/synonym_1", "appear blue", "appear all blue", ["words"]),
    ("with other white space", f"{SKY}/synonym_1", "appear blue", "appear\nblue", ["white space"]),
    ("with other punctuation", "train-journey/synonym_1", "departs", "departs,", ["punctuation"]),
    ("with another number 1", "train-journey/paraphrase_1", "14:35", "14:53", ["number", "'14:35'"]),
    ("with another number 2", "train-journey/paraphrase_1", "17:10", "5:10", ["number", "'17:10'"]),
    ("with a number more", "train-journey/paraphrase_1", "steps", "3 steps", ["adds", "'3'"]),
    ("with other code", "palindrome-function/paraphrase_1", "is_palin", "is_a_palin", ["code"]),
    ("with another quotation", "plain-sentence/paraphrase_1", "deferred", "postponed", ["quote"]),
    ("with another unit", "recipe-scaling/paraphrase_1", "300 g", "300 kg", ["number 300"]),
    ("with a link more", f"{SKY}/paraphrase_1", "Explain", "See a.example.org. Explain", ["link"]),
    ("with a space at its end", f"{SKY}/paraphrase_1", ".", ". ", ["white space"]),
    ("with a space at its start", f"{SKY}/semantic_1", "Why", " Why", ["white space"]),
    ("with a double space", f"{SKY}/control_topic", " ", "  ", ["white space"]),
    ("with a tab", f"{SKY}/control_topic", " ", "\t\t", ["white space"]),
    ("with a NUL", f"{SKY}/control_topic", " ", " \x00", ["control_characters", "variant"]),
]


def in_authored_rows() -> Iterator[Corruption]:
    for edit in AUTHORED_EDITS:
        pair_id = f"{SKY}/{edit}"
        yield content(f"authored row {edit} dropped", dropping(pair_id), FULL, repr(pair_id), "missing")
    for name, pair_id, old, new, says in VARIANTS:
        assert old in text_of(pair_id), f"{old!r} is not in {pair_id}"
        text = text_of(pair_id).replace(old, new, 1)
        yield row(f"variant {name}", pair_id, "`variant`", *says, variant=text)
    same, capital = BASE.replace("look", "seem"), BASE.replace("sky", "Sky")
    yield sky("variant in capitals only", "synonym_1", "`variant`", "spelling", variant=capital)
    yield sky("variant with the same synonym", "synonym_2", "`variant`", "same word", variant=same)
    quoted = text_of("plain-sentence/identical").replace("further review", "further scrutiny")
    yield row("variant with a quoted synonym", "plain-sentence/synonym_1", "`variant`", variant=quoted)
    for edit in ("synonym_1", "paraphrase_1", "semantic_1", "control_reversal"):
        for name, text in {"short": BASE[:9], "long": " ".join([BASE] * 3)}.items():
            yield sky(f"variant {edit} {name}", edit, "`variant`", "times as long", variant=text)
    other, leading = text_of(f"{SKY}/paraphrase_1"), text_of(f"{SKY}/leading_space")
    yield sky("variant twice", "paraphrase_2", "`variant`", "equals", variant=other)
    yield sky("variant of a rule", "semantic_1", "`variant`", "equals", variant=leading)
    reason = next(pair.reason for pair in clean_pairs() if pair.pair_id == f"{SKY}/synonym_1")
    yield sky("reason missing", "semantic_1", "`reason` is empty", reason="")
    yield sky("reason blank", "semantic_1", "`reason` is empty", reason=" \n")
    yield sky("reason repeated", "semantic_1", "`reason` repeats", reason=reason)
    yield sky("reason repeated in capitals", "semantic_1", "`reason` repeats", reason=reason.upper())
    yield sky("authored row as a rule's", "semantic_1", "`origin`", origin="rule", reason="")
    moved = on_rung("paraphrase_1", rung="synonym", rung_index=3)
    yield content("authored edit on another rung", moved, FULL, "'sky-colours/paraphrase_1'", "`rung`")

    def exchanged(pair: Pair) -> Pair:
        ids = [f"{SKY}/synonym_1", f"{SKY}/control_topic"]
        other = dict(zip(ids, reversed(ids), strict=True)).get(pair.pair_id)
        return in_row(pair.pair_id, variant=text_of(other))(pair) if other else pair

    yield content("authored rows exchanged", exchanged, FULL, "'sky-colours/synonym_1'", "`variant`")


def in_bases() -> Iterator[Corruption]:
    other = text_of("brasilia-capital/identical")
    near, equals = ("`base` has nearly the words", "brasilia-capital"), ("`base` equals", "brasilia-capital")
    spaced = ("`base`", "white space")
    for name, text, says in (
        ("with a space at its end", f"{BASE} ", spaced),
        ("with a line break at its start", f"\n{BASE}", spaced),
        ("with a double space", BASE.replace(" ", "  ", 1), spaced),
        ("in code only", "`sky`", ("`base`", "edits of the rung 'noop'")),
        ("of another prompt", other, ("`base` equals", "'brasilia-capital/identical'")),
        ("of another prompt in capitals", other.upper(), equals),
        ("of another prompt without punctuation", other.replace("?", "").replace(",", ""), equals),
        ("nearly of another prompt", other.replace("capital of", "main city of"), near),
        ("of another prompt in another order", " ".join(reversed(other.split())), near),
    ):
        yield _rebuilt(f"base {name}", _with_base(SKY, text), FULL, f"'{SKY}/identical'", *says)
    topic, says = (
        text_of("brasilia-capital/semantic_1"),
        ("`variant` has nearly the words", "'brasilia-capital/"),
    )
    yield sky("topic of another prompt", "control_topic", *says, variant=topic)


def _with_base(prompt_id: str, text: str) -> Callable[[AuthoredPrompt], AuthoredPrompt]:
    return lambda prompt: replace(prompt, base=text) if prompt.prompt_id == prompt_id else prompt


def _rebuilt(
    name: str, change: Callable[[AuthoredPrompt], AuthoredPrompt], *says: str, embedding: bool = False
) -> Corruption:
    """Prompts changed and all their rows built again, without the sources that would tell."""

    def apply(folder: Path) -> None:
        shutil.rmtree(folder / "sources")
        rebuild(folder, change)

    return Corruption(name, apply, WRONG, says, embedding=embedding)


def in_subsets() -> Iterator[Corruption]:
    def of_category(category: str) -> Callable[[Pair], Pair]:
        return lambda pair: replace(pair, category=category) if pair.prompt_id == SKY else pair

    def without(prompt_id: str) -> Callable[[Pair], Pair | None]:
        return lambda pair: None if pair.prompt_id == prompt_id else pair

    def of_version(pair: Pair) -> Pair:
        return replace(pair, ladder_version="9.9")

    def one(name: str, subset: str, change: Callable[[Pair], Pair | None], *says: str) -> Corruption:
        return content(name, change, *says, subsets=[subset])

    first, changed = f"'{SKY}/identical'", f"'{SKY}/semantic_1'"
    counted = ("`category`", "factual 3", "scientific_explanation 1")
    yield content("prompt in another category", of_category("factual"), FULL, *counted)
    none = "`category` is 'uncategorized'"
    yield content("prompt in no category", of_category("uncategorized"), FULL, first, none)
    yield one("prompt missing in full", "full", without("plain-sentence"), FULL, "`category`", "unequal")
    yield one("prompt missing in core", "core", without(SKY), CORE, "`category`", "unequal")
    yield one("category missing in mini", "mini", without(SKY), MINI, "`category`", "lacks")
    yield one("prompt not in the larger subset", "full", without(SKY), CORE, first, "'full'")
    reason = in_row(f"{SKY}/semantic_1", reason="Noon and night are not the same.")
    yield one("row differs in mini", "mini", reason, MINI, changed, "`reason` differs", "'core'")
    yield one("row differs in core", "core", reason, CORE, changed, "`reason` differs", "'full'")
    yield one("row differs in full", "full", reason, CORE, changed, "`reason` differs", "'full'")
    dropped = dropping(f"{SKY}/semantic_1")
    yield one("row missing in mini", "mini", dropped, MINI, changed, "'core'", "missing")
    yield one("version differs in mini", "mini", of_version, MINI, "`ladder_version` is '9.9'")
    yield one("version differs in full", "full", of_version, CORE, "`ladder_version`", "'9.9'")

    def renamed(folder: Path) -> None:
        shutil.rmtree(folder / "sources")
        (folder / "full").rename(folder / "complete")

    def one_more(folder: Path) -> None:
        shutil.copytree(folder / "mini", folder / "tiny")

    def stale(folder: Path) -> None:
        write_parquet(clean_pairs()[:-1], folder / FULL)

    def reordered(folder: Path) -> None:
        first, second, *others = clean_pairs()
        write_parquet([second, first, *others], folder / FULL)

    says = ("complete/test.parquet", "'complete'", "accepted")
    yield Corruption("subset of another name", renamed, WRONG, says)
    yield Corruption("subset that no source lists", one_more, WRONG, ("sources", "'tiny'", "Remove"))
    says = (FULL, repr(clean_pairs()[-1].pair_id), "sources", "missing")
    yield Corruption("row that the sources give is missing", stale, WRONG, says)
    yield Corruption("rows in another order than the sources", reordered, WRONG, (FULL, "stands where"))


def in_space() -> Iterator[Corruption]:
    near = "What makes the sky appear blue around noon, and red as the sun sets? Explain for people without physics."
    topic = "How come the sky is blue at noon, though it is red at dusk? Tell a person who has no idea of physics."
    same, books = BASE.replace("blue", "grey").replace("red", "orange"), "books-after-dune"
    says = (FULL, "/identical'", "`base` asks for nearly", books, SKY)
    yield _rebuilt("base asks for the same in other words", _with_base(books, near), *says, embedding=True)
    asks, lies = ("`variant` asks for nearly", f"'{SKY}/identical'"), ("`variant` lies", "0.5")
    other = f"{books}/control_topic"
    yield row("topic asks for another prompt's request", other, *asks, variant=topic, embedding=True)
    yield row("topic on the same topic", f"{SKY}/control_topic", *lies, variant=same, embedding=True)

    def with_texts_of(edits: dict[str, str]) -> Callable[[AuthoredPrompt], AuthoredPrompt]:
        def change(prompt: AuthoredPrompt) -> AuthoredPrompt:
            texts = {
                edit: AuthoredVariant(prompt.variants[other].text, prompt.variants[edit].reason)
                for edit, other in edits.items()
            }
            return replace(prompt, variants={**prompt.variants, **texts})

        return change

    for name, says, edits in (
        ("synonyms and paraphrases", ("of synonym is", "of paraphrase"), {
            "synonym_1": "paraphrase_1", "synonym_2": "paraphrase_2",
            "paraphrase_1": "synonym_1", "paraphrase_2": "synonym_2",
        }),
        ("paraphrases and reversals", ("of paraphrase is", "of control_reversal"), {
            "paraphrase_1": "control_reversal", "paraphrase_2": "control_topic",
            "control_reversal": "paraphrase_1",
        }),
        ("topics and reversals", ("of control_topic is", "0.7"), {
            "control_topic": "control_reversal", "control_reversal": "control_topic",
        }),
        ("topics and semantic changes", ("of control_topic is", "0.7"), {
            "control_topic": "semantic_1", "semantic_1": "control_topic",
        }),
    ):  # fmt: skip
        says = (FULL, "median prompt distance", *says)
        yield _rebuilt(f"order: {name} exchanged", with_texts_of(edits), *says, embedding=True)
