"""Results with known numbers, without a run and without files; some names are hostile."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, get_args

from lm_eval_sensitivity.results.manifest import FORMAT, Manifest, SystemRecord
from lm_eval_sensitivity.results.read import Results
from lm_eval_sensitivity.results.statements import Statements
from lm_eval_sensitivity.statements import Selection, Signature
from lm_eval_sensitivity.statements.records import (
    BaseOutputs,
    ClustersStatement,
    Detectable,
    DriftStatement,
    Family,
    HeatmapCell,
    HeatmapStatement,
    ProfilePoint,
    ProfilesStatement,
    Responsiveness,
    SystemDrift,
    SystemMean,
    SystemRow,
    TestedContrast,
)
from lm_eval_sensitivity.stats import AxisContrast, Cluster, Constants, Interval, PairCounts, Verdict
from lm_eval_sensitivity.stats.rules import Word
from lm_eval_sensitivity.types import Note, Pair, Replacement, Rung

HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(2)>${1+1}{{7*7}}\u202e' onclick='x"
NAMES = ("alpha-4b", "beta-4b", "delta-4b-int4", HOSTILE)
"""In alphabetical order of what a reader sees; the last one would break out of an attribute."""
PRIMARY = ("cosine_distance", "answer")
KEYS = (
    Selection("cosine_distance", "raw", "meaning_preserving"),
    Selection("cosine_distance", "answer", "meaning_preserving"),
    Selection("cosine_distance_64", "raw", "meaning_preserving"),
    Selection("cosine_distance", "answer", "noop"),
    Selection("js_divergence", "raw", "meaning_preserving"),
)
EDITS: tuple[tuple[Rung, str], ...] = (
    ("identical", "replicate"),
    ("noop", "trailing_space"),
    ("noop", "nbsp"),
    ("paraphrase", "paraphrase_1"),
    ("positive_control", "control_topic"),
)
MEANS = (0.412, 0.134, 0.271, None)
"""Not in the order of the names, so that a sort by score would show."""
LETTERS = (("a",), ("b",), ("a", "b"), ())
RESPONSIVE: tuple[Responsiveness | None, ...] = (*get_args(Responsiveness), None)
BY_HAND = {"seed": 0, "resamples": 999}


def interval(
    mean: float | None, below: float = 0.0, above: float = 0.0, *, n: int = 24, reason: str | None = None
) -> Interval:
    """A mean with its bounds; without a mean, or with a reason, it has none."""
    if mean is None or reason is not None:
        return Interval(
            math.nan if mean is None else mean, math.nan, math.nan, 0.95, "two-sided", n, "none", 0, 0, reason
        )
    return Interval(mean, mean - below, mean + above, 0.95, "two-sided", n, "bootstrap-t", 999, 0, None)


def counts(
    n_prompts: int, n_pairs: int, n_erased: int = 0, n_unscored: int = 0, n_lost: int = 0
) -> PairCounts:
    return PairCounts(n_prompts, 0, n_pairs, n_erased, n_unscored, n_lost)


def caution(text: str) -> Note:
    return Note("caution", text)


def contrast(first: str, second: str, difference: Interval, p: float, **others: Any) -> TestedContrast:
    known = {"attainable_p": 0.0001, "distinguishable": False, "reason": None, "caution": None}
    known |= {"p_order": p, "ordered": others.get("distinguishable", False)}
    return TestedContrast(first, second, difference, p, **{**known, **others})


def clusters(selection: Selection, names: tuple[str, ...]) -> ClustersStatement:
    systems = tuple(
        SystemRow(
            name,
            interval(mean, 0.05, 0.06)
            if mean is not None
            else interval(None, n=3, reason="3 prompts have a number, at least 5 are needed."),
            counts(24, 400 + at, 17 + at, 5 * at) if mean is not None else counts(3, 3, 17 + at, 5 * at),
            n_zero=0,
            caution=None,
            noise=interval(0.011)
            if mean is not None
            else interval(None, n=0, reason="The identical rung was not run."),
            repetitions=1 if mean is not None else None,
            responsiveness=RESPONSIVE[at],
            letters=LETTERS[at],
        )
        for at, (name, mean) in enumerate(zip(names, MEANS, strict=True))
    )
    a, b, c, d = names
    few = interval(None, n=3, reason="Too few prompts.")
    contrasts = (
        contrast(
            a, b, interval(0.278, 0.078, 0.072), 0.0004, counts=counts(24, 390, 30), distinguishable=True
        ),
        contrast(
            a,
            c,
            interval(0.141, 0.151, 0.149),
            0.21,
            counts=counts(24, 388, 31),
            caution=caution("Few zeros."),
        ),
        contrast(a, d, few, math.nan, counts=counts(3, 3, 300), attainable_p=0.25, reason="Too few prompts."),
    )
    return ClustersStatement(
        selection,
        systems,
        absent=(),
        contrasts=contrasts,
        clusters=(Cluster("a", (a, c)), Cluster("b", (b, c))),
        ordered=(),
        untested=(),
        left_out=(Note("left_out", "It could not be compared.", (d,)),),
        family=Family(2, 24, "draws", 999, 0.0001, 1),
        detectable=Detectable(0.1, 0.1, 0.025, 0.8, 2, 1, ("Too few prompts.",), None),
        cautions=(caution("The known caution: coverage differs."),),
        alpha=0.05,
        draws=999,
        **BY_HAND,
    )


def axis(name: str, mean: float | None, width: float, n_zero: int = 0, n: int = 24) -> SystemMean:
    found = interval(mean, width, width, n=n)
    return SystemMean(name, found, counts(n, 400, 17), n_zero=n_zero, caution=None)


def axis_contrast(name: str, formula: str, sign: Any, estimate: float) -> AxisContrast:
    return AxisContrast(name, formula, sign, interval(estimate, 0.1, 0.1))


PROBE = (axis_contrast("control", "(c - p) of the reference", "+", 0.4),)


WORDS: dict[str, tuple[Word, Word, Word]] = {
    "COLLAPSED": ("collapsed", "as the reference", "far"),
    "UNDETERMINED": ("alive", "as the reference", "unclear"),
    "STABLE": ("alive", "as the reference", "near"),
}


def system_drift(names: tuple[str, ...], at: int, label: str, p: float, b: float | None) -> SystemDrift:
    name, reference = names[at], names[0]
    contrasts = (axis_contrast("L_C", "c - 0.8 c_ref", "-", -0.4),) if at == 1 else ()
    verdict = Verdict(
        name, reference, label, *WORDS.get(label, ("unclear",) * 3), contrasts, PROBE, harmless_over_control=0.51,
        harmless_over_control_reference=0.51, control=0.803, control_reference=0.803, harmless=p,
        harmless_reference=0.412, drift_distance=b or math.nan, drift_yardstick=0.412, constants=Constants(), seed=0,
        reasons=(f"{label} as known.",),
    )  # fmt: skip
    return SystemDrift(
        name,
        is_reference=at == 0,
        preserving=axis(name, p, 0.03),
        control=axis(name, 0.803, 0.05),
        identical=axis(name, 0.012, 0.01),
        drift=None if at == 0 else axis(name, b, 0.04, n_zero=2, n=24 if b else 0),
        answers=(22, 24) if at and b else (0, 0),
        drift_source="" if b is None else "by hand",
        drift_missing=(),
        drift_message="Its run is of other prompts." if b is None and at else "",
        verdict=verdict if at else None,
        reduced=None,
        silent_share=0.0 if at else math.nan,
        outputs=BaseOutputs(24, 0, 0, 0, 0),
    )


def drift(selection: Selection, names: tuple[str, ...]) -> DriftStatement:
    systems = (
        system_drift(names, 0, "reference", 0.412, None),
        system_drift(names, 1, "COLLAPSED", 0.134, 0.623),
        system_drift(names, 2, "UNDETERMINED", 0.271, 0.217),
        system_drift(names, 3, "STABLE", 0.333, None),
    )
    return DriftStatement(
        selection, names[0], systems, PROBE, (caution("A known axes caution."),), Constants(), **BY_HAND
    )


def cell(rung: Rung, edit: str, name: str, at: int) -> HeatmapCell:
    n_scored, n_erased, n_unscored = {
        ("trailing_space", 0): (0, 24, 0),
        ("trailing_space", 1): (20, 4, 0),
        ("nbsp", 2): (0, 0, 24),
        ("nbsp", 3): (0, 0, 0),
        ("paraphrase_1", 2): (21, 1, 2),
    }.get((edit, at), (24, 0, 0))
    mean = [0.0, 0.05, 0.1, 0.31, 0.62][[each for _, each in EDITS].index(edit)] + 0.001 * at
    found = (
        interval(mean, 0.01, 0.01, n=n_scored)
        if n_scored
        else interval(None, n=0, reason="No pair has a number.")
    )
    return HeatmapCell(name, found, counts(n_scored, n_scored, n_erased, n_unscored), 0, None, rung, edit)


def heatmap(metric: str, filter_name: str, names: tuple[str, ...]) -> HeatmapStatement:
    cells = tuple(cell(rung, edit, name, at) for rung, edit in EDITS for at, name in enumerate(names))
    cautions = (caution("A known heatmap caution."),)
    return HeatmapStatement(metric, filter_name, names, EDITS, cells, cautions, **BY_HAND)


def windows(filter_name: str, names: tuple[str, ...]) -> ProfilesStatement:
    def point(at: int, window: int | None) -> ProfilePoint:
        length = window or 512
        raw = filter_name == "raw"
        mean = (0.05 + length / 2000 if raw else 0.4) if at != 3 else None
        metric = "cosine_distance" + (f"_{window}" if window else "")
        return ProfilePoint(
            names[at],
            interval(mean, 0.02, 0.02, reason=None if mean is not None else "No pair has a number."),
            counts(24, 400, 17, 3),
            0,
            None,
            Selection(metric, filter_name),
            scaffold_dominates=raw and at == 0 and length <= 128,
        )

    points = tuple(point(at, window) for at in range(4) for window in (64, 128, 256, None))
    return ProfilesStatement(names, points, **BY_HAND)


def manifest(names: tuple[str, ...], reference: int | None) -> Manifest:
    systems = tuple(
        SystemRecord(index, name, f"{index:016x}", (("model", name), ("precision", "bf16")))
        for index, name in enumerate(names)
    )
    return Manifest(
        kind="lm_eval_sensitivity results",
        format=FORMAT,
        signature=Signature(
            "0.1.0",
            "1.0.0",
            "ab" * 32,
            "mini",
            {"max_gen_toks": 512, "until": [], "greedy": True},
            {"name": "all-MiniLM-L6-v2", "weights_sha256": "cd" * 32, "max_tokens": 256},
            {each.name: each.fingerprint for each in systems},
            0,
            2000,
            10000,
        ),
        alpha=0.05,
        ladder="prompt_sensitivity",
        n_prompts=24,
        n_pairs=432,
        reference=reference,
        systems=systems,
        series={"levels": (0, 1)},
        remarks=("A known remark.",),
        left_out=(Note("left_out", "It was killed.", ("runs/x",)),),
        selections_left_out=(),
        files={},
    )


PAIR = Pair(
    "p1/nbsp",
    "p1",
    "factual",
    "noop",
    1,
    "nbsp",
    "Why is it so?",
    "Why\u00a0is it so?",
    meaning_preserving=True,
    origin="rule",
    reason="",
    replacements=(Replacement(3, 4, "\u00a0"),),
    ladder_version="1.0.0",
)


def known_results(names: tuple[str, ...] = NAMES, *, reference: int | None = 0, **replaced: Any) -> Results:
    """Four systems, five selections; every number is written above.

    Args:
        names: of the systems.
        reference: index of one, or None.
        **replaced: statements or a manifest that stand in the place of the known ones; `origin`.
    """
    views = (PRIMARY, ("cosine_distance", "raw"))
    found = {
        "clusters": tuple(clusters(key, names) for key in KEYS),
        "drift": tuple(drift(Selection(*view), names) for view in views) if reference is not None else (),
        "heatmaps": tuple(heatmap(*view, names) for view in (*views, ("js_divergence", "raw"))),
        "windows": (windows("answer", names), windows("raw", names)),
    }
    statements = Statements(**{name: replaced.pop(name, each) for name, each in found.items()})
    described = replaced.pop("manifest", manifest(names, reference))
    return Results(Path("nowhere"), described, statements, {PAIR.pair_id: PAIR}, **replaced)
