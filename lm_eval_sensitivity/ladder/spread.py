"""The spread design: few edits of every prompt, in a balanced rotation, within a number of generations.

The pairs of one prompt say much the same, so a run that has a number of generations to spend learns more
from one edit of many prompts than from many edits of one. Which edit a prompt gets is drawn so that every edit of a
rung stands on equally many prompts, and on equally many of each category, as far as it applies.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder.cost import generations
from lm_eval_sensitivity.types import MEANING_PRESERVING_RUNGS, Pair, Rung

MOST_IDENTICAL = 24
"""Prompts that are repeated at most: with 24 that agree, noise in more than a tenth of the prompts is excluded."""
DOUBLED_RUNGS: tuple[Rung, ...] = ("noop", "punctuation")
"""Rungs of which a prompt gets a second edit where the budget has generations left."""

_ONE_OF_EACH: tuple[Rung, ...] = (*MEANING_PRESERVING_RUNGS, "positive_control")

Node = tuple[str, ...]
"""A place that load can move from or to: a category's cell of an edit, an edit, or the sink."""

_SINK: Node = ()


@dataclass(frozen=True)
class Slot:
    """One edit that one prompt is to get."""

    prompt_id: str
    stratum: str
    """Within which the edits are balanced too: the category."""
    options: tuple[str, ...]
    """Edits that apply, at least one."""


