"""Files of a dataset, by their fixed names, each compared with what the Hub says of it before it is used.

The Hub's client has a cache of its own, but names files in it as a server says, and compares no content.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.hub.files_to_publish import same
from lm_eval_sensitivity.hub.session import ODD_ANSWERS, hub_session, said_by, status_of
from lm_eval_sensitivity.text.escape import quoted

_COMMIT = re.compile(r"[0-9a-f]{40}")
_AT_ONCE = 8
_NAMES_ASKED = 500
"""Files that the Hub is asked about in one request; it refuses more than a thousand."""


class _Limited(io.FileIO):
    """A new file that takes so many bytes and no more."""

    def __init__(self, path: Path, limit: int) -> None:
        super().__init__(path, "w")
        self._limit = limit

    def write(self, content: Any) -> int:
        if self.tell() + len(content) > self._limit:
            raise ValueError(f"more comes than the {self._limit} bytes that the Hub announced")
        return super().write(content)


class UnreachableError(InputError):
    """Nothing answered, or not now: what was fetched earlier may do."""


def download(
    repo_id: str,
    revision: str | None,
    names: Iterable[str],
    folder: Path,
    *,
    max_bytes: int,
    what: str,
    advice: str,
) -> str:
    """Bring files of a dataset into a folder; nothing else comes down, and what is there already stays.

    Args:
        repo_id: `ORG/NAME`, checked.
        revision: branch, tag or commit; None for the default branch.
        names: paths inside the repository that are wanted where they exist; never taken from what a server says.
        folder: files of these names in it are replaced, or deleted where the revision has none.
        max_bytes: of all files together; more is refused before anything comes down.
        what: opens messages: what is fetched, and as what it was given.
        advice: closes messages: what to check.

    Returns:
        The commit that the revision stood for, of which all files are.

    Raises:
        UnreachableError: nothing answers, or not now.
        InputError: huggingface_hub is not installed, the Hub refuses, or what answers is not to be trusted: more bytes
            than announced, another checksum, another host.
    """

    def refused(error: Exception) -> InputError:
        status, is_odd = status_of(error), isinstance(error, (ValueError, *ODD_ANSWERS))
        kind = InputError if is_odd or (status is not None and status < 500) else UnreachableError
        return kind(f"{what} cannot be fetched: {_why(error)}. {advice}")

    with hub_session(refused) as api:
        return _download(api, repo_id, revision, list(names), folder, max_bytes)


def _download(
    api: Any, repo_id: str, revision: str | None, names: list[str], folder: Path, max_bytes: int
) -> str:
    commit = api.repo_info(repo_id, repo_type="dataset", revision=revision).sha
    if not isinstance(commit, str) or not _COMMIT.fullmatch(commit):
        raise ValueError(f"the Hub names no commit, but {quoted(str(commit))}")
    entries = _entries(api, repo_id, commit, names)
    _check_size(entries, max_bytes)
    for name in set(names) - set(entries):
        (folder / name).unlink(missing_ok=True)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(lambda name: _bring(repo_id, commit, name, entries[name], folder), entries))
    return commit


def _entries(api: Any, repo_id: str, commit: str, names: list[str]) -> dict[str, Any]:
    """What the Hub says of the wanted files that exist, by name."""
    left, found = iter(names), {}
    while asked := list(islice(left, _NAMES_ASKED)):
        for entry in api.get_paths_info(repo_id, asked, revision=commit, repo_type="dataset"):
            if entry.path in asked and hasattr(entry, "blob_id"):
                found[entry.path] = entry
    return found


def _check_size(entries: Mapping[str, Any], max_bytes: int) -> None:
    sizes = [entry.size for entry in entries.values()]
    if not all(isinstance(size, int) and size >= 0 for size in sizes):
        raise ValueError("the Hub does not say how large the files are")
    if sum(sizes) > max_bytes:
        raise ValueError(
            f"the files have {sum(sizes):,} bytes together, and at most {max_bytes:,} are fetched"
        )


def _bring(repo_id: str, commit: str, name: str, entry: Any, folder: Path) -> None:
    """One file, in its place only if it is the one that was announced."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    path = folder / name
    if path.is_file() and same(entry, path):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished-{os.getpid()}")
    try:
        url = hf_hub_url(repo_id, name, repo_type="dataset", revision=commit)
        with _Limited(unfinished, entry.size) as stream:
            # Resumes by itself where the line breaks, and sends the token to the Hub only.
            http_get(
                url, stream, headers=build_hf_headers(), expected_size=entry.size, displayed_filename=name
            )
        if not same(entry, unfinished):
            raise ValueError(f"{name} is not the file that the Hub announced: its checksum is another one")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _why(error: Exception) -> str:
    """Why files could not be fetched, as a clause without a full stop."""
    from huggingface_hub import errors

    if isinstance(error, errors.RevisionNotFoundError):
        return "the Hub has no such revision of it"
    if isinstance(error, errors.RepositoryNotFoundError):
        return (
            "the Hub has no such dataset, or it is private and no token that may read it is set (`HF_TOKEN`)"
        )
    return said_by(error)
