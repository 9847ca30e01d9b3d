"""Do the subsets fit together: categories, nesting, versions, and the sources they are built from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from lm_eval_sensitivity.ladder.authoring.checks.prompts import first_rows
from lm_eval_sensitivity.ladder.authoring.checks.violation import Violation
from lm_eval_sensitivity.ladder.load import SUBSETS
from lm_eval_sensitivity.text.escape import quoted
from lm_eval_sensitivity.types import CATEGORIES, UNCATEGORIZED, Pair

Pairs = Sequence[Pair]

BALANCED_SUBSETS = ("full", "core")
"""Subsets with equally many prompts of every category; `mini` only has every category."""


def is_published_form(pairs_of_subset: Mapping[str, Pairs]) -> bool:
    """True where the rules of the published ladder hold: a subset of its names has prompts with a category.

    Example:
        >>> is_published_form({"mini": (), "mine": ()})
        False
    """
    return any(
        pair.category != UNCATEGORIZED
        for subset, pairs in pairs_of_subset.items()
        if subset in SUBSETS
        for pair in pairs
    )


def subset_name(subset: str) -> Iterator[Violation]:
    """A published ladder has no subsets of other names: no task would run them."""
    if subset not in SUBSETS:
        accepted = ", ".join(map(repr, SUBSETS))
        yield Violation(
            "subset", f"The subset is named {quoted(subset)}; accepted in a published ladder: {accepted}."
        )


def every_prompt_has_a_category(pairs: Pairs) -> Iterator[Violation]:
    """In a published ladder no prompt is left uncategorized."""
    for pair in first_rows(pairs):
        if pair.category == UNCATEGORIZED:
            accepted = ", ".join(map(repr, CATEGORIES))
            problem = f"is {UNCATEGORIZED!r}; accepted in a published ladder: {accepted}."
            yield Violation("category", problem, pair.pair_id, "category")


def categories_are_balanced(subset: str, pairs: Pairs) -> Iterator[Violation]:
    """Equally many prompts of every category in full and core, at least one of each in mini."""
    n_prompts = Counter({pair.prompt_id: pair.category for pair in pairs}.values())
    counts = ", ".join(f"{category} {n_prompts[category]}" for category in CATEGORIES)
    if subset in BALANCED_SUBSETS and len({n_prompts[category] for category in CATEGORIES}) > 1:
        problem = (
            f"has unequal numbers of prompts ({counts}); accepted in {subset!r} is the same number of each."
        )
        yield Violation("category", problem, column="category")
    elif not all(n_prompts[category] for category in CATEGORIES):
        problem = f"lacks prompts of some ({counts}); accepted is at least one prompt of each."
        yield Violation("category", problem, column="category")


def subset_is_part_of(larger_name: str, larger: Pairs, pairs: Pairs) -> Iterator[Violation]:
    """Every row of a smaller subset is a row of the larger one, and no row of its prompts is left out."""
    known = {pair.pair_id: pair for pair in larger}
    prompts = {pair.prompt_id for pair in pairs}
    present = {pair.pair_id for pair in pairs}
    for pair in pairs:
        if pair.pair_id not in known:
            problem = f"The row is not in the subset {larger_name!r}; accepted are rows of the larger subset."
            yield Violation("nesting", problem, pair.pair_id)
        elif known[pair.pair_id] != pair:
            column = differing_column(pair, known[pair.pair_id])
            problem = f"differs from the same row of the subset {larger_name!r}; accepted is an equal row."
            yield Violation("nesting", problem, pair.pair_id, column)
    for pair_id in (pair.pair_id for pair in larger if pair.prompt_id in prompts):
        if pair_id not in present:
            problem = (
                f"The row is missing here; accepted are all rows that the prompt has in {larger_name!r}."
            )
            yield Violation("nesting", problem, pair_id)


def version_is_that_of(larger_name: str, version: str, own: str) -> Iterator[Violation]:
    """All subsets of a ladder have one version."""
    if own != version:
        problem = f"is {quoted(own)}; accepted is {quoted(version)}, which the subset {larger_name!r} has."
        yield Violation("version", problem, column="ladder_version")


def rows_are_built_from(built: Pairs, pairs: Pairs) -> Iterator[Violation]:
    """The rows of a subset are those that its authored sources give today, in the same order."""
    expected = {pair.pair_id: pair for pair in built}
    present = {pair.pair_id for pair in pairs}
    for pair in pairs:
        if pair.pair_id not in expected:
            yield Violation(
                "sources", "The row is not built from the sources; remove or rebuild it.", pair.pair_id
            )
        elif expected[pair.pair_id] != pair:
            column = differing_column(pair, expected[pair.pair_id])
            problem = f"is {_cell(pair, column)}; the sources give {_cell(expected[pair.pair_id], column)}. Rebuild it."
            yield Violation("sources", problem, pair.pair_id, column)
    for pair in built:
        if pair.pair_id not in present:
            yield Violation(
                "sources", "The row is missing; the sources give it. Rebuild the file.", pair.pair_id
            )
    if present == expected.keys():
        for pair, wanted in zip(pairs, built, strict=True):
            if pair.pair_id != wanted.pair_id:
                problem = f"The row stands where the sources put {quoted(wanted.pair_id)}. Rebuild the file."
                yield Violation("sources", problem, pair.pair_id)
                break  # one moved row shifts all rows after it


def same_subsets(built: Sequence[str], present: Sequence[str]) -> Iterator[Violation]:
    """The folder has the subsets that its sources list, and no other."""
    for subset in built:
        if subset not in present:
            yield Violation(
                "sources", f"The subset {quoted(subset)} of the sources has no file. Build the folder."
            )
    for subset in present:
        if subset not in built:
            yield Violation(
                "sources", f"The subset {quoted(subset)} is not in the sources. Remove its folder."
            )


def larger_ones(subsets: Sequence[str]) -> list[tuple[str, str]]:
    """Each published subset that is there with the next larger one that is there: (larger, smaller)."""
    return list(pairwise([name for name in SUBSETS if name in subsets]))


def differing_column(pair: Pair, other: Pair) -> str:
    """The first column in which two rows differ."""
    return next(column for column, value in vars(pair).items() if value != getattr(other, column))


def _cell(pair: Pair, column: str) -> str:
    return quoted(getattr(pair, column))
