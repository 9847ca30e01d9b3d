"""Files on the Hub: one commit, a tag where there is a version, and what is refused; the real client, over HTTP."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest
from huggingface_hub import HfApi, constants

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.hub import Kind, Published, check_repo_id, publish, set_variables
from tests.unit.hub.stand_in import (
    METHODS,
    READ_TOKEN,
    TOKEN,
    Answer,
    BrokenConnectionError,
    Repository,
    Request,
    StandInHub,
    oid,
)

TABLES = Kind("table", lambda path: path.endswith(".csv"), "take another tag")
PAGE = Kind("page", {"app.py"}.__contains__, repo_type="space", space_sdk="gradio", telling="app.py")
CARD = b"---\npretty_name: x\n---\n"
FILES = {"a.csv": b"a", "README.md": CARD}


def stands(hub: StandInHub) -> Repository:
    return hub.repositories["dataset", "me/x"]


def put(tag: str | None = None, **options: bool) -> Published:
    return publish("me/x", FILES, TABLES, message="Tables", tag=tag, **options)


# ---- commits and tags


def test_without_a_tag_the_commit_is_the_version(hub: StandInHub) -> None:
    assert put() == Published("me/x", None, oid(1), private=False, changed=True)
    assert put().revision == oid(1)
    assert put().changed is False
    assert len(stands(hub).commits) == 2 and stands(hub).tags == {}


def test_a_tag_on_what_stands_there_already_needs_no_commit(hub: StandInHub) -> None:
    put()
    assert put("v1") == Published("me/x", "v1", oid(1), private=False, changed=True)
    assert put("v1") == Published("me/x", "v1", oid(1), private=False, changed=False)
    assert put("v2").commit == oid(1), "two tags may name one commit"
    assert len(stands(hub).commits) == 2


def test_local_files_go_up_as_they_are_and_are_compared_without_a_copy(
    hub: StandInHub, tmp_path: Path
) -> None:
    (tmp_path / "large.parquet").write_bytes(b"x" * 3_000_000)
    (tmp_path / "small.csv").write_bytes(b"\r\n\0")
    files = {name: tmp_path / name for name in ("large.parquet", "small.csv")}
    publish("me/x", files, TABLES, message="Tables")
    tree = stands(hub).commits[-1]
    assert (tree["large.parquet"], tree["small.csv"]) == (b"x" * 3_000_000, b"\r\n\0")
    assert publish("me/x", files, TABLES, message="Tables").changed is False
    (tmp_path / "large.parquet").write_bytes(b"x" * 2_999_999 + b"y")
    assert publish("me/x", files, TABLES, message="Tables").changed is True


def test_a_commit_of_somebody_else_in_between_is_not_overwritten(hub: StandInHub) -> None:
    put()
    hub.meanwhile["create_commit"] = lambda _: stands(hub).commits.append({"a.csv": b"theirs"})
    with pytest.raises(
        InputError, match=r"Somebody else changed 'me/x'.* \(412\): A commit has happened since"
    ):
        publish("me/x", {"a.csv": b"ours"}, TABLES, message="Tables")
    assert stands(hub).commits[-1] == {"a.csv": b"theirs"}


def test_a_file_that_vanishes_is_named(hub: StandInHub, tmp_path: Path) -> None:
    hub.repositories["dataset", "me/x"] = Repository(commits=[{"a.csv": b"a"}])
    with pytest.raises(InputError, match=r"gone\.csv` cannot be read \(No such file or directory\)\. Run"):
        publish("me/x", {"a.csv": tmp_path / "gone.csv"}, TABLES, message="Tables")


# ---- a Space that is something else


@pytest.mark.parametrize(
    ("tree", "named"),
    [
        ({"app.py": b"theirs"}, "'app.py'"),
        ({"Dockerfile": b"x", "main.py": b"x", "README.md": b"x"}, "'Dockerfile', 'main.py'"),
    ],
)
def test_a_space_of_another_purpose_is_left_alone(
    tree: dict[str, bytes], named: str, hub: StandInHub
) -> None:
    hub.repositories["space", "me/page"] = Repository(commits=[tree])
    with pytest.raises(
        InputError, match=f"is something else: it has {named}, and not the `app.py` of this page"
    ):
        publish("me/page", {"app.py": b"ours"}, PAGE, message="Page", delete_former=True)
    assert hub.repositories["space", "me/page"].commits == [tree]


@pytest.mark.parametrize(
    "tree",
    [
        {".gitattributes": b"x", "README.md": b"made by the Hub"},
        {"app.py": b"ours", "README.md": b"former", "notes.txt": b"somebody's"},
    ],
)
def test_a_new_space_and_our_own_get_their_files(tree: dict[str, bytes], hub: StandInHub) -> None:
    hub.repositories["space", "me/page"] = Repository(commits=[tree])
    card = b"---\nsdk: gradio\n---\n"
    publish("me/page", {"app.py": b"ours", "README.md": card}, PAGE, message="Page")
    assert hub.repositories["space", "me/page"].commits[-1] == {
        **tree,
        "app.py": b"ours",
        "README.md": card,
    }


def test_variables_are_set_where_they_differ(hub: StandInHub) -> None:
    space = hub.repositories["space", "me/page"] = Repository(variables={"A": "1", "B": "0", "OTHER": "x"})
    assert set_variables("me/page", {"A": "1", "B": "2"}, PAGE) is True
    assert space.variables == {"A": "1", "B": "2", "OTHER": "x"}
    assert hub.calls.count("space add_space_variable") == 1, "each one restarts the Space"
    assert set_variables("me/page", {"A": "1", "B": "2"}, PAGE) is False


# ---- errors


@pytest.mark.parametrize("place", METHODS)
@pytest.mark.parametrize(
    ("status", "said", "message"),
    [
        (
            401,
            "Unauthorized",
            "no valid token. Run `hf auth login`, or set the environment variable HF_TOKEN",
        ),
        (403, "Forbidden", "a token that may write there"),
        (404, "Not found", "a token that may write there"),
        (412, "Too late", "Somebody else changed 'me/x' at the same time (412): Too late. Nothing of theirs"),
        (413, "Too large", "(413): Too large. Correct that"),
        (500, "oh\n\x1b[31mno\n", "(500): oh \\x1b[31mno. Wait a little"),
        (None, "", "The Hub cannot be reached to publish 'me/x': "),
    ],
)
def test_errors_are_one_sentence_and_the_same_again_goes_through(
    place: str, status: int | None, said: str, message: str, hub: StandInHub
) -> None:
    hub.break_line(place) if status is None else hub.refuse(place, status, said)
    with pytest.raises(InputError) as caught:
        put("v1")
    assert message in str(caught.value) and str(caught.value).isprintable()
    hub.meanwhile.clear()
    assert put("v1").commit == oid(1) and stands(hub).tags == {"v1": oid(1)}


def test_who_may_not_make_a_repository_may_still_write_to_one(hub: StandInHub) -> None:
    hub.repositories["dataset", "me/x"] = Repository()
    hub.refuse("create_repo", 403)
    assert put().changed


@pytest.mark.parametrize(
    ("token", "repo_id", "message"),
    [
        (None, "me/x", "there is no valid token. Run `hf auth login`"),
        ("hf_" + "X" * 34, "me/x", "there is no valid token. Run `hf auth login`"),
        (READ_TOKEN, "me/x", r"refuses to let this token write to 'me/x' \(403\)"),
        (TOKEN, "them/x", r"refuses to let this token write to 'them/x' \(403\)"),
    ],
)
def test_who_may_not_write_is_told_so(
    token: str | None, repo_id: str, message: str, hub: StandInHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", token or "")
    with pytest.raises(InputError, match=message):
        publish(repo_id, FILES, TABLES, message="Tables")
    hub.repositories["dataset", repo_id] = Repository()
    with pytest.raises(InputError, match=message):
        publish(repo_id, FILES, TABLES, message="Tables")
    assert len(hub.repositories["dataset", repo_id].commits) == 1


# ---- large files


LARGE = {"a.parquet": b"a" * 70_000, "b.parquet": b"b" * 50_000, "c.csv": b"c"}


def put_large() -> Published:
    return publish("me/x", LARGE, TABLES, message="Tables", tag="v1")


def test_a_line_that_breaks_once_is_no_matter(hub: StandInHub) -> None:
    hub.break_line("lfs_put", times=1)
    assert put_large().changed
    assert stands(hub).commits[-1] == {".gitattributes": b"x", **LARGE}


def test_an_upload_that_broke_goes_on_with_what_is_missing(hub: StandInHub) -> None:
    def second_breaks(request: Request) -> None:
        if request.groups["upload"] == "1":
            raise BrokenConnectionError

    hub.meanwhile["lfs_put"] = second_breaks
    with pytest.raises(InputError, match=r"cannot be reached to publish 'me/x'.* nothing is published twice"):
        put_large()
    assert len(stands(hub).commits) == 1 and len(stands(hub).stored) == 1, "one came whole, and none is seen"
    hub.meanwhile.clear()
    sent = hub.calls.count("lfs_put")
    assert put_large().commit == oid(1)
    assert hub.calls.count("lfs_put") == sent + 1, "the other is not sent again"
    assert stands(hub).commits[-1] == {".gitattributes": b"x", **LARGE}


def test_large_files_go_in_parts(hub: StandInHub) -> None:
    hub.part_bytes = 30_000
    assert put_large().changed
    assert stands(hub).commits[-1]["a.parquet"] == LARGE["a.parquet"]
    assert hub.calls.count("lfs_put") == 5


@pytest.mark.parametrize("call", ["create_commit", "create_tag"])
def test_an_answer_that_gets_lost_does_not_publish_twice(call: str, hub: StandInHub) -> None:
    """The Hub did what it was asked, and nobody heard."""
    hub.tampered[call] = lambda answer: replace(answer, stop_after=0)
    with pytest.raises(InputError, match="run the same command again"):
        put_large()
    hub.tampered.clear()
    assert put_large() == Published("me/x", "v1", oid(1), private=False, changed=call == "create_commit")
    assert len(stands(hub).commits) == 2


def test_a_file_that_changes_while_it_goes_up_is_not_published(hub: StandInHub, tmp_path: Path) -> None:
    """The storage says so: its checksum was announced."""
    path = tmp_path / "a.parquet"
    path.write_bytes(LARGE["a.parquet"])
    hub.meanwhile["lfs_batch"] = lambda _: path.write_bytes(b"z" * 70_000)
    with pytest.raises(InputError, match=r"\(422\): the file that came is not the file that was announced"):
        publish("me/x", {"a.parquet": path}, TABLES, message="Tables")
    assert len(stands(hub).commits) == 1


@pytest.mark.parametrize(
    ("status", "message"),
    [(401, "there is no valid token"), (403, r"refuses to let this token write .* \(403\)")],
)
def test_the_other_way_of_large_files_is_refused_in_the_same_words(
    status: int, message: str, hub: StandInHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client sends them over xet unless it is told not to; the stand-in speaks as much of it as a refusal takes."""
    pytest.importorskip("hf_xet")
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    hub.refuse("xet_token", status)
    with pytest.raises(InputError, match=message):
        put_large()
    assert len(stands(hub).commits) == 1


