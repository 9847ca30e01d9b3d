"""Has a prompt the edits it must have, on their rungs, and are its rule rows what the rules build today?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from lm_eval_sensitivity.ladder.authoring.checks.violation import Violation
from lm_eval_sensitivity.ladder.edits import EDITS
from lm_eval_sensitivity.ladder.replacements import apply_replacements
from lm_eval_sensitivity.ladder.schema import IDENTICAL_EDIT
from lm_eval_sensitivity.ladder.sources import AUTHORED_EDITS
from lm_eval_sensitivity.text.escape import quoted
from lm_eval_sensitivity.types import Pair, Rung

Runs = Sequence[Pair]

LEAST_RULE_PAIRS: dict[Rung, int] = {"noop": 6, "punctuation": 2}
"""Pairs that the rules give a published prompt at least. Six no-op edits fit any text of three words without
code; with a single punctuation edit, a prompt's distance on that rung would be the accident of one edit."""

_RULE_EDITS: dict[str, Rung] = {IDENTICAL_EDIT: "identical", **{e.name: e.rung for e in EDITS.values()}}
_RUNG_OF_EDIT: dict[str, Rung] = {**_RULE_EDITS, **AUTHORED_EDITS}


def has_identical(pairs: Runs) -> Iterator[Violation]:
    """Every prompt is also generated against itself: without that pair it has no noise floor.

    Yields:
        One violation where the row is missing.
    """
    if IDENTICAL_EDIT not in {pair.edit for pair in pairs}:
        row = f"{pairs[0].prompt_id}/{IDENTICAL_EDIT}"
        yield Violation("edits", "The row is missing; accepted is one such row for every prompt.", row)


def has_every_authored_edit(pairs: Runs) -> Iterator[Violation]:
    """A published prompt has every authored edit; that none stands there twice is a matter of loading.

    Yields:
        One violation per missing edit, at the row that it would have.
    """
    present = {pair.edit for pair in pairs}
    for edit in AUTHORED_EDITS:
        if edit not in present:
            problem = (
                f"The row is missing; accepted is every authored edit once: {', '.join(AUTHORED_EDITS)}."
            )
            yield Violation("edits", problem, f"{pairs[0].prompt_id}/{edit}")


def has_enough_rule_edits(pairs: Runs) -> Iterator[Violation]:
    """A published prompt offers the rules enough places.

    Yields:
        One violation per rung with fewer rule rows than `LEAST_RULE_PAIRS`, at the prompt's first row.
    """
    n_pairs = Counter(pair.rung for pair in pairs if pair.origin == "rule")
    for rung, least in LEAST_RULE_PAIRS.items():
        if n_pairs[rung] < least:
            problem = (
                f"offers the rules places for {n_pairs[rung]} edits of the rung {rung!r}; accepted are at least "
                f"{least}. Choose another prompt."
            )
            yield Violation("edits", problem, pairs[0].pair_id, "base")


def only_known_edits(pairs: Runs) -> Iterator[Violation]:
    """A published ladder has no edits but the registered and the authored ones.

    Yields:
        One violation per row of another edit.
    """
    for pair in pairs:
        if pair.edit not in _RUNG_OF_EDIT:
            problem = f"is {quoted(pair.edit)}, which no rule is named and nobody writes; accepted: "
            yield Violation("edits", problem + f"{', '.join(_RUNG_OF_EDIT)}.", pair.pair_id, "edit")


def edits_stand_on_their_rungs(pairs: Runs) -> Iterator[Violation]:
    """Known edits stand on their own rung and have their own origin, in any ladder.

    Yields:
        One violation per wrong rung and per wrong origin; an unknown edit may stand on any rung.
    """
    for pair in pairs:
        rung = _RUNG_OF_EDIT.get(pair.edit, pair.rung)
        if pair.rung != rung:
            problem = f"is {pair.rung!r}; accepted for the edit {quoted(pair.edit)} is {rung!r}."
            yield Violation("edits", problem, pair.pair_id, "rung")
        origin = "rule" if pair.edit in _RULE_EDITS else "authored"
        if pair.origin != origin:
            problem = f"is {pair.origin!r}; accepted for the edit {quoted(pair.edit)} is {origin!r}."
            yield Violation("edits", problem, pair.pair_id, "origin")


def rule_rows_are_rebuilt(pairs: Runs) -> Iterator[Violation]:
    """Rule rows are exactly what the registered rules build from the base today.

    Yields:
        One violation per rule whose row should not exist, or has another variant or other replacements.
    """
    rows = {pair.edit: pair for pair in pairs}
    base = pairs[0].base
    for name, edit in EDITS.items():
        pair_id, row, built = f"{pairs[0].prompt_id}/{name}", rows.get(name), edit(base)
        if built is None:
            if row is not None:
                yield Violation(
                    "rules", "The row should not exist: the rule does not apply to the base.", pair_id
                )
        elif row is not None and row.variant != apply_replacements(base, built):
            problem = f"is {quoted(row.variant)}; accepted is what the rule builds, "
            problem += f"{quoted(apply_replacements(base, built))}."
            yield Violation("rules", problem, pair_id, "variant")
        elif row is not None and row.replacements != built:
            problem = "differ from those of the rule, although the variant is the same. Build the file again."
            yield Violation("rules", problem, pair_id, "replacements")


def has_every_rule_edit(pairs: Runs) -> Iterator[Violation]:
    """Every rule that applies to the base has its row.

    Yields:
        One violation per missing row.
    """
    present = {pair.edit for pair in pairs}
    for name, edit in EDITS.items():
        if name not in present and edit(pairs[0].base) is not None:
            problem = "The row is missing: the rule applies to the base. Build the file again."
            yield Violation("rules", problem, f"{pairs[0].prompt_id}/{name}")
