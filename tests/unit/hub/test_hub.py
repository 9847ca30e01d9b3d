"""Files on the Hub: one commit, a tag where there is a version, and what is refused; the Hub is a dictionary here."""

from __future__ import annotations

import sys
from pathlib import Path

import httpx
import pytest

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.hub import Kind, Published, check_repo_id, publish, set_variables
from tests.unit.hub.fake_hub import FakeHub, Repository, http_error, install, oid

TABLES = Kind("table", lambda path: path.endswith(".csv"), "take another tag")
PAGE = Kind("page", {"app.py"}.__contains__, repo_type="space", space_sdk="gradio", telling="app.py")
FILES = {"a.csv": b"a", "README.md": b"card"}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    return install(monkeypatch)


def stands(hub: FakeHub) -> Repository:
    return hub.repositories["dataset", "me/x"]


def put(tag: str | None = None, **options: bool) -> Published:
    return publish("me/x", FILES, TABLES, message="Tables", tag=tag, **options)


# ---- commits and tags


def test_without_a_tag_the_commit_is_the_version(hub: FakeHub) -> None:
    assert put() == Published("me/x", None, oid(1), private=False, changed=True)
    assert put().revision == oid(1)
    assert put().changed is False
    assert len(stands(hub).commits) == 2 and stands(hub).tags == {}


def test_a_tag_on_what_stands_there_already_needs_no_commit(hub: FakeHub) -> None:
    put()
    assert put("v1") == Published("me/x", "v1", oid(1), private=False, changed=True)
    assert put("v1") == Published("me/x", "v1", oid(1), private=False, changed=False)
    assert put("v2").commit == oid(1), "two tags may name one commit"
    assert len(stands(hub).commits) == 2


def test_local_files_go_up_as_they_are_and_are_compared_without_a_copy(hub: FakeHub, tmp_path: Path) -> None:
    (tmp_path / "large.parquet").write_bytes(b"x" * 3_000_000)
    (tmp_path / "small.csv").write_bytes(b"\r\n\0")
    files = {name: tmp_path / name for name in ("large.parquet", "small.csv")}
    publish("me/x", files, TABLES, message="Tables")
    tree = stands(hub).commits[-1]
    assert (tree["large.parquet"], tree["small.csv"]) == (b"x" * 3_000_000, b"\r\n\0")
    assert publish("me/x", files, TABLES, message="Tables").changed is False
    (tmp_path / "large.parquet").write_bytes(b"x" * 2_999_999 + b"y")
    assert publish("me/x", files, TABLES, message="Tables").changed is True


def test_a_commit_of_somebody_else_in_between_is_not_overwritten(hub: FakeHub) -> None:
    put()
    hub.meanwhile["create_commit"] = lambda: stands(hub).commits.append({"a.csv": b"theirs"})
    with pytest.raises(InputError, match=r"\(412\): A commit has happened since"):
        publish("me/x", {"a.csv": b"ours"}, TABLES, message="Tables")
    assert stands(hub).commits[-1] == {"a.csv": b"theirs"}


def test_a_file_that_vanishes_is_named(hub: FakeHub, tmp_path: Path) -> None:
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
def test_a_space_of_another_purpose_is_left_alone(tree: dict[str, bytes], named: str, hub: FakeHub) -> None:
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
def test_a_new_space_and_our_own_get_their_files(tree: dict[str, bytes], hub: FakeHub) -> None:
    hub.repositories["space", "me/page"] = Repository(commits=[tree])
    publish("me/page", {"app.py": b"ours", "README.md": b"new"}, PAGE, message="Page")
    assert hub.repositories["space", "me/page"].commits[-1] == {
        **tree,
        "app.py": b"ours",
        "README.md": b"new",
    }


def test_variables_are_set_where_they_differ(hub: FakeHub) -> None:
    space = hub.repositories["space", "me/page"] = Repository(variables={"A": "1", "B": "0", "OTHER": "x"})
    assert set_variables("me/page", {"A": "1", "B": "2"}, PAGE) is True
    assert space.variables == {"A": "1", "B": "2", "OTHER": "x"}
    assert hub.calls.count("space add_space_variable") == 1, "each one restarts the Space"
    assert set_variables("me/page", {"A": "1", "B": "2"}, PAGE) is False


# ---- errors


def test_no_token_is_quoted(hub: FakeHub) -> None:
    secret = "hf_" + "Ab1" * 11
    for quoted in (
        f"Illegal header value b'Bearer {secret}\\n'",
        f"{secret} is not valid",
        "Bearer other-token",
    ):
        hub.failure = httpx.LocalProtocolError(quoted)
        with pytest.raises(InputError, match=r"\[token\]") as caught:
            put()
        assert secret not in str(caught.value) and "other-token" not in str(caught.value)


def test_a_defect_of_ours_is_not_blamed_on_the_network(hub: FakeHub) -> None:
    hub.failure = TypeError("unexpected keyword")
    with pytest.raises(TypeError):
        put()


def test_a_space_that_refuses_its_variables_gives_one_sentence(hub: FakeHub) -> None:
    hub.repositories["space", "me/page"] = Repository()
    hub.failure = http_error(403, "Forbidden")
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
