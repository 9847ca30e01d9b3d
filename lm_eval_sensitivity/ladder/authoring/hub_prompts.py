"""Reading own prompts from the rows of a dataset on the Hugging Face Hub; nothing of it is executed."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from lm_eval_sensitivity.errors import InputError, did_you_mean
from lm_eval_sensitivity.hub.session import said_by
from lm_eval_sensitivity.ladder.authoring.user_prompts import (
    MAX_PROMPTS,
    OwnPrompts,
    Reading,
    own_prompts,
)
from lm_eval_sensitivity.ladder.hub import HubSource

if TYPE_CHECKING:
    from typing_extensions import Unpack


def read_own_dataset(
    hub: HubSource, *, config: str | None = None, split: str | None = None, **reading: Unpack[Reading]
) -> OwnPrompts:
    """Read own prompts from a Hub dataset, row by row, without downloading more than is read.

    Args:
        hub: repository and revision.
        config: configuration of the dataset; None where it has one.
        split: split of the dataset; None where it has one.
        reading: as for a file.

    Returns:
        The prompts that were read; what does not fit in other columns is noted.

    Raises:
        InputError: the dataset cannot be read, has several splits and none was named, or a row is no
            prompt.
    """
    rows = _choose_split(_load(hub, config), split, hub)
    # One more than accepted, so that a longer dataset is refused instead of cut.
    stop = MAX_PROMPTS + 1 if (limit := reading.get("limit")) is None else limit
    try:
        read = itertools.islice(rows, stop)
        found = [(f"`{hub.name}`, row {number}", row) for number, row in enumerate(read, 1)]
    except Exception as error:  # noqa: BLE001 - reading streams over the network and parses strangers' files
        raise _unreadable(hub, error) from None
    return own_prompts(found, f"`{hub.name}`", reading, foreign=True)


def _load(hub: HubSource, config: str | None) -> Any:
    import datasets  # not at the top: local prompts need no network library

    try:
        return datasets.load_dataset(hub.repo_id, name=config, revision=hub.revision, streaming=True)
    except Exception as error:  # noqa: BLE001 - errors of the Hub client, of its HTTP library and of parsers
        raise _unreadable(hub, error) from None


def _choose_split(splits: Any, split: str | None, hub: HubSource) -> Any:
    names = list(splits)
    if split is None and len(names) == 1:
        return splits[names[0]]
    if split not in names:
        received = "no `--split` was given" if split is None else f"`--split` is {split[:80]!r}"
        suggestion = "" if split is None else did_you_mean(split[:80], names)
        raise InputError(
            f"`{hub.name}`: {received}, and the dataset has {', '.join(map(repr, names))}.{suggestion} Choose one "
            "of them."
        )
    return splits[split]


def _unreadable(hub: HubSource, error: Exception) -> InputError:
    return InputError(
        f"`{hub.name}`: there is no such file, and the Hub dataset cannot be read: {said_by(error)}. Check the name, "
        "`--config`, the revision and the network."
    )
