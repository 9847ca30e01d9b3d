"""statements.json: what was computed from the pairs of a folder, in the records of the commands.

A page draws these numbers, and a reader believes them: an erased cell with a mean of 0 would look robust. So what is
read must agree with itself, and with the manifest and the ladder.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from pathlib import Path
from typing import Any, NoReturn

from lm_eval_sensitivity.metrics import METRICS
from lm_eval_sensitivity.records.columns import FILTERS
from lm_eval_sensitivity.results.codec import Codec, walk
from lm_eval_sensitivity.results.columns import value_range
from lm_eval_sensitivity.results.files import open_checked, refuse
from lm_eval_sensitivity.results.limits import MAX_STATEMENTS_BYTES, MOST_CLUSTERS
from lm_eval_sensitivity.results.manifest import STATEMENTS, Manifest
from lm_eval_sensitivity.statements.records import (
    ClustersStatement,
    DriftStatement,
    HeatmapStatement,
    ProfilesStatement,
    SystemMean,
    TestedContrast,
)
from lm_eval_sensitivity.statements.selection import PRIMARY_METRIC, TEXT_METRICS
from lm_eval_sensitivity.stats import AxisContrast, Constants, Interval, PairCounts, Verdict
from lm_eval_sensitivity.stats.clusters import cluster_letters
from lm_eval_sensitivity.stats.intervals import NO_SPREAD
from lm_eval_sensitivity.stats.verdicts import MEANINGS
from lm_eval_sensitivity.text.escape import shown, shown_path
from lm_eval_sensitivity.types import Pair

REACH = 1 / math.sqrt(NO_SPREAD)
"""Widths of its metric's range that a bound may lie outside it. The bound is the mean plus its standard error times the
(resampled mean - mean) / (resampled standard error) of one resample. That difference is at most a width, and resamples
whose standard error is below sqrt(`NO_SPREAD`) of the sample's are not used."""
_WIDTHS = {"difference": 1.0, "bounds": 4.0}
"""How many widths of the range a number may be away from 0, by its field; all others are means. A contrast of axes
has at most four means, with factors near 1."""


@dataclass(frozen=True)
class Statements:
    """Everything that an export computes."""

    clusters: tuple[ClustersStatement, ...]
    """One per selection."""
    drift: tuple[DriftStatement, ...]
    """One per metric and filter; none without a reference."""
    heatmaps: tuple[HeatmapStatement, ...]
    """One per metric and filter."""
    windows: tuple[ProfilesStatement, ...]
    """One per rung set and filter."""


NOTHING = Statements((), (), (), ())
CODEC = Codec(Statements)


def read_statements(folder: Path, manifest: Manifest, ladder: Mapping[str, Pair]) -> Statements:
    """The statements of a folder.

    Args:
        folder: the results folder.
        manifest: of the folder.
        ladder: pairs by id.

    Raises:
        InputError: naming file and field.
    """
    declared, place = manifest.files[STATEMENTS], shown_path(folder / STATEMENTS)
    with open_checked(folder, STATEMENTS, MAX_STATEMENTS_BYTES, declared) as stream:
        content = stream.read(declared.bytes)
    found = CODEC.load(content, place)
    Agreement(manifest, {pair.edit for pair in ladder.values()}, place).all(found)
    return found


