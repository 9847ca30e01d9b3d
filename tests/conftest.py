"""What all tests share: where the optional shared models are, tiny random models, and the real command."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import one_embedder

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test may reach a network
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# Two test processes on two cores: more threads only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# The width of whoever started the tests is not theirs: pytest-xdist hands it to its workers.
os.environ.pop("COLUMNS", None)

REPOSITORY = Path(__file__).resolve().parents[1]


def shared_folder() -> Path | None:
    """Real tokenizers, templates and one trained model that are not part of the repository."""
    folder = Path(os.environ.get("LM_EVAL_SENSITIVITY_SHARED", REPOSITORY.parent / "shared"))
    return folder if (folder / "tokenizers").is_dir() else None


SLOW = (
    ("tests/browser", "tests/harness"),
    ("tests/packaging", "tests/traps", "tests/property", "tests/docs"),
)
"""By test process: what it begins with."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each of two processes gets half of the list, and takes from the other's end when it is done.

    Both begin with what is slow, and with different things, so that none waits long for a run that the other is
    making; what is left at the end is small, and soon shared out.
    """
    places = [
        next((half for half, folders in enumerate(SLOW) if _below(item, folders)), None) for item in items
    ]
    first, second, quick = (
        [item for item, place in zip(items, places, strict=True) if place == wanted]
        for wanted in (0, 1, None)
    )
    split = max(0, len(items) // 2 - len(first))
    items[:] = [*first, *quick[:split], *second, *quick[split:]]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Modules and tests stay to the end: the garbage collector need not walk through all of them time and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def _below(item: pytest.Item, folders: tuple[str, ...]) -> bool:
    return any(item.path.is_relative_to(REPOSITORY / folder) for folder in folders)


@pytest.fixture(scope="session", autouse=True)
def _one_embedder() -> Iterator[None]:
    with one_embedder():
        yield


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this test session, the same for all its processes."""
    home = tmp_path_factory.getbasetemp()
    # With pytest-xdist every worker has its own folder in that of the session.
    home = home.parent if "PYTEST_XDIST_WORKER" in os.environ else home
    folder = home / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def shared() -> Path:
    """The shared folder; tests that need it are skipped on machines without it."""
    folder = shared_folder()
    if folder is None:
        pytest.skip("needs the shared folder of real tokenizers (LM_EVAL_SENSITIVITY_SHARED)")
    return folder
