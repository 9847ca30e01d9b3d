"""Loading: where a ladder may come from, which subset is taken, and what is not imported for it."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder import Ladder, load_ladder
from lm_eval_sensitivity.ladder.authoring.folder import read_folder
from lm_eval_sensitivity.ladder.hub import HubSource, parse_hub_source
from lm_eval_sensitivity.ladder.load import load_subsets, packaged_folder, subset_files
from lm_eval_sensitivity.ladder.schema import rows_from_pairs
from tests.unit.hub.stand_in import Repository, StandInHub, oid
from tests.unit.ladder.small_ladder import packaged

MINI = packaged_folder() / "mini" / "test.parquet"
PACKAGED = packaged()
SMALL = packaged(subset="mini")


def put(folder: Path, *subsets: str) -> None:
    for subset in subsets:
        (folder / subset).mkdir(parents=True)
        shutil.copy(MINI, folder / subset / "test.parquet")


def test_packaged_ladder() -> None:
    assert PACKAGED.name == "prompt_sensitivity_ladder"
    assert PACKAGED.subset == "full"
    assert len(PACKAGED.content_hash) == 64
    assert load_ladder(subset="full") == PACKAGED


def test_subsets_are_nested() -> None:
    core = packaged(subset="core")
    assert [len(ladder.prompts) for ladder in (SMALL, core, PACKAGED)] == [9, 24, 96]
    assert set(SMALL.pairs) < set(core.pairs) < set(PACKAGED.pairs)


def test_rung_returns_its_pairs_in_order() -> None:
    assert [pair.edit for pair in SMALL.rung("semantic_change")] == ["semantic_1"] * 9
    assert sum((PACKAGED.rung(rung) for rung in PACKAGED.rungs), ()) == PACKAGED.pairs


def test_unknown_rung_gets_a_suggestion() -> None:
    with pytest.raises(InputError, match=r"'synonyms'.*Did you mean 'synonym'\?"):
        PACKAGED.rung("synonyms")


def test_named_subset_of_a_folder(tmp_path: Path) -> None:
    put(tmp_path / "mine", "core", "mini")
    ladder = load_ladder(str(tmp_path / "mine"), "mini")
    assert (ladder.name, ladder.subset) == ("mine", "mini")


def test_the_subset_spread_is_run_by_the_group_without_a_suffix(tmp_path: Path) -> None:
    put(tmp_path, "spread")
    with pytest.raises(InputError, match=r"available: 'spread' and 'largest'.*--tasks prompt_sensitivity`"):
        load_ladder(str(tmp_path), "core")


def test_known_subset_that_the_source_lacks_names_what_it_has(tmp_path: Path) -> None:
    put(tmp_path, "mini")
    with pytest.raises(
        InputError, match=r"'full'.*available: 'mini' and 'largest'.*--tasks prompt_sensitivity_mini"
    ):
        load_ladder(str(tmp_path), "full")


def test_folder_with_one_parquet_and_the_file_itself(tmp_path: Path) -> None:
    shutil.copy(MINI, tmp_path / "rows.parquet")
    for source in (tmp_path, tmp_path / "rows.parquet"):
        ladder = load_ladder(str(source))
        assert ladder.subset == "rows"
        assert ladder.pairs == SMALL.pairs
    # A task configured for one subset must also take a user's single file.
    assert load_ladder(str(tmp_path / "rows.parquet"), "mini").subset == "rows"


def test_jsonl_gets_the_same_hash(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    lines = [
        json.dumps(row, ensure_ascii=number % 2 == 0)
        for number, row in enumerate(rows_from_pairs(SMALL.pairs))
    ]
    path.write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    ladder = load_ladder(str(path))
    assert ladder.pairs == SMALL.pairs
    assert ladder.content_hash == SMALL.content_hash


@pytest.mark.parametrize(
    ("source", "parsed"),
    [
        ("org/name", HubSource("org/name", None)),
        ("org/name@v1.0", HubSource("org/name", "v1.0")),
        ("hf://datasets/org/name", HubSource("org/name", None)),
        ("hf://datasets/org/name@refs/pr/1", HubSource("org/name", "refs/pr/1")),
        ("name", None),
        ("a/b/c", None),
        ("/org/name", None),
        ("../name", None),
        ("org/na me", None),
    ],
)
def test_hub_ids(source: str, parsed: HubSource | None) -> None:
    assert parse_hub_source(source) == parsed


@pytest.mark.parametrize("source", ["hf://org/name", "hf://datasets/name", "hf://models/org/name/x", "hf://"])
def test_malformed_hub_address_is_refused(source: str) -> None:
    with pytest.raises(InputError, match="hf://datasets/ORG/NAME"):
        load_ladder(source)


@pytest.fixture
def hub(hub: StandInHub) -> StandInHub:
    """With a published ladder, and files beside it that nobody asked for."""
    tree = {"mini/test.parquet": MINI.read_bytes(), "core/notes.parquet": b"x", "load.py": b"x"}
    hub.repositories["dataset", "example/ladder"] = Repository(commits=[tree], tags={"v2": oid(0)})
    return hub


def test_hub_dataset_is_fetched_as_parquet_only(hub: StandInHub) -> None:
    ladder = load_ladder("hf://datasets/example/ladder@v2")
    assert ladder == Ladder("example/ladder@v2", "mini", SMALL.version, SMALL.content_hash, SMALL.pairs)
    assert load_ladder("example/ladder", "mini").name == "example/ladder"
    assert hub.calls.count("stored") == 2, "one file of each revision"


def test_a_ladder_that_was_fetched_is_there_without_the_hub(
    hub: StandInHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load_ladder("example/ladder@v2")
    fetched = hub.calls.count("stored")
    assert load_ladder("example/ladder@v2") == first
    assert hub.calls.count("stored") == fetched, "what is the same is not fetched again"
    hub.break_line("repo_info")
    assert load_ladder("example/ladder@v2") == first
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert load_ladder("example/ladder@v2") == first
    with pytest.raises(InputError, match=r"the Hub dataset cannot be fetched: .*offline mode is enabled"):
        load_ladder("example/ladder@v3")


def test_a_branch_that_moved_is_fetched_again(hub: StandInHub) -> None:
    load_ladder("example/ladder")
    repository = hub.repositories["dataset", "example/ladder"]
    repository.commits.append({"test.parquet": MINI.read_bytes()})
    assert load_ladder("example/ladder").subset == "test"
    assert load_ladder("example/ladder@v2").subset == "mini"


def test_unknown_subset_is_refused_before_any_download(hub: StandInHub) -> None:
    with pytest.raises(InputError, match="Did you mean 'core'"):
        load_ladder("example/ladder", "cor")
    assert hub.calls == []


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("example/ladder@v3", "the Hub has no such revision of it"),
        ("example/other", "the Hub has no such dataset, or it is private"),
    ],
)
def test_failed_download_becomes_one_short_sentence(source: str, said: str, hub: StandInHub) -> None:
    with pytest.raises(InputError, match=f"'{source}': there is no such local folder") as caught:
        load_ladder(source)
    message = str(caught.value)
    assert said in message and message.isprintable() and len(message) < 300


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (["test.parquet"], ["test"]),
        (["rows.parquet"], ["rows"]),
        (["mini/test.parquet", "own/test.parquet", "full/test.parquet"], ["full", "mini", "own"]),
        (["b/test.parquet", "a/test.parquet", "rows.parquet"], ["a", "b"]),
        (["a.parquet", "b.parquet"], []),
        (["mini/rows.parquet"], []),
        (["mini/deep/test.parquet"], []),
        ([], []),
    ],
)
def test_everybody_finds_the_same_subsets(files: list[str], found: list[str], tmp_path: Path) -> None:
    """Loading, checking, describing and publishing."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(MINI, folder / name)
    readers: list[Callable[[Path], Any]] = [subset_files, load_ladder, load_subsets, read_folder]
    if not found:
        for read in readers:
            with pytest.raises(InputError, match="holds no ladder: accepted is one parquet file, or"):
                read(folder)
        return
    assert list(subset_files(folder)) == found
    assert load_ladder(folder).subset == found[0]
    assert [each.subset for each in load_subsets(folder)] == found
    assert [each.file for each in load_subsets(folder)] == list(subset_files(folder).values())
    # Cards call the only subset as the Hub does.
    names = found if len(found) > 1 else ["default"]
    assert [ladder.subset for ladder in read_folder(folder)] == names


def test_missing_hub_library_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(InputError, match="pip install huggingface_hub"):
        load_ladder("example/ladder")


def test_existing_local_folder_wins_over_a_hub_id(
    hub: StandInHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "example" / "ladder", "mini")
    monkeypatch.chdir(tmp_path)
    assert load_ladder("example/ladder").pairs == SMALL.pairs
    assert hub.calls == []
