"""What all tests share: where the optional shared models are, tiny random models, and the real command."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

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


@pytest.fixture(scope="session")
def shared() -> Path:
    """The shared folder; tests that need it are skipped on machines without it."""
    folder = shared_folder()
    if folder is None:
        pytest.skip("needs the shared folder of real tokenizers (LM_EVAL_SENSITIVITY_SHARED)")
    return folder
