"""A ladder on the Hugging Face Hub: fetched as parquet files only, and published as one commit with a tag."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from lm_eval_sensitivity import hub
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.hub import Files, Kind, Published
from lm_eval_sensitivity.ladder.files import MAX_FILE_BYTES

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


def parse_hub_source(source: str, asked_as: str = "`source`") -> HubSource | None:
    """`ORG/NAME[@REVISION]`, with or without `hf://datasets/` before it; None for anything else.

    Args:
        source: what was given.
        asked_as: the option that it was given as; opens messages.

    Returns:
        Repository and revision, or None.

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
            f"{asked_as} is {source!r}; accepted on the Hub is 'hf://datasets/ORG/NAME' with an optional "
            "'@REVISION'. Correct the id."
        )
    return None


def download(source: HubSource, subsets: tuple[str, ...], asked_as: str = "`source`") -> Path:
    """A local folder with the parquet files of the given subsets.

    Args:
        source: the repository.
        subsets: names.
        asked_as: the option that it was given as; opens messages.

    Returns:
        A folder in the assets of the Hub's client. Where the Hub cannot be reached, it is as it was fetched last.

    Raises:
        InputError: huggingface_hub is not installed, or the files cannot be fetched.
    """
    try:
        from huggingface_hub import (
            cached_assets_path,
        )  # not at the top: local ladders need no network library
    except ImportError:
        raise InputError(
            f"{asked_as} is {source.name!r}, which is on the Hub, but huggingface_hub is not installed. Run `pip "
            "install huggingface_hub`, or give a local folder."
        ) from None
    revision = source.revision or "main"
    folder: Path = cached_assets_path("lm_eval_sensitivity", source.repo_id, quote(revision, safe=""))
    # Nothing else comes down: a repository can hold scripts, and large files of other purposes.
    names = [f"{subset}/test.parquet" for subset in subsets] + ["test.parquet"]
    try:
        hub.download(
            source.repo_id,
            source.revision,
            names,
            folder,
            max_bytes=len(names) * MAX_FILE_BYTES,
            what=f"{asked_as} is {source.name!r}: there is no such local folder, and the Hub dataset",
            advice="Check the name, the revision and the network.",
        )
    except hub.UnreachableError:
        if not any((folder / name).is_file() for name in names):
            raise
    return folder


# ---- publishing

_FILE = re.compile(r"(?:[^/]+/)?test\.parquet|sources/[^/]+\.yaml")
_LADDER = Kind(
    noun="ladder",
    # Besides, a version has its card and eval.yaml.
    is_file=lambda path: _FILE.fullmatch(path) is not None,
    new_version="raise `ladder_version`, build again, and publish that",
    refusals=(("eval.yaml", "Publish without it: `--without-eval-yaml`."),),
)


def publish(
    repo_id: str, files: Files, tag: str, *, private: bool = False, delete_former: bool = False
) -> Published:
    """Publish a version of a ladder as one commit with a tag; see `hub.publish`.

    Returns:
        Where the version stands now, and whether anything was changed for it.

    Raises:
        InputError: the tag exists with other content, the repository is public and must not be, former
            files are in the way, or the Hub refuses; one sentence says which.
    """
    return hub.publish(
        repo_id,
        files,
        _LADDER,
        message=f"Ladder version {tag.removeprefix('v')}",
        tag=tag,
        private=private,
        delete_former=delete_former,
    )
