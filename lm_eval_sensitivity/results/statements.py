"""statements.json: what was computed from the pairs of a folder, in the records of the commands.

A page draws these numbers, and a reader believes them: an erased cell with a mean of 0 would look robust. So what is
read must agree with itself, and with the manifest and the ladder.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from itertools import combinations, islice, product
from pathlib import Path
from typing import Any, get_args

from lm_eval_sensitivity.metrics.catalogue import ANSWER_FLIP, in_a_table
from lm_eval_sensitivity.records.answers import AGAIN, Status
from lm_eval_sensitivity.records.columns import FILTERS
from lm_eval_sensitivity.records.file_codec import Codec, walk
from lm_eval_sensitivity.records.limits import LONGEST_ID, MAX_STATEMENTS_BYTES, MOST_CLUSTERS
from lm_eval_sensitivity.report.documents.flips import SystemAnswers
from lm_eval_sensitivity.report.wording.answers import name_in_words
from lm_eval_sensitivity.results.files import open_checked, refuse
from lm_eval_sensitivity.results.manifest import STATEMENTS, Manifest
from lm_eval_sensitivity.results.tables import value_range
from lm_eval_sensitivity.statements.answers import AnswersStatement, FlipCount
from lm_eval_sensitivity.statements.records import (
    ClustersStatement,
    DriftStatement,
    HeatmapStatement,
    ProfilesStatement,
    SystemMean,
    TestedContrast,
)
from lm_eval_sensitivity.statements.selection import PRIMARY_FILTER, PRIMARY_METRIC, TEXT_METRICS
from lm_eval_sensitivity.stats import Cluster, Constants, Interval, PairCounts, Verdict
from lm_eval_sensitivity.stats.clusters import cluster_letters, maximal_cliques
from lm_eval_sensitivity.stats.intervals import NO_SPREAD
from lm_eval_sensitivity.stats.rules import AXES, INVALID_PROBE, MEANINGS, NOT_ASKED, UNDETERMINED, label_of
from lm_eval_sensitivity.text.escape import shown, shown_path
from lm_eval_sensitivity.types import Pair

REACH = 1 / math.sqrt(NO_SPREAD)
"""Widths of its metric's range that a bound of a bootstrap-t may lie outside it: the mean plus its standard
error times the (resampled mean - mean) / (resampled standard error) of one resample. That difference is at most a
width, and resamples whose standard error is below sqrt(`NO_SPREAD`) of the sample's are not used."""
_WIDTHS = {"difference": 1.0, "bounds": 4.0}
"""How many widths of the range a number may be away from 0, by its field; all others are means. A contrast of axes
has at most four means, with factors near 1."""

_LARGEST_SHIFT = 2.0**31
_NAMES = ("system", "systems", "absent", "members", "first", "second")
"""Fields that name systems; where they hold records instead, those do."""


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
    answers: tuple[SystemAnswers, ...] = ()
    """One per system, wrapped task and filter of it."""


NOTHING = Statements((), (), (), ())
CODEC = Codec(Statements)


