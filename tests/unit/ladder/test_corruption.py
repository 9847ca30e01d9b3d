"""Corrupted ladders: each is refused with a message that names the file and the place.

First what loading refuses, door by door; at the end whole ladders, spoilt in more than a hundred ways
(`corruptions.py`), which the command `ladder check` refuses.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lm_eval_sensitivity.cli import ladder_check
from lm_eval_sensitivity.cli.main import main
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder import build_pairs, files, load_ladder, parquet
from lm_eval_sensitivity.ladder.load import packaged_folder
from lm_eval_sensitivity.ladder.schema import row_hash, rows_from_pairs
from lm_eval_sensitivity.ladder.sources import AuthoredPrompt, AuthoredVariant, Source
from lm_eval_sensitivity.types import Pair
from tests.unit.ladder.checked_ladder import VERSION, build_small_ladder, cached_encode, clean_pairs
from tests.unit.ladder.corruptions import Corruption, corruptions

Row = dict[str, Any]
MINI = packaged_folder() / "mini" / "test.parquet"
MINI_PAIRS = load_ladder(subset="mini").pairs
PAIRS = build_pairs(
    Source(
        "0.1.0",
        (
            AuthoredPrompt("rain", "factual", "Why does it rain, and when?", {}),
            AuthoredPrompt(
                "tea",
                "advice_recommendation",
                "Which tea is best.",
                {"synonym_1": AuthoredVariant("Which tea is finest.", "The same.")},
            ),
        ),
    )
)


def rows() -> list[Row]:
    return rows_from_pairs(PAIRS)


def write_jsonl(path: Path, content: list[Row]) -> None:
    path.write_text("\n".join(json.dumps(row) for row in content), encoding="utf-8")


def refuse(path: Path) -> str:
    """The message with which a source is refused: an InputError of one line."""
    with pytest.raises(InputError) as caught:
        load_ladder(str(path))
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def rehash(content: list[Row]) -> None:
    """Make every row's own hash right again, so that only the other rules can see what is wrong."""
    for row in content:
        row["row_hash"] = row_hash(row)


def pairs_or_message(path: Path) -> tuple[Pair, ...] | str:
    try:
        return load_ladder(str(path)).pairs
    except InputError as error:
        return str(error)


def set_in(name: str, /, **values: Any) -> Callable[[list[Row]], None]:
    def change(content: list[Row]) -> None:
        next(row for row in content if row["pair_id"] == name).update(values)

    return change


def drop_column(name: str) -> Callable[[list[Row]], None]:
    def change(content: list[Row]) -> None:
        for row in content:
            del row[name]

    return change


