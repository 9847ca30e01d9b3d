"""Do the subsets fit together: categories, nesting, versions, and the sources they are built from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from lm_eval_sensitivity.ladder.authoring.checks.violation import Violation, first_rows
from lm_eval_sensitivity.ladder.load import SUBSETS, Ladder
from lm_eval_sensitivity.ladder.sources import FULL, SMALLER_SUBSETS, SPREAD
from lm_eval_sensitivity.text.escape import quoted
from lm_eval_sensitivity.types import CATEGORIES, UNCATEGORIZED, Pair

Runs = Sequence[Pair]

BALANCED_SUBSETS = ("full", "spread", "core")
"""Subsets with equally many prompts of every category; `mini` only has every category."""


def is_published_form(ladders: Sequence[Ladder]) -> bool:
    """Whether the rules of the published ladder hold.

    Returns:
        True where a subset of its names has a prompt with a category.

    Example:
        >>> is_published_form([])
        False
    """
    published = (ladder for ladder in ladders if ladder.subset in SUBSETS)
    return any(pair.category != UNCATEGORIZED for ladder in published for pair in ladder.pairs)


def subset_name(subset: str) -> Iterator[Violation]:
    """A published ladder has no subsets of other names: no task would run them.

    Yields:
        One violation of a name that is not in `SUBSETS`.

    Example:
        >>> [each.check for each in subset_name("tiny")], list(subset_name("core"))
        (['subset'], [])
    """
    if subset not in SUBSETS:
        accepted = ", ".join(map(repr, SUBSETS))
        yield Violation(
            "subset", f"The subset is named {quoted(subset)}; accepted in a published ladder: {accepted}."
        )


def every_prompt_has_a_category(pairs: Runs) -> Iterator[Violation]:
    """In a published ladder no prompt is left uncategorized.

    Yields:
        One violation per prompt without, at its first row.
    """
    for pair in first_rows(pairs):
        if pair.category == UNCATEGORIZED:
            accepted = ", ".join(map(repr, CATEGORIES))
            problem = f"is {UNCATEGORIZED!r}; accepted in a published ladder: {accepted}."
            yield Violation("category", problem, pair.pair_id, "category")


def categories_are_balanced(subset: str, pairs: Runs) -> Iterator[Violation]:
    """Equally many prompts of every category in full, spread and core, at least one of each in mini.

    Yields:
        At most one violation, of the whole subset.
    """
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


def is_part_of(larger: Ladder, smaller: Ladder) -> Iterator[Violation]:
    """Of one version, every row of a smaller subset is a row of the larger one, and no row of its prompts is
    left out; `spread` leaves out most.

    Yields:
        A violation of the version, then one per row and column that differs, and per row that is missing.
    """
    if smaller.version != larger.version:
        problem = f"is {quoted(smaller.version)}; accepted is {quoted(larger.version)}, which the subset "
        yield Violation("version", f"{problem}{larger.subset!r} has.", column="ladder_version")
    prompts = smaller.prompts
    known = {pair.pair_id: pair for pair in larger.pairs if pair.prompt_id in prompts}
    for pair_id, column in _unequal(known, smaller.pairs):
        if not column:
            problem = (
                f"The row is not in the subset {larger.subset!r}; accepted are rows of the larger subset."
            )
        else:
            problem = f"differs from the same row of the subset {larger.subset!r}; accepted is an equal row."
        yield Violation("nesting", problem, pair_id, column)
    # The subset `spread` has few edits of every prompt: its sources say which.
    for pair_id in [] if smaller.subset == SPREAD else _missing(known, smaller.pairs):
        problem = f"The row is missing here; accepted are all rows that the prompt has in {larger.subset!r}."
        yield Violation("nesting", problem, pair_id)


def rows_are_built_from(built: Runs, pairs: Runs) -> Iterator[Violation]:
    """The rows of a subset are those that its authored sources give today, in the same order.

    Args:
        built: what the sources give.
        pairs: what stands in the subset.

    Yields:
        One violation per differing column, foreign row and missing row; of rows out of order only the first.
    """
    expected = {pair.pair_id: pair for pair in built}
    present = {pair.pair_id: pair for pair in pairs}
    for pair_id, column in _unequal(expected, pairs):
        problem = "The row is not built from the sources; remove or rebuild it."
        if column:
            is_now, wanted = (quoted(getattr(rows[pair_id], column)) for rows in (present, expected))
            problem = f"is {is_now}; the sources give {wanted}. Rebuild it."
        yield Violation("sources", problem, pair_id, column)
    for pair_id in _missing(expected, pairs):
        yield Violation("sources", "The row is missing; the sources give it. Rebuild the file.", pair_id)
    if present.keys() == expected.keys():
        for pair, should_be in zip(pairs, built, strict=True):
            if pair.pair_id != should_be.pair_id:
                problem = (
                    f"The row stands where the sources put {quoted(should_be.pair_id)}. Rebuild the file."
                )
                yield Violation("sources", problem, pair.pair_id)
                break  # one moved row shifts all rows after it


def same_subsets(built: Sequence[str], present: Sequence[str]) -> Iterator[Violation]:
    """The folder has the subsets that its sources list, and no other.

    Args:
        built: names that the sources list.
        present: names that have a file.

    Yields:
        One violation per name that only one side has.

    Example:
        >>> [each.check for each in same_subsets(["core"], ["core", "tiny"])]
        ['sources']
    """
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


def larger_ones(ladders: Sequence[Ladder]) -> list[tuple[Ladder, Ladder]]:
    """Each published subset that is there with the next larger one that is there and holds all its rows.

    Returns:
        Pairs (larger, smaller), largest first; `spread` is part of `full` alone, and no subset is part of it.
    """
    by_name = {ladder.subset: ladder for ladder in ladders}
    nested = list(pairwise([by_name[name] for name in (FULL, *SMALLER_SUBSETS) if name in by_name]))
    spread = [(by_name[FULL], by_name[SPREAD])] if {FULL, SPREAD} <= by_name.keys() else []
    return spread + nested


def _unequal(expected: Mapping[str, Pair], pairs: Runs) -> Iterator[tuple[str, str]]:
    """Pair id and first differing column of the rows that are not what is expected; no column where none is."""
    for pair in pairs:
        other = expected.get(pair.pair_id)
        if other is None:
            yield pair.pair_id, ""
        elif other != pair:
            yield pair.pair_id, next(c for c, value in vars(pair).items() if value != getattr(other, c))


def _missing(expected: Mapping[str, Pair], pairs: Runs) -> list[str]:
    present = {pair.pair_id for pair in pairs}
    return [pair_id for pair_id in expected if pair_id not in present]
