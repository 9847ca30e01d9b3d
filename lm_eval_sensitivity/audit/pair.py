"""Did an edit reach the model? A pair is judged by the token ids it is really fed as."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

AuditStatus = Literal["identical", "survived", "erased", "unknown"]


@dataclass(frozen=True)
class PairAudit:
    """What became of one edit between the ladder and the model's input."""

    status: AuditStatus
    """`survived`: the ids differ. `erased`: the edit is in the text but not in the ids, so the pair says
    nothing about the model. `identical`: no edit was made. `unknown`: the engine shows no ids."""
    first_difference: int | None
    """First position at which the two id sequences differ; None where they are equal or unknown."""
    length_change: int | None
    """Tokens of the variant minus tokens of the base."""
    inside_user_text: bool | None
    """True if the first difference lies in the user's text, False if the template around it changed (a
    date, a switch that reads the content); None where the tokenizer gives no offsets."""


UNKNOWN = PairAudit("unknown", None, None, None)


def audit_pair(
    base_ids: Sequence[int],
    variant_ids: Sequence[int],
    *,
    edited: bool,
    user_span: tuple[int, int] | None = None,
) -> PairAudit:
    """Compare the ids of a base prompt and of its variant.

    Args:
        base_ids: [position] ids of the base, template and special tokens included.
        variant_ids: [position] ids of the variant.
        edited: False on the identical rung, where equal ids are what is wanted.
        user_span: half-open range of positions of the variant that hold the user's text.

    Returns:
        The status, and where and by how many tokens the ids differ.

    Example:
        >>> audit_pair([1, 5, 9], [1, 5, 5, 9], edited=True, user_span=(1, 3))
        PairAudit(status='survived', first_difference=2, length_change=1, inside_user_text=True)
        >>> audit_pair([1, 5], [1, 5], edited=True).status
        'erased'
    """
    if list(base_ids) == list(variant_ids):
        return PairAudit("erased" if edited else "identical", None, 0, None)
    shared = min(len(base_ids), len(variant_ids))
    position = next((i for i in range(shared) if base_ids[i] != variant_ids[i]), shared)
    inside = None if user_span is None else user_span[0] <= position <= user_span[1]
    return PairAudit("survived", position, len(variant_ids) - len(base_ids), inside)
