"""What is said of a run's cards: one sentence, an index, and how often each control does what the copy does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lm_eval_sensitivity.probes.cards.card import MOST_RANDOM, SMALLEST_MARGIN, BranchCard
from lm_eval_sensitivity.probes.cards.finding import CardsFinding
from lm_eval_sensitivity.probes.cards.positions import PositionClass
from lm_eval_sensitivity.probes.cards.summary import CLASS_WORDS, SHARES, by_class
from lm_eval_sensitivity.probes.result import ProbeResult
from lm_eval_sensitivity.report.blocks import Block, Cell, Column, ResultTable, columns, table_of
from lm_eval_sensitivity.stats import mean_interval
from lm_eval_sensitivity.text.format import percent
from lm_eval_sensitivity.text.visible import visible
from lm_eval_sensitivity.types import Note

SHOWN: tuple[PositionClass, ...] = ("edit_first", "prompt_last", "final_context", "all_after_edit")
"""Classes with a column in the index."""
COLUMNS = (
    Column("pair"),
    Column("step", 0),
    *columns(None, "unedited says", "edited says"),
    *columns(3, "margin unedited", "margin edited"),
    *columns(2, "rho", "boundary share"),
    *columns(None, *(CLASS_WORDS[kind] for kind in SHOWN), "random", "wrong donor", "rejoins", "specific"),
)
BY_CLASS = (
    Column("state copied", path="words"),
    Column("cards", 0, "n_cards"),
    Column("restored", 0, "n_restored"),
    Column("median depth", 2, "depth"),
    Column("only trivially", 0, "n_trivial"),
)
OVER_PROMPTS = (Column("number"), *columns(3, "mean", "lower", "upper"), Column("prompts", 0))


def document(result: ProbeResult[CardsFinding]) -> list[Block]:
    """Sentence, rule, index, restored by class, means over prompts."""
    cards = result.finding.cards
    parts: list[Block] = [Note("finding", reading(cards)), Note("method", drawn(result.finding))]
    if not cards:
        return parts
    parts += [
        ResultTable("cards", "Branches", COLUMNS, tuple(map(row, cards)), _INDEX_NOTE),
        table_of(
            "classes",
            "Where a copied state restores the token",
            BY_CLASS,
            by_class(cards),
            [
                "Depth is layer / number of layers. Trivial is the last block at the last position, where the copy "
                "is the answer itself."
            ],
        ),
        _over_prompts(result),
    ]
    return parts


_INDEX_NOTE = (
    "Columns of positions: the earliest layer at which copying the unedited run's state there restores its token, with "
    "the rescue in brackets; * is trivial. Random: how many of the random changes of the same size restore it, too. "
    "Rejoins: tokens after the forced one that are the unedited run's. Specific: a state restores the token, at most "
    f"{percent(MOST_RANDOM)} of the random changes and no other prompt's state do, and the edited run's margin is "
    f"{SMALLEST_MARGIN:g} nats or more."
)


def reading(cards: Sequence[BranchCard]) -> str:
    """What the cards say, in a sentence or two.

    Example:
        >>> reading([])
        'No outputs part at a token, so there is no card.'
    """
    if not cards:
        return "No outputs part at a token, so there is no card."
    placed = [card for card in cards if card.controls.at.value is not None]
    specific = sum(card.verdict.value is not None and card.verdict.value.specific for card in cards)
    draws = [each.replay for card in placed for each in card.controls.random.value or ()]
    donors = [card.controls.wrong_donor.value.replay for card in placed if card.controls.wrong_donor.value]
    text = (
        f"Copying one state of the unedited run restores its token in {len(placed)} of {len(cards)} cards; "
        f"{specific} {'is' if specific == 1 else 'are'} specific."
    )
    if draws:
        text += f" Random changes of the same size do so in {sum(draws)} of {len(draws)} draws"
        text += f", other prompts' states in {sum(donors)} of {len(donors)}." if donors else "."
    return text


def drawn(finding: CardsFinding) -> str:
    """By which rule the cards were drawn."""
    return f"{finding.rule} Outputs part at a token in {finding.n_branches} of {finding.n_pairs} live pairs."


def row(card: BranchCard) -> tuple[Cell, ...]:
    """The line of the index."""
    branch, shift, controls, forced = (
        card.branch.value,
        card.shift.value,
        card.controls,
        card.forced.value,
    )
    assert branch is not None and shift is not None
    random, donor = controls.random.value, controls.wrong_donor.value
    return (
        card.case.pair_id,
        card.case.step,
        visible(branch.base_token.text, changed=True),
        visible(branch.variant_token.text, changed=True),
        branch.margins_base[-1],
        branch.margins_variant[-1],
        shift.rho,
        shift.boundary_share.value,
        *_earliest(card),
        None if random is None else f"{sum(each.replay for each in random)}/{len(random)}",
        None if donor is None else "restores" if donor.replay else "no",
        None if forced is None else f"{forced.rejoined}/{forced.compared}",
        None if card.verdict.value is None else "yes" if card.verdict.value.specific else "no",
    )


def _earliest(card: BranchCard) -> Iterator[Cell]:
    found = {each.kind: each for each in card.earliest.value or ()}
    for kind in SHOWN:
        each = found.get(kind)
        if each is None or each.layer is None:
            yield None if each is None else "none"
            continue
        rescue = "" if each.rescue is None else f" ({each.rescue:.2f})"
        yield f"{each.layer}{rescue}{' *' if each.is_trivial else ''}"


def _over_prompts(result: ProbeResult[CardsFinding]) -> ResultTable:
    measured = {each.measure: each for each in result.per_prompt}
    rows = []
    for name, words, _ in SHARES:
        values = [float("nan") if value is None else value for value in measured[name].values.values()]
        found = mean_interval(values, largest=1.0)
        rows.append((words, found.estimate, found.lower, found.upper, found.n))
    note = "Cards of a prompt are averaged first. 95 % intervals are over prompts."
    return ResultTable("over prompts", "Over prompts", OVER_PROMPTS, tuple(rows), note)
