"""Files of a dataset that come down: exactly those that were announced, from wherever a server leads, or none."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.hub import UnreachableError, download
from tests.unit.hub.stand_in import Answer, Repository, StandInHub, oid

SMALL, LARGE = "small.json", "large/000.parquet"
TREE = {SMALL: b"{}", LARGE: bytes(range(256)) * 1_000, "other.py": b"x"}


@pytest.fixture
def hub(hub: StandInHub) -> StandInHub:
    hub.repositories["dataset", "org/x"] = Repository(commits=[dict(TREE)], tags={"v1": oid(0)})
    return hub


def get(folder: Path, *names: str, revision: str = "v1", max_bytes: int = 10**6) -> str:
    wanted = names or (SMALL, LARGE)
    return download("org/x", revision, wanted, folder, max_bytes=max_bytes, what="X", advice="Look.")


def files(folder: Path) -> dict[str, bytes]:
    found = (each for each in folder.rglob("*") if not each.is_dir())
    return {each.relative_to(folder).as_posix(): each.read_bytes() for each in found}


def test_wanted_files_come_down_and_nothing_else(hub: StandInHub, tmp_path: Path) -> None:
    assert get(tmp_path, SMALL, LARGE, "missing.json") == oid(0)
    assert files(tmp_path) == {SMALL: TREE[SMALL], LARGE: TREE[LARGE]}
    assert {each.token for each in hub.requests if "/stored/" in each.path} == {None}


def test_so_many_files_are_asked_for_in_several_requests(hub: StandInHub, tmp_path: Path) -> None:
    get(tmp_path, *(f"{number}.json" for number in range(1_200)), SMALL)
    assert hub.calls.count("get_paths_info") == 3 and set(files(tmp_path)) == {SMALL}


@pytest.mark.parametrize("moved", ["repo_info", "get_paths_info", "resolve"])
def test_the_commit_that_is_named_is_the_one_that_was_fetched(
    moved: str, hub: StandInHub, tmp_path: Path
) -> None:
    """A tag that somebody moves meanwhile, which a branch called like a version does by itself."""
    repository = hub.repositories["dataset", "org/x"]

    def move(_: object) -> None:
        repository.commits.append({SMALL: b"second"})
        repository.tags["v1"] = oid(1)
        hub.meanwhile.clear()

    hub.meanwhile[moved] = move
    commit, content = (oid(1), b"second") if moved == "repo_info" else (oid(0), TREE[SMALL])
    assert get(tmp_path, SMALL) == commit
    assert files(tmp_path) == {SMALL: content}


def test_a_line_that_breaks_is_picked_up_where_it_broke(
    hub: StandInHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1_000)
    first = [True]

    def break_once(answer: Answer) -> Answer:
        return replace(answer, stop_after=100_000) if first and first.pop() else answer

    hub.tampered["stored"] = break_once
    get(tmp_path)
    assert files(tmp_path)[LARGE] == TREE[LARGE]
    ranges = [each.headers["Range"] for each in hub.requests if "/stored/" in each.path]
    assert ranges == [None, "bytes=100000-"]


def test_too_many_bytes_are_refused_before_any_comes_down(hub: StandInHub, tmp_path: Path) -> None:
    """Only what would be fetched counts; the limit itself is accepted."""
    size = len(TREE[SMALL]) + len(TREE[LARGE])
    with pytest.raises(InputError, match=f"the files have {size:,} bytes together, and at most {size - 1:,}"):
        get(tmp_path, max_bytes=size - 1)
    assert hub.calls == ["repo_info", "get_paths_info"] and not files(tmp_path)
    get(tmp_path, max_bytes=size)


# ---- a Hub that lies


def said(**changed: Any) -> Callable[[Answer], Answer]:
    """Every entry of an answer with other fields."""

    def change(answer: Answer) -> Answer:
        entries = [{**each, **changed} for each in json.loads(answer.body)]
        return replace(answer, body=json.dumps(entries).encode())

    return change


def redirected(to: str) -> Callable[[Answer], Answer]:
    return lambda answer: Answer(b"", 302, {**answer.headers, "Location": to})


EVIL = {"type": "file", "path": "../evil", "size": 1, "oid": "0" * 40}
LIES: dict[str, tuple[str, Callable[[Answer], Answer], str]] = {
    "no commit": (
        "repo_info",
        lambda _: Answer(b'{"id": "org/x", "sha": "main"}'),
        "names no commit, but 'main'",
    ),
    "no size": ("get_paths_info", said(size=None), "does not say how large"),
    "negative size": ("get_paths_info", said(size=-1), "does not say how large"),
    "smaller than it is": (
        "get_paths_info",
        said(size=1),
        "Consistency check failed|more comes than the 1 bytes",
    ),
    "other bytes": (
        "stored",
        lambda answer: replace(answer, body=answer.body[::-1]),
        "its checksum is another one",
    ),
    "other small bytes": (
        "resolve",
        lambda answer: replace(answer, body=b"[]"),
        "its checksum is another one",
    ),
    "too many bytes": (
        "stored",
        lambda answer: replace(answer, body=answer.body * 2),
        "more comes than|Consistency",
    ),
    "no list": ("get_paths_info", lambda _: Answer(b"7"), "cannot be fetched"),
    "no JSON": ("repo_info", lambda _: Answer(b"<html>Sign in</html>"), "cannot be fetched"),
}


@pytest.mark.parametrize(("call", "lie", "message"), LIES.values(), ids=LIES)
def test_what_is_not_as_it_was_announced_is_refused_and_leaves_nothing(
    call: str, lie: Callable[[Answer], Answer], message: str, hub: StandInHub, tmp_path: Path
) -> None:
    hub.tampered[call] = lie
    with pytest.raises(InputError, match=message) as caught:
        get(tmp_path)
    assert str(caught.value).isprintable() and str(caught.value).endswith(" Look.")
    assert set(files(tmp_path)) <= {SMALL, LARGE}
    assert all(content == TREE[name] for name, content in files(tmp_path).items())


def test_names_and_checksums_of_an_answer_name_no_file_here(hub: StandInHub, tmp_path: Path) -> None:
    """The cache of the Hub's client writes to the path that an ETag names."""
    folder = tmp_path / "a" / "b"
    hub.tampered["get_paths_info"] = lambda answer: replace(
        answer, body=json.dumps([*json.loads(answer.body), EVIL]).encode()
    )
    etag = {"ETag": '"../../../../evil"', "X-Linked-ETag": f'"{tmp_path}/evil"', "X-Repo-Commit": "../evil"}
    hub.tampered["resolve"] = lambda answer: replace(answer, headers={**answer.headers, **etag})
    get(folder)
    assert set(files(tmp_path)) == {f"a/b/{SMALL}", f"a/b/{LARGE}"}