INSERTED = {"start": 0, "end": 0, "replacement": " "}
ROW_CORRUPTIONS: dict[str, tuple[Callable[[list[Row]], None], list[str]]] = {
    "unknown rung": (set_in("tea/nbsp", rung="nop"), ["tea/nbsp", "`rung`", "Did you mean 'noop'?"]),
    "unknown category": (set_in("tea/nbsp", category="facts"), ["tea/nbsp", "`category`", "'factual'"]),
    "unknown origin": (set_in("tea/nbsp", origin="rules"), ["`origin`", "Did you mean 'rule'?"]),
    "wrong rung index": (set_in("tea/nbsp", rung_index=2), ["tea/nbsp", "`rung_index` is 2"]),
    "boolean rung index": (set_in("tea/nbsp", rung_index=True), ["`rung_index`", "type bool"]),
    "float rung index": (set_in("tea/nbsp", rung_index=1.0), ["`rung_index`", "type float"]),
    "wrong meaning": (set_in("tea/nbsp", meaning_preserving=False), ["tea/nbsp", "`meaning_preserving`"]),
    "wrong pair id": (set_in("tea/nbsp", pair_id="tea/nbps"), ["tea/nbps", "`pair_id`", "'tea/nbsp'"]),
    "blank base": (set_in("tea/nbsp", base=" "), ["tea/nbsp", "`base` is blank"]),
    "blank edit": (set_in("tea/nbsp", edit=""), ["tea/nbsp", "`edit` is blank"]),
    "null variant": (set_in("tea/nbsp", variant=None), ["tea/nbsp", "`variant`", "NoneType"]),
    "changed variant": (set_in("tea/nbsp", variant="Other"), ["tea/nbsp", "`replacements`", "`variant`"]),
    "changed base of one row": (
        set_in("tea/leading_space", base="Which.", variant=" Which."),
        ["tea/leading_space", "`base` is 'Which.'", "tea/identical"],
    ),
    "variant equals base": (
        set_in("tea/leading_space", variant="Which tea is best.", replacements=[]),
        ["tea/leading_space", "`variant` equals `base`"],
    ),
    "identical differs": (
        set_in("tea/identical", variant=" Which tea is best.", replacements=[INSERTED]),
        ["tea/identical", "differs from"],
    ),
    "category of one row": (set_in("tea/nbsp", category="factual"), ["tea/nbsp", "`category`"]),
    "version of one row": (set_in("tea/nbsp", ladder_version="9"), ["tea/nbsp", "`ladder_version` is '9'"]),
    "edit on two rungs": (
        set_in("tea/nbsp", rung="punctuation", rung_index=2),
        ["tea/nbsp", "`rung` is 'punctuation'", "rain/nbsp"],
    ),
    "replacement outside": (
        set_in("tea/nbsp", replacements=[{"start": 3, "end": 99, "replacement": ""}]),
        ["tea/nbsp", "`replacements`", "3 to 99"],
    ),
    "replacements overlap": (
        set_in("tea/nbsp", replacements=[{"start": 3, "end": 5, "replacement": ""}, INSERTED]),
        ["tea/nbsp", "`replacements`", "character 0"],
    ),
    "replacement without end": (
        set_in("tea/nbsp", replacements=[{"start": 3, "replacement": ""}]),
        ["tea/nbsp", "`replacements`", "`end`"],
    ),
    "replacement is text": (set_in("tea/nbsp", replacements=["x"]), ["tea/nbsp", "`replacements` holds 'x'"]),
    "long cell": (set_in("tea/synonym_1", reason="x" * 100_001), ["tea/synonym_1", "`reason`", "100000"]),
    "row twice": (
        lambda content: content.append(content[3]),
        ["'tea/leading_space'", "`pair_id`", "two rows"],
    ),
    "missing column": (drop_column("variant"), ["`variant` is missing"]),
    "no rows": (lambda content: content.clear(), [""]),
}


@pytest.mark.parametrize("name", ROW_CORRUPTIONS)
def test_corrupted_rows_in_jsonl(tmp_path: Path, name: str) -> None:
    corrupt, expected = ROW_CORRUPTIONS[name]
    content = rows()
    corrupt(content)
    rehash(content)
    write_jsonl(tmp_path / "rows.jsonl", content)
    message = refuse(tmp_path / "rows.jsonl")
    for part in expected:
        assert part in message


IN_PARQUET = [
    name
    for name in ROW_CORRUPTIONS
    if name not in ("replacement is text", "float rung index", "boolean rung index")
]


@pytest.mark.parametrize("name", IN_PARQUET)
def test_corrupted_rows_in_parquet(tmp_path: Path, name: str) -> None:
    corrupt, expected = ROW_CORRUPTIONS[name]
    content = rows()
    corrupt(content)
    rehash(content)
    columns = [field for field in parquet.SCHEMA if not content or field.name in content[0]]
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.Table.from_pylist(content, schema=pa.schema(columns)), path)
    message = refuse(path)
    for part in expected:
        # Parquet cells have types, so a null is missing instead of a value of another type.
        assert part.replace("NoneType", "is missing") in message or part == "`end`"


LINES: dict[str, tuple[str, list[str]]] = {
    "no JSON": ("{oops", ["line 2", "not a JSON object"]),
    "array": ("[1, 2]", ["line 2", "list"]),
    "number": ("7", ["line 2", "int"]),
    "deep": ("[" * 100_000, ["line 2"]),
    "repeated field": ('{"pair_id": "a", "pair_id": "b"}', ["line 2", "twice"]),
    "misspelt column": ('{"pairid": "a"}', ["line 2", "`pair_id` is missing", "Did you mean 'pairid'?"]),
}


