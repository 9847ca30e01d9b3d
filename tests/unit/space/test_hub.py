"""The Space on the Hub: what is fetched, what is refused, and the folder that is published."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from lm_eval_sensitivity import __version__
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.results.manifest import FILES_OF_RESULTS
from lm_eval_sensitivity.results.read import HubOrigin
from lm_eval_sensitivity.space import citation
from lm_eval_sensitivity.space.hub import chosen_results, fetch
from lm_eval_sensitivity.space.pages.method import address_on_the_hub
from tests.unit.hub.serving import environment
from tests.unit.hub.stand_in import READ_TOKEN, Repository, StandInHub, oid
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


WANTED = (*FILES_OF_RESULTS[:5], FILES_OF_RESULTS[-1])
OTHERS = ["app.py", "README.md", "pairs/x.parquet", "pairs/000.parquet.exe", "x/manifest.json"]


@pytest.fixture
def hub(hub: StandInHub) -> StandInHub:
    """With a dataset of the first and the last file that results may have, and files of other purposes."""
    tree = {name: name.encode() for name in (*WANTED, *OTHERS)}
    hub.repositories["dataset", "org/results"] = Repository(commits=[tree], tags={"v1": oid(0)})
    return hub


def test_only_the_files_of_results_come_down_and_as_files(hub: StandInHub, temporary: Path) -> None:
    folder, origin = fetch("org/results", "v1")
    assert folder.parent == temporary
    found = {each.relative_to(folder).as_posix(): each for each in folder.rglob("*") if not each.is_dir()}
    assert set(found) == set(WANTED) and not any(each.is_symlink() for each in found.values())
    assert origin == HubOrigin("org/results", "v1", oid(0))


def test_a_private_dataset_needs_a_token(
    hub: StandInHub, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repositories["dataset", "org/results"].private = True
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(
        InputError, match=r"it is private and no token that may read it is set \(`HF_TOKEN`\)"
    ):
        fetch("org/results", "v1")
    assert not list(temporary.iterdir())
    monkeypatch.setenv("HF_TOKEN", READ_TOKEN)
    assert (fetch("org/results", "v1")[0] / "manifest.json").is_file()


def test_a_download_is_deleted_when_the_server_ends(hub: StandInHub, tmp_path: Path) -> None:
    code = "from lm_eval_sensitivity.space.hub import fetch\nprint(fetch('org/results', 'v1')[0])"
    variables = {**os.environ, **environment(hub, tmp_path / "home"), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=variables
    )
    assert Path(done.stdout.strip()).parent == tmp_path
    assert not list(tmp_path.glob("lm-eval*"))


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
