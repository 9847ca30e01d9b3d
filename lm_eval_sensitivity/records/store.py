"""The response store: a killed run continues where it stopped, and no system sees another's answers.

lm_eval's own `--use_cache` is keyed by request only, so one path shared by two models serves the
first model's answers for the second, silently. This store stands beside it (`PATH.sensitivity/`) and
is keyed by everything an output depends on: system fingerprint (decoding settings included), the channels that
were asked for, prompt token ids, batch size and replicate.

Format: append-only text files, one per writing process, one record a line: the CRC-32 of the JSON in
eight hex digits, a space, the JSON. A line that was cut by a crash fails its checksum; it is removed
from a file nobody writes to any more, reported, and generated again. Readers take all files of the
folder, so another number of ranks continues the same run.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import uuid
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout

from lm_eval_sensitivity.errors import InputError

logger = logging.getLogger(__name__)

FORMAT = 2
"""Part of every key: raise it when the fields of a record change, and old records are simply not found."""

SUFFIX = ".sensitivity"
"""Appended to the `--use_cache` path to name the store's folder."""


def record_key(*parts: object) -> str:
    """A key from everything that an output depends on.

    Returns:
        32 hex digits; another format of the store gives other keys.

    Example:
        >>> record_key("system", [1, 2], 0) != record_key("system", [1, 2], 1)
        True
    """
    canonical = json.dumps((FORMAT, *parts), sort_keys=True, default=str)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()[:32]


class ResponseStore:
    """Append-only, crash-safe key-value records in one folder.

    Args:
        folder: created when missing.

    Raises:
        InputError: the folder cannot be created, read or written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.n_repaired = 0
        self._records: dict[str, Mapping[str, Any]] = {}
        self._segment: IO[bytes] | None = None
        self._lock: FileLock | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for path in sorted(folder.glob("*.log")):
                self._read(path)
        except OSError as error:
            raise InputError(
                f"`--use_cache`: the response store {folder} cannot be used ({error.strerror or error}). "
                "Give a path in a folder that can be written."
            ) from None
        if self.n_repaired:
            logger.warning(
                "%s: %d record(s) were cut off or damaged; they are left out and generated again.",
                folder,
                self.n_repaired,
            )

    def __len__(self) -> int:
        return len(self._records)

    def get(self, key: str) -> Mapping[str, Any] | None:
        """Look a record up.

        Returns:
            The record under the key, or None.
        """
        return self._records.get(key)

    def append(self, records: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Write records and wait until they are on disk; after a crash they are all there or reported."""
        if not records:
            return
        segment = self._open_segment()
        segment.write(b"".join(_encode(key, record) for key, record in records))
        segment.flush()
        os.fsync(segment.fileno())
        self._records.update(records)

    def close(self) -> None:
        """Give up the file this process writes to."""
        if self._segment is not None and self._lock is not None:
            self._segment.close()
            self._lock.release()
            self._segment = None

    def _open_segment(self) -> IO[bytes]:
        if self._segment is None:
            path = self.folder / f"{uuid.uuid4().hex}.log"
            # The lock tells later readers that a torn last line may still be completed.
            self._lock = FileLock(f"{path}.lock")
            self._lock.acquire(timeout=0)
            self._segment = path.open("ab")
        return self._segment

    def _read(self, path: Path) -> None:
        good = []
        damaged = 0
        for line in path.read_bytes().splitlines(keepends=True):
            decoded = _decode(line)
            if decoded is None:
                damaged += 1
            else:
                good.append(line)
                self._records[decoded[0]] = decoded[1]
        if damaged:
            self.n_repaired += damaged
            self._repair(path, good)

    def _repair(self, path: Path, good: list[bytes]) -> None:
        try:
            with FileLock(f"{path}.lock", timeout=0):
                replacement = path.with_suffix(".repair")
                replacement.write_bytes(b"".join(good))
                replacement.replace(path)
        except Timeout:
            logger.info("%s is still being written by another process; left as it is.", path)


class OutputCount:
    """How many outputs a store holds, counted while somebody writes to it.

    Args:
        folder: of the store; need not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, int] = {}
        self._keys: set[bytes] = set()

    def update(self) -> int:
        """Read on from where the last call stopped.

        Returns:
            Outputs, each once; what else a store holds is not counted.
        """
        for path in self._folder.glob("*.log"):
            with path.open("rb") as segment:
                segment.seek(self._read.get(path, 0))
                for line in iter(segment.readline, b""):
                    if not line.endswith(b"\n"):
                        break  # being written
                    self._read[path] = self._read.get(path, 0) + len(line)
                    key, is_output, _ = line.partition(_OUTPUT)
                    if is_output:
                        self._keys.add(key[9:])
        return len(self._keys)


_OUTPUT = b', "text": '
"""The first field of an output's record, behind its key; quotes inside a text are escaped."""


def _encode(key: str, record: Mapping[str, Any]) -> bytes:
    body = json.dumps({"key": key, **record}, ensure_ascii=True).encode("ascii")
    return b"%08x " % zlib.crc32(body) + body + b"\n"


def _decode(line: bytes) -> tuple[str, Mapping[str, Any]] | None:
    body = line[9:-1]
    if not line.endswith(b"\n") or line[:9] != b"%08x " % zlib.crc32(body):
        return None
    try:
        record = json.loads(body)
    except ValueError:
        return None
    key = record.pop("key", None) if isinstance(record, dict) else None
    return (key, record) if isinstance(key, str) else None


def open_store(lm: Any) -> ResponseStore | None:
    """The store beside the harness's own cache.

    Returns:
        The store that all ranks share, or None when `--use_cache` was not given.
    """
    database = getattr(getattr(lm, "cache_hook", None), "dbdict", None)
    path = getattr(database, "filename", None)
    if path is None:
        return None
    # lm_eval names one database per rank; the store is shared by all ranks.
    stem = str(path).removesuffix(".db").rsplit("_rank", 1)[0]
    return ResponseStore(Path(stem + SUFFIX))
