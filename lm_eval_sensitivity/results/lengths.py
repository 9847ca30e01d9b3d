"""How long texts of a results folder may be: what is written is cut or refused here, what is read is measured here.

Nothing that an export writes may be refused by whoever opens it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate

import pyarrow as pa
import pyarrow.compute as pc

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.results.records import LeftOutRecord
from lm_eval_sensitivity.results.schema import (
    LONGEST_ID,
    LONGEST_NAME,
    LONGEST_SENTENCE,
    LONGEST_SENTENCES,
    MOST_SENTENCES,
)
from lm_eval_sensitivity.text.escape import shown

SENTENCES = f"at most {MOST_SENTENCES} texts of at most {LONGEST_SENTENCE} characters, and {LONGEST_SENTENCES} together"
"""What `fit_together` accepts, in words."""


def cut_sentence(text: str) -> str:
    """A text of at most `LONGEST_SENTENCE` characters; where it was longer, its end says so.

    Example:
        >>> cut_sentence("short"), len(cut_sentence("a" * 5000)), cut_sentence("a" * 5000)[-30:]
        ('short', 4000, 'aaa [... cut: 5000 characters]')
    """
    if len(text) <= LONGEST_SENTENCE:
        return text
    end = f" [... cut: {len(text)} characters]"
    return text[: LONGEST_SENTENCE - len(end)] + end


def cut_sentences(texts: Sequence[str]) -> tuple[str, ...]:
    """Sentences that are accepted; where some had to go, the last one says so.

    Example:
        >>> cut_sentences(["a", "b"]), cut_sentences(["a"] * 300)[198:]
        (('a', 'b'), ('a', '101 more sentences are left out here.'))
    """
    whole = [cut_sentence(each) for each in texts]
    n = _n_kept([len(each) for each in whole])
    return (*whole[:n], *([f"{len(whole) - n} more sentences are left out here."] if n < len(whole) else []))


def cut_records(records: Sequence[LeftOutRecord]) -> tuple[LeftOutRecord, ...]:
    """What was left out, as `cut_sentences`."""
    whole = [LeftOutRecord(cut_sentence(each.what), cut_sentence(each.reason)) for each in records]
    n = _n_kept([len(each.what) + len(each.reason) for each in whole])
    rest = LeftOutRecord(f"{len(whole) - n} more", "They are left out of this list, too.")
    return (*whole[:n], *([rest] if n < len(whole) else []))


def _n_kept(lengths: Sequence[int]) -> int:
    """How many texts are kept: all, or as many as leave room for one about the rest."""
    if fit_together(lengths):
        return len(lengths)
    most = LONGEST_SENTENCES - LONGEST_SENTENCE
    return sum(total <= most for total in accumulate(lengths[: MOST_SENTENCES - 1]))


def fit_together(lengths: Sequence[int]) -> bool:
    """Whether texts of these lengths, each of which is accepted, are accepted as a list."""
    return len(lengths) <= MOST_SENTENCES and sum(lengths) <= LONGEST_SENTENCES


def check_sentences(texts: Iterable[str]) -> bool:
    """Whether a list of sentences is accepted."""
    lengths = [len(each) for each in texts]
    return max(lengths, default=0) <= LONGEST_SENTENCE and fit_together(lengths)


def check_names(table: pa.Table, series: Iterable[str]) -> None:
    """Refuse names and ids that no results folder holds, before anything long is done: they are never cut.

    Args:
        table: from `load_pairs`.
        series: names of series, as given.

    Raises:
        InputError: one is too long.
    """
    for name in series:
        if len(name) > LONGEST_NAME:
            raise InputError(
                f"`--series` names a series {shown(name)}, of {len(name)} characters; accepted are at most "
                f"{LONGEST_NAME}. Give it a shorter name."
            )
    for column, most, words in (
        (
            "name",
            LONGEST_NAME,
            "Export this system from a model folder or with model arguments that are shorter",
        ),
        *(
            (column, LONGEST_ID, "Build the ladder with shorter ids")
            for column in ("pair_id", "prompt_id", "edit")
        ),
    ):
        names = table[column].unique()
        longest = pc.max(pc.utf8_length(names)).as_py() or 0
        if longest > most:
            found = names[pc.index(pc.utf8_length(names), longest).as_py()].as_py()
            raise InputError(
                f"These runs have the `{column}` {shown(found)}, of {longest} characters; a results folder holds at "
                f"most {most}. {words}, and run it again."
            )
