"""Results on the Hugging Face Hub: a dataset at one commit, fetched by the fixed names of its files only.

A tag can be moved, and a branch can be called like a version. So a revision is looked up once, exactly the commit that
it then stands for is fetched, and both are kept for the page to show.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.results.manifest import LADDER, MANIFEST, STATEMENTS
from lm_eval_sensitivity.results.read import HubOrigin
from lm_eval_sensitivity.text.escape import brief, quoted

DATASET, REVISION = "RESULTS_DATASET", "RESULTS_REVISION"
"""Environment variables, which a Space's settings set."""

ALLOWED = (
    *(MANIFEST, STATEMENTS, LADDER, "probes/[0-9][0-9][0-9]_*.json"),
    *(f"{folder}/[0-9][0-9][0-9].parquet" for folder in ("pairs", "details", "answers")),
)
"""Nothing else comes down: a repository can hold scripts, and large files of other purposes."""
MAX_FETCHED_BYTES = 4 * 2**30
"""Of all files together: a Space has so much room, and a page needs far less."""
_COMMIT = re.compile(r"[0-9a-f]{40}")
_VERSION = re.compile(r"v?[0-9]{1,6}(\.[0-9]{1,6}){0,3}([-+.][\w.-]{1,40})?", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)


def is_dataset_id(name: str) -> bool:
    """Whether a page accepts the id of a dataset.

    Returns:
        True for `ORG/NAME`.

    Example:
        >>> is_dataset_id("org/results"), is_dataset_id("results")
        (True, False)
    """
    return _ID.fullmatch(name) is not None


def is_version_tag(tag: str) -> bool:
    """Whether a page accepts a tag: it begins with a version, so that nobody takes it for a branch.

    Returns:
        True for a version, alone or with a suffix.

    Example:
        >>> is_version_tag("v1.0.0"), is_version_tag("2-rc1"), is_version_tag("main")
        (True, True, False)
    """
    return _VERSION.fullmatch(tag) is not None


def chosen_results(environment: Mapping[str, str]) -> tuple[str, str]:
    """Dataset and revision from environment variables.

    Returns:
        `ORG/NAME`; and a commit, or a name that begins with a version, as a tag has it.

    Raises:
        InputError: one is missing or malformed; the sentence says what to set.

    Example:
        >>> chosen_results({"RESULTS_DATASET": "org/results", "RESULTS_REVISION": "v1.0.0"})
        ('org/results', 'v1.0.0')
    """
    dataset, revision = environment.get(DATASET, ""), environment.get(REVISION, "")
    if not is_dataset_id(dataset):
        raise InputError(
            f"`{DATASET}` is {quoted(dataset)}; accepted is the id of a dataset, 'ORG/NAME'. Set the variable in the "
            "settings of the Space."
        )
    if not (_COMMIT.fullmatch(revision) or is_version_tag(revision)):
        raise InputError(
            f"`{REVISION}` is {quoted(revision)}; accepted are a commit of 40 hexadecimal digits and a tag that begins "
            "with a version, such as 'v1.0.0'. A branch such as 'main' is not accepted: its content changes from one "
            "start of the page to the next. Set the variable in the settings of the Space."
        )
    return dataset, revision


def fetch(dataset: str, revision: str) -> tuple[Path, HubOrigin]:
    """The files of the results in a local folder; nothing else comes down.

    Args:
        dataset: `ORG/NAME`, checked.
        revision: a tag or a commit, checked.

    Returns:
        The folder, deleted when Python exits; and which commit of which dataset it is.

    Raises:
        InputError: huggingface_hub is not installed, the files are too large, or they cannot be fetched.
    """
    try:
        import huggingface_hub  # noqa: F401 - not at the top: a local folder needs no network library
    except ImportError:
        raise InputError(
            "huggingface_hub is not installed, which fetches results. Run `pip install huggingface_hub`."
        ) from None
    # The Hub's cache is made of symbolic links, which a results folder must not hold.
    folder = tempfile.mkdtemp(prefix="lm-eval-sensitivity-results-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        commit = _download(dataset, revision, folder)
    except InputError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    except Exception as error:  # noqa: BLE001 - the Hub client also lets errors of its HTTP library through
        shutil.rmtree(folder, ignore_errors=True)
        raise InputError(
            f"The results {quoted(dataset)} at {quoted(revision)} cannot be fetched: "
            f"{brief(str(error)) or type(error).__name__}. Check `{DATASET}`, `{REVISION}` and the network."
        ) from None
    return Path(folder), HubOrigin(dataset, revision, commit)


def _download(dataset: str, revision: str, folder: str) -> str:
    """Fill a folder, and return the commit that its files are of."""
    from huggingface_hub import HfApi, snapshot_download

    where: dict[str, Any] = {"repo_id": dataset, "repo_type": "dataset"}
    info = HfApi().repo_info(**where, revision=revision, files_metadata=True)
    if not isinstance(info.sha, str) or not _COMMIT.fullmatch(info.sha):
        raise ValueError(f"the Hub names no commit, but {quoted(str(info.sha))}")
    commit = info.sha
    _check_size(info, f"{quoted(dataset)} at {quoted(revision)}")
    snapshot_download(**where, revision=commit, allow_patterns=list(ALLOWED), local_dir=folder)
    return commit


def _check_size(info: Any, chosen: str) -> None:
    """Add up what would be fetched, before it is."""
    from huggingface_hub.utils import filter_repo_objects

    files = list(
        filter_repo_objects(
            info.siblings or (), allow_patterns=list(ALLOWED), key=lambda each: each.rfilename
        )
    )
    if any(each.size is None for each in files):
        raise ValueError("the Hub does not say how large the files are")
    size = sum(each.size for each in files)
    if size > MAX_FETCHED_BYTES:
        raise InputError(
            f"The results {chosen} have {size} bytes; at most "
            f"{MAX_FETCHED_BYTES} are fetched. Export fewer systems into one folder, and publish that."
        )


def fetch_chosen() -> tuple[Path, HubOrigin]:
    """The results that the environment names.

    Returns:
        As `fetch`.

    Raises:
        InputError: as `chosen_results` and `fetch`.
    """
    return fetch(*chosen_results(os.environ))
