"""The wheel in a fresh virtual environment: found by a plain lm_eval, gone after uninstall."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import site
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from lm_eval_sensitivity.space.files_to_publish import SPACE_FILES
from tests.harness.wrapped import made_tasks
from tests.harness.wrapped.made_tasks import ARC, arc_documents
from tests.running import arguments, read_run

REPOSITORY = Path(__file__).resolve().parents[2]


def names(wheel: Path) -> list[str]:
    return zipfile.ZipFile(wheel).namelist()


def test_the_wheel_carries_tasks_twice_the_ladder_and_the_demo_model(wheel: Path) -> None:
    files = names(wheel)
    sources = {path.name for path in (REPOSITORY / "tasks" / "prompt_sensitivity").glob("*.yaml")}
    for prefix in ("lm_eval/tasks/prompt_sensitivity/", "lm_eval_sensitivity/tasks/prompt_sensitivity/"):
        found = {name.removeprefix(prefix) for name in files if name.startswith(prefix)}
        assert sources <= found
        assert not [name for name in found if name.endswith(".py")]
    assert "lm_eval_sensitivity/ladder/data/mini/test.parquet" in files
    cards = ("card_template.md", "minimal_card_template.md", "card_tables.md")
    assert {f"lm_eval_sensitivity/ladder/authoring/{name}" for name in cards} <= set(files)
    assert {"lm_eval_sensitivity/report/page.html", "lm_eval_sensitivity/report/page.css"} <= set(files)
    page = REPOSITORY / "lm_eval_sensitivity" / "space"
    pieces = [path for pattern in ("*.css", "*.js", "templates/*.html") for path in page.glob(pattern)]
    assert {path.relative_to(REPOSITORY).as_posix() for path in pieces} <= set(files)
    assert len(pieces) > 10
    leaderboard = {f"lm_eval_sensitivity/space/leaderboard/{name}" for name in SPACE_FILES}
    assert leaderboard <= set(files)
    assert "lm_eval_sensitivity/results/card_template.md" in files
    assert "lm_eval_sensitivity/py.typed" in files
    (metadata,) = (name for name in files if name.endswith(".dist-info/METADATA"))
    needs = zipfile.ZipFile(wheel).read(metadata).decode()
    for extra in ("api", "hf", "vllm"):
        assert re.search(rf"Requires-Dist: lm[-_]eval\[{extra}\].*extra == '{extra}'", needs), extra
    model = [info for info in zipfile.ZipFile(wheel).infolist() if "demo/model/" in info.filename]
    assert any(info.filename.endswith("model.safetensors") for info in model)
    assert sum(info.file_size for info in model) <= 10 * 2**20


def test_the_wheel_puts_nothing_else_into_lm_eval_and_no_tests_anywhere(wheel: Path) -> None:
    foreign = [
        name
        for name in names(wheel)
        if not name.startswith(
            ("lm_eval_sensitivity/", "lm_eval_sensitivity-", "lm_eval/tasks/prompt_sensitivity/")
        )
    ]
    assert foreign == []


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """A virtual environment with a copy of lm_eval that has one folder of tasks: to print all 14,000 takes 20 s.

    All that lm_eval and the wheel depend on is lent by this environment.
    """
    folder = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    lent = [sysconfig.get_paths()["purelib"], *site.getsitepackages()]
    (packages / "lent.pth").write_text("\n".join(dict.fromkeys(lent)) + "\n")
    harness = Path(str(importlib.metadata.distribution("lm_eval").locate_file("lm_eval")))

    def other_tasks(directory: str, names: list[str]) -> list[str]:
        tasks = Path(directory) == harness / "tasks"
        return [name for name in names if tasks and name != "arc" and Path(directory, name).is_dir()]

    shutil.copytree(harness, packages / "lm_eval", ignore=other_tasks)
    return folder


def test_a_fresh_environment_finds_the_tasks_and_forgets_them(
    wheel: Path, fresh: Path, tmp_path: Path
) -> None:
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([*command], capture_output=True, text=True, cwd=tmp_path, env=clean)
        assert done.returncode == 0, done.stderr[-3000:]
        return done

    python = fresh / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python)
    run(*pip, "install", "--quiet", "--no-index", "--no-deps", "--no-compile", wheel)
    (packages,) = fresh.glob("lib/python*/site-packages")

    listed = run(python, "-m", "lm_eval", "ls", "tasks").stdout
    ready = ("arc_easy", "sensitivity_arc_easy", "sensitivity_mmlu")
    for name in (*ready, "prompt_sensitivity", "prompt_sensitivity_mini", "prompt_sensitivity_noop"):
        assert f"|{name} " in listed or f"|{name}|" in listed
    for what in ("tasks-path", "demo-model"):
        path = run(fresh / "bin" / "lm-eval-sensitivity", what).stdout.strip()
        assert Path(path).is_relative_to(fresh), "the wheel's own copy must be the one that is tested"
    # The task as typed, over documents that no network is needed for: the original is that of this copy of lm_eval.
    made = made_tasks.make(tmp_path / "made", "arc_easy", ARC, arc_documents(3))
    shutil.copy(made / "arc_easy.yaml", packages / "lm_eval" / "tasks" / "arc" / "arc_easy.yaml")
    identical = "prompt_sensitivity_mini_identical"
    line = arguments(
        path, Path("run"), tasks=f"{identical},sensitivity_arc_easy", limit=2, gen_kwargs="max_gen_toks=4"
    )
    done = run(python, "-m", *line)
    said = " ".join(done.stdout.split())
    assert "|acc_edited" in said and "under harmless edits" in said
    assert "2 of 2 pairs of 2 prompts scored" in said.partition("|cosine_distance|")[2]
    assert "packaged copy" in done.stderr, "the log says which embedder was used"
    assert len(read_run(tmp_path / "run").rows(identical)) == 2
    printed = run(fresh / "bin" / "lm-eval-sensitivity", "flips", "run", "--format", "csv").stdout
    assert "arc_easy,none,acc,double_space," in printed

    run(*pip, "uninstall", "--quiet", "--yes", "lm-eval-sensitivity")
    left = [path for path in packages.rglob("*") if "sensitivity" in path.name]
    assert left == [], "lm_eval finds a task where its file is"
