"""What one prompt's run found: sample rows become variants, their range and their counts."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lm_eval_sensitivity.audit import PairAudit
from lm_eval_sensitivity.records.columns import FLAGS
from lm_eval_sensitivity.records.sample import SampleRow, WholeRow, WholeSideRecord
from lm_eval_sensitivity.text.visible import shown_change
from lm_eval_sensitivity.types import MEANING_PRESERVING_RUNGS, Replacement

METRIC = "cosine_distance"


@dataclass(frozen=True)
class Divergence:
    """Where the outputs to base and variant first differ."""

    token: int | None
    """0-based index of the first differing output token; None if none differs or the engine shows no ids."""
    character: int | None
    """0-based character of the filtered text; None if the texts are equal."""
    censored: bool
    """True if the outputs are equal up to a token limit: they may differ after it."""


@dataclass(frozen=True)
class Variant:
    """One variant of the prompt and what became of it, under one filter."""

    edit: str
    rung: str
    variant: str
    change: str
    """What was changed in the base, as it is shown."""
    audit: PairAudit
    cosine_distance: float | None
    missing: str | None
    """Why there is no distance; a reason starts with its kind, as in `erased: ...`."""
    first_divergence: Divergence
    output: str
    flags: tuple[str, ...]
    """What is wrong with the whole output: of `empty`, `loop`, `cut`, `unclosed`."""
    raw_differs: bool = field(repr=False)
    """The whole outputs differ, whatever the filter shows of them."""
    repetitions: int = 1
    """Of the prompt, over which the distance of the identical rung is a mean."""

    @property
    def reached(self) -> str:
        """Whether the edit reached the model's input: `reached`, `erased`, `unknown`, or `-` without an edit."""
        if self.rung == "identical":
            return "-"
        return "reached" if self.audit.status == "survived" else self.audit.status

    @property
    def parts_at(self) -> str:
        """Where the outputs part, in tokens where there are any; `-` where nothing was scored."""
        at = self.first_divergence
        if self.cosine_distance is None:
            return "-"
        if at.token is not None:
            return f"token {at.token}"
        if at.character is not None:
            return f"char {at.character}"
        return "not yet" if at.censored else "never"


@dataclass(frozen=True)
class Findings:
    """One prompt, its neighborhood and how far the output moved in it."""

    prompt: str
    filter_name: str
    base_output: str
    base_flags: tuple[str, ...]
    variants: tuple[Variant, ...]
    """Mildest rung first; the identical rung among them."""
    run: Mapping[str, Any]
    """The run's own summary: system, decoding, embedder (see docs/samples.md)."""

    @property
    def noise(self) -> Variant:
        """The prompt itself, repeated."""
        return next(each for each in self.variants if each.rung == "identical")

    @property
    def noise_floor(self) -> float | None:
        """The mean distance of the prompt's repetitions; None where it could not be measured."""
        return self.noise.cosine_distance

    @property
    def meaning_preserving(self) -> tuple[Variant, ...]:
        """Variants that ask for the same answer; the identical rung is not one of them."""
        return tuple(each for each in self.variants if each.rung in MEANING_PRESERVING_RUNGS)

    @property
    def scored(self) -> tuple[Variant, ...]:
        """Meaning-preserving variants with a distance."""
        return tuple(each for each in self.meaning_preserving if each.cosine_distance is not None)

    @property
    def erased(self) -> tuple[Variant, ...]:
        """Meaning-preserving variants whose edit never reached the model."""
        return tuple(each for each in self.meaning_preserving if each.reached == "erased")

    @property
    def n_unscored(self) -> int:
        """Meaning-preserving variants without a distance for another reason."""
        return len(self.meaning_preserving) - len(self.scored) - len(self.erased)

    @property
    def spread(self) -> dict[str, float]:
        """`smallest`, `median` and `largest` of the scored distances; empty if there is none."""
        distances = [found for each in self.scored if (found := each.cosine_distance) is not None]
        if not distances:
            return {}
        return {
            "smallest": min(distances),
            "median": statistics.median(distances),
            "largest": max(distances),
        }

    @property
    def furthest(self) -> Variant | None:
        """The scored meaning-preserving variant that moved the output most, the first of equals."""
        return max(self.scored, key=lambda each: each.cosine_distance or 0, default=None)

    def above(self, distance: float) -> tuple[Variant, ...]:
        """Scored meaning-preserving variants that moved the output further than a distance.

        Args:
            distance: in cosine distance, 0 to 2; equal is not further.

        Returns:
            Variants in their order; empty where there is none.
        """
        return tuple(
            each
            for each in self.scored
            if each.cosine_distance is not None and each.cosine_distance > distance
        )


def findings_from_rows(rows: Iterable[SampleRow], run: Mapping[str, Any], filter_name: str) -> Findings:
    """The findings of a one-prompt run.

    Args:
        rows: of one prompt, both filters, mildest rung first.
        run: the run's summary.
        filter_name: `raw` or `answer`.

    Returns:
        Prompt, base output and one variant per row of this filter, in their order.
    """
    raw: dict[str, WholeRow] = {}
    chosen: dict[str, SampleRow] = {}
    for row in rows:
        if isinstance(row, WholeRow):
            raw[row.doc["edit"]] = row
        if row.filter == filter_name:
            chosen[row.doc["edit"]] = row
    first, first_raw = next(iter(chosen.values())), next(iter(raw.values()))
    return Findings(
        prompt=first.doc["base"],
        filter_name=filter_name,
        base_output=first.filtered_resps[0],
        base_flags=_flags(first_raw.pair.base),
        variants=tuple(_variant(row, raw[edit]) for edit, row in chosen.items()),
        run=run,
    )


def _variant(row: SampleRow, raw: WholeRow) -> Variant:
    """One variant from its row, and the whole outputs from the row of filter `raw`."""
    doc, record = row.doc, row.pair
    base, output = row.filtered_resps
    path = record.token_path
    return Variant(
        edit=doc["edit"],
        rung=doc["rung"],
        variant=doc["variant"],
        change=shown_change(doc["base"], [Replacement(**each) for each in doc["replacements"]]),
        audit=record.audit,
        cosine_distance=(record.scores or {}).get(METRIC),
        missing=record.missing.get(METRIC),
        first_divergence=Divergence(
            None if path is None else path.first_divergence,
            first_difference(base, output),
            path is not None and path.censored,
        ),
        output=output,
        flags=_flags(raw.pair.variant),
        raw_differs=raw.outputs[0] != raw.outputs[1],
        repetitions=max(1, len(record.repetitions)),
    )


def first_difference(text: str, other: str) -> int | None:
    """The character at which two texts first differ.

    Returns:
        0-based position, the length of the shorter where it begins the longer; None if they are equal.

    Example:
        >>> first_difference("Dune", "Dunes"), first_difference("Dune", "June"), first_difference("a", "a")
        (4, 0, None)
    """
    if text == other:
        return None
    pairs = enumerate(zip(text, other, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(text), len(other)))


def _flags(side: WholeSideRecord) -> tuple[str, ...]:
    return tuple(name for name in FLAGS if getattr(side.collapse, name))
