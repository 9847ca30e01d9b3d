"""Outputs of a run whose token ids are known: what a replay is fed with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder.schema import pair_from_row
from lm_eval_sensitivity.records.codec import ADVICE
from lm_eval_sensitivity.records.sample import Packed, SampleRow, WholeRow, WholeSideRecord
from lm_eval_sensitivity.runs import System
from lm_eval_sensitivity.runs.rung_samples import sample_rows
from lm_eval_sensitivity.types import FORBIDDING, Missing, Note, Pair

Floats = NDArray[np.float32]

NO_IDS = "the engine gave no token ids of prompt and output"
ONLY_TEXT = "the server showed the text of its tokens, without their ids"
NOT_FINITE = "logits were not finite"
NO_STEP = "an output has no token"


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
    answer_start: int | None = None
    """Step of the first token of the answer, 0 without a reasoning scaffold; None where there is no answer, or nobody
    can tell its tokens."""

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
    """By rung, mildest first."""
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
            if each.live and (not edits or each.pair.edit in edits) and (not rungs or each.pair.rung in rungs)
        )
        return sorted(chosen, key=lambda each: each.pair.prompt_id)


def outputs_of(system: System) -> RunOutputs:
    """Read again from the samples files of a system what a replay needs.

    Args:
        system: from `load_runs`.

    Returns:
        As `outputs_from`.

    Raises:
        InputError: a file has changed since it was loaded, or holds a damaged array; or no pair has token ids.
    """
    rows = ((row, place) for rung in system.rungs for row, _, place in sample_rows(rung.samples))
    return outputs_from(rows, system.name)


def outputs_from(rows: Iterable[tuple[SampleRow, str]], name: str) -> RunOutputs:
    """What a replay needs of sample rows.

    Args:
        rows: each with its place, for messages; those of filter answer are passed over.
        name: of the system.

    Returns:
        Every pair with the token ids of both outputs, in order; a note for each reason why others have none.

    Raises:
        InputError: no pair has token ids, or an array is damaged.
    """
    pairs: list[RunPair] = []
    reasons: Counter[str] = Counter()
    for row, place in rows:
        if not isinstance(row, WholeRow):
            continue
        found = _pair_of(row, place)
        if isinstance(found, str):
            reasons[found] += 1
        else:
            pairs.append(found)
    if not pairs:
        why = "; ".join(reasons) or "there is none"
        raise InputError(
            f"No pair of {name} can be replayed: {why}. Generate again with `--log_samples` and an engine that gives "
            "token ids: `--model hf`, `--model vllm`, a server that knows `return_token_ids` (vLLM's), or another one "
            "without log-probabilities and with `tokenizer=...,tokenizer_backend=huggingface` in `--model_args`."
        )
    notes = [
        Note("left_out", f"{count} pairs cannot be replayed: {why}.", (name,))
        for why, count in reasons.items()
    ]
    return RunOutputs(tuple(pairs), tuple(notes))


def _pair_of(row: WholeRow, place: str) -> RunPair | str:
    """A pair, or why it cannot be replayed."""
    pair = pair_from_row(dict(row.doc), f"{place}: `doc`")
    base = _output_of(pair.prompt_id, row.pair.base, row.outputs[0], place, "pair.base")
    variant = _output_of(pair.prompt_id, row.pair.variant, row.outputs[1], place, "pair.variant")
    if isinstance(base, str) or isinstance(variant, str):
        return base if isinstance(base, str) else str(variant)
    reason = row.pair.missing.get("token_edit_distance", "")
    forbidden = Missing.from_text(reason).kind in FORBIDDING
    path = row.pair.token_path
    return RunPair(
        pair,
        base,
        variant,
        live=row.pair.audit.status == "survived" and not forbidden,
        first_divergence=None if path is None else path.first_divergence,
    )


def _output_of(prompt_id: str, side: WholeSideRecord, text: str, place: str, name: str) -> RunOutput | str:
    def ids(packed: Packed | None, field: str) -> tuple[int, ...]:
        return () if packed is None else tuple(packed.unpacked(place, f"{name}.{field}").tolist())

    def numbers(packed: Packed | None, field: str) -> Floats | None:
        if packed is None:
            return None
        found = np.asarray(packed.unpacked(place, f"{name}.{field}"), np.float32)
        return found if len(found) == len(output_ids) else None

    prompt_ids, output_ids = ids(side.prompt_token_ids, "prompt_token_ids"), ids(side.token_ids, "token_ids")
    if min(output_ids, default=0) < -1:
        return ONLY_TEXT
    if side.prompt_token_ids is None or side.token_ids is None:
        return NO_IDS
    if not side.finite:
        return NOT_FINITE
    if not output_ids or not prompt_ids:
        return NO_STEP
    if min(*prompt_ids, *output_ids) < 0:
        raise InputError(f"{place}: `{name}.token_ids` holds a number below 0. {ADVICE}")
    return RunOutput(
        prompt_id,
        prompt_ids,
        output_ids,
        text,
        side.finish_reason or "length",
        margins=numbers(side.margins, "margins"),
        entropies=numbers(side.entropies, "entropies"),
        top1_log_probabilities=numbers(side.top1_log_probabilities, "top1_log_probabilities"),
        answer_start=_answer_start(side, ids(side.token_ends, "token_ends")),
    )


def _answer_start(side: WholeSideRecord, token_ends: Sequence[int]) -> int | None:
    answer = side.answer
    if answer is None or answer.start == answer.end:
        return None
    return next((step for step, end in enumerate(token_ends) if end > answer.start), None)
