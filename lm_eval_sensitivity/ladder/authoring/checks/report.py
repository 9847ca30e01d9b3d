"""Run every check over every subset of a ladder, and count what is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from lm_eval_sensitivity.ladder.authoring.checks import balance, edits, kept, near, order, synonyms, texts
from lm_eval_sensitivity.ladder.authoring.checks.loading import Loaded, Subset, load_subsets
from lm_eval_sensitivity.ladder.authoring.checks.prompts import rows_by_prompt
from lm_eval_sensitivity.ladder.authoring.checks.violation import Violation
from lm_eval_sensitivity.ladder.authoring.distances import Encode, group, median_distances, prompt_distances
from lm_eval_sensitivity.ladder.authoring.folder import pairs_of_sources
from lm_eval_sensitivity.text.escape import quoted
from lm_eval_sensitivity.types import Pair

Check = Callable[[Sequence[Pair]], Iterator[Violation]]

PROMPT_CHECKS: tuple[Check, ...] = (
    edits.has_identical,
    edits.edits_stand_on_their_rungs,
    edits.rule_rows_are_rebuilt,
    texts.texts_differ,
    texts.white_space_is_clean,
    texts.lengths_are_similar,
    texts.rule_rows_have_no_reason,
    synonyms.synonyms_replace_one_word,
    kept.protected_spans_are_kept,
)
"""Checks that read the rows of one prompt, in any ladder."""
PUBLISHED_PROMPT_CHECKS: tuple[Check, ...] = (
    edits.has_every_authored_edit,
    edits.has_enough_rule_edits,
    edits.only_known_edits,
    texts.authored_rows_have_a_reason,
)
"""Checks of one prompt that hold for the published form only."""
TABLE_CHECKS: tuple[Check, ...] = (texts.reasons_are_not_repeated, texts.bases_differ)
"""Checks that read all rows of a subset."""
REMARKS = ("near_duplicates", "white_space")
"""Names of the checks that only remark on people's own ladders: prompts from one template are near each other by
intent, and whoever measures the prompts of an application measures them with the white space that they have."""


@dataclass(frozen=True)
class SubsetSummary:
    """What a subset holds."""

    subset: str
    file: str
    n_prompts: int
    n_pairs: int
    version: str
    content_hash: str
    pairs_by_rung: dict[str, int]
    """By rung, and by edit for the two kinds of control."""
    median_distances: dict[str, float | None]
    """Likewise; None where no pair has a distance, empty without an embedder."""


@dataclass(frozen=True)
class Report:
    """Everything that the checks found."""

    source: str
    subsets: tuple[SubsetSummary, ...]
    violations: tuple[Violation, ...]
    remarks: tuple[Violation, ...]
    """What would be a violation in the published form, and is nobody's mistake in an own ladder."""
    left_out: tuple[str, ...]
    """Sentences: which checks were not made, and why."""

    @property
    def passed(self) -> bool:
        """True when there is no violation; remarks do not count."""
        return not self.violations


def check_ladder(source: str | Path | None = None, encode: Encode | None = None) -> Report:
    """Load every subset of a ladder and check what a valid table can still get wrong.

    Args:
        source: None for the packaged ladder, else as for `load_ladder`. Of a folder every subset is
            checked, and its `sources/` where it has them.
        encode: sentence embedder, `load_embedder().encode`; None leaves out what needs one.

    Returns:
        All violations and remarks, each once: one of a prompt that several subsets share is named in the
        largest, and a text that several checks find too near another by the first of them.

    Raises:
        InputError: the source cannot be loaded, or rapidfuzz is not installed.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "mine.yaml"
        >>> _ = path.write_text('{ladder_version: "1", prompts: [{id: tea, base: "Which tea is best ?  "}]}')
        >>> report = check_ladder(path)
        >>> report.passed, [remark.check for remark in report.remarks]
        (True, ['white_space'])
    """
    loaded = load_subsets(source)
    pairs_of_subset = {each.ladder.subset: each.ladder.pairs for each in loaded.subsets}
    published = balance.is_published_form(pairs_of_subset)
    left_out = list(_left_out(loaded, published, encode is not None))
    found = [*_between_subsets(loaded, published), *_in_prompts(loaded.subsets, published)]
    vectors = _vectors(loaded.subsets, encode) if encode else None
    summaries = []
    in_tables: dict[tuple[str, str, str, str], Violation] = {}
    for each in loaded.subsets:
        pairs = each.ladder.pairs
        distances: dict[str, float] = {}
        if vectors is not None:
            distances = prompt_distances(pairs, lambda wanted: np.array([vectors[text] for text in wanted]))
        for violation in [*_in_table(pairs), *_in_space(pairs, vectors, distances)]:
            in_tables.setdefault(_place(violation), replace(violation, file=each.file))
        summaries.append(_summary(each, distances))
    found += in_tables.values()
    only_remarks = () if published else REMARKS
    return Report(
        loaded.subsets[0].ladder.name,
        tuple(summaries),
        tuple(each for each in found if each.check not in only_remarks),
        tuple(each for each in found if each.check in only_remarks),
        tuple(left_out),
    )


