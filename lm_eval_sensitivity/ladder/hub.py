"""A ladder on the Hugging Face Hub: fetched as parquet files only, and published as one commit with a tag."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from lm_eval_sensitivity import hub
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.hub import Files, Kind, Published
from lm_eval_sensitivity.text.escape import brief

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


def download(hub: HubSource, subsets: tuple[str, ...], asked_as: str = "`source`") -> Path:
    """A local folder with the parquet files of the given subsets.

    Args:
        hub: the repository.
        subsets: names.
        asked_as: the option that it was given as; opens messages.

    Returns:
        The folder in the local cache of the Hub's client.

    Raises:
        InputError: huggingface_hub is not installed, or the files cannot be fetched.
    """
    try:
        import huggingface_hub  # not at the top: a packaged or local ladder needs no network library
    except ImportError:
        raise InputError(
            f"{asked_as} is {hub.name!r}, which is on the Hub, but huggingface_hub is not installed. Run `pip "
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
            f"{asked_as} is {hub.name!r}: there is no such local folder, and the Hub dataset cannot be "
            f"fetched: {brief(str(error)) or type(error).__name__}. Check the name, the revision and the network."
        ) from None
    return Path(folder)


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
