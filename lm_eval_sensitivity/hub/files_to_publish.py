"""What is published: kinds of publications, their files, and where they stand afterwards."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Content = bytes | Path
"""What a file of a repository holds: bytes, or a local file, which is never read as a whole."""
Files = Mapping[str, Content]
"""By path inside the repository."""

_TAG = re.compile(r"\w[\w.+-]*", re.ASCII)
_CHUNK = 2**20


@dataclass(frozen=True)
class Kind:
    """What differs between the things that are published."""

    noun: str
    """As in 'has ladder files that this version has not'."""
    is_file: Callable[[str], bool]
    """Whether a path of the repository belongs to a version of it; all other files are left alone."""
    new_version: str = ""
    """What to do where the tag stands on other content: the end of a sentence. Not needed without tags."""
    repo_type: Literal["dataset", "space"] = "dataset"
    space_sdk: str | None = None
    """Of a new Space."""
    telling: str | None = None
    """The file by which a repository of this kind is told from something else, which is never replaced."""
    refusals: tuple[tuple[str, str], ...] = ()
    """(file, what to do): files that the Hub may refuse, and with them the commit."""

    @property
    def place(self) -> str:
        """What its repository is called.

        Returns:
            `Space` or `dataset`.
        """
        return "Space" if self.repo_type == "space" else "dataset"


@dataclass(frozen=True)
class Published:
    """Where a version stands now."""

    repo_id: str
    tag: str | None
    commit: str
    private: bool
    changed: bool
    """False where exactly these files stood there already."""

    @property
    def revision(self) -> str:
        """The tag, or the commit where there is none.

        Returns:
            What `revision=` of a download takes.
        """
        return self.tag or self.commit


def can_be_tag(name: str) -> bool:
    """Whether git accepts a version as the name of a tag, with or without a `v` before it.

    Args:
        name: without the `v`.

    Returns:
        Whether it can be one.

    Example:
        >>> can_be_tag("1.0.0"), can_be_tag("1..0"), can_be_tag("a/b")
        (True, False, False)
    """
    return bool(_TAG.fullmatch(name)) and ".." not in name and not name.endswith((".", ".lock"))


def size_of(content: Content) -> int:
    """Bytes of a file.

    Args:
        content: bytes, or the path of a file that exists.

    Returns:
        Bytes.

    Example:
        >>> size_of(b"abc")
        3
    """
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def listing(files: Files) -> str:
    """Files and sizes, one a line.

    Args:
        files: content by path inside the repository.

    Returns:
        Lines, indented and without a line break at the end.

    Example:
        >>> print(listing({"README.md": b"abc"}))
          README.md          3 bytes
    """
    width = max(len(path) for path in files)
    return "\n".join(f"  {path:{width}}  {size_of(content):>9,} bytes" for path, content in files.items())


def same(entry: Any, content: Content) -> bool:
    """Whether what the Hub says about a file is about this content.

    Args:
        entry: a file of `HfApi.list_repo_tree`.
        content: bytes or a path.

    Returns:
        True if their checksums are equal: SHA-256 of a large file, git's own of a small one.
    """
    if entry.lfs is not None:
        return bool(entry.lfs.sha256 == _hexdigest(hashlib.sha256(), content))
    blob = hashlib.sha1(b"blob %d\0" % size_of(content), usedforsecurity=False)  # as git names a file
    return bool(entry.blob_id == _hexdigest(blob, content))


def _hexdigest(digest: Any, content: Content) -> str:
    if isinstance(content, bytes):
        digest.update(content)
    else:
        with content.open("rb") as stream:
            for chunk in iter(lambda: stream.read(_CHUNK), b""):
                digest.update(chunk)
    return str(digest.hexdigest())