def _place(violation: Violation) -> tuple[str, str, str, str]:
    """What makes two findings the same: smaller subsets have the same rows again, and one text that is near
    another in its words is near it in its meaning too."""
    problem = "" if violation.check == "near_duplicates" else violation.problem
    return violation.check, violation.row, violation.column, problem


def _left_out(loaded: Loaded, published: bool, embedding: bool) -> Iterator[str]:
    if not published:
        yield (
            "The rules of the published form (balanced categories, every authored edit with a reason, least "
            "numbers of rule edits) were left out: no subset named full, core or mini has a prompt with a category."
        )
    elif loaded.sources is None:
        yield "The comparison with authored sources was left out: there is no folder `sources` beside the subsets."
    if not embedding:
        yield (
            "The checks by sentence embeddings (prompts close in meaning, prompt distances by rung) were left out: "
            "no embedder was given."
        )
    for each in loaded.subsets:
        n_prompts = len(each.ladder.prompts)
        name = f"of the subset {quoted(each.ladder.subset)} was left out: it has {n_prompts} prompts,"
        if n_prompts > near.MAX_COMPARED:
            yield f"The comparison of prompts with each other {name} and {near.MAX_COMPARED} are the most."
        if n_prompts < order.LEAST_PROMPTS and embedding:
            yield f"The order of distances {name} and it takes {order.LEAST_PROMPTS}."


def _between_subsets(loaded: Loaded, published: bool) -> Iterator[Violation]:
    """Checks of a subset as a whole, and of subsets against each other and the sources."""
    by_name = {each.ladder.subset: each for each in loaded.subsets}
    if published:
        for name, each in by_name.items():
            yield from _placed(each.file, balance.subset_name(name))
            yield from _placed(each.file, balance.every_prompt_has_a_category(each.ladder.pairs))
            yield from _placed(each.file, balance.categories_are_balanced(name, each.ladder.pairs))
    for larger, smaller in balance.larger_ones(list(by_name)):
        big, small = by_name[larger], by_name[smaller]
        versions = balance.version_is_that_of(larger, big.ladder.version, small.ladder.version)
        yield from _placed(small.file, versions)
        nested = balance.subset_is_part_of(larger, big.ladder.pairs, small.ladder.pairs)
        yield from _placed(small.file, nested)
    if loaded.sources is not None:
        built = pairs_of_sources(loaded.sources)
        yield from _placed(str(loaded.sources), balance.same_subsets(list(built), list(by_name)))
        for name, pairs in built.items():
            if name in by_name:
                rows = balance.rows_are_built_from(pairs, by_name[name].ladder.pairs)
                yield from _placed(by_name[name].file, rows)


def _in_prompts(subsets: Sequence[Subset], published: bool) -> Iterator[Violation]:
    """Checks of each prompt; one that smaller subsets repeat row by row is checked once."""
    checks = PROMPT_CHECKS + (PUBLISHED_PROMPT_CHECKS if published else ())
    file_of_rows: dict[tuple[Pair, ...], str] = {}
    for each in subsets:
        for rows in rows_by_prompt(each.ladder.pairs).values():
            file_of_rows.setdefault(rows, each.file)
    for rows, file in tqdm(file_of_rows.items(), desc="Checking", unit="prompt", delay=2, disable=None):
        for check in checks:
            yield from _placed(file, check(rows))


def _in_table(pairs: Sequence[Pair]) -> Iterator[Violation]:
    for check in TABLE_CHECKS:
        yield from check(pairs)
    if _are_compared(pairs):
        yield from near.prompts_differ_in_words(pairs)


def _in_space(
    pairs: Sequence[Pair], vectors: near.Vectors | None, distances: dict[str, float]
) -> Iterator[Violation]:
    if vectors is None:
        return
    if _are_compared(pairs):
        yield from near.prompts_differ_in_meaning(pairs, vectors)
    yield from order.topics_are_far(pairs, distances)
    yield from order.distances_grow(pairs, distances)


def _are_compared(pairs: Sequence[Pair]) -> bool:
    return len({pair.prompt_id for pair in pairs}) <= near.MAX_COMPARED


def _placed(file: str, violations: Iterable[Violation]) -> Iterator[Violation]:
    return (replace(violation, file=file) for violation in violations)


def _vectors(subsets: Sequence[Subset], encode: Encode) -> dict[str, NDArray[np.floating]]:
    """The vector of every text, each encoded once."""
    pairs = [pair for each in subsets for pair in each.ladder.pairs]
    distinct = list(dict.fromkeys(text for pair in pairs for text in (pair.base, pair.variant)))
    return dict(zip(distinct, encode(distinct), strict=True))


def _summary(subset: Subset, distances: dict[str, float]) -> SubsetSummary:
    ladder = subset.ladder
    counts: dict[str, int] = {}
    for pair in ladder.pairs:
        name = group(pair)
        counts[name] = counts.get(name, 0) + 1
    return SubsetSummary(
        subset=ladder.subset,
        file=subset.file,
        n_prompts=len(ladder.prompts),
        n_pairs=len(ladder.pairs),
        version=ladder.version,
        content_hash=ladder.content_hash,
        pairs_by_rung=counts,
        median_distances=median_distances(ladder.pairs, distances) if distances else {},
    )
