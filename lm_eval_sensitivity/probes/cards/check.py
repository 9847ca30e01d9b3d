"""A card made again from its own ids, and held against what it says."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.probes.cards.build import build
from lm_eval_sensitivity.probes.cards.card import BranchCard, CardFile
from lm_eval_sensitivity.probes.cards.files import BATCH_SIZE, load_card
from lm_eval_sensitivity.probes.cards.measure import chat_template_hash
from lm_eval_sensitivity.probes.outputs import RunOutputs
from lm_eval_sensitivity.probes.replay import Replay
from lm_eval_sensitivity.report.blocks import Cell, Column, Document, ResultTable
from lm_eval_sensitivity.text.escape import inert
from lm_eval_sensitivity.types import Note

CLOSE = 1e-3
"""Nats by which a number may differ: rounding of float32, and not of the model."""
_SAME_MODEL = ("dtype", "upcast", "architecture", "n_layers", "width", "vocabulary", "normalization")
"""Conditions of which another value is another computation."""
_COLUMNS = (Column("field"), Column("card"), Column("now"), Column("is"))
_Row = tuple[str, Cell, Cell, str]
_SAME, _OTHER, _NAMED = "same", "changed", "changed, and allowed to"


def check_card(path: Path, replay: Replay, outputs: RunOutputs) -> tuple[Document, bool]:
    """Make a card again and compare.

    Args:
        path: of a card's JSON file.
        replay: of the model that it is of.
        outputs: of a run; where it holds the pair, its ids are compared, too.

    Returns:
        A row for each field; and whether the card comes out again: both tokens, every number to 0.001, and the
        conditions of the computation. Other versions of libraries and another device are named, and judged by what they
        change.

    Raises:
        InputError: the file is no card, or names tokens or layers that the model does not have.
    """
    file = load_card(path)
    rows = [*_conditions(file, replay), *_run(file, outputs)]
    if _fits(file.card, replay):
        rows += _again(file.card, replay)
    else:
        rows.append(("branch", "token ids and layers", "are not this model's", _OTHER))
    changed = [row[0] for row in rows if row[3] == _OTHER]
    named = [row[0] for row in rows if row[3] == _NAMED]
    text = (
        f"The card does not come out again. Changed: {', '.join(changed)}."
        if changed
        else "The card comes out again: both tokens and every number."
    )
    if named:
        text += f" Other than at build, without an effect of its own: {', '.join(named)}."
    table = ResultTable("check", "Field by field", _COLUMNS, tuple(rows))
    title = f"Check of {inert(file.card.case.pair_id)}"
    return Document(title, (Note("finding", text), table), {"changed": changed}), not changed


def _conditions(file: CardFile, replay: Replay) -> Iterator[_Row]:
    now = replay.conditions
    for each in fields(now):
        before, after = getattr(file.conditions, each.name), getattr(now, each.name)
        other = _OTHER if each.name in _SAME_MODEL else _NAMED
        yield (each.name, str(before), str(after), _SAME if before == after else other)
    yield ("batch size", file.batch_size, BATCH_SIZE, _SAME if file.batch_size == BATCH_SIZE else _OTHER)
    template = chat_template_hash(replay.tokenizer)
    yield ("chat template", file.chat_template, template, _SAME if file.chat_template == template else _NAMED)


def _run(file: CardFile, outputs: RunOutputs) -> Iterator[_Row]:
    """The pair as the run has it, where it does."""
    case = file.card.case
    for pair in outputs.pairs:
        if pair.pair.pair_id != case.pair_id:
            continue
        for name, of_card, of_run in (
            ("base prompt ids", case.base_ids, pair.base.prompt_ids),
            ("variant prompt ids", case.variant_ids, pair.variant.prompt_ids),
            (
                "base output of the run",
                (*case.shared_ids, case.base_id),
                pair.base.output_ids[: case.step + 1],
            ),
            (
                "variant output of the run",
                (*case.shared_ids, case.variant_id),
                pair.variant.output_ids[: case.step + 1],
            ),
        ):
            same = of_card == of_run
            yield (
                name,
                f"{len(of_card)} ids",
                "the same" if same else f"{len(of_run)} ids",
                _SAME if same else _OTHER,
            )
        return


def _fits(card: BranchCard, replay: Replay) -> bool:
    case, donor = card.case, card.controls.donor.value
    ids = [*case.base_ids, *case.variant_ids, *case.shared_ids, case.base_id, case.variant_id]
    ids += [*donor.prompt_ids, *donor.output_ids] if donor else []
    whole = bool(case.base_ids and case.variant_ids and card.how.layers) and len(case.shared_ids) == case.step
    inside = donor is None or donor.position < len(donor.prompt_ids) + len(donor.output_ids)
    parts = replay.architecture
    return whole and inside and max(ids) < parts.vocabulary and max(card.how.layers) < parts.n_layers


def _again(card: BranchCard, replay: Replay) -> Iterator[_Row]:
    try:
        now = build(replay, card.case, card.how, lambda at, place: card.controls.donor.value)
    except IndexError as error:  # a donor's position that is not the place's, as only a damaged card has
        raise InputError(
            f"The card's positions are not those of its prompts ({inert(str(error))})."
        ) from None
    for name, side in (("unedited token", "base"), ("edited token", "variant")):
        then, found = getattr(card.case, f"{side}_id"), getattr(now.branch.value, f"top_{side}")[0].id
        yield (name, replay.token(then), replay.token(found), _SAME if then == found else _OTHER)
    for each in fields(card):
        if each.name not in ("case", "how"):
            yield _compared(each.name, getattr(card, each.name), getattr(now, each.name))


def _compared(name: str, card: Any, now: Any) -> _Row:
    before, after = dict(leaves(card)), dict(leaves(now))
    other = [path for path in {**before, **after} if not _same(before.get(path), after.get(path))]
    if other:
        path = other[0]
        return (f"{name}{path}", str(before.get(path)), str(after.get(path)), _OTHER)
    numbers = [abs(before[path] - after[path]) for path in before if _is_number(before[path])]
    away = f"within {max(numbers):.1g}" if numbers and max(numbers) > 0 else "equal"
    return (name, f"{len(before)} values", away, _SAME)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every text and number inside of records and tuples, with its path.

    Example:
        >>> from lm_eval_sensitivity.probes.cards.positions import Alignment
        >>> list(leaves((Alignment(1, 2, 0, 1),)))[:2]
        [('[0].n_base', 1), ('[0].n_variant', 2)]
    """
    if isinstance(value, tuple):
        for at, each in enumerate(value):
            yield from leaves(each, f"{path}[{at}]")
    elif hasattr(value, "__dataclass_fields__"):
        for field in fields(value):
            yield from leaves(getattr(value, field.name), f"{path}.{field.name}")
    else:
        yield path, value


def _is_number(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _same(before: Any, after: Any) -> bool:
    if isinstance(before, float) and isinstance(after, float):
        return math.isclose(before, after, rel_tol=CLOSE, abs_tol=CLOSE) or (
            not math.isfinite(before) and not math.isfinite(after)
        )
    return bool(before == after)
