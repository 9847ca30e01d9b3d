"""Run every check over every subset of a ladder, and count what is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lm_eval_sensitivity.ladder.authoring.checks import balance, edits, kept, near, order, synonyms, texts
from lm_eval_sensitivity.ladder.authoring.checks.violation import Violation, rows_by_prompt
from lm_eval_sensitivity.ladder.authoring.distances import (
    Encode,
    Vectors,
    embed,
    group,
    median_distances,
    prompt_distances,
)
from lm_eval_sensitivity.ladder.authoring.folder import pairs_of_sources
from lm_eval_sensitivity.ladder.load import SUBSET_FILE, SUBSETS, Ladder, load_subsets, packaged_folder
from lm_eval_sensitivity.ladder.sources import FULL, SPREAD
from lm_eval_sensitivity.progress import progress
from lm_eval_sensitivity.text.escape import quoted
from lm_eval_sensitivity.types import Pair

Check = Callable[[Sequence[Pair]], Iterator[Violation]]

PROMPT_CHECKS: tuple[Check, ...] = (
    edits.has_identical,
    edits.has_every_rule_edit,
    edits.edits_stand_on_their_rungs,
    edits.rule_rows_are_rebuilt,
    texts.texts_differ,
    texts.white_space_is_clean,
    texts.no_control_characters,
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
CHECKS_OF_ALL_EDITS: tuple[Check, ...] = (
    edits.has_identical,
    edits.has_every_rule_edit,
    edits.has_every_authored_edit,
    edits.has_enough_rule_edits,
)
"""Those that a spread design is not made to pass: it has few of the edits that apply to a prompt."""
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


def check_ladder(
    source: str | Path | None = None, encode: Encode | None = None, *, asked_as: str = "`source`"
) -> Report:
    """Load every subset of a ladder and check what a valid table can still get wrong.

    Args:
        source: None for the packaged ladder, else as for `load_ladder`. Of a folder every subset is
            checked, and its `sources/` where it has them.
        encode: sentence embedder, `load_embedder().encode`; None leaves out what needs one.
        asked_as: as for `load_ladder`.

    Returns:
        All violations and remarks, each once: one of a prompt that several subsets share is named in the
        largest, and a text that several checks find too near another by the first of them.

    Raises:
        InputError: the source cannot be loaded.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "mine.yaml"
        >>> _ = path.write_text('{ladder_version: "1", prompts: [{id: tea, base: "Which tea is best ?  "}]}')
        >>> report = check_ladder(path)
        >>> report.passed, [remark.check for remark in report.remarks]
        (True, ['white_space'])
    """
    place = packaged_folder() if source is None else Path(source).expanduser()
    sources = place / "sources"
    ladders = [
        _named_by_folder(each) if each.file == place else each
        for each in load_subsets(source, asked_as=asked_as)
    ]
    published = balance.is_published_form(ladders)
    left_out = [*_left_out(ladders, published, sources.is_dir(), encode is not None)]
    found = [*_between_subsets(ladders, sources, published), *_in_prompts(ladders, published)]
    vectors = embed((pair for ladder in ladders for pair in ladder.pairs), encode) if encode else None
    left_out += _unread(vectors or {})
    summaries = []
    in_tables: dict[tuple[str, ...], Violation] = {}
    for ladder in ladders:
        distances = {} if vectors is None else prompt_distances(ladder.pairs, vectors)
        for violation in _placed(ladder.file, _in_table(ladder.pairs, vectors, distances)):
            in_tables.setdefault(_place(violation), violation)
        summaries.append(_summary(ladder, distances))
    found += in_tables.values()
    only_remarks = () if published else REMARKS
    return Report(
        ladders[0].name,
        tuple(summaries),
        tuple(each for each in found if each.check not in only_remarks),
        tuple(each for each in found if each.check in only_remarks),
        tuple(left_out),
    )


def _named_by_folder(ladder: Ladder) -> Ladder:
    """`mini/test.parquet` is the subset mini, not a subset named test."""
    name = ladder.file.resolve().parent.name
    is_subset = ladder.file.name == SUBSET_FILE and name in SUBSETS
    return replace(ladder, subset=name) if is_subset else ladder


def _place(violation: Violation) -> tuple[str, ...]:
    """What makes two findings the same: smaller subsets have the same rows again, and one text that is near
    another in its words is near it in its meaning too."""
    problem = "" if violation.check == "near_duplicates" else violation.problem
    return violation.check, violation.row, violation.column, problem


def _left_out(
    ladders: Sequence[Ladder], published: bool, has_sources: bool, embedding: bool
) -> Iterator[str]:
    if not published:
        yield (
            "The rules of the published form (balanced categories, every authored edit with a reason, least "
            "numbers of rule edits) were left out: no subset of the published names has a prompt with a category."
        )
    elif not has_sources:
        yield "The comparison with authored sources was left out: there is no folder `sources` beside the subsets."
    if not embedding:
        yield (
            "The checks by sentence embeddings (prompts close in meaning, prompt distances by rung) were left out: "
            "no embedder was given."
        )
    for each in ladders:
        n_prompts = len(each.prompts)
        name = f"of the subset {quoted(each.subset)} was left out: it has {n_prompts} prompts,"
        if n_prompts > near.MAX_COMPARED:
            yield f"The comparison of prompts with each other {name} and {near.MAX_COMPARED} are the most."
        if n_prompts < order.LEAST_PROMPTS and embedding:
            yield f"The order of distances {name} and it takes {order.LEAST_PROMPTS}."


def _unread(vectors: Vectors) -> Iterator[str]:
    count = sum(bool(np.isnan(vector).any()) for vector in vectors.values())
    if count:
        yield f"{count} of {len(vectors)} texts were not compared in meaning: the sentence embedder cannot read them."


def _between_subsets(ladders: Sequence[Ladder], sources: Path, published: bool) -> Iterator[Violation]:
    """Checks of a subset as a whole, and of subsets against each other and the sources."""
    if published:
        for each in ladders:
            yield from _placed(each.file, balance.subset_name(each.subset))
            yield from _placed(each.file, balance.every_prompt_has_a_category(each.pairs))
            yield from _placed(each.file, balance.categories_are_balanced(each.subset, each.pairs))
    for larger, smaller in balance.larger_ones(ladders):
        yield from _placed(smaller.file, balance.is_part_of(larger, smaller))
    if sources.is_dir():
        by_name = {each.subset: each for each in ladders}
        built = pairs_of_sources(sources)
        yield from _placed(sources, balance.same_subsets(list(built), list(by_name)))
        for name, pairs in built.items():
            if name in by_name:
                rows = balance.rows_are_built_from(pairs, by_name[name].pairs)
                yield from _placed(by_name[name].file, rows)


def _in_prompts(ladders: Sequence[Ladder], published: bool) -> Iterator[Violation]:
    """Checks of each prompt; one that smaller subsets repeat is checked once."""
    is_whole = any(each.subset == FULL for each in ladders)
    ladder_of_rows: dict[tuple[Pair, ...], Ladder] = {}
    for each in ladders:
        if not (is_whole and each.subset == SPREAD):  # its rows were compared with those of the whole one
            for rows in rows_by_prompt(each.pairs).values():
                ladder_of_rows.setdefault(rows, each)
    prompts = progress("Checking", len(ladder_of_rows), "prompt", iterable=ladder_of_rows.items())
    for rows, ladder in prompts:
        for check in _prompt_checks(ladder, published):
            yield from _placed(ladder.file, check(rows))


def _prompt_checks(ladder: Ladder, published: bool) -> tuple[Check, ...]:
    checks = PROMPT_CHECKS + (PUBLISHED_PROMPT_CHECKS if published else ())
    return tuple(each for each in checks if ladder.design == "full" or each not in CHECKS_OF_ALL_EDITS)


def _in_table(
    pairs: Sequence[Pair], vectors: Vectors | None, distances: dict[str, float]
) -> Iterator[Violation]:
    are_compared = len({pair.prompt_id for pair in pairs}) <= near.MAX_COMPARED
    for check in TABLE_CHECKS:
        yield from check(pairs)
    if are_compared:
        yield from near.prompts_differ_in_words(pairs)
    if vectors is not None:
        if are_compared:
            yield from near.prompts_differ_in_meaning(pairs, vectors)
        yield from order.topics_are_far(pairs, distances)
        yield from order.distances_grow(pairs, distances)


def _placed(file: Path, violations: Iterable[Violation]) -> Iterator[Violation]:
    return (replace(violation, file=str(file)) for violation in violations)


def _summary(ladder: Ladder, distances: dict[str, float]) -> SubsetSummary:
    return SubsetSummary(
        subset=ladder.subset,
        file=str(ladder.file),
        n_prompts=len(ladder.prompts),
        n_pairs=len(ladder.pairs),
        version=ladder.version,
        content_hash=ladder.content_hash,
        pairs_by_rung=dict(Counter(map(group, ladder.pairs))),
        median_distances=median_distances(ladder.pairs, distances) if distances else {},
    )
