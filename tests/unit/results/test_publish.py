"""`publish`: the dataset first, then the Space that shows exactly it; over HTTP, from the real client."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import yaml

from lm_eval_sensitivity.cli.main import main
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.results import Results, files_to_publish, open_results
from lm_eval_sensitivity.results.manifest import file_names
from lm_eval_sensitivity.results.recompute import check_some
from lm_eval_sensitivity.space import files_to_publish as publication
from lm_eval_sensitivity.space.files_to_publish import leaderboard_folder, space_files
from lm_eval_sensitivity.space.hub import chosen_results, fetch
from tests.unit.hub.stand_in import METHODS, SPACE_METHODS, Repository, StandInHub, oid

_CHECKED: set[bytes] = set()
"""Manifests."""
SPACE = ("--space", "me/page")
TAG = ("--tag", "v1.0.0")


@pytest.fixture(autouse=True)
def _computed_again_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `test_recompute.py` is about; here one folder is published over and over."""

    def check(results: Results, folder: Path) -> None:
        if (manifest := (folder / "manifest.json").read_bytes()) not in _CHECKED:
            check_some(results, folder)
            _CHECKED.add(manifest)

    monkeypatch.setattr(files_to_publish, "check_some", check)


def publish(folder: Path, *options: str) -> int:
    return main(["publish", str(folder), "me/results", *options])


def dataset(hub: StandInHub) -> Repository:
    return hub.repositories["dataset", "me/results"]


def space(hub: StandInHub) -> Repository:
    return hub.repositories["space", "me/page"]


# ---- what stands on the Hub afterwards