class Agreement:
    """Refuses statements that do not agree with themselves or with the rest of the folder.

    Args:
        manifest: of the folder.
        edits: of its ladder.
        place: the file's name, for messages.
    """

    def __init__(self, manifest: Manifest, edits: Collection[str], place: str) -> None:
        self.names = [each.name for each in manifest.systems]
        self.reference = None if manifest.reference is None else self.names[manifest.reference]
        self.edits, self.place = edits, place
        self.letters = list(islice(cluster_letters(), MOST_CLUSTERS))

    def refuse(self, path: str, problem: str) -> NoReturn:
        refuse(f"{self.place}: `{path}`", problem)

    def all(self, found: Statements) -> None:
        """Every statement, and that none stands there twice."""
        keys: set[object] = set()
        for path, statement in each_statement(found):
            if isinstance(statement, ProfilesStatement) and not statement.points:
                self.refuse(f"{path}.points", "are none")
            key = _key(statement)
            if key in keys:
                self.refuse(path, f"is of {shown(str(key[1:]))}, which stands there twice")
            keys.add(key)
            metric, filter_name = key[1:3]
            for field, received, accepted in (
                ("metric", metric, METRICS),
                ("filter_name", filter_name, FILTERS),
            ):
                if received not in accepted:
                    self.refuse(
                        f"{path}.{field}", f"is {shown(received)}; accepted are {', '.join(accepted)}"
                    )
            for inner, record in walk(statement, path):
                self.record(inner, record, metric)
            if isinstance(statement, ClustersStatement):
                self.clusters(path, statement)
            elif isinstance(statement, DriftStatement):
                self.drift(path, statement)
            elif isinstance(statement, HeatmapStatement):
                self.heatmap(path, statement)
            else:
                self.windows(path, statement)

    # ---- of any statement

    def record(self, path: str, record: Any, metric: str) -> None:
        """A record by itself, wherever it stands."""
        if isinstance(record, Interval):
            self.interval(path, record, metric)
        if isinstance(record, PairCounts) and record.n_prompts > record.n_pairs:
            self.refuse(f"{path}.n_prompts", f"is {record.n_prompts}, and `n_pairs` is {record.n_pairs}")
        if isinstance(record, SystemMean):
            self.known(f"{path}.system", [record.system])
            if not math.isnan(record.mean.estimate) and not record.counts.n_prompts:
                self.refuse(f"{path}.mean.estimate", "is a number, and `n_prompts` is 0; accepted is none")
            if record.n_zero > record.mean.n:
                self.refuse(f"{path}.n_zero", f"is {record.n_zero}, and `n` is {record.mean.n}")
        if isinstance(record, TestedContrast):
            for field, low, value in (
                ("p_adjusted", math.ulp(0.0), record.p_adjusted),
                ("attainable_p", 0.0, record.attainable_p),
            ):
                if not (math.isnan(value) or low <= value <= 1):
                    self.refuse(f"{path}.{field}", f"is {value}; accepted is a number above 0, to 1")

    def interval(self, path: str, found: Interval, metric: str) -> None:
        """In the range of its metric, with both bounds in their order and around a number, or none."""
        low, high = value_range(metric)
        width = high - low
        widths = _WIDTHS.get(path.rpartition(".")[2], 0.0)
        if widths:
            low, high = -widths * width, widths * width
        reach = REACH * (high - low)
        for field, value, beyond in (
            ("estimate", found.estimate, 0.0),
            ("lower", found.lower, reach),
            ("upper", found.upper, reach),
        ):
            if not (math.isnan(value) or low - beyond <= value <= high + beyond):
                accepted = f"a number from {low - beyond:g} to {high + beyond:g}"
                self.refuse(f"{path}.{field}", f"is {value}; accepted is {accepted}")
        if math.isnan(found.lower) != math.isnan(found.upper):
            missing = "lower" if math.isnan(found.lower) else "upper"
            self.refuse(f"{path}.{missing}", "is missing, and the other bound is not")
        if found.lower > found.upper:
            self.refuse(f"{path}.upper", f"is {found.upper}, below `lower`, which is {found.lower}")
        if math.isnan(found.estimate) and not math.isnan(found.lower):
            self.refuse(f"{path}.estimate", "is missing, and has bounds")
        if not found.n and not math.isnan(found.estimate):
            self.refuse(f"{path}.estimate", f"is {found.estimate}, and `n` is 0; accepted is no number")

    def known(self, path: str, names: Iterable[str]) -> None:
        for name in names:
            if name not in self.names:
                self.refuse(path, f"is {shown(name)}, which is no system of the manifest")

    def once(self, path: str, found: list[Any], expected: Iterable[Any]) -> None:
        if len(set(found)) != len(found) or set(found) != set(expected):
            self.refuse(path, "are not once each of those that must stand there")

    # ---- one kind each

    def clusters(self, path: str, statement: ClustersStatement) -> None:
        """Every system once, every two of them once, and clusters as letters name them: none inside another."""
        names = [each.system for each in statement.systems]
        if len(set(names)) != len(names) or not names:
            self.refuse(f"{path}.systems", "are none, or hold one twice")
        self.known(f"{path}.absent", statement.absent)
        pairs = [frozenset((each.first, each.second)) for each in statement.contrasts]
        every = map(frozenset, combinations(names, 2)) if len(names) > 1 else ()
        self.once(f"{path}.contrasts", pairs, every)
        if [each.letter for each in statement.clusters] != self.letters[: len(statement.clusters)]:
            self.refuse(f"{path}.clusters", "have other letters than a, b, ..., z, aa, ..., in this order")
        members = [set(each.members) for each in statement.clusters]
        for at, each in enumerate(members):
            if not each or not each <= set(names):
                self.refuse(f"{path}.clusters[{at}].members", "are not systems of this statement")
        for (at, ours), (_, theirs) in combinations(enumerate(members), 2):
            if ours <= theirs or theirs <= ours:
                self.refuse(f"{path}.clusters[{at}].members", "are inside another cluster, or hold it")
        for at, row in enumerate(statement.systems):
            own = tuple(
                c.letter for c, each in zip(statement.clusters, members, strict=True) if row.system in each
            )
            if row.letters != own:
                self.refuse(f"{path}.systems[{at}].letters", "are not those of the clusters that it is in")
        self.told_apart(path, statement)

    def told_apart(self, path: str, statement: ClustersStatement) -> None:
        """Two systems share a cluster where their contrast does not tell them apart, and nowhere else."""
        letters = {row.system: set(row.letters) for row in statement.systems if row.letters}
        apart, untested = [], set()
        for at, each in enumerate(statement.contrasts):
            where, both = f"{path}.contrasts[{at}]", frozenset((each.first, each.second))
            if each.distinguishable != (each.p_adjusted <= statement.alpha):
                self.refuse(
                    f"{where}.distinguishable", f"is {each.distinguishable}; `p_adjusted` says another thing"
                )
            if not both <= letters.keys():
                continue
            if each.distinguishable == bool(letters[each.first] & letters[each.second]):
                self.refuse(f"{where}.distinguishable", "says another thing than the clusters")
            if each.distinguishable:
                apart.append(both)
            if math.isnan(each.p_adjusted):
                untested.add(both)
        self.once(f"{path}.ordered", list(map(frozenset, statement.ordered)), apart)
        self.once(f"{path}.untested", list(map(frozenset, statement.untested)), untested)

    def drift(self, path: str, statement: DriftStatement) -> None:
        """Every system once, the reference of the manifest without a verdict, all others with one."""
        if statement.reference is None or statement.reference != self.reference:
            self.refuse(f"{path}.reference", "is another one than that of the manifest")
        if statement.constants != Constants():
            self.refuse(f"{path}.constants", "are not those that this version declares")
        self.named(f"{path}.probe", statement.probe, ("control", "noise"))
        self.once(f"{path}.systems", [each.system for each in statement.systems], self.names)
        for at, each in enumerate(statement.systems):
            where = f"{path}.systems[{at}]"
            if each.is_reference != (each.system == statement.reference):
                self.refuse(f"{where}.is_reference", "marks another system than the manifest")
            if (each.verdict is None) != each.is_reference or each.reduced is not None:
                self.refuse(f"{where}.verdict", "is missing, or is one of the reference")
            if not (math.isnan(each.silent_share) or 0 <= each.silent_share <= 1):
                self.refuse(
                    f"{where}.silent_share", f"is {each.silent_share}; accepted is a number from 0 to 1"
                )
            if each.verdict is not None:
                self.verdict(f"{where}.verdict", each.verdict, each.system)

    def verdict(self, path: str, verdict: Verdict, system: str) -> None:
        for field, labels in (("label", (verdict.label,)), ("possible", verdict.possible)):
            for label in labels:
                if label not in MEANINGS:
                    self.refuse(f"{path}.{field}", f"is {shown(label)}; accepted are {', '.join(MEANINGS)}")
        if (verdict.system, verdict.reference, verdict.constants) != (system, self.reference, Constants()):
            self.refuse(path, "is of another system, another reference or other constants")
        self.named(f"{path}.contrasts", verdict.contrasts, Constants().formulas)
        if not (math.isnan(verdict.harmless_over_control) or verdict.harmless_over_control >= 0):
            self.refuse(f"{path}.harmless_over_control", "is below 0")

    def named(self, path: str, contrasts: Sequence[AxisContrast], accepted: Collection[str]) -> None:
        names = [each.name for each in contrasts]
        self.once(path, names, {name for name in names if name in accepted})

    def heatmap(self, path: str, statement: HeatmapStatement) -> None:
        """Every edit of the ladder at most once, beside every system."""
        edits = [edit for _, edit in statement.edits]
        self.once(f"{path}.edits", edits, {edit for edit in edits if edit in self.edits})
        self.once(f"{path}.systems", list(statement.systems), self.names)
        expected = {(edit, system) for edit in edits for system in self.names}
        self.once(f"{path}.cells", [(each.edit, each.system) for each in statement.cells], expected)

    def windows(self, path: str, statement: ProfilesStatement) -> None:
        """Every selection at most once for a system, all of one filter and rung set."""
        points = [(each.system, each.selection.metric) for each in statement.points]
        self.once(f"{path}.points", points, points)
        chosen = [each.selection for each in statement.points]
        if len({(each.filter_name, each.rung_set) for each in chosen}) != 1:
            self.refuse(f"{path}.points", "are of several filters or rung sets")
        if not {each.metric for each in chosen} <= set(TEXT_METRICS):
            self.refuse(f"{path}.points", f"are of other metrics than {', '.join(TEXT_METRICS)}")
        self.known(f"{path}.systems", statement.systems)


def each_statement(found: Statements) -> Iterator[tuple[str, Any]]:
    """All statements, with their paths."""
    for field in ("clusters", "drift", "heatmaps", "windows"):
        for at, statement in enumerate(getattr(found, field)):
            yield f"{field}[{at}]", statement


def _key(statement: Any) -> tuple[Any, ...]:
    """Kind, metric, filter and, where it has one, rung set: what a statement is of."""
    if isinstance(statement, HeatmapStatement):
        return (HeatmapStatement, statement.metric, statement.filter_name)
    if isinstance(statement, ProfilesStatement):
        of = statement.points[0].selection
        return (ProfilesStatement, PRIMARY_METRIC, of.filter_name, of.rung_set)
    of = statement.selection
    key = (type(statement), of.metric, of.filter_name)
    return key if isinstance(statement, DriftStatement) else (*key, of.rung_set)
