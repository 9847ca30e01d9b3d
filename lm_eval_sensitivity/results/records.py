"""Frozen records of a results folder: what a page over finished runs shows, without the runs themselves.

A system is called by its index in the alphabetical list of the manifest, never by its name: names are
strangers' texts. A number that could not be computed is None, with a reason beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lm_eval_sensitivity.types import Category, Replacement, Rung


@dataclass(frozen=True)
class LeftOutRecord:
    """Something that is not in the results."""

    what: str
    """A file, task, system or selection; folders by their names only."""
    reason: str


@dataclass(frozen=True)
class LadderRecord:
    """The ladder that every system was asked."""

    name: str
    subset: str
    version: str
    hash: str
    """Content hash, 64 hexadecimal digits."""
    n_prompts: int
    """Base prompts that any system was run on."""
    n_pairs: int
    """Pairs that any system was run on."""


@dataclass(frozen=True)
class EmbedderRecord:
    """What cosine distances were measured with."""

    name: str
    weights_sha256: str
    max_tokens: int | None
    """None where the runs do not say."""


@dataclass(frozen=True)
class DecodingRecord:
    """How outputs were made."""

    max_gen_toks: int
    until: tuple[str, ...]
    """Stop strings."""
    greedy: bool


@dataclass(frozen=True)
class StatisticsRecord:
    """What it takes to compute the numbers again."""

    alpha: float
    """Family-wise error of one table of clusters."""
    resamples: int
    draws: int
    seed: int


@dataclass(frozen=True)
class SystemRecord:
    """One system."""

    index: int
    """In the alphabetical list of names; file `pairs/<index>.parquet`."""
    name: str
    """Display name: a stranger's text, to be shown and never to be used as a path, id or markup."""
    fingerprint: str
    """16 hexadecimal digits: equal fingerprints, equal systems."""
    facts: tuple[tuple[str, str], ...]
    """(label, value): model, revision, precision, engine, ...; values are strangers' texts."""
    series: str | None
    """Name of the series that it is a level of, or None; its place in it stands in `Manifest.series`."""
    is_reference: bool
    """Whether drift is measured from it."""


@dataclass(frozen=True)
class SeriesRecord:
    """Levels of one model, such as quantisations, that may be joined by a line."""

    name: str
    systems: tuple[int, ...]
    """Indices, in the order of the levels; two or more, each system in one series at most."""


@dataclass(frozen=True)
class FileRecord:
    """One file of the folder."""

    name: str
    """One of the fixed names."""
    sha256: str
    bytes: int
    rows: int


@dataclass(frozen=True)
class SelectionKey:
    """Which clusters: a metric (window included), a filter and a rung set."""

    metric: str
    """As in `cosine_distance` or `cosine_distance_64`."""
    filter_name: str
    """`raw` or `answer`."""
    rung_set: str
    """A name of `analysis.RUNG_SETS`."""


@dataclass(frozen=True)
class Manifest:
    """What the folder holds, and what its numbers were computed from."""

    format_version: int
    package_version: str
    """That wrote the folder."""
    ladder: LadderRecord
    embedder: EmbedderRecord
    decoding: DecodingRecord
    statistics: StatisticsRecord
    reference: int | None
    """Index of the system that drift is measured from; None where none was given."""
    systems: tuple[SystemRecord, ...]
    """In alphabetical order, as `systems.alphabetical` has it."""
    series: tuple[SeriesRecord, ...]
    remarks: tuple[str, ...]
    """Sentences that a reader of the runs should know."""
    left_out: tuple[LeftOutRecord, ...]
    """Files, tasks and systems that were not taken."""
    selections_left_out: tuple[LeftOutRecord, ...]
    """Selections that were asked for and have no data."""
    signature: str
    """What the numbers were computed from, in one line."""
    files: Mapping[str, FileRecord] = field(repr=False)
    """By name; all files but the manifest."""


@dataclass(frozen=True)
class HubOrigin:
    """Where a folder was fetched from."""

    dataset: str
    """`ORG/NAME` on the Hugging Face Hub."""
    revision: str
    """That was asked for: a commit, or a name such as a tag, which can be moved to another commit."""
    commit: str
    """That the name stood for when the files were fetched, 40 hexadecimal digits."""


# ---- clusters


