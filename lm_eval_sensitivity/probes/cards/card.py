"""The branch card, `branchcard/1`: one place where two outputs part, and what was tried on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import Field

from lm_eval_sensitivity.probes.cards.positions import Alignment, Place, PositionClass
from lm_eval_sensitivity.probes.result import Conditions
from lm_eval_sensitivity.records.run_metadata import LadderIdentity
from lm_eval_sensitivity.records.sample import Number
from lm_eval_sensitivity.types import Replacement

FORMAT: Literal["branchcard/1"] = "branchcard/1"
"""Of the file; another number is another layout."""
SMALLEST_CONTRAST = 0.2
"""Nats between the contrasts of both runs below which a rescue is not a number to be read: it divides by them."""
SMALLEST_MARGIN = 0.1
"""Nats of the variant's margin below which nearly any change flips the step."""
MOST_RANDOM = 0.25
"""Share of the random changes that may do the same on a card that is specific."""

Value = TypeVar("Value")
Signature = Literal["boundary", "tokenization_shift", "generated_prefix", "late_only"]
Finite = Number | None


@dataclass(frozen=True)
class Stated(Generic[Value]):
    """Something that was measured, or worked out, or not, with the reason."""

    status: Literal["observed", "derived", "not_run"]
    """`observed`: read off a forward pass. `derived`: computed from what was observed."""
    value: Value | None
    """None where it was not run."""
    reason: str = ""
    """Why not; a phrase."""

    @classmethod
    def observed(cls, value: Value) -> Stated[Value]:
        """Read off a forward pass."""
        return cls("observed", value)

    @classmethod
    def derived(cls, value: Value) -> Stated[Value]:
        """Computed from what was observed."""
        return cls("derived", value)

    @classmethod
    def not_run(cls, reason: str) -> Stated[Value]:
        """Nothing is known of it."""
        return cls("not_run", None, reason)


@dataclass(frozen=True)
class Token:
    """A token at the branch."""

    id: int
    text: str
    probability_base: Number
    """After the base prompt, 0 to 1."""
    probability_variant: Number
    logit_base: Number
    logit_variant: Number


@dataclass(frozen=True)
class Branch:
    """What both runs see at the step where they part."""

    base_token: Token
    """i, of the unedited run."""
    variant_token: Token
    """j, of the edited run."""
    top_base: tuple[Token, ...]
    """Five most probable tokens after the base prompt, best first."""
    top_variant: tuple[Token, ...]
    margins_base: tuple[Number, ...]
    """[step] 0 to t*; most probable token before the second, nats."""
    margins_variant: tuple[Number, ...]
    """[step] the same after the variant: up to t* the output tokens are the same."""

    @property
    def contrast_base(self) -> float:
        """c_A = z_i - z_j in the unedited run, > 0; nats."""
        return self.base_token.logit_base - self.variant_token.logit_base

    @property
    def contrast_variant(self) -> float:
        """c_B in the edited run, < 0; nats."""
        return self.base_token.logit_variant - self.variant_token.logit_variant


@dataclass(frozen=True)
class Shift:
    """What the edit did to the distribution at the branch."""

    rho: float
    """Largest shift of a token over its gap, max_j (delta_j - delta_i)/(z_i - z_j): above 1 the token flips."""
    kl: float
    """From base to variant at the branch; nats."""
    kl_floor: float
    """Below it, no token can flip; nats."""
    boundary: Stated[float]
    """Log units by which the gap was smaller than at earlier steps of the pair."""
    bulk: Stated[float]
    """Log units by which the shift was larger."""
    boundary_share: Stated[float]
    """boundary / (boundary + bulk); above 1 the shift was smaller than usual."""


@dataclass(frozen=True)
class Patches:
    """What copying states of the unedited run into the edited one does: outputs of the blocks `Closeness.layers`."""

    places: tuple[Place, ...]
    texts: tuple[str, ...]
    """[place] of the token there, in the edited run."""
    contrasts: tuple[tuple[Number, ...], ...]
    """[place, layer] z_i - z_j at the branch after the copy; nats."""
    replays: tuple[tuple[bool, ...], ...]
    """[place, layer] the most probable token is i."""
    undisturbed: tuple[Number, ...]
    """[layer] c_B of the same passes without a copy: what a batch adds is in both and cancels."""


@dataclass(frozen=True)
class Earliest:
    """First layer at which copying a place restores the unedited run's token."""

    kind: PositionClass
    layer: int | None
    """None where none does."""
    depth: Finite
    """layer / L, 0 to 1."""
    rescue: Finite
    """There."""
    is_trivial: bool
    """The last position at the last block: the copy is the unedited run itself."""


@dataclass(frozen=True)
class Outcome:
    """What one other change at the same place does."""

    replay: bool
    """The most probable token is the one that was aimed at."""
    contrast: Number
    """z_i - z_j at the branch; nats."""
    rescue: Finite
    """None where the contrasts of both runs are too close."""


@dataclass(frozen=True)
class Donor:
    """Another prompt's unedited run, whose state is copied instead."""

    pair_id: str
    prompt_ids: tuple[int, ...]
    output_ids: tuple[int, ...]
    """As many as were fed."""
    position: int


@dataclass(frozen=True)
class At:
    """Where the controls were made: the first class, in a fixed order, of which one state replays; its first layer."""

    kind: PositionClass
    place: int
    """In `Patches.places`."""
    layer: int


