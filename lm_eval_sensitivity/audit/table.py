"""The edit x tokenizer table: how many pairs of each edit reach the ids of each tokenizer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from lm_eval_sensitivity.audit.encode import PromptEncoder
from lm_eval_sensitivity.audit.pair import audit_pair
from lm_eval_sensitivity.types import Pair


@dataclass(frozen=True)
class SurvivalRow:
    """Survival of one edit under one tokenizer."""

    tokenizer: str
    edit: str
    rung: str
    n_pairs: int
    """Pairs of the ladder to which the edit applies."""
    survival: float
    """Share of them whose token ids differ from the base's, 0 (always erased) to 1 (never)."""

    @property
    def n_reached(self) -> int:
        """Pairs whose token ids differ from the base's.

        Returns:
            0 to `n_pairs`.
        """
        return round(self.survival * self.n_pairs)


def survival_rows(
    encoder: PromptEncoder, pairs: Iterable[Pair], *, advance: Callable[[], object] = lambda: None
) -> list[SurvivalRow]:
    """Audit a ladder under one tokenizer, without weights.

    Args:
        encoder: tokenizer and template.
        pairs: ladder rows; the identical rung has no edit and is left out.
        advance: called once per pair, for a progress bar.

    Returns:
        One row per edit, in ladder order.
    """
    ids: dict[str, list[int]] = {}

    def encoded(prompt: str) -> Sequence[int]:
        if prompt not in ids:
            ids[prompt] = encoder.encode(encoder.render(prompt))
        return ids[prompt]

    survived: dict[tuple[str, str], list[bool]] = {}
    for pair in pairs:
        if pair.rung != "identical":
            audit = audit_pair(encoded(pair.base), encoded(pair.variant), edited=True)
            survived.setdefault((pair.edit, pair.rung), []).append(audit.status == "survived")
        advance()
    return [
        SurvivalRow(encoder.name, edit, rung, len(found), sum(found) / len(found))
        for (edit, rung), found in survived.items()
    ]
