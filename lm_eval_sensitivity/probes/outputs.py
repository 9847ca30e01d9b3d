"""Outputs of a run whose token ids are known: what a replay is fed with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lm_eval_sensitivity.records.sample import Packed, WholeRow, WholeSideRecord
from lm_eval_sensitivity.runs import System
from lm_eval_sensitivity.runs.rung_samples import sample_rows
from lm_eval_sensitivity.types import Note, Pair

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class RunOutput:
    """One greedy output. Step t chose `output_ids[t]`, after `prompt_ids` and the tokens before it."""

    prompt_id: str
    prompt_ids: tuple[int, ...]
    """[position] as the model was fed them."""
    output_ids: tuple[int, ...]
    """[step] an end-of-turn token is the last of them, where one ended the output."""
    text: str
    finish_reason: str
    """`end_token`, `stop_string`, `length` or `not_finite`."""
    margins: Floats | None = None
    """[step] nats, as the run recorded them."""
    entropies: Floats | None = None
    """[step] nats."""
    top1_log_probabilities: Floats | None = None
    """[step] nats."""

    @property
    def cut(self) -> bool:
        """Whether the token limit ended it."""
        return self.finish_reason == "length"


@dataclass(frozen=True, eq=False)
class RunPair:
    """A base and its variant, both replayable."""

    pair: Pair
    base: RunOutput
    variant: RunOutput
    live: bool
    """The edit reached the model: the ids of both prompts differ, and both arrived whole."""
    first_divergence: int | None
    """Step of the first different token; None where the outputs do not part."""


@dataclass(frozen=True, eq=False)
class RunOutputs:
    """All pairs of one system that can be replayed."""

    pairs: tuple[RunPair, ...]
    """By rung, then in the order of the ladder."""
    notes: tuple[Note, ...]
    """What was left out."""

    @cached_property
    def bases(self) -> dict[str, RunOutput]:
        """Prompt id -> output of the unedited prompt, in the order of letters."""
        found = {each.pair.prompt_id: each.base for each in self.pairs}
        return {name: found[name] for name in sorted(found)}

    @cached_property
    def categories(self) -> dict[str, str]:
        """Prompt id -> category."""
        return {each.pair.prompt_id: each.pair.category for each in self.pairs}

    def live_pairs(self, edits: Sequence[str] = (), rungs: Sequence[str] = ()) -> list[RunPair]:
        """Pairs whose edit reached the model, by prompt.

        Args:
            edits: only these; empty takes all.
            rungs: only these; empty takes all.
        """
        chosen = (
            each
            for each in self.pairs
            if each.live
            and (not edits or each.pair.edit in edits)
            and (not rungs or each.pair.rung in rungs)
        )
        return sorted(chosen, key=lambda each: each.pair.prompt_id)