def test_one_commit_with_exactly_these_files_and_a_tag(
    exported: Path, hub: StandInHub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert publish(exported, *TAG) == 0
    assert len(dataset(hub).commits) == 2 and dataset(hub).tags == {"v1.0.0": oid(1)}
    tree = dataset(hub).commits[-1]
    assert set(tree) == {".gitattributes", "README.md", "manifest.json", *file_names(4)}
    for name in set(tree) - {".gitattributes", "README.md"}:
        assert tree[name] == (exported / name).read_bytes()
    first, last = capsys.readouterr().out.splitlines()
    assert first == f"Published hf://datasets/me/results@v1.0.0 (public, {len(tree) - 1} files)"
    assert "`--space ORG/SPACE`" in last
    assert "RESULTS_DATASET=me/results, RESULTS_REVISION=v1.0.0" in last
    assert not [call for call in hub.calls if call.startswith("space ")]


def test_the_space_comes_after_the_dataset_and_its_variables_last(exported: Path, hub: StandInHub) -> None:
    assert publish(exported, *TAG, *SPACE) == 0
    changes = [call for call in hub.calls if call.split()[-1].startswith(("create", "add"))]
    assert changes == [
        *("create_repo", "create_commit", "create_tag"),
        *("space create_repo", "space create_commit"),
        *("space add_space_variable", "space add_space_variable"),
    ]
    assert space(hub).variables == {"RESULTS_DATASET": "me/results", "RESULTS_REVISION": "v1.0.0"}
    tree = space(hub).commits[-1]
    assert set(tree) == {".gitattributes", "README.md", "app.py", "requirements.txt"}
    for name in ("app.py", "requirements.txt"):
        assert tree[name] == (leaderboard_folder() / name).read_bytes()
    matter = yaml.safe_load(tree["README.md"].decode().split("---\n", 2)[1])
    assert matter["datasets"] == ["me/results"] and matter["app_file"] == "app.py"


def test_without_a_tag_the_space_is_pinned_to_the_commit(exported: Path, hub: StandInHub) -> None:
    assert publish(exported, *SPACE) == 0
    assert dataset(hub).tags == {}
    assert space(hub).variables["RESULTS_REVISION"] == oid(1)


@pytest.mark.parametrize("tag", [TAG, ()])
def test_the_same_again_changes_nothing(
    tag: tuple[str, ...], exported: Path, hub: StandInHub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert publish(exported, *tag, *SPACE) == 0
    first = capsys.readouterr().out
    calls, variables = len(hub.calls), dict(space(hub).variables)
    assert publish(exported, *tag, *SPACE) == 0
    changing = ("create_commit", "create_tag", "add_space_variable")
    assert not [call for call in hub.calls[calls:] if call.endswith(changing)]
    assert space(hub).variables == variables
    second = capsys.readouterr().out
    assert "Nothing" not in first and second.count("Nothing to do") == 2


def test_a_new_version_moves_the_space(exported: Path, hub: StandInHub) -> None:
    assert publish(exported, *TAG, *SPACE) == 0
    assert publish(exported, "--tag", "v1.1.0", *SPACE) == 0
    assert space(hub).variables["RESULTS_REVISION"] == "v1.1.0"
    assert b"v1.0.0" in dataset(hub).tree("v1.0.0")["README.md"]
    assert b"v1.1.0" in dataset(hub).tree("v1.1.0")["README.md"]


@pytest.mark.parametrize("tag", [TAG, ()])
def test_the_space_finds_what_was_published(
    tag: tuple[str, ...],
    exported: Path,
    hub: StandInHub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From this folder, over the Hub, to the folder that the page opens."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert publish(exported, *tag, *SPACE) == 0
    dataset(hub).commits.append({"manifest.json": b"what somebody pushed later"})
    fetched, _ = fetch(*chosen_results(space(hub).variables))
    assert open_results(fetched).manifest == open_results(exported).manifest
    names = {each.relative_to(fetched).as_posix() for each in fetched.rglob("*") if each.is_file()}
    assert names == {"manifest.json", *file_names(4)}


def test_the_licence_is_that_of_the_option(exported: Path, hub: StandInHub) -> None:
    assert publish(exported, "--license", "cc-by-4.0") == 0
    assert b"\nlicense: cc-by-4.0\n" in dataset(hub).commits[-1]["README.md"]


# ---- what is refused


def test_a_tag_with_other_content_is_refused(
    exported: Path, hub: StandInHub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert publish(exported, *TAG) == 0
    dataset(hub).commits[1]["statements.json"] = b"other"
    assert publish(exported, *TAG, *SPACE) == 2
    error = capsys.readouterr().err
    assert "has the tag 'v1.0.0' already, with other content ('statements.json')" in error
    assert "publish these results under another tag." in error
    assert len(dataset(hub).commits) == 2 and ("space", "me/page") not in hub.repositories


def test_former_files_are_in_the_way_until_they_may_go(
    exported: Path, hub: StandInHub, capsys: pytest.CaptureFixture[str]
) -> None:
    former = {"pairs/009.parquet": b"a", "details/009.parquet": b"b", "notes.txt": b"c", "pairs/x.csv": b"d"}
    hub.repositories["dataset", "me/results"] = Repository(commits=[dict(former)])
    assert publish(exported, *TAG) == 2
    error = capsys.readouterr().err
    assert "'pairs/009.parquet', 'details/009.parquet'. Give `--delete-former`" in error
    assert len(dataset(hub).commits) == 1 and dataset(hub).tags == {}
    assert publish(exported, *TAG, "--delete-former") == 0
    assert former.keys() & dataset(hub).commits[-1].keys() == {"notes.txt", "pairs/x.csv"}
    assert dataset(hub).commits[0] == former


NO_TAGS = ["main", "latest", "", "v1/x", "refs/tags/v1", "v1-a..b", "v1.lock", "1.0\n", "x" * 999]


@pytest.mark.parametrize("tag", NO_TAGS, ids=range(len(NO_TAGS)))
def test_a_tag_that_no_page_would_show_is_refused(
    tag: str, exported: Path, hub: StandInHub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert publish(exported, f"--tag={tag}") == 2
    error = capsys.readouterr().err
    assert "`--tag` is " in error and error.count("\n") == 1 and len(error) < 400
    assert hub.calls == []


@pytest.mark.parametrize(
    ("name", "page"),
    [("results", None), ("me/re sults", None), ("_me/results", None), ("me/results", "page")],
)
def test_a_name_that_is_none_is_refused_before_anything_is_read(
    name: str, page: str | None, hub: StandInHub, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [] if page is None else ["--space", page]
    assert main(["publish", "no_such_folder", name, *options]) == 2
    assert "no_such_folder" not in capsys.readouterr().err
    assert hub.calls == []


def test_results_that_no_page_would_fetch_do_not_go_up(
    exported: Path, hub: StandInHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(publication, "MAX_FETCHED_BYTES", 1_000)
    assert publish(exported, *TAG) == 2
    assert "a page fetches at most 1,000. Export fewer systems" in capsys.readouterr().err
    assert hub.calls == []


def test_a_space_that_is_something_else_is_left_alone(
    exported: Path, hub: StandInHub, capsys: pytest.CaptureFixture[str]
) -> None:
    other = {"app.py": b"import gradio", "README.md": b"theirs"}
    hub.repositories["space", "me/page"] = Repository(commits=[dict(other)])
    assert publish(exported, *TAG, *SPACE) == 2
    assert "The Space 'me/page' is something else: it has 'app.py'" in capsys.readouterr().err
    assert space(hub).commits == [other] and space(hub).variables == {}


# ---- private


def test_private_means_both_and_says_what_the_space_needs(
    exported: Path, hub: StandInHub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert publish(exported, *TAG, *SPACE, "--private") == 0
    assert dataset(hub).private and space(hub).private
    out = capsys.readouterr().out
    assert "(private, " in out and "add the secret HF_TOKEN" in out


@pytest.mark.parametrize("public", ["dataset", "space"])
def test_private_is_refused_where_something_is_public(
    public: str, exported: Path, hub: StandInHub, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "me/results" if public == "dataset" else "me/page"
    hub.repositories[public, name] = Repository()
    assert publish(exported, *SPACE, "--private") == 2
    assert f"{name!r} exists and is public" in capsys.readouterr().err
    assert len(hub.repositories[public, name].commits) == 1


def test_a_public_dataset_needs_no_secret(
    exported: Path, hub: StandInHub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert publish(exported, *SPACE) == 0
    assert "HF_TOKEN" not in capsys.readouterr().out


# ---- half-way


SPACE_CALLS = [f"space {name}" for name in (*METHODS, *SPACE_METHODS) if name != "create_tag"]


@pytest.mark.parametrize(
    ("place", "status"),
    [*((each, 403) for each in SPACE_CALLS), *((SPACE_CALLS[-1], status) for status in (401, 404, None))],
)
def test_a_space_that_fails_is_made_up_for_by_the_same_command(
    place: str, status: int | None, exported: Path, hub: StandInHub, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.break_line(place) if status is None else hub.refuse(place, status)
    assert publish(exported, *TAG, *SPACE) == 2
    captured = capsys.readouterr()
    assert captured.out.startswith("Published hf://datasets/me/results@v1.0.0")
    assert captured.err.count("\n") == 1 and "'me/page'" in captured.err
    assert "The results stand on the Hub" in captured.err
    hub.meanwhile.clear()
    assert publish(exported, *TAG, *SPACE) == 0
    assert len(dataset(hub).commits) == 2 and len(space(hub).commits) == 2
    assert space(hub).variables == {"RESULTS_DATASET": "me/results", "RESULTS_REVISION": "v1.0.0"}


@pytest.mark.parametrize("place", METHODS)
def test_a_dataset_that_fails_keeps_the_space_from_being_touched(
    place: str, exported: Path, hub: StandInHub, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.refuse(place, 403, "Forbidden")
    assert publish(exported, *TAG, *SPACE) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and "(403)" in captured.err and captured.err.count("\n") == 1
    assert not [call for call in hub.calls if call.startswith("space ")]


def test_offline_gives_a_sentence(exported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is replaced here: the client itself refuses, because the tests run with HF_HUB_OFFLINE."""
    assert publish(exported, *TAG) == 2
    error = capsys.readouterr().err
    assert "cannot be reached" in error and "HF_HUB_OFFLINE" in error and error.count("\n") == 1


# ---- dry run


def test_a_dry_run_lists_everything_and_reaches_for_nothing(
    exported: Path, hub: StandInHub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert publish(exported, *TAG, *SPACE, "--private", "--dry-run") == 0
    assert hub.calls == [] and hub.repositories == {}
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Would publish me/results as v1.0.0 (private):"
    (table,) = (line.split() for line in lines if "details/003.parquet" in line)
    assert table[1:] == [f"{(exported / 'details/003.parquet').stat().st_size:,}", "bytes"]
    at = lines.index("Would set up the Space me/page (private):")
    assert {line.split()[0] for line in lines[1:at]} == {"README.md", "manifest.json", *file_names(4)}
    assert [line.split()[0] for line in lines[at + 1 : -1]] == ["README.md", "app.py", "requirements.txt"]
    assert lines[-1].strip() == "RESULTS_DATASET=me/results, RESULTS_REVISION=v1.0.0"


def test_a_dry_run_without_a_tag_says_so(
    exported: Path, hub: StandInHub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert publish(exported, *SPACE, "--dry-run") == 0
    out = capsys.readouterr().out
    assert out.startswith("Would publish me/results, without a tag:\n")
    assert "RESULTS_REVISION=<the commit>" in out


def test_no_token_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["publish", "--help"])
    assert "--token" not in capsys.readouterr().out


# ---- the files of the Space


def test_a_wheel_has_its_own_files_and_a_checkout_those_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publication, "__file__", str(tmp_path / "package" / "space" / "publication.py"))
    packaged, beside = tmp_path / "package" / "space" / "leaderboard", tmp_path / "leaderboard"
    with pytest.raises(InputError, match="Install the package again"):
        leaderboard_folder()
    for folder in (beside, packaged):
        folder.mkdir(parents=True)
        for name in publication.SPACE_FILES:
            (folder / name).write_text("x")
        assert leaderboard_folder() == folder.resolve()


def test_only_the_list_of_datasets_is_filled_in() -> None:
    own = (leaderboard_folder() / "README.md").read_text(encoding="utf-8")
    filled = space_files("me/results")["README.md"]
    assert isinstance(filled, bytes)
    lines = set(filled.decode().splitlines()).symmetric_difference(own.splitlines())
    assert lines == {"datasets: []", "datasets:", "  - me/results"}