@pytest.mark.parametrize("name", LINES)
def test_corrupted_line_of_jsonl(tmp_path: Path, name: str) -> None:
    line, expected = LINES[name]
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(rows()[0]) + "\n" + line + "\n", encoding="utf-8")
    message = refuse(path)
    for part in expected:
        assert part in message


def test_unknown_column_gets_a_suggestion(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "rows.jsonl", [{**row, "variants": ""} for row in rows()])
    assert "`variants` is not part of a ladder. Did you mean 'variant'?" in refuse(tmp_path / "rows.jsonl")


def test_half_a_surrogate_pair_is_named(tmp_path: Path) -> None:
    content = rows()
    set_in("tea/synonym_1", reason="a\ud800b")(content)
    write_jsonl(tmp_path / "rows.jsonl", content)
    message = refuse(tmp_path / "rows.jsonl")
    assert "tea/synonym_1" in message
    assert "`reason` has half of a surrogate pair at character 1" in message


BYTES: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "parquet cut in the middle": ("a.parquet", lambda good: good[: len(good) // 2], "not a readable parquet"),
    "parquet without its last byte": ("a.parquet", lambda good: good[:-1], "not a readable parquet"),
    "parquet without its first bytes": ("a.parquet", lambda good: good[8:], "not a readable parquet"),
    "parquet is text": ("a.parquet", lambda good: b"version https://git-lfs", "not a readable parquet"),
    "parquet is empty": ("a.parquet", lambda good: b"", "empty"),
    "jsonl in Latin-1": ("a.jsonl", lambda good: b'{"a": 1}\n\xe9', "not valid UTF-8 at line 2"),
    "jsonl is parquet": ("a.jsonl", lambda good: good, "not valid UTF-8"),
    "yaml in UTF-16": ("a.yaml", lambda good: "prompts: []".encode("utf-16"), "not valid UTF-8 at line 1"),
    "yaml runs code": ("a.yaml", lambda good: b"!!python/object/apply:os.system ['false']", "line 1"),
    "other suffix": ("a.csv", lambda good: good, ".jsonl"),
}


@pytest.mark.parametrize("name", BYTES)
def test_corrupted_bytes(tmp_path: Path, name: str) -> None:
    file_name, corrupt, expected = BYTES[name]
    path = tmp_path / file_name
    path.write_bytes(corrupt(MINI.read_bytes()))
    assert expected in refuse(path)


@pytest.mark.parametrize("seed", range(20))
def test_flipped_bytes_never_give_other_rows(tmp_path: Path, seed: int) -> None:
    """Damage is refused, or it hit bytes that carry no row: then the rows are the same."""
    generator = random.Random(seed)
    damaged = bytearray(MINI.read_bytes())
    for _ in range(3):
        damaged[generator.randrange(len(damaged))] ^= 1 << generator.randrange(8)
    path = tmp_path / "test.parquet"
    path.write_bytes(bytes(damaged))
    outcome = pairs_or_message(path)
    assert str(path) in outcome if isinstance(outcome, str) else outcome == MINI_PAIRS


def rewrite(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """Write the packaged rows changed, under their old metadata unless `change` replaces it."""
    table = pq.read_table(MINI)
    pq.write_table(change(table).replace_schema_metadata(change(table).schema.metadata), path)


def replace_column(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, values)


def test_tampered_row_is_told_by_its_column(tmp_path: Path) -> None:
    path = tmp_path / "test.parquet"

    def change(table: pa.Table) -> pa.Table:
        content = table.to_pylist()
        content[-1]["reason"] = "Because."
        rehash(content)
        return pa.Table.from_pylist(content, schema=table.schema)

    rewrite(path, change)
    message = refuse(path)
    assert "content hash" in message
    assert "(changed: `reason`, `row_hash`)" in message


def test_missing_rows_and_changed_order_break_the_hash(tmp_path: Path) -> None:
    path = tmp_path / "test.parquet"
    rewrite(path, lambda table: table.slice(0, 100))
    assert "content hash" in refuse(path)
    rewrite(path, lambda table: table.take(list(range(table.num_rows))[::-1]))
    assert "content hash" in refuse(path)


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, "carries no content hash"),
        ({"content_hash": "0" * 64, "ladder_version": VERSION}, "content hash"),
        ({"content_hash": "0" * 64, "ladder_version": VERSION, "column_hashes": "[]"}, "content hash"),
        ({"content_hash": "0" * 64, "ladder_version": "0.2.0"}, "metadata says ladder version '0.2.0'"),
    ],
)
def test_tampered_metadata(tmp_path: Path, metadata: dict[str, str], expected: str) -> None:
    path = tmp_path / "test.parquet"
    named = {"lm_eval_sensitivity." + key: value for key, value in metadata.items()}
    rewrite(path, lambda table: table.replace_schema_metadata(named))
    assert expected in refuse(path)


