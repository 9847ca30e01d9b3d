"""Results with known numbers, without a run and without files; some names are hostile."""

from __future__ import annotations

from pathlib import Path

from lm_eval_sensitivity.results.read import Results
from lm_eval_sensitivity.results.records import (
    AxesContrastRow,
    AxesPage,
    AxesRow,
    ClusterPage,
    ClusterRow,
    ClusterWords,
    ContrastRow,
    DecodingRecord,
    EmbedderRecord,
    HeatmapCellRow,
    HeatmapPage,
    LadderPair,
    LadderRecord,
    LeftOutRecord,
    Manifest,
    SelectionKey,
    SeriesRecord,
    StatisticsRecord,
    SystemRecord,
    WindowRow,
)
from lm_eval_sensitivity.results.summaries import Summaries
from lm_eval_sensitivity.types import Replacement, Rung

HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(2)>${1+1}{{7*7}}\u202e' onclick='x"
NAMES = ("alpha-4b", "beta-4b", "delta-4b-int4", HOSTILE)
"""In alphabetical order of what a reader sees; the last one would break out of an attribute."""
PRIMARY = ("cosine_distance", "answer")
KEYS = (
    SelectionKey("cosine_distance", "raw", "meaning_preserving"),
    SelectionKey("cosine_distance", "answer", "meaning_preserving"),
    SelectionKey("cosine_distance_64", "raw", "meaning_preserving"),
    SelectionKey("cosine_distance", "answer", "noop"),
    SelectionKey("js_divergence", "raw", "meaning_preserving"),
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


def cluster_page(key: SelectionKey) -> ClusterPage:
    rows = tuple(
        ClusterRow(
            system=index,
            mean=mean,
            lower=None if mean is None else mean - 0.05,
            upper=None if mean is None else mean + 0.06,
            interval_method="none" if mean is None else "bootstrap-t",
            reason="3 prompts have a number, at least 5 are needed." if mean is None else None,
            n_prompts=3 if mean is None else 24,
            n_pairs=3 if mean is None else 400 + index,
            n_erased=17 + index,
            n_unscored=5 * index,
            noise_floor=None if mean is None else 0.011,
            noise_prompts=0 if mean is None else 24,
            noise_reason="The identical rung was not run." if mean is None else None,
            letters=LETTERS[index],
            alive=("yes", "no", "unclear", None)[index],
        )
        for index, mean in enumerate(MEANS)
    )
    contrasts = (
        ContrastRow(0, 1, 0.278, 0.2, 0.35, 0.0004, 0.0001, 24, 390, 30, "first higher", None, None),
        ContrastRow(
            0, 2, 0.141, -0.01, 0.29, 0.21, 0.0001, 24, 388, 31, "not told apart", None, "Few zeros."
        ),
        ContrastRow(0, 3, None, None, None, None, 0.25, 3, 3, 300, "not tested", "Too few prompts.", None),
    )
    words = ClusterWords(
        ("No interval where fewer than 5 prompts have a number.",),
        (f"Cluster a: {NAMES[0]}, {NAMES[2]}.", f"Cluster b: {NAMES[1]}, {NAMES[2]}."),
        "3 contrasts were tested together.",
        "A difference of 0.1 would have been found.",
    )
    cautions = ("The known caution: coverage differs.",)
    return ClusterPage(key, f"{key.metric}, filter {key.filter_name}", rows, contrasts, cautions, words)


def axes_row(index: int, verdict: str, p: float | None, b: float | None) -> AxesRow:
    reference = verdict == "reference"
    return AxesRow(
        system=index, is_reference=reference, verdict=verdict,
        verdict_words=None if reference else f"It is {verdict} in known words.",
        possible=() if reference else (verdict,),
        p=p, p_lower=None if p is None else p - 0.03, p_upper=None if p is None else p + 0.03, p_n=24, p_reason=None,
        c=0.803, c_lower=0.75, c_upper=0.85, c_n=24, c_reason=None,
        f=0.012, f_lower=0.0, f_upper=0.02, f_n=24, f_reason=None,
        b=b, b_lower=b and b - 0.04, b_upper=b and b + 0.04, b_n=24 if b else 0,
        b_zeros=2, b_reason=None, n_pairs=400, n_erased=17, n_unscored=0, ratio=0.51, silent_share=0.0, reasons=(),
        drift_message="Its run is of other prompts." if b is None and not reference else None,
    )  # fmt: skip


def axes_page(metric: str, filter_name: str) -> AxesPage:
    rows = (
        axes_row(0, "reference", 0.412, None),
        axes_row(1, "COLLAPSED", 0.134, 0.623),
        axes_row(2, "UNDETERMINED", 0.271, 0.217),
        axes_row(3, "STABLE", 0.333, None),
    )
    contrasts = (
        AxesContrastRow(
            None, "control", "(c - p) of the reference", 0.4, 0.3, 0.5, 24, "above 0", "Known.", None
        ),
        AxesContrastRow(1, "L_C", "c - 0.8 c_ref", -0.4, -0.5, -0.3, 24, "below 0", "Less.", None),
    )
    return AxesPage(
        metric, filter_name, 0, f"Drift: {metric}, filter {filter_name}", rows, contrasts,
        ("A known axes caution.",), "p: known symbols.", "Constants: known.",
    )  # fmt: skip


def heatmap_cell(rung: Rung, edit: str, system: int) -> HeatmapCellRow:
    counts = {
        ("trailing_space", 0): (0, 24, 0),
        ("trailing_space", 1): (20, 4, 0),
        ("nbsp", 2): (0, 0, 24),
        ("nbsp", 3): (0, 0, 0),
        ("paraphrase_1", 2): (21, 1, 2),
    }.get((edit, system), (24, 0, 0))
    mean = [0.0, 0.05, 0.1, 0.31, 0.62][[each for _, each in EDITS].index(edit)] + 0.001 * system
    given = mean if counts[0] else None
    reason = None if counts[0] else "No pair has a number."
    return HeatmapCellRow(
        rung,
        edit,
        system,
        given,
        given and given - 0.01,
        given and given + 0.01,
        sum(counts),
        *counts,
        reason,
    )


def heatmap_page(metric: str, filter_name: str) -> HeatmapPage:
    cells = {
        (edit, system): heatmap_cell(rung, edit, system)
        for rung, edit in EDITS
        for system in range(len(NAMES))
    }
    return HeatmapPage(metric, filter_name, EDITS, cells, ("A known heatmap caution.",))


def window_rows() -> tuple[WindowRow, ...]:
    def row(system: int, name: str, window: int | None) -> WindowRow:
        length = window or 512
        mean = (0.05 + length / 2000 if name == "raw" else 0.4) if system != 3 else None
        return WindowRow(
            system, name, window, mean, mean and mean - 0.02, mean and mean + 0.02, 24, 400, 17, 3,
            None if mean is not None else "No pair has a number.", name == "raw" and system == 0 and length <= 128,
        )  # fmt: skip

    return tuple(
        row(system, name, window)
        for name in ("answer", "raw")
        for system in range(4)
        for window in (64, 128, 256, None)
    )


def manifest(names: tuple[str, ...], reference: int | None) -> Manifest:
    systems = tuple(
        SystemRecord(index, name, f"{index:016x}", (("model", name), ("precision", "bf16")),
                     "levels" if index in (0, 1) else None, index == reference)
        for index, name in enumerate(names)
    )  # fmt: skip
    return Manifest(
        format_version=1,
        package_version="0.1.0",
        ladder=LadderRecord("prompt_sensitivity", "mini", "1.0.0", "ab" * 32, 24, 432),
        embedder=EmbedderRecord("all-MiniLM-L6-v2", "cd" * 32, 256),
        decoding=DecodingRecord(512, (), True),
        statistics=StatisticsRecord(0.05, 2000, 10000, 0),
        reference=reference,
        systems=systems,
        series=(SeriesRecord("levels", (0, 1)),),
        remarks=("A known remark.",),
        left_out=(LeftOutRecord("runs/x", "It was killed."),),
        selections_left_out=(),
        signature="the known signature",
        files={},
    )


def known_results(names: tuple[str, ...] = NAMES, *, reference: int | None = 0) -> Results:
    """Four systems, five selections; every number is written above."""
    pair = LadderPair(
        "p1/nbsp",
        "p1",
        "noop",
        "nbsp",
        "factual",
        True,
        "",
        "Why is it so?",
        "Why\u00a0is it so?",
        (Replacement(3, 4, "\u00a0"),),
    )
    views = (PRIMARY, ("cosine_distance", "raw"))
    found = Summaries(
        clusters={key: cluster_page(key) for key in KEYS},
        axes={view: axes_page(*view) for view in views} if reference is not None else {},
        heatmaps={view: heatmap_page(*view) for view in (*views, ("js_divergence", "raw"))},
        windows={"meaning_preserving": window_rows()},
        ladder={pair.pair_id: pair},
    )
    return Results(Path("nowhere"), manifest(names, reference), found)