@dataclass(frozen=True)
class ClusterRow:
    """One system in one selection."""

    system: int
    mean: float | None
    """Over prompts."""
    lower: float | None
    """95 % bounds of the mean."""
    upper: float | None
    interval_method: str
    """`bootstrap-t`, `student-t`, or `none`."""
    reason: str | None
    """Why there are no bounds."""
    n_prompts: int
    n_pairs: int
    """Scored."""
    n_erased: int
    """Pairs whose edit never reached the model."""
    n_unscored: int
    """Pairs that were given and have no number."""
    noise_floor: float | None
    """Mean of the identical rung, where nothing was edited."""
    noise_prompts: int
    noise_reason: str | None
    """Why there is no noise floor."""
    letters: tuple[str, ...]
    """Its clusters; empty for a system alone, or one that could not be tested."""
    alive: str | None
    """Whether meaning moves it more than harmless edits do: yes, no or unclear; None where it was not judged."""


@dataclass(frozen=True)
class ContrastRow:
    """Two systems, on the pairs that are scored in both; either may be the first."""

    first: int
    second: int
    difference: float | None
    """First minus second, mean over prompts."""
    lower: float | None
    """95 % bounds of this contrast alone."""
    upper: float | None
    p_adjusted: float | None
    """Family-wise; None where the contrast was not tested."""
    attainable_p: float
    """The smallest p that any data of these prompts could have given."""
    n_prompts: int
    n_pairs: int
    n_lost: int
    """Pairs of one of the two that cannot be used in both."""
    finding: str
    """`not tested`, `not told apart`, `first lower`, `first higher`."""
    reason: str | None
    """Why it was not tested, or has no bounds."""
    caution: str | None
    """What makes its interval unreliable."""


@dataclass(frozen=True)
class ClusterWords:
    """What the command line says below the table, in whole sentences."""

    reasons: tuple[str, ...]
    """Why cells are missing."""
    clusters: tuple[str, ...]
    """One per cluster, and per system in several clusters or in none."""
    family: str | None
    """How many contrasts were tested together; None for a system alone."""
    detectable: str | None
    """Which difference would have been found; None for a system alone."""


@dataclass(frozen=True)
class ClusterPage:
    """Everything that is said of one selection."""

    key: SelectionKey
    title: str
    """The selection in words."""
    rows: tuple[ClusterRow, ...]
    """In alphabetical order; only systems with a pair in the selection."""
    contrasts: tuple[ContrastRow, ...]
    cautions: tuple[str, ...]
    """Sentences that must not be missed."""
    words: ClusterWords


# ---- axes


@dataclass(frozen=True)
class AxesRow:
    """One system beside the reference. p, f, c and b are means over prompts, lower and upper 95 % bounds."""

    system: int
    is_reference: bool
    verdict: str
    """STABLE, RESPONSIVE, DRIFTED, COLLAPSED, INDISCRIMINATE, INVALID PROBE or UNDETERMINED; `reference`."""
    verdict_words: str | None
    """The sentences of the command line; None for the reference."""
    possible: tuple[str, ...]
    """Labels that the data still allow; one, unless UNDETERMINED."""
    p: float | None
    """Distance under meaning-preserving edits."""
    p_lower: float | None
    p_upper: float | None
    p_n: int
    """Prompts."""
    p_reason: str | None
    c: float | None
    """Distance under the positive control."""
    c_lower: float | None
    c_upper: float | None
    c_n: int
    c_reason: str | None
    f: float | None
    """Distance of the identical rung: the noise floor."""
    f_lower: float | None
    f_upper: float | None
    f_n: int
    f_reason: str | None
    b: float | None
    """Drift from the reference's output on the identical prompt; None for the reference."""
    b_lower: float | None
    b_upper: float | None
    b_n: int
    b_zeros: int
    """Prompts whose drift is exactly 0."""
    b_reason: str | None
    n_pairs: int
    """Scored under meaning-preserving edits."""
    n_erased: int
    n_unscored: int
    ratio: float | None
    """p/c over the pairs of the verdict; None where c is 0 or missing."""
    silent_share: float | None
    """Of the pairs that the reference has a number for, the share that this system has none for."""
    reasons: tuple[str, ...]
    """Why a verdict is not clear."""
    drift_message: str | None
    """Why no drift could be measured."""


@dataclass(frozen=True)
class AxesContrastRow:
    """One contrast that a verdict, or the validity of the probe, rests on."""

    system: int | None
    """None for the two contrasts of the probe, which are the reference's."""
    name: str
    """`L_C`, `L_R`, `L_P`, `L_D`; `control` and `noise` of the probe."""
    formula: str
    estimate: float | None
    lower: float | None
    """One-sided bounds."""
    upper: float | None
    n: int
    sign: str
    """`above 0`, `below 0`, `unclear`."""
    words: str
    """What the sign says."""
    reason: str | None
    """Why there are no bounds."""