def test_changed_hash_over_unchanged_rows_is_told(tmp_path: Path) -> None:
    path = tmp_path / "test.parquet"

    def change(table: pa.Table) -> pa.Table:
        return table.replace_schema_metadata(
            {**table.schema.metadata, b"lm_eval_sensitivity.content_hash": b"0" * 64}
        )

    rewrite(path, change)
    assert "the stated hash itself was changed" in refuse(path)


@pytest.mark.parametrize(
    ("column", "wrong"),
    [("rung_index", pa.int64()), ("variant", pa.large_string()), ("meaning_preserving", pa.int8())],
)
def test_column_of_another_type(tmp_path: Path, column: str, wrong: pa.DataType) -> None:
    path = tmp_path / "test.parquet"
    rewrite(path, lambda table: replace_column(table, column, table.column(column).cast(wrong)))
    message = refuse(path)
    assert f"`{column}` has the type {wrong}" in message


@pytest.mark.parametrize("column", ["base", "replacements"])
def test_invalid_utf8_inside_parquet_names_row_and_column(tmp_path: Path, column: str) -> None:
    path = tmp_path / "test.parquet"
    table = pq.read_table(MINI)
    if column == "base":
        cells = [text.encode() for text in table.column("base").to_pylist()]
        cells[4] = b"\xff\xfe"
        broken: Any = pa.array(cells, pa.binary()).view(pa.string())
    else:
        field = table.schema.field(column).type
        raw = pa.list_(pa.struct([("start", pa.int32()), ("end", pa.int32()), ("replacement", pa.binary())]))
        cells = table.column(column).to_pylist()
        cells[4] = [{"start": 0, "end": 0, "replacement": b"\xff"}]
        values = pa.array(cells, raw)
        texts = values.flatten().field("replacement").view(pa.string())
        starts, ends = (values.flatten().field(name) for name in ("start", "end"))
        struct = pa.StructArray.from_arrays([starts, ends, texts], fields=list(field.value_type))
        broken = pa.ListArray.from_arrays(values.offsets, struct)
    pq.write_table(replace_column(table, column, broken), path)
    message = refuse(path)
    assert repr(MINI_PAIRS[4].pair_id) in message
    assert f"`{column}`" in message


def test_column_that_stands_there_twice(tmp_path: Path) -> None:
    path = tmp_path / "test.parquet"
    rewrite(path, lambda table: table.append_column("base", table.column("base")))
    assert "`base` stands there 2 times" in refuse(path)


def test_size_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "test.parquet"
    shutil.copy(MINI, path)
    monkeypatch.setattr(parquet, "MAX_ROWS", 100)
    assert f"{len(MINI_PAIRS)} rows, more than the accepted 100" in refuse(path)
    monkeypatch.setattr(parquet, "_MAX_UNCOMPRESSED_BYTES", 10)
    monkeypatch.setattr(parquet, "MAX_ROWS", 1000)
    assert "when unpacked" in refuse(path)
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 1000)
    assert "larger than 1000 bytes" in refuse(path)


def test_limits_are_the_documented_ones() -> None:
    assert (files.MAX_FILE_BYTES, files.MAX_CELL_CHARACTERS, files.MAX_ROWS) == (
        268_435_456,
        100_000,
        1_000_000,
    )


