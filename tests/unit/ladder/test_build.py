"""Building: rows from sources, their order, the written parquet, the card and the module entry."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from lm_eval_sensitivity.ladder import build_pairs, content_hash, load_ladder
from lm_eval_sensitivity.ladder.__main__ import main
from lm_eval_sensitivity.ladder.load import packaged_folder
from lm_eval_sensitivity.ladder.parquet import SCHEMA, read_parquet, write_parquet
from lm_eval_sensitivity.ladder.schema import PAIR_COLUMNS, column_hashes, rows_from_pairs
from lm_eval_sensitivity.ladder.sources import read_sources
from lm_eval_sensitivity.types import Pair
from tests.unit.ladder.small_ladder import VERSION, clean_pairs, packaged, small_folder

FOLDER = packaged_folder()
SOURCES = read_sources(FOLDER / "sources")
SOURCE = SOURCES["mini"]
PAIRS = build_pairs(SOURCE)


@pytest.mark.parametrize("subset", SOURCES)
def test_committed_parquet_is_what_the_sources_build(subset: str, tmp_path: Path) -> None:
    committed, built = packaged(subset=subset), build_pairs(SOURCES[subset])
    assert committed.pairs == tuple(built)
    assert committed.content_hash == content_hash(built)
    assert committed.version == SOURCES[subset].ladder_version


def test_rows_are_ordered_by_rung_then_edit_then_prompt() -> None:
    prompts = [prompt.prompt_id for prompt in SOURCE.prompts]
    edits = list(dict.fromkeys(pair.edit for pair in PAIRS))
    keys = [(pair.rung_index, edits.index(pair.edit), prompts.index(pair.prompt_id)) for pair in PAIRS]
    assert keys == sorted(keys)


def test_same_pairs_give_the_same_bytes(tmp_path: Path) -> None:
    write_parquet(PAIRS, tmp_path / "a" / "test.parquet")
    write_parquet(build_pairs(SOURCE), tmp_path / "b" / "test.parquet")
    assert (tmp_path / "a" / "test.parquet").read_bytes() == (tmp_path / "b" / "test.parquet").read_bytes()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["test.parquet"]


def test_parquet_has_the_columns_types_and_metadata(tmp_path: Path) -> None:
    path = tmp_path / "test.parquet"
    write_parquet(PAIRS, path)
    schema = pq.read_schema(path)
    assert schema.names == [*PAIR_COLUMNS, "row_hash"]
    assert str(schema.field("rung_index").type) == "int8"
    assert schema.equals(SCHEMA)
    rows, metadata = read_parquet(path)
    assert len(rows) == len(PAIRS)
    assert metadata["content_hash"] == content_hash(PAIRS)
    assert metadata["ladder_version"] == SOURCE.ladder_version


def test_content_hash_depends_on_every_column_and_on_the_order() -> None:
    changed = {
        "pair_id": "x",
        "prompt_id": "x",
        "category": "factual",
        "rung": "noop",
        "rung_index": 9,
        "edit": "x",
        "base": "x",
        "variant": "x",
        "meaning_preserving": False,
        "origin": "authored",
        "reason": "x",
        "replacements": PAIRS[9].replacements,
        "ladder_version": "x",
    }
    assert set(changed) == set(PAIR_COLUMNS)
    plain = content_hash(PAIRS)
    hashes = column_hashes(PAIRS)
    for column, value in changed.items():
        edited = [Pair(**{**vars(PAIRS[0]), column: value}), *PAIRS[1:]]
        assert content_hash(edited) != plain
        assert [c for c, digest in column_hashes(edited).items() if digest != hashes[c]] == [
            column,
            "row_hash",
        ]
    assert content_hash(PAIRS[::-1]) != plain


def test_own_prompts_without_variants_get_the_rungs_of_the_rules(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(
        'ladder_version: "7"\nprompts:\n- {id: a, category: factual, base: What is rain}\n', encoding="utf-8"
    )
    ladder = load_ladder(str(path))
    assert (ladder.name, ladder.subset, ladder.version) == ("own.yaml", "own", "7")
    assert ladder.rungs == ("identical", "noop", "punctuation")
    assert ladder.prompts == {"a": "What is rain"}


def test_module_entry_builds_a_folder_from_its_sources(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = small_folder(tmp_path)
    built = {path: path.read_bytes() for path in folder.glob("*/test.parquet")}
    for path in built:
        path.unlink()
    main([str(folder)])
    assert {path: path.read_bytes() for path in folder.glob("*/test.parquet")} == built
    mini = clean_pairs("mini")
    *_, last = capsys.readouterr().out.splitlines()
    assert last == f"mini: 6 prompts, {len(mini)} pairs, {VERSION}, {content_hash(mini)}"
    assert load_ladder(folder, "mini").pairs == mini


def test_row_hash_tells_the_row_and_goes_with_it_into_every_subset() -> None:
    hashes = {row["pair_id"]: row["row_hash"] for row in rows_from_pairs(packaged().pairs)}
    assert len(set(hashes.values())) == len(hashes)
    assert all(hashes[row["pair_id"]] == row["row_hash"] for row in rows_from_pairs(PAIRS))