@pytest.mark.parametrize("call", ["repo_info", "get_paths_info"])
def test_an_answer_from_another_host_is_refused(call: str, hub: StandInHub, tmp_path: Path) -> None:
    hub.tampered[call] = redirected(f"{hub.storage}/elsewhere/x")
    with pytest.raises(InputError, match="which is refused"):
        get(tmp_path)
    assert "elsewhere" not in hub.calls


def test_a_file_may_come_from_another_host_which_sees_no_token(hub: StandInHub, tmp_path: Path) -> None:
    hub.tampered["resolve"] = redirected(f"{hub.storage}/elsewhere/x")
    with pytest.raises(InputError, match=r"its checksum is another one|Consistency"):
        get(tmp_path, LARGE)
    assert {each.token for each in hub.requests if "/elsewhere/" in each.path} == {None}


# ---- a Hub that is not there


@pytest.mark.parametrize("call", ["repo_info", "get_paths_info", "resolve", "stored"])
def test_a_line_that_stays_broken_is_told_from_a_refusal(call: str, hub: StandInHub, tmp_path: Path) -> None:
    hub.break_line(call)
    with pytest.raises(UnreachableError, match="X cannot be fetched: "):
        get(tmp_path)
    hub.refuse(call, 503, "maintenance")
    with pytest.raises(UnreachableError, match="maintenance"):
        get(tmp_path)
    hub.refuse(call, 410, "gone")
    with pytest.raises(InputError, match="gone") as caught:
        get(tmp_path)
    assert not isinstance(caught.value, UnreachableError)
