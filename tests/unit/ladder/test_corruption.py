"""Corrupted ladders: each is refused with a message that names the file and the place.

Whole ladders, spoilt in more than two hundred ways (`corruptions.py`), which the command `ladder check` refuses;
and what is no whole ladder: damaged bytes, limits, paths.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lm_eval_sensitivity.cli import ladder_check
from lm_eval_sensitivity.cli.main import main
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder import files, load_ladder, parquet
from lm_eval_sensitivity.ladder.load import packaged_folder
from lm_eval_sensitivity.ladder.schema import rows_from_pairs
from lm_eval_sensitivity.types import Pair
from tests.unit.ladder.corruptions import Corruption, corruptions
from tests.unit.ladder.small_ladder import clean_pairs, packaged, shared_embedder, small_folder

MINI = packaged_folder() / "mini" / "test.parquet"
MINI_PAIRS = packaged(subset="mini").pairs
CORRUPTIONS = corruptions()
DIGESTS: dict[str, str] = {}
"""What each corruption made of the folder: no two are the same."""


def refuse(path: Path) -> str:
    """The message with which a source is refused: an InputError of one line."""
    with pytest.raises(InputError) as caught:
        load_ladder(str(path))
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def pairs_or_message(path: Path) -> tuple[Pair, ...] | str:
    try:
        return load_ladder(str(path)).pairs
    except InputError as error:
        return str(error)


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


def test_invalid_utf8_inside_a_replacement_names_row_and_column(tmp_path: Path) -> None:
    path = tmp_path / "test.parquet"
    table = pq.read_table(MINI)
    field = table.schema.field("replacements")
    raw = pa.list_(pa.struct([("start", pa.int32()), ("end", pa.int32()), ("replacement", pa.binary())]))
    cells = table.column("replacements").to_pylist()
    cells[4] = [{"start": 0, "end": 0, "replacement": b"\xff"}]
    values = pa.array(cells, raw)
    texts = values.flatten().field("replacement").view(pa.string())
    starts, ends = (values.flatten().field(name) for name in ("start", "end"))
    struct = pa.StructArray.from_arrays([starts, ends, texts], fields=list(field.type.value_type))
    broken = pa.ListArray.from_arrays(values.offsets, struct)
    column = table.schema.get_field_index("replacements")
    pq.write_table(table.set_column(column, "replacements", broken), path)
    message = refuse(path)
    assert repr(MINI_PAIRS[4].pair_id) in message
    assert "`replacements`" in message


def test_size_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = (files.MAX_FILE_BYTES, files.MAX_CELL_CHARACTERS, files.MAX_ROWS)
    assert limits == (268_435_456, 100_000, 1_000_000), "the documented ones"
    path = tmp_path / "test.parquet"
    shutil.copy(MINI, path)
    monkeypatch.setattr(parquet, "MAX_ROWS", 100)
    assert f"{len(MINI_PAIRS)} rows, more than the accepted 100" in refuse(path)
    monkeypatch.setattr(parquet, "_MAX_UNCOMPRESSED_BYTES", 10)
    monkeypatch.setattr(parquet, "MAX_ROWS", 1000)
    assert "when unpacked" in refuse(path)
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 1000)
    assert "larger than 1000 bytes" in refuse(path)


def test_what_is_no_ladder_by_its_name(tmp_path: Path) -> None:
    assert "does not exist" in refuse(tmp_path / "missing.parquet")
    assert "no such folder or file" in refuse(tmp_path / "missing")
    shutil.copy(MINI, tmp_path / "a.csv")
    assert "accepted are files ending in .parquet, .jsonl" in refuse(tmp_path / "a.csv")


@pytest.mark.parametrize("source", ["", " ", "~nobody-has-this-name/ladder", "x" * 5000, "a\0b", 7, {"a": 1}])
def test_source_that_is_no_path_and_no_name(source: Any) -> None:
    with pytest.raises(InputError, match=r"`source` is .*Accepted: a folder"):
        load_ladder(source)


# ---- whole ladders


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with sources and subsets that is as good as the packaged one, and small."""
    return small_folder(tmp_path / "ladder", card=False)


def digest(folder: Path) -> str:
    """What stands in a folder: every path with its bytes."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        found.update(str(path.relative_to(folder)).encode() + b"\0")
        found.update(path.read_bytes() if path.is_file() else str(path.lstat().st_mode).encode())
    return found.hexdigest()


def test_the_small_ladder_is_part_of_the_packaged_one() -> None:
    assert set(clean_pairs()) <= set(packaged().pairs)
    assert {pair.category for pair in clean_pairs("mini")} == {pair.category for pair in clean_pairs("full")}


def test_the_uncorrupted_ladder_passes(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ladder_check, "load_embedder", shared_embedder)
    assert main(["ladder", "check", str(folder)]) == 0
    shutil.rmtree(folder / "sources")
    assert main(["ladder", "check", str(folder)]) == 0
    lines = map(json.dumps, rows_from_pairs(clean_pairs()))
    (folder / "rows.jsonl").write_text("\n".join(lines), encoding="utf-8")
    assert main(["ladder", "check", str(folder / "rows.jsonl")]) == 0
    assert capsys.readouterr().out.count("No violations.") == 3


def test_there_are_two_hundred_corruptions_with_names_of_their_own() -> None:
    assert len({corruption.name for corruption in CORRUPTIONS}) == len(CORRUPTIONS) >= 200


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda corruption: corruption.name)
def test_check_refuses(
    corruption: Corruption, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Refused by the command itself, and one line of what it says has everything that there is to name."""
    before = digest(folder)
    corruption.apply(folder)
    after = digest(folder)
    assert after != before and DIGESTS.setdefault(after, corruption.name) == corruption.name
    monkeypatch.setattr(ladder_check, "load_embedder", shared_embedder)
    options = [] if corruption.embedding else ["--no-embedding"]
    status = main(["ladder", "check", str(folder / corruption.target), *options])
    captured = capsys.readouterr()
    assert status == corruption.status, captured.out + captured.err
    lines = (captured.out if status == 1 else captured.err).splitlines()
    named = [line for line in lines if str(folder) in line]
    assert any(all(part in line for part in corruption.says) for line in named), "\n".join(lines)
    if corruption.embedding:
        assert any("[order]" in line or "asks for nearly" in line for line in named)
