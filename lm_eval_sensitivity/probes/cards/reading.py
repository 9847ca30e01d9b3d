"""A card in words: one sentence of reading, and its controls as sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lm_eval_sensitivity.probes.cards.card import MOST_RANDOM, SMALLEST_MARGIN, BranchCard, Stated
from lm_eval_sensitivity.probes.cards.summary import CLASS_WORDS
from lm_eval_sensitivity.text.format import in_print
from lm_eval_sensitivity.text.visible import visible

NOT_TO_BE_READ_AS = (
    "a mechanism or a circuit: a copied state that suffices is one of many that may",
    "the place where a decision is made: it is the earliest place tried at which a copy is enough",
    "evidence at either end: at the edited token of early layers a copy is next to undoing the edit, at the last "
    "position of late layers to copying the answer",
    "a rescue by itself: at small margins random changes of the same size do the same",
)
ROUNDING = 1e-3
"""Nats that are nothing in float32; of weights with 16 bits, one step of a number is more."""
SIGNATURES = {
    "boundary": "boundary: a state at the first edited token is enough",
    "tokenization_shift": "tokenization shift: the edit is the first token, and no state there is enough",
    "generated_prefix": "generated prefix: a state at a token of the shared output is enough, none at the edit",
    "late_only": "late only: no state before the last position is enough",
}


@dataclass(frozen=True)
class Line:
    """One control."""

    holds: bool | None
    """As it should be; None where it cannot be said, or is for information."""
    text: str


def quoted_token(text: str) -> str:
    """A token in quotes, with what cannot be seen in it made visible.

    Example:
        >>> quoted_token(" a")
        '“·a”'
    """
    return f"“{visible(text, changed=True)}”"


def sentence(card: BranchCard) -> str:
    """What a card says, in one sentence or two."""
    branch, at, random = card.branch.value, card.controls.at.value, card.controls.random.value
    assert branch is not None
    token = quoted_token(branch.base_token.text)
    if card.patches.value is None:
        return f"Not patched: {card.patches.reason}."
    if at is None:
        return f"No single copied state of the unedited run makes the edited run say {token}."
    n = sum(each.replay for each in random or ())
    return (
        f"Copying one state of the unedited run (layer {at.layer}, {CLASS_WORDS[at.kind]}) into the edited run "
        f"restores {token}; a random change of the same size does so in {n} of {len(random or ())}."
    )


def verdict_words(card: BranchCard) -> tuple[str, str]:
    """The verdict in a word or two, and why."""
    found = card.verdict
    if found.value is None:
        return "not judged", f"{_capital(found.reason)}."
    if found.value.specific:
        return "specific", "The copy restores the token, and what should not restore it does not."
    return "not specific", f"{_capital('; '.join(found.value.unmet))}."


def _capital(phrase: str) -> str:
    return phrase[:1].upper() + phrase[1:]


def control_lines(card: BranchCard) -> list[Line]:
    """The controls in words, the checks of correctness first."""
    return [*_correctness(card), *_comparisons(card)]


def _correctness(card: BranchCard) -> Iterator[Line]:
    own, before = card.controls.self_patch, card.controls.before_edit
    yield _nothing(own, "The edited run's own states, copied into it", "a logit")
    yield _nothing(before, "A state from before the edit", "the contrast")


def _nothing(found: Stated[float], what: str, changed: str) -> Line:
    """A change that must do nothing."""
    if found.value is None:
        return Line(None, f"{what}: not run, because {found.reason}.")
    if found.value == 0:
        return Line(True, f"{what}: nothing changes.")
    return Line(
        found.value <= ROUNDING, f"{what}: {changed} changes by at most {in_print(found.value, 6)} nats."
    )


def _comparisons(card: BranchCard) -> Iterator[Line]:
    branch, controls = card.branch.value, card.controls
    assert branch is not None
    token, other = quoted_token(branch.base_token.text), quoted_token(branch.variant_token.text)
    random, donor, reverse = controls.random.value, controls.wrong_donor.value, controls.reverse.value
    if random is None:
        yield Line(
            None,
            f"Random changes, another prompt's state, the reverse: not run, because {controls.random.reason}.",
        )
    else:
        n = sum(each.replay for each in random)
        yield Line(
            n <= MOST_RANDOM * len(random),
            f"{n} of {len(random)} random changes of the same size restore {token}, too.",
        )
        where = f" ({controls.donor.value.pair_id})" if controls.donor.value else ""
        if donor is None:
            yield Line(None, f"Another prompt's state: not run, because {controls.wrong_donor.reason}.")
        else:
            does = "restores" if donor.replay else "does not restore"
            yield Line(not donor.replay, f"The same place of another prompt{where} {does} {token}.")
    margin = branch.margins_variant[-1]
    enough = margin >= SMALLEST_MARGIN
    yield Line(
        enough,
        f"The edited run's margin is {margin:.3f} nats{'' if enough else ': nearly anything flips this step'}.",
    )
    if reverse is not None:
        does = "makes" if reverse.replay else "does not make"
        yield Line(None, f"Backwards, the edited run's state {does} the unedited run say {other}.")


def forced_words(card: BranchCard) -> str:
    """What the forced token did."""
    branch, forced = card.branch.value, card.forced.value
    assert branch is not None
    if forced is None:
        return f"Not run: {card.forced.reason}."
    return (
        f"Made to say {quoted_token(branch.base_token.text)}, the edited run goes on like the unedited one for "
        f"{forced.rejoined} of {forced.compared} tokens."
    )
