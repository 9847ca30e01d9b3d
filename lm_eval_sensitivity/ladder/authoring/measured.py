"""`measured.json`: what was measured on a ladder without any model's answers, kept beside it for the card.

Two measurements with their own content hash each: the distances between the prompts of a pair, and the
audit of tokenizers and chat templates. Rows that change make both stale, and a stale one is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder.authoring.audit_grid import SystemAudit
from lm_eval_sensitivity.ladder.authoring.distances import (
    DIGITS,
    EditDistances,
    Encode,
    distances_by_edit,
    embed,
    median_distances,
    prompt_distances,
)
from lm_eval_sensitivity.ladder.files import read_limited
from lm_eval_sensitivity.ladder.load import Ladder
from lm_eval_sensitivity.text.escape import brief

MEASURED_FILE = "measured.json"


@dataclass(frozen=True)
class Distances:
    """Cosine distances between base and variant prompt, under one embedder."""

    content_hash: str
    """Of the ladder that was measured."""
    embedder: Mapping[str, Any]
    """The embedder's identity: name, revision, hash of its weights."""
    rungs: Mapping[str, float | None]
    """Median by rung, and by edit for the two kinds of control; None where no pair has a distance."""
    edits: tuple[EditDistances, ...]


@dataclass(frozen=True)
class Audit:
    """The grid of edits and systems."""

    content_hash: str
    """Of the ladder that was audited."""
    transformers: str
    """Version of the library that read the tokenizers: it decides token ids too."""
    n_pairs: Mapping[str, int]
    """By edit, the identical rung left out."""
    systems: tuple[SystemAudit, ...]


@dataclass(frozen=True)
class Measured:
    """All that `measured.json` holds."""

    ladder_version: str
    subset: str
    distances: Distances
    audit: Audit | None
    """None where no tokenizers were given."""


def measure_distances(ladder: Ladder, encode: Encode, embedder: Mapping[str, Any]) -> Distances:
    """Embed every prompt of a ladder once and summarize by rung and by edit.

    Args:
        ladder: its largest subset.
        encode: sentence embedder, for example `load_embedder().encode`.
        embedder: its identity, as plain values.

    Returns:
        Medians by `group` and quartiles by edit, in cosine distance rounded to `DIGITS`; None where no pair has one.
    """
    by_pair = prompt_distances(ladder.pairs, embed(ladder.pairs, encode))
    medians = median_distances(ladder.pairs, by_pair)
    rungs = {name: None if median is None else round(median, DIGITS) for name, median in medians.items()}
    edits = tuple(distances_by_edit(ladder.pairs, by_pair))
    return Distances(ladder.content_hash, dict(embedder), rungs, edits)


def make_audit(ladder: Ladder, systems: Sequence[SystemAudit], transformers: str) -> Audit:
    """The audits of all systems, with the number of pairs that each edit has.

    Args:
        ladder: that was audited.
        systems: as `audit_system` gives them.
        transformers: version of the package.

    Returns:
        The audit; the identical rung is no edit.
    """
    edited = [pair.edit for pair in ladder.pairs if pair.rung != "identical"]
    n_pairs = {edit: edited.count(edit) for edit in dict.fromkeys(edited)}
    return Audit(ladder.content_hash, transformers, n_pairs, tuple(systems))


def write_measured(measured: Measured, path: Path) -> None:
    """Write the file; it appears under its name only when it is complete.

    Raises:
        InputError: it cannot be written.
    """
    text = json.dumps(asdict(measured), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        raise InputError(f"`{path}` cannot be written: {error.strerror}. Check its permissions.") from None


def read_measured(path: Path) -> Measured:
    """Read the file back.

    Returns:
        What `write_measured` was given.

    Raises:
        InputError: there is none, or it is not what `write_measured` writes.
    """
    if not path.exists():
        raise InputError(f"`{path}` does not exist. {_how_to_measure(path)}")
    try:
        from pydantic import TypeAdapter, ValidationError  # an extra: only who builds a card needs it
    except ImportError:
        raise InputError(
            f"Reading `{path}` back needs the pydantic package, which is not installed. Install it with: pip "
            'install "lm-eval-sensitivity[ladder]"'
        ) from None
    try:
        return TypeAdapter(Measured).validate_json(read_limited(path))
    except ValidationError as error:
        first = error.errors()[0]
        problem = brief(f"{'.'.join(map(str, first['loc']))} {first['msg']}".strip())
        raise InputError(f"`{path}` cannot be read back ({problem}). {_how_to_measure(path)}") from None


def check_measured(measured: Measured, ladder: Ladder, path: Path) -> None:
    """Refuse what was not measured on exactly these rows.

    Args:
        measured: as it was read.
        ladder: the largest subset.
        path: of the file, for messages.

    Raises:
        InputError: distances or audit belong to another content hash; both hashes are named.
    """
    parts = {"prompt distances": measured.distances.content_hash}
    if measured.audit is not None:
        parts["token audit"] = measured.audit.content_hash
    for part, content_hash in parts.items():
        if content_hash != ladder.content_hash:
            raise InputError(
                f"The {part} in `{path}` were measured on a ladder with the content hash {content_hash[:12]}..., "
                f"but this one has {ladder.content_hash[:12]}.... {_how_to_measure(path)}"
            )


def _how_to_measure(path: Path) -> str:
    return (
        f"Run `lm-eval-sensitivity ladder describe {path.parent} --tokenizers DIR --templates DIR`, which "
        "measures again and writes the card."
    )