def spread_pairs(pairs: Sequence[Pair], budget: int | None = None) -> list[Pair]:
    """The pairs of a spread design: of every prompt one edit per meaning-preserving rung and one positive control.

    What the budget leaves is shared: up to half of it repeats prompts (`identical`, at most 24), then up to half
    of the prompts get a semantic change, then prompts get a second no-op and a second punctuation edit.

    Args:
        pairs: of all prompts, with every edit that applies.
        budget: most generations, at one repetition of each identical pair; None sets no limit, and gives no
            second edits.

    Returns:
        Part of the pairs, in their order.

    Raises:
        InputError: the budget is below what one edit per rung and prompt needs.

    Example:
        >>> from lm_eval_sensitivity.ladder.load import load_ladder
        >>> from collections import Counter
        >>> pairs = spread_pairs(load_ladder(subset="mini").pairs, budget=60)
        >>> Counter(pair.rung for pair in pairs)["synonym"], generations(pairs)
        (9, 60)
    """
    by_rung: dict[Rung, dict[str, list[Pair]]] = defaultdict(lambda: defaultdict(list))
    for pair in pairs:
        by_rung[pair.rung][pair.prompt_id].append(pair)
    chosen = {
        id_
        for rung in _ONE_OF_EACH
        for id_ in _rotation(rung, [_slot(rows) for rows in by_rung[rung].values()])
    }
    n_prompts = len({pair.prompt_id for pair in pairs})
    least = generations([pair for pair in pairs if pair.pair_id in chosen])
    left = 2 * len(pairs) if budget is None else budget - least
    if left < 0:
        raise InputError(
            f"`--budget {budget}` is too small: {n_prompts} prompts with one edit per rung need {least} generations. "
            "Give a larger budget or fewer prompts."
        )
    n_identical = min(MOST_IDENTICAL, left // 2)
    repeated = _drawn(by_rung["identical"].values(), n_identical, "identical")
    changed = _drawn(
        by_rung["semantic_change"].values(), min(n_prompts // 2, left - len(repeated)), "semantic_change"
    )
    chosen |= {pair.pair_id for rows in (*repeated, *changed) for pair in rows[:1]}
    if budget is not None:
        chosen |= _second_edits(by_rung, chosen, left - len(repeated) - len(changed))
    return [pair for pair in pairs if pair.pair_id in chosen]


def rotation(
    slots: Sequence[Slot], key: str, before: Mapping[tuple[str, str], int] | None = None
) -> list[str]:
    """One edit for every slot, so that the edits are as equally frequent as their applicability allows.

    The sum of squares of the edits' counts is the least that there is, and among such assignments that of the
    counts within the strata: no chain of exchanges makes a frequent edit rarer and a rare one more frequent. It is
    a flow of least cost, found by removing cycles of negative cost.

    Args:
        slots: what is to be filled.
        key: decides between equally good assignments, so that two rungs do not rotate in step.
        before: (stratum, edit) to how often it stands there already.

    Returns:
        [slot] edit.

    Example:
        >>> rotation([Slot("a", "", ("x", "y")), Slot("b", "", ("x",)), Slot("c", "", ("x", "y", "z"))], "any")
        ['y', 'x', 'z']
    """
    cells = Counter(before or {})
    totals: Counter[str] = Counter()
    for (_, edit), n in cells.items():
        totals[edit] += n
    edits = [""] * len(slots)
    # Who has the least choice first: what is left to improve is little then.
    for number in sorted(range(len(slots)), key=lambda n: _order(slots[n], key)):
        slot = slots[number]
        edit = min(
            slot.options,
            key=lambda e: (totals[e], cells[slot.stratum, e], _digest(key, slot.prompt_id, e)),
        )
        edits[number] = edit
        totals[edit] += 1
        cells[slot.stratum, edit] += 1
    while cycle := _negative_cycle(slots, edits, totals, cells):
        for number, edit in cycle:
            stratum, before_it = slots[number].stratum, edits[number]
            totals.subtract({before_it: 1, edit: -1})
            cells.subtract({(stratum, before_it): 1, (stratum, edit): -1})
            edits[number] = edit
    return edits


def _slot(rows: Sequence[Pair]) -> Slot:
    return Slot(rows[0].prompt_id, rows[0].category, tuple(pair.edit for pair in rows))


def _rotation(
    rung: str, slots: Sequence[Slot], before: Mapping[tuple[str, str], int] | None = None
) -> list[str]:
    """The pair ids that a rotation chooses."""
    edits = rotation(slots, rung, before)
    return [f"{slot.prompt_id}/{edit}" for slot, edit in zip(slots, edits, strict=True)]


def _second_edits(
    by_rung: Mapping[Rung, Mapping[str, Sequence[Pair]]], chosen: set[str], left: int
) -> set[str]:
    """Pair ids of second edits, as many as there are generations left, half of them on each of the rungs."""
    found: set[str] = set()
    for n_rungs, rung in zip((2, 1), DOUBLED_RUNGS, strict=True):
        taken = [pair for rows in by_rung[rung].values() for pair in rows if pair.pair_id in chosen]
        others = [[pair for pair in rows if pair.pair_id not in chosen] for rows in by_rung[rung].values()]
        drawn = _drawn([rows for rows in others if rows], (left - len(found)) // n_rungs, f"second {rung}")
        before = Counter((str(pair.category), pair.edit) for pair in taken)
        found |= set(_rotation(rung, [_slot(rows) for rows in drawn], before))
    return found


def _drawn(prompts: Iterable[Sequence[Pair]], n: int, key: str) -> list[Sequence[Pair]]:
    """So many prompts, equally many of each category as far as there are."""
    ranks: Counter[str] = Counter()
    order = []
    for rows in sorted(prompts, key=lambda rows: _digest(key, rows[0].prompt_id)):
        category = rows[0].category
        order.append((ranks[category], _digest(key, category), rows))
        ranks[category] += 1
    return [rows for *_, rows in sorted(order, key=lambda each: each[:2])][:n]


def _order(slot: Slot, key: str) -> tuple[int, str]:
    return len(slot.options), _digest(key, slot.prompt_id)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _negative_cycle(
    slots: Sequence[Slot],
    edits: Sequence[str],
    totals: Mapping[str, int],
    cells: Mapping[tuple[str, str], int],
) -> list[tuple[int, str]]:
    """Exchanges that make the counts more equal, as (slot, its new edit); empty where there are none."""
    weight = (sum(totals.values()) + 1) ** 2  # an edit's count goes before all counts within strata
    arcs: dict[tuple[Node, Node], int] = {}
    mover: dict[tuple[Node, Node], int] = {}
    for number, (slot, edit) in enumerate(zip(slots, edits, strict=True)):
        here = (slot.stratum, edit)
        arcs[_SINK, (edit,)] = -weight * (2 * totals[edit] - 1)
        arcs[(edit,), here] = -(2 * cells[here] - 1)
        for other in slot.options:
            there = (slot.stratum, other)
            if other != edit and (here, there) not in arcs:
                arcs[here, there] = 0
                mover[here, there] = number
            arcs[there, (other,)] = 2 * cells[there] + 1
            arcs[(other,), _SINK] = weight * (2 * totals[other] + 1)
    return [(mover[arc], arc[1][1]) for arc in _cycle_below_zero(arcs) if arc in mover]


def _cycle_below_zero(arcs: Mapping[tuple[Node, Node], int]) -> list[tuple[Node, Node]]:
    """A cycle of negative cost, by Bellman and Ford; empty where there is none."""
    nodes = list(dict.fromkeys(node for arc in arcs for node in arc))
    cost, origin = dict.fromkeys(nodes, 0), dict[Node, Node]()
    last: Node | None = None
    for _ in nodes:
        last = None
        for (start, end), step in arcs.items():
            if cost[start] + step < cost[end]:
                cost[end], origin[end], last = cost[start] + step, start, end
        if last is None:
            break
    if last is None:
        return []
    for _ in nodes:  # from where the last change was to a place on the cycle behind it
        last = origin[last]
    cycle = [(origin[last], last)]
    while cycle[-1][0] != last:
        cycle.append((origin[cycle[-1][0]], cycle[-1][0]))
    return cycle
