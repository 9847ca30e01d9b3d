"""Results on the Hugging Face Hub: a dataset at a pinned revision, fetched by the fixed names of its files only."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.inert import brief, quoted
from lm_eval_sensitivity.results.schema import MANIFEST, SUMMARIES

DATASET, REVISION = "RESULTS_DATASET", "RESULTS_REVISION"
"""Environment variables, which a Space's settings set."""

ALLOWED = (MANIFEST, *SUMMARIES, "pairs/[0-9][0-9][0-9].parquet", "details/[0-9][0-9][0-9].parquet")
"""Nothing else comes down: a repository can hold scripts, and large files of other purposes."""
_PINNED = re.compile(r"[0-9a-f]{40}|v?[0-9]{1,6}(\.[0-9]{1,6}){0,3}([-+.][\w.-]{1,40})?", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)


@dataclass(frozen=True)
class HubResults:
    """Where exported results were published."""

    dataset: str
    """`ORG/NAME`."""
    revision: str
    """A commit, or a tag that names a version: what stands there does not change."""


def chosen_results(environment: Mapping[str, str]) -> HubResults:
    """Dataset and revision from environment variables.

    Raises:
        InputError: one is missing or malformed; the sentence says what to set.

    Example:
        >>> chosen_results({"RESULTS_DATASET": "org/results", "RESULTS_REVISION": "v1.0.0"})
        HubResults(dataset='org/results', revision='v1.0.0')
    """
    dataset, revision = environment.get(DATASET, ""), environment.get(REVISION, "")
    if not _ID.fullmatch(dataset):
        raise InputError(
            f"`{DATASET}` is {quoted(dataset)}; accepted is the id of a dataset, 'ORG/NAME'. Set the variable in the "
            "settings of the Space."
        )
    if not _PINNED.fullmatch(revision):
        raise InputError(
            f"`{REVISION}` is {quoted(revision)}; accepted are a commit of 40 hexadecimal digits and a tag that begins "
            "with a version, such as 'v1.0.0'. A branch is not accepted: its content changes while the page stands. "
            "Set the variable in the settings of the Space."
        )
    return HubResults(dataset, revision)


def fetch(chosen: HubResults) -> Path:
    """A local folder with the files of the results; nothing else comes down.

    Raises:
        InputError: huggingface_hub is not installed, or the files cannot be fetched.
    """
    try:
        import huggingface_hub  # not at the top: a local folder needs no network library
    except ImportError:
        raise InputError(
            "huggingface_hub is not installed, which fetches results. Run `pip install huggingface_hub`."
        ) from None
    try:
        folder = huggingface_hub.snapshot_download(
            chosen.dataset,
            repo_type="dataset",
            revision=chosen.revision,
            allow_patterns=list(ALLOWED),
            # The Hub's cache is made of symbolic links, which a results folder must not hold.
            local_dir=tempfile.mkdtemp(prefix="lm-eval-sensitivity-results-"),
        )
    except Exception as error:  # noqa: BLE001 - the Hub client also lets errors of its HTTP library through
        raise InputError(
            f"The results {quoted(chosen.dataset)} at {quoted(chosen.revision)} cannot be fetched: "
            f"{brief(str(error)) or type(error).__name__}. Check `{DATASET}`, `{REVISION}` and the network."
        ) from None
    return Path(folder)


def fetch_chosen() -> Path:
    """The folder of the results that the environment names."""
    return fetch(chosen_results(os.environ))
