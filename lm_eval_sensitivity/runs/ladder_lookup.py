"""The ladders that a run's rows can be compared with: the packaged subsets, or the one that was given."""

from __future__ import annotations

from pathlib import Path

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder import Ladder, load_ladder
from lm_eval_sensitivity.ladder.load import LARGEST, SUBSETS, packaged_hash
from lm_eval_sensitivity.records.run_metadata import LadderIdentity


class LadderLookup:
    """Finds the ladder that a run states, by its content hash; each is loaded once.

    Args:
        source: folder, file or Hub id of the ladder that was run; None for the packaged one.
    """

    def __init__(self, source: str | Path | None) -> None:
        self._source = source
        self._loaded: dict[str, Ladder] = {}

    def find(self, metadata: LadderIdentity, where: str) -> Ladder | None:
        """The ladder of a run, None where it is not at hand.

        Args:
            metadata: what the run says about its ladder.
            where: the results file; opens the message.

        Raises:
            InputError: a ladder was given, and the run asked another one.
        """
        # The name of a subset comes from the file: only known names are looked up.
        subset = metadata.subset if metadata.subset in SUBSETS else LARGEST
        if self._source is None and packaged_hash(subset) != metadata.hash:
            return None  # its rows, which take longer than those of a run, are not read for that
        ladder = self._load(subset)
        if ladder is not None and ladder.content_hash == metadata.hash:
            return ladder
        if self._source is not None and ladder is not None:
            raise InputError(
                f"{where}: `ladder.hash` is {metadata.hash[:16]!r}, but the ladder given with `--ladder` has "
                f"{ladder.content_hash[:16]!r}. Give the ladder that was run, or leave `--ladder` out."
            )
        return None

    def _load(self, subset: str) -> Ladder | None:
        if subset not in self._loaded:
            try:
                self._loaded[subset] = load_ladder(self._source, subset, asked_as="`--ladder`")
            except InputError:
                if self._source is not None:
                    raise
                return None
        return self._loaded[subset]
