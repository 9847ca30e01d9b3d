"""What is remembered of every pair of a run, until the last task of the run is aggregated.

lm_eval tells a task nothing about the others, but it collects the results of all tasks before it
aggregates the first one; so the notes of a whole run are there when its table is made.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lm_eval_sensitivity.harness.close.run_log import RunLog
from lm_eval_sensitivity.harness.generate.generation import FilteredText
from lm_eval_sensitivity.harness.measure.pair import Measured
from lm_eval_sensitivity.records.columns import SIDES
from lm_eval_sensitivity.statements.windows import OutputTokens, output_tokens


@dataclass(frozen=True)
class Seen:
    """One pair under one filter."""

    distance: float
    """`cosine_distance`; NaN where it is missing."""
    missing: str | None = None
    """Kind of the reason, as in `erased`."""
    drift: float = math.nan
    """`baseline_drift` of the base output."""
    drift_missing: str | None = None
    """Why there is none."""


@dataclass(frozen=True)
class PairNote:
    """One measured pair, as far as the words need it."""

    pair_id: str
    prompt_id: str
    edit: str
    rung: str
    audit_status: str
    raw: Seen
    answer: Seen
    flags: tuple[str, ...] = ()
    """What is wrong with the output to the variant: of `empty`, `loop`, `cut`, `unclosed`."""
    shared_preamble: bool = False
    """The answer begins after a preamble that unrelated prompts share."""
    outputs: tuple[OutputTokens, ...] = ()
    """Of base and variant, where it is known how many tokens they have."""
    js_divergence: float = math.nan
    """Of the two prompt-end distributions, in nats."""
    parts_at: int | None = None
    """0-based step at which the outputs part; None where they do not."""
    margin: float = math.nan
    """Of the base at that step, in nats."""

    def seen(self, filter_name: str) -> Seen:
        """The pair under a filter."""
        return self.raw if filter_name == "raw" else self.answer


RUN_LOG: RunLog[PairNote] = RunLog()
"""Of this process, as lm_eval's evaluator runs one evaluation at a time."""


def pair_note(
    doc: Mapping[str, Any], raw: Measured, answer: Measured, outputs: tuple[OutputTokens, ...]
) -> PairNote:
    """A note of one pair.

    Args:
        doc: the row of the ladder.
        raw: the pair under the filter `raw`.
        answer: the pair under the filter `answer`.
        outputs: how much of each output stands before its answer.
    """
    record, variant = raw.record, raw.record["variant"]
    margins = (record["margins"] or {}).get("at_divergence") or {}
    margin = margins.get("base")
    return PairNote(
        pair_id=doc["pair_id"],
        prompt_id=doc["prompt_id"],
        edit=doc["edit"],
        rung=doc["rung"],
        audit_status=record["audit"]["status"],
        raw=_seen(raw),
        answer=_seen(answer),
        flags=tuple(name for name, raised in variant["collapse"].items() if raised is True),
        shared_preamble=(variant.get("answer") or {}).get("scaffold") == "shared_preamble",
        outputs=outputs,
        js_divergence=raw.metrics["js_divergence"],
        parts_at=(record["token_path"] or {}).get("first_divergence"),
        margin=math.nan if margin is None else margin,
    )


def _seen(measured: Measured) -> Seen:
    missing = measured.record["missing"]
    reason = missing.get("cosine_distance")
    return Seen(
        distance=measured.metrics["cosine_distance"],
        missing=None if reason is None else kind_of(reason),
        drift=measured.metrics.get("baseline_drift", math.nan),
        drift_missing=missing.get("baseline_drift"),
    )


def kind_of(reason: str) -> str:
    """The kind that a reason starts with.

    Example:
        >>> kind_of("erased: the edit does not reach the token ids")
        'erased'
    """
    return reason.split(":", 1)[0]


def tokens_of(output: FilteredText) -> OutputTokens | None:
    """How much of an output stands before its answer; None where an engine shows no tokens."""
    trace, answer = output.generation.trace, output.generation.answer
    if trace is None or answer is None:
        return None
    return output_tokens(len(trace.content_ids), answer.token_start, answer.span.status)


def window_item(tokens: Sequence[OutputTokens], missing: Mapping[str, str]) -> list[list[int]] | None:
    """Of both outputs, tokens before the answer and all tokens, as a sample row keeps them.

    Args:
        tokens: of both outputs; empty where they are not known.
        missing: reasons of the pair under the filter raw; a pair without a distance is not counted.
    """
    if not tokens or "cosine_distance" in missing:
        return None
    return [[each.n_before, each.n_tokens] for each in tokens]


def tokens_of_pair(base: FilteredText, variant: FilteredText) -> tuple[OutputTokens, ...]:
    """Of both outputs, in the order of `SIDES`; empty where one has no tokens."""
    found = [each for each in map(tokens_of, (base, variant)) if each is not None]
    return tuple(found) if len(found) == len(SIDES) else ()
