"""What a user may give a run with `--metadata`: ladder, reference, embedder, repetitions, price, probes."""

from __future__ import annotations

import difflib
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.embedder import TextDistances, find_embedder
from lm_eval_sensitivity.errors import InputError, did_you_mean
from lm_eval_sensitivity.ladder import Ladder
from lm_eval_sensitivity.probes.catalogue import IN_A_RUN
from lm_eval_sensitivity.records.sample import MOST_REPETITIONS
from lm_eval_sensitivity.runs.reference import ReferenceRun, check_reference, load_reference
from lm_eval_sensitivity.text.escape import is_text, shown

logger = logging.getLogger(__name__)

OPTIONS = {
    "ladder": "folder, file or Hub id of another ladder",
    "reference": "output folder of a reference run, for baseline_drift",
    "embedder": "sentence embedder: folder or Hub id",
    "embedder_revision": "Hub revision of the embedder",
}


REPEATS = "repeats"
"""Name of the option that says how often each prompt of the identical rung is repeated."""
TABLE = "table"
TABLES = ("short", "full")
"""How much of what was measured stands in lm_eval's table: one number for each rung, or all."""

PRICE = "price"
"""Name of the option that says what a million prompt tokens and a million output tokens cost."""

PROBES = "probes"
"""Name of the option that lists what is looked at inside the model after the last token."""

_NOT_MODEL_ARGUMENTS = (
    *OPTIONS,
    REPEATS,
    TABLE,
    PRICE,
    PROBES,
    "n_samples",
    "draws",
    "version",
    "config_source",
)
_SECRETS = ("api_key", "auth_token", "hf_token", "token", "password", "secret", "header", "headers")


def model_arguments(metadata: Mapping[str, Any]) -> dict[str, str]:
    """The run's `--model_args`, which lm_eval hands to every task inside its metadata, without secrets.

    Returns:
        Text values by name, sorted.

    Example:
        >>> model_arguments({"model": "m", "api_key": "x", "version": 1, "reference": "runs/a"})
        {'model': 'm'}
    """
    left_out = (*_NOT_MODEL_ARGUMENTS, *_SECRETS)
    return {str(name): str(value) for name, value in sorted(metadata.items()) if name not in left_out}


@dataclass(frozen=True)
class Options:
    """The options of one run."""

    ladder: str | None = None
    reference: str | None = None
    embedder: str | None = None
    embedder_revision: str | None = None
    repeats: int | None = None
    """Of each prompt on the identical rung; None leaves it to the engine."""
    table: str = "short"
    """One of `TABLES`."""
    price: tuple[float, float] | None = None
    """Of a million prompt tokens and of a million output tokens."""
    probes: tuple[str, ...] = ()
    """Names of `probes.catalogue.IN_A_RUN`."""

    def distances(self) -> TextDistances:
        """Distances of the embedder, which tasks of a process share.

        Returns:
            One object per embedder and revision.

        Raises:
            InputError: there is no such embedder.
        """
        return _text_distances(self.embedder, self.embedder_revision)

    def reference_run(self, ladder: Ladder, decoding: Mapping[str, Any]) -> ReferenceRun | None:
        """The reference run, held against what this run asks.

        Args:
            ladder: that is asked.
            decoding: as requested.

        Returns:
            The reference; None where none was given.

        Raises:
            InputError: it cannot be read, or its outputs cannot be compared.
        """
        if self.reference is None:
            return None
        folder = Path(self.reference)
        files = sorted(folder.glob("**/results_*.json"))
        found = _load_reference(folder, tuple((path, path.stat().st_mtime) for path in files))
        check_reference(
            found, ladder_version=ladder.version, ladder_hash=ladder.content_hash, decoding=decoding
        )
        return found


@lru_cache(maxsize=2)
def _load_reference(folder: Path, stamps: tuple[tuple[Path, float], ...]) -> ReferenceRun:
    # The time stamps are the key: a folder with a newer run in it is read again.
    reference = load_reference(folder)
    for line in reference.in_words():
        logger.info(line)
    return reference


@lru_cache(maxsize=2)
def _text_distances(name: str | None, revision: str | None) -> TextDistances:
    return TextDistances(find_embedder(name, revision=revision).load)