def read_statements(folder: Path, manifest: Manifest, ladder: Mapping[str, Pair]) -> Statements:
    """The statements of a folder.

    Args:
        folder: the results folder.
        manifest: of the folder.
        ladder: pairs by id.

    Returns:
        All of them; every one agrees with manifest and ladder.

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

    Every method raises an `InputError` where something does not hold; `path` is the field that its sentence names.

    Args:
        manifest: of the folder.
        edits: of its ladder.
        place: the file's name, for messages.
    """

    def __init__(self, manifest: Manifest, edits: Collection[str], place: str) -> None:
        self.names = [each.name for each in manifest.systems]
        self.reference = None if manifest.reference is None else self.names[manifest.reference]
        self.edits, self.place = edits, place

    def need(self, holds: bool, path: str, problem: str) -> None:
        """What must hold; `problem` is said where it does not."""
        if not holds:
            refuse(f"{self.place}: `{path}`", problem)

    def once(self, path: str, found: list[Any], expected: Iterable[Any]) -> None:
        """All that is expected, each once, in any order."""
        complete = len(set(found)) == len(found) and set(found) == set(expected)
        self.need(complete, path, "are not once each of those that must stand there")

    def within(self, path: str, value: float, low: float, high: float) -> None:
        """A number in its range, or none."""
        if not (math.isnan(value) or low <= value <= high):
            self.need(False, path, f"is {value}; accepted is a number from {low:g} to {high:g}")

    def all(self, found: Statements) -> None:
        """Every statement, and that none stands there twice."""
        keys: set[object] = set()
        for path, statement in each_statement(found):
            if isinstance(statement, ProfilesStatement):
                self.need(bool(statement.points), f"{path}.points", "are none")
            key = _key(statement)
            self.need(key not in keys, path, f"is of {shown(str(key[1:]))}, which stands there twice")
            keys.add(key)
            for field, received, known in (
                ("metric", key[1], in_a_table(key[1])),
                ("filter_name", key[2], key[2] in FILTERS),
            ):
                unknown = f"is {shown(received)}, which this version does not know"
                self.need(known, f"{path}.{field}", unknown)
            for inner, record in walk(statement, path):
                self.record(inner, record, key[1])
            if isinstance(statement, ClustersStatement):
                self.clusters(path, statement)
            elif isinstance(statement, DriftStatement):
                self.drift(path, statement)
            elif isinstance(statement, HeatmapStatement):
                self.heatmap(path, statement)
            elif isinstance(statement, SystemAnswers):
                self.answers(f"{path}.statement", statement.statement)
            else:
                self.windows(path, statement)

    def record(self, path: str, record: Any, metric: str) -> None:
        """A record by itself, wherever it stands."""
        for each in fields(record) if is_dataclass(record) else ():
            if each.name in _NAMES:
                value = getattr(record, each.name)
                for name in value if isinstance(value, tuple) else (value,):
                    if isinstance(name, str) and name not in self.names:
                        said = f"is {shown(name)}, which is no system of the manifest"
                        self.need(False, f"{path}.{each.name}", said)
        if isinstance(record, Interval):
            self.interval(path, record, metric)
        if isinstance(record, PairCounts):
            few = record.n_prompts <= record.n_pairs
            self.need(few, f"{path}.n_prompts", f"is {record.n_prompts}, and `n_pairs` is {record.n_pairs}")
        if isinstance(record, SystemMean):
            is_missing = math.isnan(record.mean.estimate)
            self.need(is_missing or record.counts.n_prompts > 0, f"{path}.mean.estimate", "is of no prompt")
            few = record.n_zero <= record.mean.n
            self.need(few, f"{path}.n_zero", f"is {record.n_zero}, and `n` is {record.mean.n}")
        if isinstance(record, TestedContrast):
            self.within(f"{path}.p_adjusted", record.p_adjusted, math.ulp(0.0), 1)
            self.within(f"{path}.p_order", record.p_order, math.ulp(0.0), 1)
            self.within(f"{path}.attainable_p", record.attainable_p, 0, 1)
        if isinstance(record, Verdict):
            self.verdict(path, record)

    def verdict(self, path: str, found: Verdict) -> None:
        """Words of their axes, and the label that they give, if any."""
        self.need(found.label in MEANINGS, f"{path}.label", f"is {shown(found.label)}, which is no verdict")
        for axis, word in found.words.items():
            more = {NOT_ASKED} if axis == "response" else set()
            known = word in {"unclear", *more, *(word for _, word in AXES[axis])}
            self.need(known, f"{path}.{axis.replace(' ', '_')}", f"is {shown(word)}, which is no word of it")
        given = {label_of(found.words), UNDETERMINED, INVALID_PROBE}
        self.need(found.label in given, f"{path}.label", "is another one than the words give")
        names = [each.name for each in found.contrasts]
        self.once(f"{path}.contrasts", names, {*names} & {*Constants().formulas})
        self.within(f"{path}.harmless_over_control", found.harmless_over_control, 0, math.inf)

    def interval(self, path: str, found: Interval, metric: str) -> None:
        """In the range of its metric, with both bounds in their order and around a number, or none."""
        low, high = value_range(metric)
        if path.endswith(".shift"):  # of a metric of the task's, which nobody knows
            low, high = -_LARGEST_SHIFT, _LARGEST_SHIFT
        if widths := _WIDTHS.get(path.rpartition(".")[2], 0.0):
            low, high = -widths * (high - low), widths * (high - low)
        bounded = found.method in ("half-point", "corner-point")
        reach = 0.0 if bounded else REACH * (high - low)
        self.within(f"{path}.estimate", found.estimate, low, high)
        self.within(f"{path}.lower", found.lower, low - reach, high + reach)
        self.within(f"{path}.upper", found.upper, low - reach, high + reach)
        both = math.isnan(found.lower) == math.isnan(found.upper)
        self.need(both, f"{path}.{'lower' if math.isnan(found.lower) else 'upper'}", "is missing alone")
        self.need(not found.lower > found.upper, f"{path}.upper", f"is below `lower`, which is {found.lower}")
        known = not math.isnan(found.estimate)
        self.need(known or math.isnan(found.lower), f"{path}.estimate", "is missing, and has bounds")
        self.need(found.n > 0 or not known, f"{path}.estimate", f"is {found.estimate}, of no prompt")

    # ---- one kind each

    def clusters(self, path: str, found: ClustersStatement) -> None:
        """Every system once, every two of them once; clusters, letters and order are those that the contrasts give."""
        names = [each.system for each in found.systems]
        self.once(f"{path}.systems", names, names or [None])
        pairs = [frozenset((each.first, each.second)) for each in found.contrasts]
        self.once(f"{path}.contrasts", pairs, map(frozenset, combinations(names, 2)))
        neighbors = {each.system: set(names) - {each.system} for each in found.systems if each.letters}
        ordered, untested = [], []
        for at, each in enumerate(found.contrasts):
            told = each.distinguishable == (each.p_adjusted <= found.alpha)
            where = f"{path}.contrasts[{at}].distinguishable"
            self.need(told, where, f"is {each.distinguishable}; `p_adjusted` says another thing")
            both = (each.first, each.second)
            if not neighbors.keys() >= {*both}:
                continue
            where = f"{path}.contrasts[{at}].ordered"
            settled = each.ordered == (each.distinguishable and each.p_order <= found.alpha)
            self.need(settled, where, f"is {each.ordered}; the p-values say another thing")
            if each.ordered:
                ordered.append(both if each.difference.estimate < 0 else both[::-1])
            if each.distinguishable:
                neighbors[each.first].discard(each.second)
                neighbors[each.second].discard(each.first)
            elif math.isnan(each.p_adjusted):
                untested.append(tuple(sorted(both)))
        neighbors = {name: each & neighbors.keys() for name, each in neighbors.items()}
        cliques = islice(maximal_cliques(neighbors), MOST_CLUSTERS + 1)
        groups = sorted(tuple(sorted(each)) for each in cliques) if found.contrasts else []
        clusters = tuple(Cluster(*each) for each in zip(cluster_letters(), groups, strict=False))
        fit = found.clusters == clusters and len(clusters) <= MOST_CLUSTERS
        self.need(fit, f"{path}.clusters", f"are not those of the contrasts, or more than {MOST_CLUSTERS}")
        for at, row in enumerate(found.systems):
            own = tuple(each.letter for each in clusters if row.system in each.members)
            self.need(row.letters == own, f"{path}.systems[{at}].letters", "are not those of its clusters")
        self.need(sorted(ordered) == list(found.ordered), f"{path}.ordered", "are not those of the contrasts")
        self.need(
            sorted(untested) == list(found.untested), f"{path}.untested", "are not those of the contrasts"
        )

    def drift(self, path: str, found: DriftStatement) -> None:
        """Every system once, the reference of the manifest without a verdict, all others with one."""
        for inner, each in walk(found, path):
            if isinstance(each, DriftStatement | Verdict):
                own = each.reference is not None and each.reference == self.reference
                self.need(own, f"{inner}.reference", "is another one than that of the manifest")
                known = each.constants == Constants()
                self.need(known, f"{inner}.constants", "are not those that this version declares")
        probe = [each.name for each in found.probe]
        self.once(f"{path}.probe", probe, {*probe} & {"control", "noise"})
        self.once(f"{path}.systems", [each.system for each in found.systems], self.names)
        for at, row in enumerate(found.systems):
            where, verdict = f"{path}.systems[{at}]", row.verdict
            marked = row.is_reference == (row.system == found.reference)
            self.need(marked, f"{where}.is_reference", "marks another system than the manifest")
            fits = (verdict is None) == row.is_reference and row.reduced is None
            fits = fits and (verdict is None or verdict.system == row.system)
            asked = verdict is None or (verdict.response == NOT_ASKED) == found.selection.of_answers
            self.need(asked, f"{where}.verdict.response", "is asked of the ladder, and of no task")
            self.need(fits, f"{where}.verdict", "is missing, or of another system, or one of the reference")
            self.within(f"{where}.silent_share", row.silent_share, 0, 1)
            changed, n = row.answers
            self.need(0 <= changed <= n, f"{where}.answers", f"are {changed} of {n}")

    def heatmap(self, path: str, found: HeatmapStatement) -> None:
        """Every edit of the ladder at most once, beside every system."""
        edits = [edit for _, edit in found.edits]
        self.once(f"{path}.edits", edits, {*edits} & {*self.edits})
        self.once(f"{path}.systems", list(found.systems), self.names)
        cells = [(each.edit, each.system) for each in found.cells]
        self.once(f"{path}.cells", cells, product(edits, self.names))

    def answers(self, path: str, found: AnswersStatement) -> None:
        """Counts of the edits that were made, which together are those of all."""
        names = [edit.name for edit in found.edits]
        fits = len(name_in_words(found)) <= LONGEST_ID
        self.need(fits, f"{path}.task", f"and its filter have more than {LONGEST_ID} characters")
        self.once(f"{path}.edits", names, names or [None])
        self.need([each.name for each in found.by_edit] == names, f"{path}.by_edit", "are not of `edits`")
        for name in ("n_asked", "n_flipped", "n_without_answer"):
            total, said = sum(getattr(each, name) for each in found.by_edit), getattr(found.every, name)
            self.need(total == said, f"{path}.every.{name}", f"is {said}, and those of the edits are {total}")
        for field, name in (("every", "all"), ("noise", AGAIN)):
            said = getattr(found, field).name
            self.need(said == name, f"{path}.{field}.name", f"is {shown(said)}, and not {name}")
        for at, count in enumerate(found.by_edit):
            self.flips(f"{path}.by_edit[{at}]", count, found.n_documents)
        self.flips(f"{path}.noise", found.noise, found.n_documents)
        self.flips(f"{path}.every", found.every, found.n_documents * len(names))
        few = 0 < found.n_documents <= found.n_there and found.n_tasks == 1
        self.need(few, f"{path}.n_there", f"is {found.n_there}, and `n_documents` is {found.n_documents}")
        for name in ("n_documents_flipped", "n_unanswered"):
            few = getattr(found, name) <= found.n_documents
            self.need(few, f"{path}.{name}", f"is {getattr(found, name)} of {found.n_documents}")
        metrics = [each.metric for each in found.scores]
        self.once(f"{path}.scores", metrics, metrics)
        for at, score in enumerate(found.scores):
            edits = [edit for edit, _ in score.by_edit]
            self.once(f"{path}.scores[{at}].by_edit", edits, {*edits} & {*names})

    def flips(self, path: str, count: FlipCount, most: int) -> None:
        """Among so many prompts."""
        few = count.n_flipped <= count.n_asked <= most and count.n_without_answer <= most
        self.need(few, path, f"counts more flips than prompts, or more than {most} prompts")
        statuses = [status for status, _ in count.statuses]
        self.once(f"{path}.statuses", statuses, {*statuses} & {*get_args(Status)})
        n = sum(n for _, n in count.statuses)
        self.need(n <= most, f"{path}.statuses", f"are of {n} prompts, and there are {most}")

    def windows(self, path: str, found: ProfilesStatement) -> None:
        """Every selection at most once for a system, all of one filter and rung set."""
        points = [(each.system, each.selection.metric) for each in found.points]
        self.once(f"{path}.points", points, points)
        chosen = [each.selection for each in found.points]
        alike = len({(each.filter_name, each.rung_set) for each in chosen}) == 1
        alike = alike and {each.metric for each in chosen} <= set(TEXT_METRICS)
        self.need(alike, f"{path}.points", "are of several filters or rung sets, or of other metrics")


def each_statement(found: Statements) -> Iterator[tuple[str, Any]]:
    """All statements.

    Returns:
        (path such as `clusters[0]`, statement), kind by kind.
    """
    for kind in fields(found):
        for at, statement in enumerate(getattr(found, kind.name)):
            yield f"{kind.name}[{at}]", statement


def _key(statement: Any) -> tuple[Any, ...]:
    """Kind, metric, filter and, where it has one, rung set: what a statement is of."""
    if isinstance(statement, HeatmapStatement):
        return HeatmapStatement, statement.metric, statement.filter_name
    if isinstance(statement, SystemAnswers):
        said = statement.statement
        return SystemAnswers, ANSWER_FLIP, PRIMARY_FILTER, statement.system, said.task, said.filter_name
    if isinstance(statement, ProfilesStatement):
        of = statement.points[0].selection
        return ProfilesStatement, PRIMARY_METRIC, of.filter_name, of.rung_set
    of = statement.selection
    key = (type(statement), of.metric, of.filter_name)
    return key if isinstance(statement, DriftStatement) else (*key, of.rung_set)
