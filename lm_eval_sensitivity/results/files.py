"""Files of a results folder, opened as strangers' data: fixed names, no links, sizes known before a byte is read."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, BinaryIO, NoReturn

from pydantic import Field, StringConstraints

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.records.file_codec import ADVICE
from lm_eval_sensitivity.records.limits import MAX_DETAILS_BYTES
from lm_eval_sensitivity.text.escape import shown_path

_CHUNK = 2**20

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


@dataclass(frozen=True)
class FileRecord:
    """What the manifest says of one file."""

    sha256: Sha256
    bytes: Annotated[int, Field(le=MAX_DETAILS_BYTES)]
    rows: int
    """Of a table; statements of `statements.json`."""


def refuse(place: str, problem: str) -> NoReturn:
    """Raise the InputError of a damaged or hostile folder.

    Args:
        place: the file, and what in it.
        problem: what was found there, and what is accepted.

    Raises:
        InputError: always.
    """
    raise InputError(f"{place} {problem}. {ADVICE}")


@contextmanager
def open_file(folder: Path, name: str, limit: int) -> Iterator[BinaryIO]:
    """A file of the folder.

    Args:
        folder: the results folder; it may itself be reached through a link, nothing inside it may.
        name: one of the fixed names; never taken from the content of a file.
        limit: most bytes.

    Returns:
        A context with the stream of its bytes.

    Raises:
        InputError: missing, a link, not a regular file, or too large.
    """
    path = folder / name
    place = shown_path(path)
    try:
        for parent in (folder / part for part in Path(name).parents if part.name):
            if stat.S_ISLNK(os.lstat(parent).st_mode):
                refuse(shown_path(parent), "is a symbolic link; accepted is a folder")
        if stat.S_ISLNK(os.lstat(path).st_mode):
            refuse(place, "is a symbolic link; accepted is a regular file")
        # Not blocking, so that a pipe in the place of a file cannot make a reader wait for ever.
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        stream = os.fdopen(os.open(path, flags | getattr(os, "O_BINARY", 0)), "rb")
    except FileNotFoundError:
        refuse(place, "is missing")
    except OSError as error:
        refuse(place, f"cannot be read ({error.strerror})")
    with stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            refuse(place, "is not a regular file")
        if status.st_size > limit:
            refuse(place, f"has {status.st_size} bytes; at most {limit} are read")
        yield stream


def read_file(folder: Path, name: str, limit: int) -> bytes:
    """The bytes of a small file.

    Args:
        folder: the results folder.
        name: one of the fixed names.
        limit: most bytes.

    Returns:
        Its whole content.

    Raises:
        InputError: as `open_file`.
    """
    with open_file(folder, name, limit) as stream:
        # A file that grows between the look at its size and this cannot slip in.
        return stream.read(limit)


@contextmanager
def open_checked(folder: Path, name: str, limit: int, declared: FileRecord) -> Iterator[BinaryIO]:
    """A file that is the one that was exported.

    Args:
        folder: the results folder.
        name: one of the fixed names.
        limit: most bytes.
        declared: size and checksum, of the manifest.

    Returns:
        A context with the stream, at its start.

    Raises:
        InputError: as `open_file`, or another size or checksum.
    """
    with open_file(folder, name, limit) as stream:
        place, size = shown_path(folder / name), os.fstat(stream.fileno()).st_size
        if size != declared.bytes:
            refuse(place, f"has {size} bytes, and `files` of the manifest says {declared.bytes}")
        digest = hashlib.sha256()
        for chunk in iter(lambda: stream.read(_CHUNK), b""):
            digest.update(chunk)
        if digest.hexdigest() != declared.sha256:
            found, expected = digest.hexdigest()[:16], declared.sha256[:16]
            refuse(place, f"has the sha256 {found}..., and `files` of the manifest says {expected}...")
        stream.seek(0)
        yield stream
