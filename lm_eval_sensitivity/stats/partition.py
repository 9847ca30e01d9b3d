"""From a table of pairs to prompt-level numbers: the one function that all statistics start from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lm_eval_sensitivity.errors import did_you_mean
from lm_eval_sensitivity.stats.sample import ROUNDING, Floats, read_only

ABSENT, SCORED, ERASED, UNSCORED = range(4)
_CODES = {"scored": SCORED, "erased": ERASED, "unscored": UNSCORED}


@dataclass(frozen=True)
class PairCounts:
    """What became of the pairs of one system, or of two systems in a contrast."""

    n_prompts: int
    """Prompts with at least one usable pair: the n of every statistic."""
    n_prompts_lost: int
    """Prompts that have pairs, but no usable one."""
    n_pairs: int
    """Usable pairs: scored, in a contrast for both systems."""
    n_erased: int
    """Pairs that never reached the token ids of (one of) the system(s)."""
    n_unscored: int
    """Pairs not erased, but without a number in (one of) the system(s)."""
    n_not_shared: int
    """Pairs scored in one system of a contrast that the other was never given; 0 for one system."""


@dataclass(frozen=True, eq=False)
class Contrast:
    """Two systems on the pairs that are scored in both."""

    first: str
    second: str
    prompts: tuple[str, ...]
    """Sorted; all prompts of the partition."""
    first_means: Floats = field(repr=False)
    """[prompt] mean of the first system over the shared edit classes; NaN where none is shared."""
    second_means: Floats = field(repr=False)
    """[prompt] the same of the second system, over the same classes."""
    differences: Floats = field(repr=False)
    """[prompt] first minus second; exactly 0 where the pairs agree, NaN where none is shared."""
    counts: PairCounts


@dataclass(frozen=True, eq=False)
class ContrastTable:
    """Prompt-level differences of many pairs of systems, all over the same prompts."""

    prompts: tuple[str, ...]
    """Sorted."""
    contrasts: tuple[tuple[str, str], ...]
    """(first, second), sorted."""
    differences: Floats = field(repr=False)
    """[prompt, contrast] first minus second; NaN where the two share no scored pair of the prompt."""
    counts: tuple[PairCounts, ...]
    """Per contrast."""


@dataclass(frozen=True, eq=False)
class Partition:
    """A table of pairs as an array. Names are sorted, so the order of the rows is forgotten."""

    prompts: tuple[str, ...]
    edits: tuple[str, ...]
    """Edit classes."""
    systems: tuple[str, ...]
    values: Floats = field(repr=False)
    """[prompt, edit, system]; NaN unless scored."""
    status: NDArray[np.int8] = field(repr=False)
    """[prompt, edit, system] ABSENT, SCORED, ERASED or UNSCORED."""
    rungs: tuple[str, ...] = ()
    """[edit] rung of each edit class: every rung has the same weight, and within a rung every edit. Empty where
    all edits have the same weight."""

    def means(self) -> Floats:
        """[prompt, system] mean over rungs of the mean over their edits; NaN where nothing is scored.

        Systems may have lost different classes here: subtract with `contrast`, never two columns.

        Returns:
            [prompt, system] in the unit of the values.
        """
        return self._mean(self.values)

    def system(self, name: str) -> Floats:
        """[prompt] one column of `means`.

        Args:
            name: of the system.

        Returns:
            [prompt] in the unit of the values; NaN where nothing is scored.

        Raises:
            ValueError: there is no such system.
        """
        return self._mean(self.values[:, :, self._index(name)])

    def shares(self, there: NDArray[np.bool_]) -> Floats:
        """The weight of every pair in the mean of its prompt.

        Args:
            there: [prompt, edit] which pairs are usable.

        Returns:
            [prompt, edit] in [0, 1], 0 where no pair is usable; the weights of a prompt that has one add up to 1.

        Example:
            >>> rows = partition_by_prompt("aaa", "xyz", "mmm", [0.1, 0.3, 0.8], rungs=["noop", "noop", "synonym"])
            >>> rows.shares(rows.status[:, :, 0] == SCORED).tolist(), rows.means().tolist()
            ([[0.25, 0.25, 0.5]], [[0.5]])
        """
        n_in_rung, n_rungs = np.zeros(there.shape), np.zeros((len(there), 1))
        for rung in self._rung_masks:
            n = (there & rung).sum(axis=1, keepdims=True)
            n_in_rung += rung * n
            n_rungs += n > 0
        shares: Floats = np.divide(1.0, n_in_rung * n_rungs, out=np.zeros(there.shape), where=there)
        return shares

    @property
    def _rung_masks(self) -> list[NDArray[np.bool_]]:
        """[rung] which edits stand on it; all of them together where no rungs are known."""
        rungs = np.array(self.rungs or ("",) * len(self.edits))
        return [rungs == rung for rung in sorted(set(rungs.tolist()))]

    def _mean(self, values: Floats) -> Floats:
        """Over axis 1, the edits: mean over rungs of the mean over the edits of each."""
        masks = self._rung_masks
        if len(masks) <= 1:
            return _mean_of_scored(values)
        return _mean_of_scored(np.stack([_mean_of_scored(values[:, mask]) for mask in masks], axis=1))

    def counts(self, system: str) -> PairCounts:
        """What became of one system's pairs.

        Args:
            system: its name.

        Returns:
            Pairs and prompts by what became of them; every pair of the system is in one class.

        Raises:
            ValueError: there is no such system.
        """
        status = self.status[:, :, self._index(system)]
        return _count(status, status)

    def contrast(self, first: str, second: str) -> Contrast:
        """Two systems on the pairs that are scored in both.

        Args:
            first: name of a system.
            second: name of the one that is subtracted from it.

        Returns:
            [prompt] means of both and their differences, over the edit classes that both have there.

        Raises:
            ValueError: there is no such system.

        Example:
            >>> pairs = partition_by_prompt("aa", "xy", ["m", "m"], [0.1, 0.5])
            >>> pairs.contrast("m", "m").differences.tolist()
            [0.0]
        """
        i, j = self._index(first), self._index(second)
        a, b = self.values[:, :, i], self.values[:, :, j]
        shared = ~np.isnan(a) & ~np.isnan(b)
        return Contrast(
            first,
            second,
            self.prompts,
            read_only(self._mean(np.where(shared, a, np.nan))),
            read_only(self._mean(np.where(shared, b, np.nan))),
            read_only(_without_rounding(self._mean(a - b), self._mean(np.abs(a - b)))),
            _count(self.status[:, :, i], self.status[:, :, j]),
        )

    def _index(self, system: str) -> int:
        if system not in self.systems:
            hint = did_you_mean(system, self.systems)
            raise ValueError(f"`system` is {system!r}; accepted: {', '.join(self.systems)}.{hint}")
        return self.systems.index(system)


def partition_by_prompt(
    prompts: Sequence[str],
    edits: Sequence[str],
    systems: Sequence[str],
    values: ArrayLike,
    statuses: Sequence[str] | None = None,
    *,
    rungs: Sequence[str] | None = None,
) -> Partition:
    """Partition a table of pairs by prompt.

    Every rung has the same weight, and within a rung every edit class: the ladder has more ways to change white space
    than to rephrase, which says nothing about how much either counts. A class that a prompt lacks is left out of that
    prompt's mean and the others keep their equal weights: an edit that does not apply to a prompt is missing for
    all systems alike, so that no system gains by it, and the alternative, to drop the prompt or to fill
    in a number, would throw data away or invent it. A class that is missing for one system only (erased
    by its tokenizer, unscored) is left out of both sides of a contrast.

    Args:
        prompts: [row] prompt ids.
        edits: [row] edit classes; one row per prompt, class and system.
        systems: [row] names of systems.
        values: [row] the number of the pair; ignored unless the row is scored.
        statuses: [row] "scored", "erased" or "unscored"; by default NaN is unscored, a number scored.
        rungs: [row] rung of the edit class; None gives every class the same weight.

    Returns:
        The same numbers as [prompt, edit, system], names sorted.

    Raises:
        ValueError: columns of different lengths, an unknown status, a scored row without a finite number,
            two rows for the same prompt, class and system, or a class on two rungs.

    Example:
        >>> table = partition_by_prompt(["a", "a", "b"], ["x", "y", "x"], ["m"] * 3, [0.1, 0.3, 0.5])
        >>> table.means().tolist()
        [[0.2], [0.5]]
    """
    numbers = np.asarray(values, dtype=np.float64)
    if statuses is None:
        statuses = np.where(np.isnan(numbers), "unscored", "scored").tolist()
    _check_columns(prompts, edits, systems, numbers, statuses)
    codes = np.array([_CODES[status] for status in statuses], dtype=np.int8)
    if not np.isfinite(numbers[codes == SCORED]).all():
        raise ValueError("a row with status 'scored' has no finite number; give it the status 'unscored'")
    prompt_names, prompt_of = _sorted_names(prompts)
    edit_names, edit_of = _sorted_names(edits)
    system_names, system_of = _sorted_names(systems)
    shape = len(prompt_names), len(edit_names), len(system_names)
    flat = (prompt_of * shape[1] + edit_of) * shape[2] + system_of
    _check_unique(flat, prompts, edits, systems)
    table, status = np.full(shape, np.nan), np.full(shape, ABSENT, np.int8)
    table.flat[flat] = np.where(codes == SCORED, numbers, np.nan)
    status.flat[flat] = codes
    status.setflags(write=False)
    return Partition(
        prompt_names, edit_names, system_names, read_only(table), status, _rungs_of(edit_names, edits, rungs)
    )


def contrast_table(partition: Partition) -> ContrastTable:
    """Prompt-level differences of all pairs of systems.

    Args:
        partition: a table of pairs.

    Returns:
        [prompt, contrast] differences, one contrast for every two systems.

    Example:
        >>> rows = [("a", "x", "m", 0.1), ("a", "x", "n", 0.4), ("a", "x", "o", 0.5)]
        >>> contrast_table(partition_by_prompt(*zip(*rows))).contrasts
        (('m', 'n'), ('m', 'o'), ('n', 'o'))
    """
    wanted = list(combinations(partition.systems, 2))
    contrasts = [partition.contrast(first, second) for first, second in wanted]
    columns = [contrast.differences for contrast in contrasts]
    table = np.stack(columns, axis=1) if columns else np.zeros((len(partition.prompts), 0))
    counts = tuple(contrast.counts for contrast in contrasts)
    return ContrastTable(partition.prompts, tuple(wanted), read_only(table), counts)


def _mean_of_scored(values: Floats) -> Floats:
    """Mean over axis 1 of what is there; NaN, without a warning, where nothing is."""
    there = ~np.isnan(values)
    n = there.sum(axis=1)
    total = np.where(there, values, 0.0).sum(axis=1)
    means: Floats = np.divide(total, n, out=np.full(n.shape, np.nan), where=n > 0)
    return means


def _without_rounding(differences: Floats, sizes: Floats) -> Floats:
    """Class differences that cancel leave rounding; a test would take it for an effect with a tiny spread."""
    return np.where(np.abs(differences) <= ROUNDING * sizes, 0.0, differences)


def _count(first: NDArray[np.int8], second: NDArray[np.int8]) -> PairCounts:
    """Every pair given to at least one of the two systems falls into exactly one class."""
    given = (first != ABSENT) | (second != ABSENT)
    usable = (first == SCORED) & (second == SCORED)
    erased = (first == ERASED) | (second == ERASED)
    unscored = ~erased & ((first == UNSCORED) | (second == UNSCORED))
    return PairCounts(
        n_prompts=int(usable.any(axis=1).sum()),
        n_prompts_lost=int((given.any(axis=1) & ~usable.any(axis=1)).sum()),
        n_pairs=int(usable.sum()),
        n_erased=int(erased.sum()),
        n_unscored=int(unscored.sum()),
        n_not_shared=int((given & ~usable & ~erased & ~unscored).sum()),
    )


def _rungs_of(names: Sequence[str], edits: Sequence[str], rungs: Sequence[str] | None) -> tuple[str, ...]:
    if rungs is None:
        return ()
    found: dict[str, str] = {}
    for edit, rung in zip(edits, rungs, strict=True):
        if found.setdefault(edit, rung) != rung:
            raise ValueError(f"edit {edit!r} stands on two rungs, {found[edit]!r} and {rung!r}")
    return tuple(found[name] for name in names)


def _sorted_names(column: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.intp]]:
    names = sorted(set(column))
    place = {name: index for index, name in enumerate(names)}
    return tuple(names), np.array([place[name] for name in column], dtype=np.intp)


def _check_columns(
    prompts: Sequence[str],
    edits: Sequence[str],
    systems: Sequence[str],
    numbers: Floats,
    statuses: Sequence[str],
) -> None:
    if numbers.ndim != 1 or len({len(prompts), len(edits), len(systems), len(numbers), len(statuses)}) != 1:
        lengths = f"{len(prompts)}, {len(edits)}, {len(systems)}, {numbers.shape}, {len(statuses)}"
        raise ValueError(f"prompts, edits, systems, values, statuses must be equally long, got {lengths}")
    if unknown := set(statuses) - _CODES.keys():
        raise ValueError(f"`statuses` has {sorted(unknown)}; accepted: {', '.join(_CODES)}")


def _check_unique(
    flat: NDArray[np.intp], prompts: Sequence[str], edits: Sequence[str], systems: Sequence[str]
) -> None:
    order = np.argsort(flat, kind="stable")
    repeated = order[1:][np.diff(flat[order]) == 0]
    if len(repeated):
        row = int(repeated.min())
        where = f"prompt {prompts[row]!r}, edit {edits[row]!r}, system {systems[row]!r}"
        raise ValueError(f"two rows for {where}; a pair has one number per system")
