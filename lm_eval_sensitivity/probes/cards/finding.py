"""What the probe is asked, and what it leaves: cards, and the rule by which they were drawn."""

from __future__ import annotations

from dataclasses import dataclass, field

from lm_eval_sensitivity.probes.cards.card import BranchCard
from lm_eval_sensitivity.types import MEANING_PRESERVING_RUNGS


@dataclass(frozen=True)
class CardsSettings:
    """How many branches are looked at, and how closely."""

    top: int = field(default=10, metadata={"help": "cards at most; 0: all branches"})
    per_stratum: int = field(
        default=0, metadata={"help": "cards of one rung and time (step 0, 1-7, 8-) at most; 0: no limit"}
    )
    every_layer: int = field(
        default=0,
        metadata={
            "help": "patch every k-th layer and the last; 0: every one on an accelerator, every fourth on a CPU"
        },
    )
    every_position: bool = field(
        default=False,
        metadata={"help": "patch the first token after the edit and each token of the shared output, too"},
    )
    seed: int = field(default=0, metadata={"help": "of the draw and of the random vectors"})
    draws: int = field(default=16, metadata={"help": "random vectors of a card; few pass by luck"})
    rungs: tuple[str, ...] = field(
        default=MEANING_PRESERVING_RUNGS, metadata={"help": "rungs whose branches are drawn"}
    )


@dataclass(frozen=True)
class CardsFinding:
    """The cards of one system."""

    rule: str
    """How they were drawn; a sentence."""
    n_pairs: int
    """Live pairs of the rungs asked for."""
    n_branches: int
    """Of them, with outputs that part."""
    n_layers: int
    """L."""
    chat_template: str
    """Start of the SHA-256 of the tokenizer's chat template; empty where it has none."""
    cards: tuple[BranchCard, ...]