# ---- an answer that leads elsewhere


@pytest.mark.parametrize("status", [302, 307])
@pytest.mark.parametrize("call", METHODS)
def test_an_answer_from_another_host_is_refused(call: str, status: int, hub: StandInHub) -> None:
    hub.tampered[call] = lambda _: Answer(b"", status, {"Location": f"{hub.storage}/elsewhere/x"})
    with pytest.raises(InputError, match=r"sends on to 'localhost:\d+', which is refused"):
        put("v1")
    assert "elsewhere" not in hub.calls


def test_the_next_page_of_a_list_is_not_looked_for_on_another_host(hub: StandInHub) -> None:
    link = {"Link": f'<{hub.storage}/elsewhere/x>; rel="next"'}
    hub.tampered["list_repo_tree"] = lambda answer: replace(answer, headers=link)
    with pytest.raises(InputError, match="which is refused"):
        put()
    assert "elsewhere" not in hub.calls


def test_no_other_host_confirms_an_upload(hub: StandInHub) -> None:
    def lead(answer: Answer) -> Answer:
        return replace(
            answer, body=re.sub(rb'"http[^"]+/verify/', f'"{hub.storage}/elsewhere/'.encode(), answer.body)
        )

    hub.tampered["lfs_batch"] = lead
    with pytest.raises(InputError, match="which is refused"):
        put_large()
    assert "elsewhere" not in hub.calls


