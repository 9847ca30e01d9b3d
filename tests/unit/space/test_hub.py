"""The Space on the Hub: what is fetched, what is refused, and the folder that is published."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
import yaml

from lm_eval_sensitivity import __version__
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.results.manifest import LADDER, STATEMENTS, details_name, pairs_name
from lm_eval_sensitivity.results.read import HubOrigin
from lm_eval_sensitivity.space import citation
from lm_eval_sensitivity.space.hub import chosen_results, fetch
from lm_eval_sensitivity.space.pages.method import address_on_the_hub
from tests.unit.hub.fake_hub import FakeHub, Repository, install, oid
from tests.unit.space.known import known_results

REPOSITORY = Path(__file__).resolve().parents[3]
LEADERBOARD = REPOSITORY / "leaderboard"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize("revision", [COMMIT, "v1.0.0", "1.0.0-rc1"])
def test_commits_and_version_tags_are_pinned(revision: str) -> None:
    found = chosen_results({"RESULTS_DATASET": "org/results", "RESULTS_REVISION": revision})
    assert found == ("org/results", revision)


@pytest.mark.parametrize(
    "revision", ["", "main", "master", "HEAD", "refs/pr/1", "v1/../x", COMMIT[:39] + "G", "v1\n"]
)
def test_what_can_change_under_the_page_is_refused(revision: str) -> None:
    with pytest.raises(InputError, match="`RESULTS_REVISION` is"):
        chosen_results({"RESULTS_DATASET": "org/results", "RESULTS_REVISION": revision})


@pytest.mark.parametrize("dataset", ["", "results", "org/results/x", "../x", "org/re sults", "https://x/y"])
def test_what_is_no_dataset_is_refused(dataset: str) -> None:
    with pytest.raises(InputError, match="`RESULTS_DATASET` is"):
        chosen_results({"RESULTS_DATASET": dataset, "RESULTS_REVISION": "v1"})


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where downloads go."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    """A dataset with everything that results have, and files of other purposes."""
    fake = install(monkeypatch)
    tree = dict.fromkeys([*WANTED, *OTHERS], b"first")
    fake.repositories["dataset", "org/results"] = Repository(commits=[tree], tags={"v1": oid(0)})
    return fake


WANTED = ["manifest.json", STATEMENTS, LADDER, pairs_name(3), details_name(63)]
OTHERS = [
    *("app.py", "README.md", "pairs/x.parquet", "pairs/000.parquet.exe", "x/manifest.json"),
    "details/1.parquet",
]


def test_only_the_files_of_results_come_down_and_as_files(hub: FakeHub, temporary: Path) -> None:
    folder = fetch("org/results", "v1")[0]
    assert folder.parent == temporary, "the Hub's cache holds links, which results refuse"
    assert {each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file()} == set(
        WANTED
    )
    assert hub.calls == ["repo_info", "snapshot_download"]


@pytest.mark.parametrize("moved", ["repo_info", "snapshot_download"])
def test_the_commit_that_is_named_is_the_one_that_was_fetched(
    moved: str, hub: FakeHub, temporary: Path
) -> None:
    """A tag that somebody moves meanwhile, which a branch called like a version does by itself."""
    repository = hub.repositories["dataset", "org/results"]

    def move() -> None:
        repository.commits.append(dict.fromkeys(WANTED, b"second"))
        repository.tags["v1"] = oid(1)

    hub.meanwhile[moved] = move
    folder, origin = fetch("org/results", "v1")
    commit, content = (oid(1), b"second") if moved == "repo_info" else (oid(0), b"first")
    assert origin == HubOrigin("org/results", "v1", commit)
    assert (folder / "manifest.json").read_bytes() == content


def test_a_commit_stays_a_commit(hub: FakeHub, temporary: Path) -> None:
    assert fetch("org/results", oid(0))[1] == HubOrigin("org/results", oid(0), oid(0))


def test_too_large_results_are_refused_before_anything_comes_down(
    hub: FakeHub, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what would be fetched counts; the limit itself is accepted."""
    size = len(b"first") * len(WANTED)
    monkeypatch.setattr("lm_eval_sensitivity.space.hub.MAX_FETCHED_BYTES", size)
    fetch("org/results", "v1")
    monkeypatch.setattr("lm_eval_sensitivity.space.hub.MAX_FETCHED_BYTES", size - 1)
    hub.calls.clear()
    with pytest.raises(InputError, match=f"'org/results' at 'v1' have {size} bytes; at most {size - 1}"):
        fetch("org/results", "v1")
    assert hub.calls == ["repo_info"]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (SimpleNamespace(sha="main", siblings=[]), "names no commit, but 'main'"),
        (
            SimpleNamespace(sha=oid(0), siblings=[SimpleNamespace(rfilename="manifest.json", size=None)]),
            "does not say how large",
        ),
    ],
)
def test_an_answer_of_the_hub_that_says_too_little(
    answer: Any, says: str, hub: FakeHub, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.HfApi, "repo_info", lambda *_, **__: answer)
    with pytest.raises(InputError, match=says):
        fetch("org/results", "v1")
    assert hub.calls == [] and not list(temporary.iterdir())