@dataclass(frozen=True)
class AxesPage:
    """Two axes of all systems under one metric and filter."""

    metric: str
    filter_name: str
    reference: int
    title: str
    rows: tuple[AxesRow, ...]
    """In alphabetical order."""
    contrasts: tuple[AxesContrastRow, ...]
    """The probe first, then by system."""
    cautions: tuple[str, ...]
    symbols: str
    """What p, c, b and f are, in words."""
    constants: str
    """The declared constants, in words."""


# ---- heatmap and windows


@dataclass(frozen=True)
class HeatmapCellRow:
    """One edit of one system."""

    rung: Rung
    edit: str
    system: int
    mean: float | None
    lower: float | None
    upper: float | None
    n_given: int
    """Pairs that the system was given."""
    n_scored: int
    n_erased: int
    n_unscored: int
    reason: str | None
    """Why there is no interval."""


@dataclass(frozen=True)
class HeatmapPage:
    """One metric under one filter, edit by system."""

    metric: str
    filter_name: str
    edits: tuple[tuple[Rung, str], ...]
    """(rung, edit), in the order of the ladder."""
    cells: Mapping[tuple[str, int], HeatmapCellRow] = field(repr=False)
    """By (edit, system); every edit has every system."""
    cautions: tuple[str, ...]


@dataclass(frozen=True)
class WindowRow:
    """Mean cosine distance of one system when only the first tokens of the outputs are read."""

    system: int
    filter_name: str
    window: int | None
    """Tokens; None is the whole text."""
    mean: float | None
    lower: float | None
    upper: float | None
    n_prompts: int
    n_pairs: int
    n_erased: int
    n_unscored: int
    reason: str | None
    scaffold_dominates: bool
    """Under the filter raw: in most outputs more than half of what the window shows stands before the answer."""


# ---- pairs


@dataclass(frozen=True)
class PairLine:
    """One pair of one cell of the heatmap."""

    pair_id: str
    prompt_id: str
    category: str
    value: float | None
    missing: str | None
    """Why there is no value; starts with the kind of reason."""
    audit_status: str
    """`survived`, `erased`, `identical`, `unknown`."""
    first_divergence: int | None
    """0-based step at which the outputs part; None where they do not, or where it is not known."""


@dataclass(frozen=True)
class LadderPair:
    """What was asked: a base prompt and its edited variant."""

    pair_id: str
    prompt_id: str
    rung: Rung
    edit: str
    category: Category
    meaning_preserving: bool
    reason: str
    """Why an authored variant is on its rung; empty for rule edits."""
    base: str
    variant: str
    replacements: tuple[Replacement, ...]
    """Applied to `base` from the last to the first, they give `variant`."""


@dataclass(frozen=True)
class SideDetail:
    """One output of a pair."""

    text: str
    """With special tokens shown where the engine lets us see them."""
    cut_characters: int
    """Characters that were left out at the end of a very long text."""
    token_ends: tuple[int, ...] | None
    """[step] character of `text` at which each generated token ends, for tokens inside the text; None where it
    is not known."""
    margins: tuple[float | None, ...] | None
    """[step] nats between the chosen token and the next best; an entry is None where no other token could be
    chosen at all; None for engines that return text only."""
    status: str | None
    """Of the scaffold: `none`, `closed`, `unclosed`, `empty_answer`; None where it was not looked for."""
    scaffold: str | None
    """Name of the reasoning scaffold, if there is one."""
    answer_start: int | None
    """First character of the answer in `text`; it may lie beyond the text where that was cut."""
    answer_end: int | None
    """One past the last."""
    finish_reason: str | None
    """`end_token`, `stop_string`, `length`, `not_finite`; None for engines that return text only."""


@dataclass(frozen=True)
class PairDetail:
    """Everything about one pair of one system."""

    pair_id: str
    base: SideDetail
    variant: SideDetail
    curves: Mapping[str, tuple[int, ...] | None] = field(repr=False)
    """By filter: [t - 1] edit distance of the first t tokens; None where there is no answer to compare."""
    first_divergence: Mapping[str, int | None]
    """By filter: 0-based step at which the outputs part; None where they do not, or where there is no curve."""
    censored: Mapping[str, bool | None]
    """By filter: the outputs are equal up to a token limit and may part later; None where there is no curve."""
