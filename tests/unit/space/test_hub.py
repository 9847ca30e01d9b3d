"""The Space on the Hub: what is fetched, what is refused, and the folder that is published."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import yaml

from lm_eval_sensitivity import __version__
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.results.schema import SUMMARIES, details_name, pairs_name
from lm_eval_sensitivity.space import citation
from lm_eval_sensitivity.space.hub import HubResults, chosen_results, fetch

REPOSITORY = Path(__file__).resolve().parents[3]
LEADERBOARD = REPOSITORY / "leaderboard"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize("revision", [COMMIT, "v1.0.0", "1.0.0-rc1"])
def test_commits_and_version_tags_are_pinned(revision: str) -> None:
    found = chosen_results({"RESULTS_DATASET": "org/results", "RESULTS_REVISION": revision})
    assert found == HubResults("org/results", revision)


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


def fake_download(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = []

    def snapshot_download(repo_id: str, **options: Any) -> str:
        calls.append({"repo_id": repo_id, **options})
        return str(options["local_dir"])

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    return calls


def test_only_the_files_of_results_come_down_and_as_files(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fake_download(monkeypatch)
    folder = fetch(HubResults("org/results", "v1"))
    (call,) = calls
    assert (call["repo_id"], call["repo_type"], call["revision"]) == ("org/results", "dataset", "v1")
    assert folder == Path(call["local_dir"]), "the Hub's cache holds links, which results refuse"
    wanted = ["manifest.json", *SUMMARIES, pairs_name(3), details_name(63)]
    others = [
        "app.py",
        "README.md",
        "pairs/x.parquet",
        "pairs/000.parquet.exe",
        "x/manifest.json",
        "details/1.parquet",
    ]
    kept = list(
        huggingface_hub.utils.filter_repo_objects(wanted + others, allow_patterns=call["allow_patterns"])
    )
    assert kept == wanted


def test_a_failed_download_becomes_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def snapshot_download(repo_id: str, **options: Any) -> str:
        raise ConnectionError("no route\nto host")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    with pytest.raises(
        InputError, match=r"'org/results' at 'v1' cannot be fetched: no route to host\. Check"
    ):
        fetch(HubResults("org/results", "v1"))


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
    colours = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
    assert {matter["colorFrom"], matter["colorTo"]} <= colours
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
