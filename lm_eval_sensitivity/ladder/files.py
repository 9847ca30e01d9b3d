"""The door for files: size limits and one-sentence errors, before any parser sees a byte."""

from __future__ import annotations

import codecs
import re
import unicodedata
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


def decode_text(content: bytes, path: Path) -> str:
    """The text of a file: UTF-8, or what its byte order mark names. The mark is dropped.

    Returns:
        Unicode text, its line ends as they are.

    Raises:
        InputError: the bytes are in another encoding; the message names the line and guesses which.
    """
    # The marks of UTF-32 begin with those of UTF-16.
    named = next((encoding for mark, encoding in _MARKS if content.startswith(mark)), "utf-8")
    wide = None if named != "utf-8" else _wide_encoding(content)
    if wide is not None:
        raise InputError(
            f"The file `{path}` has a zero byte in every second place, as {wide} without a byte order mark has. "
            "Save it as UTF-8."
        )
    try:
        return content.decode(named).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content[: error.start].decode(named, "replace").count("\n") + 1
        guess = "" if named != "utf-8" else _guess(content)
        raise InputError(
            f"The file `{path}` is not valid {named.upper()} at line {line} (byte {error.start}){guess}. Save it as "
            "UTF-8."
        ) from None


_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_EXAMINED = 4_096
"""Bytes that a guess looks at."""


def _wide_encoding(content: bytes) -> str | None:
    """UTF-16 without its mark, known by the zero bytes of its ASCII characters; None for anything else."""
    start = content[:_EXAMINED]
    zeros = [start[parity::2].count(0) / max(len(start[parity::2]), 1) for parity in (0, 1)]
    if max(zeros) < 0.4 or min(zeros) > 0.1:
        return None
    return "UTF-16 (big-endian)" if zeros[0] > zeros[1] else "UTF-16 (little-endian)"


def _guess(content: bytes) -> str:
    """What bytes that are no UTF-8 may be, as the end of a clause: a letter here and there is Windows-1252."""
    high = sum(byte > 0x7F for byte in content[:_EXAMINED])
    if high > 0.3 * len(content[:_EXAMINED]):
        return "; it looks like an older encoding of a script that is not Latin"
    found = re.search(rb"[A-Za-z]*[\x80-\xff]+[A-Za-z]*", content)
    try:
        word = "" if found is None else found[0][:40].decode("cp1252")
    except UnicodeDecodeError:
        return ""
    return f"; as Windows-1252 it reads {word!r} there"


_CONTROL = re.compile("[\0-\x08\x0e-\x1f\x7f-\x9f\ufeff\ufffe\uffff]")
"""Characters that no prompt has: control characters but tabs, line ends and form feeds; byte order marks."""
LOST_CHARACTER = "\ufffd"
"""What decoders put in the place of bytes that are no character."""


def has_content(text: str) -> bool:
    """Whether a reader of a text sees anything.

    Args:
        text: anything.

    Returns:
        False where it holds only white space and invisible characters.

    Example:
        >>> has_content("a"), has_content(" \\u200b\\n")
        (True, False)
    """
    return any(unicodedata.category(character)[0] not in "CZ" for character in text)


def control_character(text: str) -> str | None:
    """The first control character of a text that no prompt has.

    Args:
        text: anything.

    Returns:
        Its name and place, as the end of a sentence; None where there is none. Tabs, line ends and form feeds are
        accepted.

    Example:
        >>> control_character("Name a river.\\0")
        'has the control character U+0000 at character 13'
        >>> control_character("one\\ttwo\\n") is None
        True
    """
    found = _CONTROL.search(text)
    return (
        None
        if found is None
        else f"has the control character U+{ord(found[0]):04X} at character {found.start()}"
    )