@pytest.mark.parametrize("place", ["repo_info", "snapshot_download"])
def test_a_failed_download_becomes_one_sentence_and_leaves_nothing(
    place: str, hub: FakeHub, temporary: Path
) -> None:
    def half() -> None:
        (folder,) = temporary.iterdir()
        (folder / "manifest.json").write_text("half")

    hub.meanwhile[place] = half
    hub.failure, hub.fail_at = ConnectionError("no route\nto host"), place
    with pytest.raises(
        InputError, match=r"'org/results' at 'v1' cannot be fetched: no route to host\. Check"
    ):
        fetch("org/results", "v1")
    assert not list(temporary.iterdir())


def test_a_download_is_deleted_when_the_server_ends(tmp_path: Path) -> None:
    code = (
        "import huggingface_hub\n"
        "from pathlib import Path\n"
        "from types import SimpleNamespace\n"
        "from lm_eval_sensitivity.space.hub import fetch\n"
        "answer = SimpleNamespace(sha='0' * 40, siblings=[])\n"
        "huggingface_hub.HfApi.repo_info = lambda *_, **__: answer\n"
        "huggingface_hub.snapshot_download = lambda *_, **__: None\n"
        "folder = fetch('org/results', 'v1')[0]\n"
        "(folder / 'manifest.json').write_text('x')\n"
        "print(folder)\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert Path(done.stdout.strip()).parent == tmp_path
    assert not list(tmp_path.iterdir())


# ---- leaderboard/


def front_matter() -> dict[str, Any]:
    _, matter, _ = (LEADERBOARD / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    found: dict[str, Any] = yaml.safe_load(matter)
    return found


def pins(path: Path) -> dict[str, str]:
    lines = [
        line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")
    ]
    return dict(line.split("==") for line in lines)


def test_the_space_runs_the_versions_of_the_tests() -> None:
    constraints, required = pins(REPOSITORY / "constraints.txt"), pins(LEADERBOARD / "requirements.txt")
    assert required.pop("lm-eval-sensitivity[space]") == __version__
    by_name = {name.lower(): version for name, version in constraints.items()}
    assert {name: by_name[name.lower()] for name in required} == required
    assert required["gradio"] == front_matter()["sdk_version"]


def test_the_front_matter_is_complete() -> None:
    matter = front_matter()
    assert matter["sdk"] == "gradio"
    assert (LEADERBOARD / matter["app_file"]).is_file()
    colors = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
    assert {matter["colorFrom"], matter["colorTo"]} <= colors
    assert len(matter["short_description"]) <= 60
    assert isinstance(matter["python_version"], str), "3.10 as a number would be 3.1"
    assert {"title", "emoji", "pinned", "license", "tags", "datasets"} <= set(matter)


def test_the_app_is_two_lines() -> None:
    code = [line for line in (LEADERBOARD / "app.py").read_text().splitlines() if line.strip()]
    assert len(code) == 2


def test_the_citation_is_that_of_the_repository() -> None:
    cff = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    authors = [each["name"] for each in cff["authors"]]
    assert (cff["title"], authors) == (citation.TITLE, [citation.AUTHORS])
    entry = citation.bibtex("1.0", "a } b \\ { c\n")
    assert entry.count("{") == entry.count("}")
    assert not re.search(r"\\", entry)


def test_published_results_are_cited_with_their_commit() -> None:
    origin = HubOrigin("org/results", "main", "a" * 40)
    address = address_on_the_hub(known_results(origin=origin))
    assert address == f"https://huggingface.co/datasets/org/results/tree/{'a' * 40}"
    assert f"url    = {{{address}}}" in citation.bibtex("1.0", "x", address)
    assert address_on_the_hub(known_results()) == "" and "url" not in citation.bibtex("1.0", "x")


def test_no_text_of_a_folder_ends_the_entry() -> None:
    entry = citation.bibtex("1}}, author={{Evil\u202e", "x}}, author={{Worse")
    assert entry.count("{") == entry.count("}") and "{{The lm-eval" in entry
    assert "{{Evil" not in entry and "{{Worse" not in entry
    assert all(line.isprintable() for line in entry.splitlines())
