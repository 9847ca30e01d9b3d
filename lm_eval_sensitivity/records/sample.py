"""The sample row: one pair under one filter, as a line of lm_eval's samples file holds it (docs/samples.md).

The harness writes it, and everything that reads a run reads it, through these records alone. A field with a default
may be absent from a file: an engine did not give it, or an earlier version did not write it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from numpy.typing import ArrayLike, NDArray
from pydantic import AfterValidator, Field, StringConstraints

from lm_eval_sensitivity.audit import PairAudit
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.metrics import CollapseFlags
from lm_eval_sensitivity.records.codec import ADVICE, decode, refused
from lm_eval_sensitivity.records.columns import FILTERS
from lm_eval_sensitivity.records.packing import pack, unpack
from lm_eval_sensitivity.types import AnswerSpan

SCHEMA_VERSION = 1
"""Of `pair` in a row."""
LONGEST_NAME = 2_000
"""Characters of a name, an id or a reason."""
MOST_REPETITIONS = 20
"""Of a prompt on the identical rung."""
HALF = "\ufffd"
"""What `decode` makes of half a surrogate pair; no name holds it."""


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("a text that is not blank")
    if HALF in text:
        raise ValueError("a text without halves of surrogate pairs")
    return text


Name = Annotated[str, StringConstraints(max_length=LONGEST_NAME), AfterValidator(_not_blank)]
Count = Annotated[int, Field(ge=0, lt=2**31)]
Whole = Annotated[int, Field(ge=-(2**31), lt=2**31)]
Number = Annotated[float, Field(allow_inf_nan=False)]
FinishReason = Literal["end_token", "stop_string", "length", "not_finite", "stop"]


@dataclass(frozen=True)
class Packed:
    """An array of shape [value] in compact text form; see `records.packing`."""

    dtype: Literal["<i4", "<f4"]
    n: Count
    z: str

    @classmethod
    def of(cls, values: ArrayLike, dtype: str) -> Packed:
        """An array of shape [value], packed."""
        return cls(**pack(values, dtype))

    def unpacked(self, place: str, name: str) -> NDArray[Any]:
        """The array again.

        Args:
            place: file and line.
            name: dotted name of the field.

        Raises:
            InputError: its bytes do not match its declared size.
        """
        try:
            return unpack(asdict(self))
        except ValueError as error:
            raise InputError(f"{place}: `{name}`: {error}. {ADVICE}") from None


@dataclass(frozen=True)
class ViewRecord:
    """What a filter shows of one output; its text stands in `filtered_resps`."""

    window_ends: Mapping[str, Count]
    """Window in tokens -> character of the text where it ends; empty where an engine gives no tokens."""
    token_start: Count | None = None
    """First token of the answer; filter `answer` only, where an engine gives tokens."""
    token_end: Count | None = None


@dataclass(frozen=True)
class SideRecord:
    """One output under the filter `answer`."""

    view: ViewRecord | None
    """None where there is nothing to score."""
    finite: bool
    """No logits were NaN or infinite."""


@dataclass(frozen=True)
class WholeSideRecord(SideRecord):
    """One output under the filter `raw`: everything that was recorded of it."""

    answer: AnswerSpan | None
    collapse: CollapseFlags
    finish_reason: FinishReason | None = None
    n_tokens: Count | None = None
    visible_text: str | None = None
    """Where special tokens make it differ from the text: scaffolds are found on this one."""
    prompt_token_ids: Packed | None = None
    token_ids: Packed | None = None
    token_ends: Packed | None = None
    margins: Packed | None = None
    top1_log_probabilities: Packed | None = None
    entropies: Packed | None = None
    prompt_end_top_ids: Packed | None = None
    prompt_end_top_log_probabilities: Packed | None = None


@dataclass(frozen=True)
class TokenPath:
    """How the token ids of both outputs part."""

    first_divergence: Count | None
    censored: bool
    curve: Packed


@dataclass(frozen=True)
class PromptEndRecord:
    """See `metrics.logits.PromptEnd`; None where a number is infinite or undefined."""

    kl_forward: Number | None
    kl_backward: Number | None
    js_divergence: Number | None
    top1_id_base: int
    top1_id_variant: int
    top1_probability_base: Number | None
    top1_probability_variant: Number | None
    flipped: bool | None
    flip_floor_nats: Number | None
    js_lower: Number | None = None
    js_upper: Number | None = None


@dataclass(frozen=True)
class MarginsOfSide:
    """See `metrics.margins.MarginStatistics`; None where a number is undefined."""

    margin_min: Number | None
    margin_min_step: Count | None
    margin_median: Number | None
    n_steps: Count
    n_tied: Count
    low_margin_density: tuple[Number | None, ...]


@dataclass(frozen=True)
class BothMargins:
    """Margins in nats at the step where the outputs part."""

    base: Number | None
    variant: Number | None


@dataclass(frozen=True)
class MarginsRecord:
    """Margins of both outputs."""

    base: MarginsOfSide
    variant: MarginsOfSide
    at_divergence: BothMargins


@dataclass(frozen=True, kw_only=True)
class PairRecord:
    """A pair under the filter `answer`."""

    system: Name | None
    ladder: Name
    schema_version: Count
    audit: PairAudit
    missing: Mapping[str, Name]
    """Metric -> reason."""
    token_path: TokenPath | None
    base: SideRecord
    variant: SideRecord
    scores: Mapping[str, Number | None] | None = None
    """Metric -> number, None where missing; absent after --predict_only. Means where there are `repetitions`."""
    repetitions: Annotated[tuple[Mapping[str, Number | None], ...], Field(max_length=MOST_REPETITIONS)] = ()
    """The same of each repetition of a prompt that was repeated several times; all else is of the first."""


@dataclass(frozen=True, kw_only=True)
class WholePairRecord(PairRecord):
    """A pair under the filter `raw`."""

    base: WholeSideRecord
    variant: WholeSideRecord
    prompt_end: PromptEndRecord | None
    margins: MarginsRecord | None
    prompt_end_hidden_distance: Number | None


@dataclass(frozen=True)
class SampleRow:
    """One line under the filter `answer`."""

    doc_id: Count
    filter: Literal["raw", "answer"]
    doc: Mapping[str, Any]
    """The ladder's row."""
    resps: tuple[tuple[str], tuple[str]]
    """Both outputs."""
    filtered_resps: tuple[str, str]
    """What the filter shows of them."""
    pair: PairRecord

    @property
    def outputs(self) -> tuple[str, str]:
        """Both whole outputs."""
        return self.resps[0][0], self.resps[1][0]


@dataclass(frozen=True)
class WholeRow(SampleRow):
    """One line under the filter `raw`."""

    pair: WholePairRecord


def decode_row(line: Mapping[str, Any], place: str) -> SampleRow:
    """A line of a samples file as a record.

    Args:
        line: the parsed line.
        place: file and line; opens every message.

    Returns:
        A `WholeRow` under the filter `raw`.

    Raises:
        InputError: the first field that is missing or not accepted.
    """
    if line.get("filter") not in FILTERS:
        raise refused(place, "filter", line.get("filter"), f"one of {', '.join(map(repr, FILTERS))}")
    names = ("doc_id", "filter", "doc", "resps", "filtered_resps", "pair")
    kind: type[SampleRow] = WholeRow if line["filter"] == "raw" else SampleRow
    return decode(kind, {name: line[name] for name in names if name in line}, place)