@dataclass(frozen=True)
class Controls:
    """What must be held against a copy that restores the token."""

    at: Stated[At]
    self_patch: Stated[float]
    """Largest |change of a logit| over the layers when the edited run's own states are copied into it: must be 0."""
    before_edit: Stated[float]
    """Largest |change of the contrast| over the layers when a state before the edit is copied: 0 up to rounding."""
    random: Stated[tuple[Outcome, ...]]
    """[draw] random vectors as long as the difference of the two states, added to the edited run's."""
    wrong_donor: Stated[Outcome]
    donor: Stated[Donor]
    reverse: Stated[Outcome]
    """The edited run's state copied into the unedited one; aimed at is j."""


@dataclass(frozen=True)
class Forced:
    """The edited run when it is made to say the unedited run's token, and goes on freely."""

    rejoined: int
    """First tokens after it that are the same as in the unedited run."""
    compared: int
    """Tokens compared: 16, fewer where the unedited run ends."""
    base_text: str
    """What the unedited run goes on to say."""
    forced_text: str
    """What the edited run says then."""
    shared_text: str
    """What both begin with."""


@dataclass(frozen=True)
class Verdict:
    """Whether a copy restores the token and what should not do it does not."""

    specific: bool
    unmet: tuple[str, ...]
    """Conditions that do not hold; phrases."""


@dataclass(frozen=True)
class Case:
    """A pair whose outputs part, as the run has it: nothing here is measured."""

    pair_id: str
    prompt_id: str
    rung: str
    edit: str
    base: str
    variant: str
    replacements: tuple[Replacement, ...]
    base_ids: tuple[int, ...]
    """[position] of the unedited prompt, as it was fed."""
    variant_ids: tuple[int, ...]
    step: int
    """t*, the first different token, 0-based."""
    shared_ids: tuple[int, ...]
    """[step] output tokens before it."""
    base_id: int
    """i, which the unedited run generated there."""
    variant_id: int
    """j, which the edited run did."""
    context: tuple[str, ...]
    """Texts of the last tokens before the branch, as the edited run was fed them."""
    base_rest: str
    """What the unedited output goes on with, from its token at the branch on."""
    variant_rest: str


@dataclass(frozen=True)
class Closeness:
    """How closely a branch is looked at: with it, a card can be made again."""

    layers: tuple[int, ...]
    every_position: bool
    seed: int
    """Of the random vectors."""
    draws: int
    """Random vectors."""


@dataclass(frozen=True)
class BranchCard:
    """What happens where one pair parts. Base is the unedited run A, variant the edited run B."""

    case: Case
    how: Closeness
    alignment: Alignment
    replayed_at_build: Stated[bool]
    """Both outputs up to the branch come out again, one at a time."""
    branch: Stated[Branch]
    shift: Stated[Shift]
    patches: Stated[Patches]
    rescue: Stated[tuple[tuple[Number, ...], ...]]
    """[place, layer] (c - c_B)/(c_A - c_B): 1 is the unedited run's contrast, 0 no change, above 1 more than that."""
    earliest: Stated[tuple[Earliest, ...]]
    """By class, in the order of the places."""
    signature: Stated[Signature]
    controls: Controls
    forced: Stated[Forced]
    verdict: Stated[Verdict]

    def __post_init__(self) -> None:
        """A file may come from a stranger: whoever shows a card relies on its shapes."""
        wrong = next((name for name, holds in self._shapes() if not holds), None)
        if wrong is not None:
            raise ValueError(f"a card whose {wrong}")

    def _shapes(self) -> Iterator[tuple[str, bool]]:
        branch, patches, at = self.branch.value, self.patches.value, self.controls.at.value
        yield "branch and shift have values", branch is not None and self.shift.value is not None
        if branch is not None:
            margins = branch.margins_base, branch.margins_variant
            yield "margins are one for each step", {*map(len, margins)} == {self.case.step + 1}
            yield "most probable tokens are there", bool(branch.top_base and branch.top_variant)
        layers, rows = self.how.layers, () if patches is None else patches.contrasts
        yield "layers are there, in their order", bool(layers) and list(layers) == sorted(set(layers))
        if patches is not None:
            kept = len(rows), len(patches.replays), len(patches.texts)
            yield "places have contrasts", {*kept} == {len(patches.places)}
            widths = {len(row) for row in (*rows, *patches.replays, patches.undisturbed)}
            yield "places have one number for each layer", widths == {len(layers)}
            sizes = [(len(each.base), len(each.variant)) for each in patches.places]
            yield "places are the same size in both runs", all(one == other > 0 for one, other in sizes)
        rescue = self.rescue.value
        shapes = [len(row) for row in rescue or ()], [len(row) for row in rows]
        yield "rescue is one number for each contrast", rescue is None or shapes[0] == shapes[1]
        yield "controls are at a place and layer", at is None or (at.place < len(rows) and at.layer in layers)


@dataclass(frozen=True)
class CardFile:
    """A card as it is written: it stands alone."""

    format: Literal["branchcard/1"]
    system: str
    """Fingerprint of the run's system."""
    name: str
    ladder: LadderIdentity
    conditions: Conditions
    batch_size: Annotated[int, Field(ge=1)]
    """Runs at a time at the branch itself: 1."""
    chat_template: str
    """Start of the SHA-256 of the tokenizer's chat template; empty where it has none."""
    card: BranchCard
