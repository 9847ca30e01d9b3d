"""What `probe boundary` says: the answer first, then its tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lm_eval_sensitivity.probes.boundary.finding import (
    ENOUGH_PROMPTS,
    FORKING,
    HARMLESS,
    Attribution,
    BoundaryFinding,
    Forced,
    Prediction,
    Share,
)
from lm_eval_sensitivity.probes.result import ProbeResult
from lm_eval_sensitivity.report.blocks import Block, Column, ResultTable, columns, interval, table_of
from lm_eval_sensitivity.stats import Interval
from lm_eval_sensitivity.text.format import in_print, percent
from lm_eval_sensitivity.types import Note

_AUROC = (
    Column("AUROC", 3, "auroc"),
    Column("AUROC lower", 3, "auroc_lower"),
    Column("AUROC upper", 3, "auroc_upper"),
)
_SKILL = interval("skill", 3)
_GAIN = interval("skill_beside", 3, "gain", "gain lower", "gain upper")
_READING = (
    Column("model"),
    *_SKILL,
    *_GAIN,
    Column("AUROC", 2, "auroc"),
    Column("from", 2, "auroc_lower"),
    Column("to", 2, "auroc_upper"),
)
_OF_SKILL = (
    "Skill is 1 - Brier / Brier of the rate; 0 is none, and its interval comes before any AUROC. Gain is the same "
    "over the first row. AUROC pools folds: without skill it lies below 0.5."
)
_PREDICTIONS = (
    Column("task"),
    Column("model"),
    *_SKILL,
    Column("over", path="beside"),
    *_GAIN,
    *_AUROC,
    Column("rate", 3),
    Column("Brier", 4, "brier"),
    Column("prompts", 0, "n_prompts"),
    Column("cases", 0, "n_cases"),
)
_RELIABILITY = (Column("predicted", 3), Column("happened", 3), Column("cases", 0, "n_cases"))
_PARTED = (
    Column("rung"),
    Column("edit"),
    Column("pairs", 0, "n_pairs"),
    Column("parted", 0, "n_parted"),
    Column("share", 3),
    Column("median step", 1),
)
_TRIGGERS = (
    Column("checked below, nats", 3, "threshold"),
    Column("steps checked", 3, "steps"),
    Column("branches caught", 3, "caught"),
    Column("noise caught", 3, "caught_noise"),
)
_SHARES = (
    Column("by"),
    Column("of", path="share.what"),
    *interval("share.share", 4, "mean", "lower", "upper"),
    Column("prompts", 0, "share.share.n"),
    Column("steps", 0, "share.n_steps"),
)
_RANKINGS = (
    Column("where", path="scope"),
    Column("score"),
    *_AUROC,
    Column("branches", 0, "n_branches"),
    Column("steps", 0, "n_steps"),
)
_HAZARD = (Column("after step", 0, "step"), Column("predicted", 3), Column("observed", 3))
_PARTS = (
    Column("part"),
    *interval("interval", 3, "mean", "lower", "upper"),
    Column("prompts", 0, "interval.n"),
)
_PAIRS = (
    Column("pair", path="pair_id"),
    *columns(0, "first_flip", "first_divergence"),
    *columns(3, "margin_at_branch", "rho_at_branch", "boundary_nats", "bulk_nats"),
    Column("reference"),
    Column("crossings", 0),
    Column("certified_share", 3),
    Column("steps", 0, "n_steps"),
)
_RUNNER_UPS = (
    Column("prompt", path="prompt_id"),
    Column("step", 0),
    Column("margin", 3),
    Column("taken"),
    Column("forced"),
    Column("distance", 3),
)


@dataclass(frozen=True)
class _Named:
    """An interval with its name."""

    part: str
    interval: Interval


@dataclass(frozen=True)
class _Part:
    """A share, and what it is by."""

    by: str
    share: Share


def boundary_document(result: ProbeResult[BoundaryFinding]) -> Sequence[Block]:
    """The blocks of one finding.

    Args:
        result: of one system.

    Returns:
        One sentence of reading and its cautions, then tables: predictions, branches, thin steps, the bases' tokens
        after edited prompts, forced runner-ups.
    """
    found = result.finding
    return (
        Note("finding", reading(found)),
        *_cautions(found),
        *_predictions(found),
        *_branches(found),
        *_density(found),
        *_after_edited_prompts(found),
        *_runner_up(found),
    )


def reading(found: BoundaryFinding) -> str:
    """What is read first.

    Returns:
        How many branches are thin; what is predictable, by Brier skill, of thin steps and of parting: shown only where
        there are enough prompts, and where the prediction has skill by itself.
    """
    at = found.where
    thin_steps = found.density.thin
    parts = [
        f"{at.n_thin} of {at.n_branches} branches of harmless edits, over {at.n_prompts} prompts, stand on a thin step "
        f"(a margin below {found.threshold:g} nats).",
        f"No share of all steps is given: {thin_steps.reason}"
        if math.isnan(thin_steps.estimate)
        else f"Of all steps {_percent(thin_steps.estimate)} are thin, mean over {thin_steps.n} prompts.",
    ]
    if (thin := _row(found, "thin next step", "everything")) is not None:
        verb = "predicts" if _is_shown(thin, thin.skill) else "is not shown to predict"
        parts.append(
            f"The base run {verb} which step is thin next (Brier skill {_in_words(thin.skill)}, "
            f"AUROC {in_print(thin.auroc, 2)}, {thin.n_prompts} prompts)."
        )
    if (both := _row(found, f"parts before step {found.horizon}", "edit and base run")) is not None:
        gain = both.skill_beside
        verb = "adds" if _is_shown(both, both.skill, gain) else "is not shown to add"
        parts.append(
            f"Knowing it {verb} to knowing the edit for which outputs part before step {found.horizon} "
            f"(Brier skill {_in_words(gain)} over the edit alone, {both.n_prompts} prompts)."
        )
    return " ".join(parts)


def _is_shown(row: Prediction, *intervals: Interval) -> bool:
    return row.n_prompts >= ENOUGH_PROMPTS and all(each.lower > 0 for each in intervals)


def _cautions(found: BoundaryFinding) -> Iterator[Note]:
    few = min((each.n_prompts for each in found.predictions), default=ENOUGH_PROMPTS)
    if few < ENOUGH_PROMPTS:
        yield Note(
            "caution",
            f"Predictions rest on {few} prompts; below {ENOUGH_PROMPTS} a skill can be chance, and these rows claim "
            "nothing.",
        )
    if (forced := found.forced) is not None and forced.n_violations + forced.n_rho_disagrees:
        yield Note(
            "caution",
            f"{forced.n_rho_disagrees} steps with rho > 1 and no flip or the other way round, {forced.n_violations} "
            "flips at certified steps: logits are tied, or not finite.",
        )


def _predictions(found: BoundaryFinding) -> Iterator[ResultTable]:
    if not found.predictions:
        return
    for number, task in enumerate(dict.fromkeys(each.task for each in found.predictions), 1):
        rows = [each for each in found.predictions if each.task == task]
        size = f"{rows[0].n_cases} cases, {rows[0].n_prompts} prompts, rate {in_print(rows[0].rate, 3)}"
        title = f"{task[0].upper()}{task[1:]}, for prompts that were left out: {size}"
        notes = [_OF_SKILL] if number == 1 else []
        yield table_of(
            f"boundary prediction {number}", title, _READING, rows, notes, only=("table", "markdown")
        )
    yield table_of(
        "boundary predictions",
        "Predicted for prompts that were left out",
        _PREDICTIONS,
        found.predictions,
        [_OF_SKILL],
        only=("csv", "json"),
    )
    if not found.reliability:
        return
    yield table_of(
        "boundary reliability",
        f"Reliability: {found.reliability[0].task}, {found.reliability[0].model}",
        _RELIABILITY,
        found.reliability,
        is_detail=True,
    )


def _branches(found: BoundaryFinding) -> Iterator[Block]:
    at = found.where
    rows = (
        _Named("smallest margin so far", at.smallest_so_far),
        _Named(f"the same, less chance ({in_print(at.chance, 3)})", at.gain),
        _Named("share of earlier steps with a larger margin", at.earlier_wider),
    )
    note = (
        f"{at.n_branches} branches of harmless edits, {at.n_prompts} prompts; {at.n_late} with four steps or more "
        f"before. Margin there: median {in_print(at.median_margin, 3)} nats, {at.n_thin} below {found.threshold:g}, "
        f"{_percent(at.below_2)} below 2."
    )
    yield table_of("boundary where", "Margins of the base at the branch", _PARTS, rows, [note])
    yield table_of("boundary parted", "How often outputs part", _PARTED, found.parted, is_detail=True)
    yield table_of(
        "boundary triggers", "Checking every thin step", _TRIGGERS, found.triggers, [_of_numerics(found)]
    )


def _of_numerics(found: BoundaryFinding) -> str:
    number = found.numerics
    if math.isnan(number.threshold):
        return (
            "No repetition parts and no margin was recorded: how much arithmetic alone decides is not known."
        )
    return (
        f"Arithmetic alone: {number.n_parted} of {number.n_repetitions} repetitions part. Margins differ by up to "
        f"{number.threshold:.2g} nats there or between run and replay; {_percent(number.share)} of the steps have a "
        "margin as small as that."
    )


def _density(found: BoundaryFinding) -> Iterator[ResultTable]:
    of = found.density
    rows = [
        *(_Part("margin below, nats", each) for each in of.curve),
        *(_Part("step", each) for each in of.by_position),
        *(_Part("category", each) for each in of.by_category),
        *(_Part("side", each) for each in of.by_side),
    ]
    note = (
        f"Steps and categories: margin below {found.threshold:g} nats. Exact ties: {of.n_tied}. Prompts differ by "
        f"{in_print(of.between_prompts, 3)} (standard deviation); {in_print(of.binomial, 3)} if all had one share. "
        f"Correlation with the next step: {in_print(of.lag_1, 3)}."
    )
    yield table_of("boundary density", "Share of thin steps, base outputs", _SHARES, rows, [note])


def _after_edited_prompts(found: BoundaryFinding) -> Iterator[Block]:
    if found.forced is None:
        return
    yield _of_forced(found.forced, found.fed_edits)
    if found.attribution is not None:
        yield _of_attribution(found.attribution)
    if found.rankings:
        yield table_of(
            "boundary rankings",
            "What tells the branch from the steps before it",
            _RANKINGS,
            found.rankings,
            [
                "At the branch is diagnosis: the edit's shift is in it. Only one step ahead would be a warning."
            ],
        )
    if found.hazard is not None:
        note = f"{found.hazard.n_pairs} pairs, {found.hazard.n_prompts} prompts; shifts are those of other prompts."
        yield table_of(
            "boundary hazard",
            "Share of pairs that have not parted, by margins against shifts",
            _HAZARD,
            found.hazard.curve,
            [note],
            is_detail=True,
        )
    yield table_of(
        "boundary pairs", "Pairs", _PAIRS, found.pairs, only=("markdown", "csv", "json"), is_detail=True
    )


def _of_forced(of: Forced, edits: Sequence[str]) -> ResultTable:
    note = (
        f"The bases' tokens after the prompts of {', '.join(edits)}: {of.n_pairs} pairs, {of.n_prompts} prompts, "
        f"{of.n_steps} steps, {of.n_flips} flips. First flip at the step where the outputs themselves part: "
        f"{of.n_same_branch} of {of.n_pairs}. Steps without a flip that could not have flipped: "
        f"{_percent(of.certified_by_range)} by the range of the shift, {_percent(of.certified_by_kl)} by KL, "
        f"{_percent(of.certified)} by either."
    )
    rows = [_Part("step", each) for each in of.shift_by_position]
    title = "Median shift of the runner-up against the first, nats"
    return table_of("boundary shifts", title, _SHARES, rows, [note])


def _of_attribution(of: Attribution) -> ResultTable:
    rows = (
        _Named("boundary", of.boundary),
        _Named("bulk", of.bulk),
        _Named("boundary, shifts dealt anew", of.null_boundary),
        _Named("bulk, shifts dealt anew", of.null_bulk),
        _Named("boundary, less its null", of.boundary_beside_null),
        _Named("bulk, less its null", of.bulk_beside_null),
        _Named("range of the shift", of.range_growth),
        _Named("range, pairs that go on", of.range_control),
        _Named("range, less those", of.range_beside_control),
    )
    note = (
        "Boundary: how much narrower the gap is than in the pair's earlier steps; bulk: how much larger the shift "
        f"of that token; both of the token nearest to a flip, in nats of log rho. {of.n_branches} branches with "
        f"four steps or more before ({of.n_population} earlier ones are not in here). More boundary than bulk: "
        f"{_percent(of.above_half)}, and {_percent(of.null_above_half)} after dealing anew: that alone says "
        "nothing. A bulk below 0 does not say that the edit moved less: the token nearest to a flip is the "
        f"runner-up at {_percent(of.runner_up_at_branch)} of branches and at {_percent(of.runner_up_before)} of the "
        "steps before, and tokens with a wide gap have large shifts. The range over all tokens says how much the "
        "edit moved."
    )
    few = f"No means: {of.boundary.reason}" if of.boundary.reason else ""
    return table_of("boundary attribution", "What gives way at a branch", _PARTS, rows, [few, note])


def _runner_up(found: BoundaryFinding) -> Iterator[ResultTable]:
    if (of := found.runner_up) is None:
        return
    rows = (
        _Named("token edit distance of what follows", of.distance),
        _Named(f"thin and harmless: below {HARMLESS:g}", of.harmless),
        _Named(f"thin and forking: above {FORKING:g}", of.forking),
    )
    note = f"The second token forced at {len(of.steps)} steps, then greedy."
    yield table_of("boundary runner-up", "Thin steps taken the other way", _PARTS, rows, [note])
    title = "Each step taken the other way"
    yield table_of("boundary runner-up steps", title, _RUNNER_UPS, of.steps, is_detail=True)


def _row(found: BoundaryFinding, task: str, model: str) -> Prediction | None:
    """Of a task and a model, where it has a skill."""
    rows: Iterable[Prediction] = (
        each for each in found.predictions if (each.task, each.model) == (task, model)
    )
    return next((each for each in rows if not math.isnan(each.skill.estimate)), None)


def _in_words(interval: Interval) -> str:
    return f"{in_print(interval.estimate, 3)} [{in_print(interval.lower, 3)}, {in_print(interval.upper, 3)}]"


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else percent(share)
