"""The door for files: size limits and one-sentence errors, before any parser sees a byte."""

from __future__ import annotations

from pathlib import Path

from lm_eval_sensitivity.errors import InputError

MAX_FILE_BYTES = 256 * 2**20
"""Largest accepted file, 256 MiB."""
MAX_CELL_CHARACTERS = 100_000
"""Longest accepted text in one cell."""
MAX_ROWS = 1_000_000
"""Most rows of one subset."""


def read_limited(path: Path, kind: str = "ladder file") -> bytes:
    """The bytes of a file that is not larger than `MAX_FILE_BYTES`.

    Args:
        path: what to read.
        kind: what messages call it.

    Returns:
        At least one byte and at most `MAX_FILE_BYTES`.

    Raises:
        InputError: the file is missing, a directory, unreadable, empty or too large.
    """
    try:
        if not path.exists():
            raise InputError(f"The {kind} `{path}` does not exist. Check the path.")
        if not path.is_file():
            # A folder, or a pipe that would be read for ever.
            raise InputError(f"The {kind} `{path}` is not a regular file. Give the path of a file.")
        with path.open("rb") as stream:
            # One byte more than allowed: a file that grows between a size check and the read cannot slip in.
            content = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InputError(
            f"The {kind} `{path}` cannot be read: {error.strerror}. Check its permissions."
        ) from None
    if len(content) > MAX_FILE_BYTES:
        raise InputError(
            f"The {kind} `{path}` is larger than {MAX_FILE_BYTES} bytes, the accepted maximum. Split it."
        )
    if not content:
        raise InputError(f"The {kind} `{path}` is empty. Give a file with content, or build it again.")
    return content


def decode_utf8(content: bytes, path: Path) -> str:
    """The text of a file; a byte order mark at its start is dropped.

    Returns:
        Unicode text, its line ends as they are.

    Raises:
        InputError: the bytes are not valid UTF-8; the message names the line.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"The file `{path}` is not valid UTF-8 at line {line} (byte {error.start}). Save it as UTF-8."
        ) from None
