"""A ladder on the Hugging Face Hub: fetched as parquet files only, and published as one commit with a tag."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.inert import brief, quoted

HUB_PREFIX = "hf://datasets/"
_HUB_ID = re.compile(r"(?P<repo>[\w][\w.-]*/[\w][\w.-]*)(?:@(?P<revision>[\w][\w./-]*))?")


@dataclass(frozen=True)
class HubSource:
    """A dataset repository on the Hub."""

    repo_id: str
    """`ORG/NAME`."""
    revision: str | None
    """Branch, tag or commit; None is the default branch."""

    @property
    def name(self) -> str:
        """The id with its revision, as it was given."""
        return self.repo_id + (f"@{self.revision}" if self.revision else "")


def parse_hub_source(source: str) -> HubSource | None:
    """`ORG/NAME[@REVISION]`, with or without `hf://datasets/` before it; None for anything else.

    Raises:
        InputError: the prefix is there, but what follows is no dataset id.

    Example:
        >>> parse_hub_source("hf://datasets/example/ladder@v1")
        HubSource(repo_id='example/ladder', revision='v1')
        >>> parse_hub_source("./my-ladder") is None
        True
    """
    match = _HUB_ID.fullmatch(source.removeprefix(HUB_PREFIX))
    if match:
        return HubSource(match["repo"], match["revision"])
    if source.startswith("hf:"):
        raise InputError(
            f"`source` is {source!r}; accepted on the Hub is 'hf://datasets/ORG/NAME' with an optional "
            "'@REVISION'. Correct the id."
        )
    return None


def download(hub: HubSource, subsets: tuple[str, ...]) -> Path:
    """A local folder with the parquet files of the given subsets.

    Raises:
        InputError: huggingface_hub is not installed, or the files cannot be fetched.
    """
    try:
        import huggingface_hub  # not at the top: a packaged or local ladder needs no network library
    except ImportError:
        raise InputError(
            f"`source` is {hub.name!r}, which is on the Hub, but huggingface_hub is not installed. Run `pip "
            "install huggingface_hub`, or give a local folder."
        ) from None
    try:
        folder = huggingface_hub.snapshot_download(
            hub.repo_id,
            repo_type="dataset",
            revision=hub.revision,
            # Nothing else comes down: a repository can hold scripts, and large files of other purposes.
            allow_patterns=[f"{subset}/test.parquet" for subset in subsets] + ["test.parquet"],
        )
    except Exception as error:  # noqa: BLE001 - the Hub client also lets errors of its HTTP library through
        raise InputError(
            f"`source` is {hub.name!r}: there is no such local folder, and the Hub dataset cannot be "
            f"fetched: {brief(str(error)) or type(error).__name__}. Check the name, the revision and the network."
        ) from None
    return Path(folder)


# ---- publishing

_NOT_INSTALLED = (
    "Publishing needs huggingface_hub, which is not installed. Run `pip install huggingface_hub`."
)

_LADDER_FILE = re.compile(r"(?:[^/]+/)?test\.parquet|sources/[^/]+\.yaml")
"""What a version of a ladder consists of, besides the card and eval.yaml."""


@dataclass(frozen=True)
class Published:
    """Where a version stands now."""

    repo_id: str
    tag: str
    private: bool
    changed: bool
    """False where exactly these files stood under the tag already."""


def publish(
    repo_id: str, files: Mapping[str, bytes], tag: str, *, private: bool = False, delete_former: bool = False
) -> Published:
    """Publish files as one commit of a dataset repository, which is made if need be, and tag it.

    The token comes from the environment or the login. Files of the same name are replaced; former
    versions keep theirs under their tags. Files that only a former version has are deleted if
    `delete_former`, else the commit is refused, and other files are left alone.

    Args:
        repo_id: `ORG/NAME`.
        files: content by path inside the repository.
        tag: name of the version.
        private: the repository must be private; a new one is made so.
        delete_former: delete parquet files and sources that this version no longer has.

    Raises:
        InputError: the tag exists with other content, the repository is public and must not be, former
            files are in the way, or the Hub refuses; one sentence says which.
    """
    try:
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
    except ImportError:
        raise InputError(_NOT_INSTALLED) from None
    check_repo_id(repo_id)
    api = HfApi()
    with _one_sentence(repo_id):
        api.create_repo(repo_id, repo_type="dataset", private=private or None, exist_ok=True)
        info = api.repo_info(repo_id, repo_type="dataset")
        if private and not info.private:
            raise InputError(
                f"`--private` was given, but the dataset {repo_id!r} exists and is public. Make it private in its "
                "settings on the Hub, or choose another name."
            )
        tags = {ref.name for ref in api.list_repo_refs(repo_id, repo_type="dataset").tags}
        if tag in tags:
            _check_same(_tree(api, repo_id, tag), files, repo_id, tag)
            return Published(repo_id, tag, bool(info.private), changed=False)
        former = [path for path in _tree(api, repo_id, info.sha) if _LADDER_FILE.fullmatch(path)]
        former = [path for path in former if path not in files]
        if former and not delete_former:
            raise InputError(
                f"The dataset {repo_id!r} has ladder files that this version has not: {_named(former)}. Give "
                "`--delete-former` to delete them in the same commit (tagged versions keep theirs), or choose "
                "another name."
            )
        commit = api.create_commit(
            repo_id,
            [
                *(CommitOperationAdd(path, content) for path, content in files.items()),
                *(CommitOperationDelete(path) for path in former),
            ],
            commit_message=f"Ladder version {tag.removeprefix('v')}",
            repo_type="dataset",
            # Refused if somebody else committed since the files were listed.
            parent_commit=info.sha,
        )
        api.create_tag(repo_id, tag=tag, revision=commit.oid, repo_type="dataset")
    return Published(repo_id, tag, bool(info.private), changed=True)


def check_repo_id(repo_id: str) -> None:
    """Raise InputError unless the Hub accepts a name for a dataset `ORG/NAME`; nothing is asked of the network.

    Raises:
        InputError: besides, huggingface_hub is not installed: the rule is its own.
    """
    try:
        from huggingface_hub.utils import HFValidationError, validate_repo_id
    except ImportError:
        raise InputError(_NOT_INSTALLED) from None
    try:
        validate_repo_id(repo_id)
        problem = "" if repo_id.count("/") == 1 else "There is no `/` between an account and a name"
    except HFValidationError as error:
        problem = brief(str(error))
    if problem:
        raise InputError(
            f"`ORG/NAME` is {quoted(repo_id)}, which the Hub does not accept: {problem}. Correct the name, such as "
            "'my-org/my-ladder'."
        )


def _tree(api: Any, repo_id: str, revision: str) -> dict[str, Any]:
    """The files of a revision by path."""
    entries = api.list_repo_tree(repo_id, repo_type="dataset", revision=revision, recursive=True)
    return {entry.path: entry for entry in entries if hasattr(entry, "blob_id")}


def _check_same(tree: Mapping[str, Any], files: Mapping[str, bytes], repo_id: str, tag: str) -> None:
    """Raise InputError unless a tagged tree has these files, and no other of a ladder."""
    differing = [
        path for path, content in files.items() if path not in tree or not _same(tree[path], content)
    ]
    differing += [path for path in tree if _LADDER_FILE.fullmatch(path) and path not in files]
    if differing:
        raise InputError(
            f"The dataset {repo_id!r} has the tag {tag!r} already, with other content ({_named(differing)}). A "
            "published version does not change: raise `ladder_version`, build again, and publish that."
        )


def _named(paths: Sequence[str]) -> str:
    shown = ", ".join(map(quoted, paths[:5]))
    return shown if len(paths) <= 5 else f"{shown} and {len(paths) - 5} more"


def _same(entry: Any, content: bytes) -> bool:
    if entry.lfs is not None:
        return bool(entry.lfs.sha256 == hashlib.sha256(content).hexdigest())
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)  # as git names a file
    return bool(entry.blob_id == blob.hexdigest())


@contextmanager
def _one_sentence(repo_id: str) -> Iterator[None]:
    """Errors of the Hub and of the network as an InputError that says what to do."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 - the Hub client also lets errors of its HTTP library through
        raise InputError(_what_to_do(error, repo_id)) from None


def _what_to_do(error: Exception, repo_id: str) -> str:
    from huggingface_hub import errors

    problem = brief(str(error)) or type(error).__name__
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, errors.LocalTokenNotFoundError) or status == 401:
        return (
            f"The Hub does not know who is publishing {repo_id!r}: there is no valid token. Run `hf auth login`, or "
            "set the environment variable HF_TOKEN to a token that may write."
        )
    if status in (403, 404):
        return (
            f"The Hub refuses to let this token write to {repo_id!r} ({status}). Use a token that may write there, "
            "or choose an account of your own."
        )
    if "eval.yaml" in problem:
        return (
            f"The Hub refuses the file `eval.yaml`, and with it the commit to {repo_id!r}: {problem}. Publish "
            "without it: `--without-eval-yaml`."
        )
    if status is None:
        return (
            f"The Hub cannot be reached to publish {repo_id!r}: {problem}. Check the network, and HF_HUB_OFFLINE, and "
            "run the same command again: nothing is published twice."
        )
    return f"The Hub refuses to publish {repo_id!r} ({status}): {problem}. Correct that and run the command again."