def test_folder_without_a_ladder(tmp_path: Path) -> None:
    assert "holds no ladder" in refuse(tmp_path)
    (tmp_path / "a.parquet").touch()
    (tmp_path / "b.parquet").touch()
    assert "holds no ladder" in refuse(tmp_path)


def test_missing_paths(tmp_path: Path) -> None:
    assert "does not exist" in refuse(tmp_path / "missing.parquet")
    assert "no such folder or file" in refuse(tmp_path / "missing")


def test_folder_that_is_named_like_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mini" / "test.parquet"
    path.mkdir(parents=True)
    with pytest.raises(InputError, match=r"test\.parquet` is not a regular file"):
        load_ladder(str(tmp_path))


@pytest.mark.parametrize("source", ["", " ", "~nobody-has-this-name/ladder", "x" * 5000, "a\0b", 7, {"a": 1}])
def test_source_that_is_no_path_and_no_name(source: Any) -> None:
    with pytest.raises(InputError, match=r"`source` is .*Accepted: a folder"):
        load_ladder(source)


CORRUPTIONS = corruptions()


@pytest.fixture(scope="module")
def small_ladder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with sources and subsets that is as good as the packaged one, and small."""
    folder = tmp_path_factory.mktemp("clean") / "ladder"
    build_small_ladder(folder)
    return folder


@pytest.fixture
def copy_of_ladder(small_ladder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_ladder, tmp_path / "ladder"))


def digest(folder: Path) -> str:
    """What stands in a folder: every path with its bytes."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        found.update(str(path.relative_to(folder)).encode() + b"\0")
        found.update(path.read_bytes() if path.is_file() else str(path.lstat().st_mode).encode())
    return found.hexdigest()


def test_the_small_ladder_is_part_of_the_packaged_one() -> None:
    assert set(clean_pairs()) <= set(load_ladder().pairs)
    assert {pair.category for pair in clean_pairs("mini")} == {pair.category for pair in clean_pairs("full")}


def test_the_uncorrupted_ladder_passes(
    copy_of_ladder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ladder_check, "encode", cached_encode)
    assert main(["ladder", "check", str(copy_of_ladder)]) == 0
    shutil.rmtree(copy_of_ladder / "sources")
    assert main(["ladder", "check", str(copy_of_ladder)]) == 0
    write_jsonl(copy_of_ladder / "rows.jsonl", rows_from_pairs(clean_pairs()))
    assert main(["ladder", "check", str(copy_of_ladder / "rows.jsonl")]) == 0
    assert capsys.readouterr().out.count("No violations.") == 3


@pytest.mark.slow
def test_there_are_a_hundred_distinct_corruptions(small_ladder: Path, tmp_path: Path) -> None:
    assert len(CORRUPTIONS) >= 100
    assert len({corruption.name for corruption in CORRUPTIONS}) == len(CORRUPTIONS)
    digests = {digest(small_ladder)}
    for number, corruption in enumerate(CORRUPTIONS):
        folder = Path(shutil.copytree(small_ladder, tmp_path / str(number)))
        corruption.apply(folder)
        digests.add(digest(folder))
        shutil.rmtree(folder)
    assert len(digests) == len(CORRUPTIONS) + 1


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda corruption: corruption.name)
def test_check_refuses(
    corruption: Corruption,
    copy_of_ladder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Refused by the command itself, and one line of what it says has everything that there is to name."""
    corruption.apply(copy_of_ladder)
    monkeypatch.setattr(ladder_check, "encode", cached_encode)
    options = [] if corruption.embedding else ["--no-embedding"]
    status = main(["ladder", "check", str(copy_of_ladder / corruption.target), *options])
    captured = capsys.readouterr()
    assert status == corruption.status, captured.out + captured.err
    lines = (captured.out if status == 1 else captured.err).splitlines()
    named = [line for line in lines if str(copy_of_ladder) in line]
    assert any(all(part in line for part in corruption.says) for line in named), "\n".join(lines)
    if corruption.embedding:
        assert any("[order]" in line or "asks for nearly" in line for line in named)
