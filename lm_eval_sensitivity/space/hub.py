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

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.hub import download
from lm_eval_sensitivity.results.manifest import FILES_OF_RESULTS
from lm_eval_sensitivity.results.read import HubOrigin
from lm_eval_sensitivity.text.escape import quoted

DATASET, REVISION = "RESULTS_DATASET", "RESULTS_REVISION"
"""Environment variables, which a Space's settings set."""

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
    """The files of the results in a local folder. Nothing else comes down: a repository can hold scripts, and more.

    Args:
        dataset: `ORG/NAME`, checked.
        revision: a tag or a commit, checked.

    Returns:
        The folder, deleted when Python exits; and which commit of which dataset it is.

    Raises:
        InputError: huggingface_hub is not installed, the files are too large, or they cannot be fetched.
    """
    folder = Path(tempfile.mkdtemp(prefix="lm-eval-sensitivity-results-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        commit = download(
            dataset,
            revision,
            FILES_OF_RESULTS,
            folder,
            max_bytes=MAX_FETCHED_BYTES,
            what=f"The results {quoted(dataset)} at {quoted(revision)}",
            advice=f"Check `{DATASET}`, `{REVISION}` and the network.",
        )
    except InputError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder, HubOrigin(dataset, revision, commit)


def fetch_chosen() -> tuple[Path, HubOrigin]:
    """The results that the environment names.

    Returns:
        As `fetch`.

    Raises:
        InputError: as `chosen_results` and `fetch`.
    """
    return fetch(*chosen_results(os.environ))