def test_no_token_is_quoted(hub: StandInHub, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "hf_" + "Ab1" * 11
    for quoted in (
        f"Illegal header value b'Bearer {secret}\\n'",
        f"{secret} is not valid",
        "Bearer other-token",
    ):
        monkeypatch.setattr(HfApi, "create_repo", Mock(side_effect=LookupError(quoted)))
        with pytest.raises(InputError, match=r"\[token\]") as caught:
            put()
        assert secret not in str(caught.value) and "other-token" not in str(caught.value)


def test_a_defect_of_ours_is_not_blamed_on_the_network(hub: StandInHub) -> None:
    put()
    with pytest.raises(AttributeError):
        publish("me/x", {"a.csv": 7}, TABLES, message="Tables")


ODD = {"a list": b"[]", "a page": b"<html>Sign in</html>", "nothing": b"", "half": b'{"files": [{}]}'}


@pytest.mark.parametrize("body", ODD.values(), ids=ODD)
@pytest.mark.parametrize("call", ["create_repo", "repo_info", "list_repo_refs", "preupload", "create_commit"])
def test_what_is_no_hub_is_not_taken_for_one(call: str, body: bytes, hub: StandInHub) -> None:
    """A portal that wants a password first, or a mirror of something else."""
    hub.tampered[call] = lambda _: Answer(body)
    with pytest.raises(InputError, match="'me/x' is not published"):
        put()


def test_a_space_that_refuses_its_variables_gives_one_sentence(hub: StandInHub) -> None:
    hub.repositories["space", "me/page"] = Repository()
    hub.refuse("space add_space_variable", 403)
    with pytest.raises(InputError, match=r"refuses to let this token write to 'me/page' \(403\)"):
        set_variables("me/page", {"A": "1"}, PAGE)


def test_a_missing_client_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.setitem(sys.modules, "huggingface_hub.utils", None)
    for act in (lambda: check_repo_id("me/x"), lambda: put(), lambda: set_variables("me/x", {}, PAGE)):
        with pytest.raises(InputError, match="pip install huggingface_hub"):
            act()


def test_a_name_that_the_hub_refuses_names_the_argument() -> None:
    with pytest.raises(InputError, match=r"`--space` is 'page', .* such as 'me/page'\."):
        check_repo_id("page", argument="--space", example="me/page")
