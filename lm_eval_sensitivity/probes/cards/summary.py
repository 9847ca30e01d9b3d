"""Counts over the cards of a run. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from lm_eval_sensitivity.probes.cards.card import BranchCard, Earliest
from lm_eval_sensitivity.probes.cards.positions import PositionClass
from lm_eval_sensitivity.probes.numbers import median
from lm_eval_sensitivity.probes.result import PerPrompt

CLASS_WORDS: dict[PositionClass, str] = {
    "edit_first": "first edited token",
    "after_edit": "first token after the edit",
    "prompt_last": "end of the prompt",
    "generated": "a token of the shared output",
    "final_context": "last token before the branch",
    "all_after_edit": "everything after the edit at once",
    "before_edit": "last token before the edit",
}
Share = Callable[[BranchCard], float | None]


def random_share(card: BranchCard) -> float | None:
    """Share of the random changes that restore the token, 0 to 1; None where none was made."""
    found = card.controls.random.value
    return sum(each.replay for each in found) / len(found) if found else None


def donor_share(card: BranchCard) -> float | None:
    """1 where another prompt's state restores the token, else 0; None where none was copied."""
    found = card.controls.wrong_donor.value
    return None if found is None else float(found.replay)


def rejoin_share(card: BranchCard) -> float | None:
    """Share of the tokens after the forced one that are the unedited run's, up to the first other one, 0 to 1."""
    found = card.forced.value
    return found.rejoined / found.compared if found and found.compared else None


SHARES: tuple[tuple[str, str, Share], ...] = (
    ("random_replay_share", "share of random changes of the same size that restore the token", random_share),
    ("donor_replay_share", "share of states of another prompt that restore the token", donor_share),
    ("rejoin_share", "share of the tokens after a forced token that are the unedited run's", rejoin_share),
)
"""What has a mean over prompts: name, words, of one card."""


def per_prompt(cards: Sequence[BranchCard]) -> tuple[PerPrompt, ...]:
    """Means over the cards of a prompt; None for one whose cards have no number."""
    found = []
    for name, words, share in SHARES:
        values: dict[str, list[float]] = {card.case.prompt_id: [] for card in cards}
        for card in cards:
            value = share(card)
            if value is not None:
                values[card.case.prompt_id].append(value)
        means = {prompt: sum(each) / len(each) if each else None for prompt, each in sorted(values.items())}
        found.append(PerPrompt(name, words, means))
    return tuple(found)


@dataclass(frozen=True)
class ByClass:
    """How often copying one class of positions restores the token."""

    words: str
    n_cards: int
    """Cards with such a position."""
    n_restored: int
    """Cards in which it does at some layer, the trivial one aside."""
    depth: float | None
    """Median over them of the earliest layer as a share of all layers."""
    n_trivial: int
    """Cards in which only the last block does, where the copy is the answer itself."""


def by_class(cards: Iterable[BranchCard]) -> list[ByClass]:
    """One record for each class that was tried, in the order of positions."""
    found: dict[PositionClass, list[Earliest]] = {}
    for card in cards:
        for each in card.earliest.value or ():
            found.setdefault(each.kind, []).append(each)
    return [
        ByClass(
            CLASS_WORDS[kind],
            len(own := found[kind]),
            len(depths := [each.depth for each in own if each.depth is not None and not each.is_trivial]),
            median(depths) if depths else None,
            sum(each.is_trivial for each in own),
        )
        for kind in CLASS_WORDS
        if kind in found
    ]
