"""Publishing rehearsed from end to end: commands, `load_dataset` and the Space as processes, against a Hub here."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from lm_eval_sensitivity.ladder import load_ladder
from lm_eval_sensitivity.results.write import export_results
from tests.browser.serving import COMMAND, serving_space
from tests.unit.hub.serving import environment, serving
from tests.unit.hub.stand_in import READ_TOKEN, TOKEN, Repository, StandInHub, oid, write_files
from tests.unit.ladder.small_ladder import small_folder
from tests.unit.results.made_results import made_request

FINDING = "Harmless edits move the answers of 4 systems"
"""That the page opens with."""


@pytest.fixture
def hub() -> Iterator[StandInHub]:
    with serving(StandInHub()) as found:
        yield found


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results") / "results"
    export_results(made_request(tmp_path_factory.mktemp("runs")), folder)
    return folder


class Person:
    """Somebody at a terminal, with an own home folder."""

    def __init__(self, hub: StandInHub, home: Path, token: str | None = TOKEN) -> None:
        self.home = home
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        self.variables = {**kept, **environment(hub, home, token)}

    def run(self, *line: object) -> subprocess.CompletedProcess[str]:
        words = [*map(str, line)]
        return subprocess.run(words, capture_output=True, text=True, cwd=self.home, env=self.variables)

    def command(self, *line: object) -> subprocess.CompletedProcess[str]:
        """Of `lm-eval-sensitivity`."""
        return self.run(COMMAND, *line)

    def python(self, code: str) -> list[str]:
        """The words that some code prints."""
        done = self.run(sys.executable, "-c", code)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()


def test_a_ladder_goes_up_and_comes_back(hub: StandInHub, tmp_path: Path) -> None:
    folder, me = small_folder(tmp_path / "ladder"), Person(hub, tmp_path)
    tag = f"v{load_ladder(folder).version}"
    stranger = Person(hub, tmp_path, token=None)
    refused = stranger.command("ladder", "push", "me/ladder", folder)
    assert refused.returncode == 2 and "Run `hf auth login`" in refused.stderr
    assert refused.stderr.count("\n") == 1 and hub.repositories == {}

    hub.break_line("lfs_put", times=1)
    done = me.command("ladder", "push", "me/ladder", folder, "--private")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Published hf://datasets/me/ladder@{tag} (private, ")
    again = me.command("ladder", "push", "me/ladder", folder, "--private")
    assert again.stdout.startswith("Nothing to do: ") and hub.repositories[
        "dataset", "me/ladder"
    ].head == oid(1)

    code = (
        "import datasets\n"
        f"print(datasets.load_dataset('me/ladder', 'mini', split='test', revision='{tag}').num_rows)\n"
        "from lm_eval_sensitivity.ladder import load_ladder\n"
        f"print(load_ladder('me/ladder@{tag}', 'mini').content_hash)\n"
    )
    rows = pq.read_metadata(folder / "mini" / "test.parquet").num_rows
    reader = Person(hub, tmp_path / "ladder", READ_TOKEN)
    assert reader.python(code) == [str(rows), load_ladder(folder, "mini").content_hash]


def test_prompts_on_the_hub_become_a_ladder(hub: StandInHub, tmp_path: Path) -> None:
    prompts = (
        b'{"prompt": "Name a river."}\n{"prompt": "Why is the sky blue?"}\n{"prompt": "Who wrote Emma?"}\n'
    )
    hub.repositories["dataset", "you/prompts"] = Repository(commits=[{"prompts.jsonl": prompts}])
    anybody = Person(hub, tmp_path, token=None)
    done = anybody.command("ladder", "build", "you/prompts", "-o", tmp_path / "mine")
    assert done.returncode == 0, done.stderr
    assert set(load_ladder(tmp_path / "mine").prompts.values()) == {
        "Name a river.",
        "Why is the sky blue?",
        "Who wrote Emma?",
    }


def published(hub: StandInHub, results: Path, home: Path, *options: str) -> Mapping[str, str]:
    """Results and their Space; gives the variables of the Space."""
    done = Person(hub, home).command(
        "publish", results, "me/results", "--tag", "v1.0.0", "--space", "me/page", *options
    )
    assert done.returncode == 0, done.stderr
    assert "\nSet up the Space me/page " in done.stdout
    return hub.repositories["space", "me/page"].variables


def look_at_space(hub: StandInHub, python: Path, home: Path, token: str | None) -> str:
    """The page of a Space, started from its own files in an environment."""
    space = hub.repositories["space", "me/page"]
    folder = write_files(space.commits[-1], home / "space")
    variables = {**Person(hub, home, token).variables, **space.variables}
    # What is installed is what runs.
    variables.pop("PYTHONPATH" if python != Path(sys.executable) else "", None)
    log = home / "space.log"
    with (
        serving_space(python, folder, variables, log) as address,
        urllib.request.urlopen(address) as answer,  # noqa: S310 - our own server
    ):
        return str(answer.read().decode())


def test_results_go_up_and_their_space_shows_them(hub: StandInHub, results: Path, tmp_path: Path) -> None:
    variables = published(hub, results, tmp_path, "--private")
    assert variables == {"RESULTS_DATASET": "me/results", "RESULTS_REVISION": "v1.0.0"}
    # What somebody pushes later is not what the tag names.
    hub.repositories["dataset", "me/results"].commits.append({"manifest.json": b"other"})
    page = look_at_space(hub, Path(sys.executable), tmp_path, READ_TOKEN)
    assert FINDING in page
    assert (tmp_path / "space.log").read_text() == f"The page shows me/results at v1.0.0, commit {oid(1)}.\n"


@pytest.mark.slow
def test_a_space_starts_from_its_own_requirements(
    wheel: Path, hub: StandInHub, results: Path, tmp_path: Path
) -> None:
    """In an environment with nothing else; the package itself, which no index has yet, is this checkout's wheel."""
    published(hub, results, tmp_path)
    requirements = tmp_path / "requirements.txt"
    requirements.write_bytes(hub.repositories["space", "me/page"].commits[-1]["requirements.txt"])
    fresh = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(fresh)], check=True)
    pip = [str(fresh / "bin" / "python"), "-m", "pip"]
    line = [*pip, "install", "--quiet", "--find-links", str(wheel.parent), "-r", str(requirements)]
    subprocess.run(line, check=True)
    subprocess.run([*pip, "check"], check=True)
    page = look_at_space(hub, fresh / "bin" / "python", tmp_path, None)
    assert FINDING in page
