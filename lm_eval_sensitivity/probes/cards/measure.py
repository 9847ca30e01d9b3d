"""Draw branches, and make a card of each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.probes.cards.build import build
from lm_eval_sensitivity.probes.cards.card import At, Case, Closeness, Donor
from lm_eval_sensitivity.probes.cards.finding import CardsFinding, CardsSettings
from lm_eval_sensitivity.probes.cards.forced import text_of
from lm_eval_sensitivity.probes.cards.positions import Place, align, layers_to_patch
from lm_eval_sensitivity.probes.cards.selection import Candidate, select
from lm_eval_sensitivity.probes.cards.summary import per_prompt
from lm_eval_sensitivity.probes.outputs import RunOutputs, RunPair
from lm_eval_sensitivity.probes.replay import Path, Replay
from lm_eval_sensitivity.probes.result import Measured
from lm_eval_sensitivity.progress import progress
from lm_eval_sensitivity.types import RUNGS, Note

CONTEXT = 64
"""Last tokens before the branch that a card keeps as texts."""
MOST_DRAWS = 10_000
REST = 24
"""Tokens of both outputs that it keeps from the branch on."""


def measure(replay: Replay, outputs: RunOutputs, settings: CardsSettings) -> Measured[CardsFinding]:
    """Cards of a run's branches.

    Raises:
        InputError: a setting out of its range.
    """
    _check(settings)
    live = outputs.live_pairs(rungs=settings.rungs)
    parted = {each.pair.pair_id: each for each in live if parts_at_a_token(each)}
    chosen = select(
        (_candidate(each) for each in parted.values()),
        top=settings.top,
        per_stratum=settings.per_stratum,
        seed=settings.seed,
    )
    pairs = [parted[name] for name in chosen.pair_ids]
    if pairs:
        both = {id(each): each for pair in pairs for each in (pair.base, pair.variant)}
        replay.run([Path.of(each) for each in both.values()], label="Replaying the outputs")
    how = Closeness(_layers(replay, settings), settings.every_position, settings.seed, settings.draws)
    cards = []
    with progress("Making cards", len(pairs), "card") as bar:
        for pair in pairs:
            cards.append(build(replay, case_of(replay, pair), how, partial(donor_of, pair, live)))
            bar.update()
    finding = CardsFinding(
        chosen.rule,
        len(live),
        len(parted),
        replay.architecture.n_layers,
        chat_template_hash(replay.tokenizer),
        tuple(cards),
    )
    return Measured(finding, per_prompt(cards), _notes(live))


def _check(settings: CardsSettings) -> None:
    for name in ("top", "per_stratum", "every_layer", "seed"):
        if getattr(settings, name) < 0:
            raise InputError(
                f"`{name}` is {getattr(settings, name)}; accepted are 0 and whole numbers above."
            )
    if not 1 <= settings.draws <= MOST_DRAWS:
        raise InputError(
            f"`draws` is {settings.draws}; accepted are 1 to {MOST_DRAWS}: without a random vector no card can be read."
        )
    if unknown := [each for each in settings.rungs if each not in RUNGS]:
        raise InputError(f"`rungs` has {unknown[0]!r}; accepted are {', '.join(RUNGS)}.")


def _layers(replay: Replay, settings: CardsSettings) -> tuple[int, ...]:
    every = settings.every_layer or (4 if replay.device.type == "cpu" else 1)
    return layers_to_patch(replay.architecture.n_layers, every)


def parts_at_a_token(pair: RunPair) -> bool:
    """Both outputs have a token where they part: neither just ends there."""
    step = pair.first_divergence
    return step is not None and step < min(len(pair.base.output_ids), len(pair.variant.output_ids))


def _candidate(pair: RunPair) -> Candidate:
    assert pair.first_divergence is not None
    return Candidate(pair.pair.pair_id, pair.pair.prompt_id, pair.pair.rung, pair.first_divergence)


def case_of(replay: Replay, pair: RunPair) -> Case:
    """What the run says of a branch."""
    step, base, variant = pair.first_divergence, pair.base, pair.variant
    assert step is not None
    before = (*variant.prompt_ids, *variant.output_ids[:step])[-CONTEXT:]
    return Case(
        pair.pair.pair_id,
        pair.pair.prompt_id,
        pair.pair.rung,
        pair.pair.edit,
        pair.pair.base,
        pair.pair.variant,
        pair.pair.replacements,
        base.prompt_ids,
        variant.prompt_ids,
        step,
        base.output_ids[:step],
        base.output_ids[step],
        variant.output_ids[step],
        tuple(map(replay.token, before)),
        text_of(replay, base.output_ids[step : step + REST]),
        text_of(replay, variant.output_ids[step : step + REST]),
    )


# ---- the wrong donor


def donor_of(pair: RunPair, live: Sequence[RunPair], at: At, place: Place) -> Donor | None:
    """The state of another prompt's unedited run at the position that corresponds.

    Its prompt is the next one by letters that has the same edit, else any edit; of several edits, the first by letters.

    Args:
        pair: of the card.
        live: all live pairs of the run.
        at: where the control is made.
        place: the position in the card's own runs.

    Returns:
        None where no other prompt has such a position.
    """
    offset = place.base[0] - len(pair.base.prompt_ids)
    for other in _others(pair, live):
        found = _position(other, at, offset)
        if found is not None:
            n_fed = max(0, found - len(other.base.prompt_ids) + 1)
            fed = other.base.output_ids[:n_fed]
            return Donor(other.pair.pair_id, other.base.prompt_ids, fed, found)
    return None


def _others(pair: RunPair, live: Sequence[RunPair]) -> Iterator[RunPair]:
    own = pair.pair
    others = [each for each in live if each.pair.prompt_id != own.prompt_id]
    yield from sorted(
        others,
        key=lambda each: (
            each.pair.edit != own.edit,
            each.pair.prompt_id < own.prompt_id,
            each.pair.prompt_id,
            each.pair.pair_id,
        ),
    )


def _position(other: RunPair, at: At, offset: int) -> int | None:
    """Of the state in the other prompt's unedited run; `offset` counts from the end of the prompt on."""
    n = len(other.base.prompt_ids)
    alignment = align(other.base.prompt_ids, other.variant.prompt_ids)
    if at.kind == "edit_first":
        return alignment.prefix if alignment.prefix < n else None
    if at.kind == "after_edit":
        return n - alignment.suffix if alignment.suffix else None
    # The last position predicts a token and is not one: a step less than there are tokens is enough.
    return n + offset if offset < len(other.base.output_ids) else None


# ---- beside the cards


def chat_template_hash(tokenizer: object) -> str:
    """First sixteen hex digits of the SHA-256 of a tokenizer's chat template; empty without one.

    Example:
        >>> chat_template_hash(None)
        ''
    """
    template = getattr(tokenizer, "chat_template", None)
    return hashlib.sha256(str(template).encode()).hexdigest()[:16] if template else ""


def _notes(live: Sequence[RunPair]) -> tuple[Note, ...]:
    ended = sum(each.first_divergence is not None and not parts_at_a_token(each) for each in live)
    if not ended:
        return ()
    return (
        Note(
            "left_out",
            f"{ended} pairs part where one output ends without a token: there is nothing to force or compare.",
        ),
    )