def parse_options(metadata: Mapping[str, Any]) -> Options:
    """Pick our options out of a task's metadata, which also holds all of `--model_args`.

    Returns:
        The options given, None for the others.

    Raises:
        InputError: an option that is no text or no number in its range, or a name that is nearly one of ours.

    Example:
        >>> parse_options({"pretrained": "gpt2", "ladder": "my_ladder"}).ladder
        'my_ladder'
    """
    accepted = (*OPTIONS, REPEATS, TABLE, PRICE, PROBES)
    for name in metadata:
        close = difflib.get_close_matches(str(name), accepted, n=1, cutoff=0.85)
        if close and name not in accepted:
            raise InputError(
                f"`--metadata`: `{name}` is not an option of prompt_sensitivity; did you mean `{close[0]}`? "
                f"Accepted: {', '.join(accepted)}."
            )
    found = {name: metadata[name] for name in OPTIONS if metadata.get(name) is not None}
    for name, value in found.items():
        if not isinstance(value, str) or not value.strip():
            raise InputError(f"`--metadata`: `{name}` is {value!r}; expected a text: {OPTIONS[name]}.")
        if not is_text(value):
            raise InputError(
                f"`--metadata`: `{name}` is {shown(value)}, which is no UTF-8 text. Give another name."
            )
    repeats = whole_number(
        metadata, REPEATS, 1, MOST_REPETITIONS, " It repeats each prompt of the identical rung."
    )
    return Options(
        **found,
        repeats=repeats,
        table=table_of(metadata),
        price=_price(metadata.get(PRICE)),
        probes=_probes(metadata.get(PROBES)),
    )


def table_of(metadata: Mapping[str, Any]) -> str:
    """How much stands in lm_eval's table.

    Args:
        metadata: of a task.

    Returns:
        One of `TABLES`.

    Raises:
        InputError: it is none of them.
    """
    table: str = metadata.get(TABLE, "short")
    if table not in TABLES:
        raise InputError(f"`--metadata`: `{TABLE}` is {table!r}; accepted: {', '.join(TABLES)}.")
    return table


def _price(asked: Any) -> tuple[float, float] | None:
    if asked is None:
        return None
    numbers = [each for each in asked if _is_price(each)] if isinstance(asked, list) else []
    if len(numbers) != 2 or len(asked) != 2:
        raise InputError(
            f"`--metadata`: `{PRICE}` is {asked!r}; expected two numbers, the prices of a million prompt tokens and of "
            f"a million output tokens, as in `--metadata '{{\"{PRICE}\": [0.15, 0.6]}}'`."
        )
    return float(numbers[0]), float(numbers[1])


def _is_price(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < math.inf


def _probes(asked: Any) -> tuple[str, ...]:
    if asked is None:
        return ()
    if not isinstance(asked, list) or not all(isinstance(name, str) for name in asked):
        raise InputError(
            f"`--metadata`: `{PROBES}` is {asked!r}; expected a list of names, as in "
            f'`--metadata \'{{"probes": ["{IN_A_RUN[0]}"]}}\'`.'
        )
    for name in asked:
        if name not in IN_A_RUN:
            raise InputError(
                f"`--metadata`: `{PROBES}` has {name!r}; accepted: {', '.join(IN_A_RUN)}."
                f"{did_you_mean(name, IN_A_RUN)} Others are for after a run: `lm-eval-sensitivity probe`."
            )
    return tuple(dict.fromkeys(asked))


def whole_number(metadata: Mapping[str, Any], name: str, least: int, most: int, more: str = "") -> int | None:
    """An option that is a whole number.

    Args:
        metadata: of a task.
        name: of the option.
        least: smallest value.
        most: largest value.
        more: closes the refusal.

    Returns:
        The number; None where it is not given.

    Raises:
        InputError: it is no whole number, or out of range.

    Example:
        >>> whole_number({"repeats": 3}, "repeats", 1, 20)
        3
    """
    value = metadata.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise InputError(
            f"`--metadata`: `{name}` is {value!r}; expected a whole number from {least} to {most}.{more}"
        )
    return value
