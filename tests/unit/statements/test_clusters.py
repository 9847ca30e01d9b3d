"""Means, clusters and contrasts of a selection: against plain loops, and what a reader is told."""

from __future__ import annotations

import math
import statistics
from pathlib import Path

import pyarrow as pa
import pytest

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.report.blocks import ResultTable, in_words
from lm_eval_sensitivity.report.documents.clusters import statement_parts
from lm_eval_sensitivity.statements import Selection, TablePartition
from lm_eval_sensitivity.statements.clusters import clusters_statement
from lm_eval_sensitivity.statements.noise import floor_in_words
from lm_eval_sensitivity.statements.records import ClustersStatement
from lm_eval_sensitivity.statements.selection import WEIGHTS, Weights
from lm_eval_sensitivity.stats import mean_interval
from tests.running import command
from tests.unit.runs.made_run import make_run
from tests.unit.statements.made_table import Row, made_table, panel, partition_of

THREE = {"zeta": 0.10, "mid": 0.10, "alpha": 0.40}


def stated(rows: list[Row], selection: Selection | None = None, *, shuffle: int = 0) -> ClustersStatement:
    return of_table(made_table(rows, shuffle=shuffle), selection or Selection())


def of_table(table: pa.Table, selection: Selection) -> ClustersStatement:
    return clusters_statement(partition_of(table, 199), selection, draws=999)


def table_in(found: ClustersStatement, kind: str) -> ResultTable:
    parts = statement_parts(found, pairwise=True)
    return next(part for part in parts if isinstance(part, ResultTable) and part.name.startswith(kind))


@pytest.mark.parametrize("weights", WEIGHTS)
def test_means_are_over_prompts_and_rungs_not_over_pairs(weights: Weights) -> None:
    rows = [row for row in panel(THREE) if not (row[1] == "q0" and row[3] != "leading_space")]
    partition = TablePartition(made_table(rows), 199, weights=weights)
    for found in clusters_statement(partition, Selection(), draws=999).systems:
        by_prompt: dict[str, dict[str, list[float]]] = {}
        for system, prompt, rung, _, number in rows:
            if system == found.system and rung != "identical" and number is not None:
                group = rung if weights == "rung" else ""
                by_prompt.setdefault(prompt, {}).setdefault(group, []).append(number)
        expected = statistics.mean(
            statistics.mean(map(statistics.mean, groups.values())) for groups in by_prompt.values()
        )
        pairs = [number for groups in by_prompt.values() for numbers in groups.values() for number in numbers]
        assert found.mean.estimate == pytest.approx(expected, abs=1e-12)
        assert abs(expected - statistics.mean(pairs)) > 1e-5
        assert (found.counts.n_prompts, found.counts.n_pairs) == (9, 25)


def test_systems_stand_by_name_and_clusters_are_the_planted_ones() -> None:
    found = stated(panel(THREE))
    assert [each.system for each in found.systems] == ["alpha", "mid", "zeta"]
    assert [(each.letter, each.members) for each in found.clusters] == [
        ("a", ("alpha",)),
        ("b", ("mid", "zeta")),
    ]
    assert [each.letters for each in found.systems] == [("a",), ("b",), ("b",)]
    assert {(c.first, c.second): c.finding for c in found.contrasts} == {
        ("alpha", "mid"): "first higher",
        ("alpha", "zeta"): "first higher",
        ("mid", "zeta"): "not told apart",
    }


def test_noise_floor_stands_beside_the_mean_with_its_n() -> None:
    found = stated(panel({"m": 0.3, "n": 0.3}, noise=0.02))
    for each in found.systems:
        assert each.noise.estimate == pytest.approx(0.02) and each.noise.n == 9
    assert not [each for each in found.cautions if "noise" in each.text]


def test_the_noise_floor_is_of_the_same_metric_and_filter() -> None:
    table = made_table(panel({"m": 0.3}, noise=0.02), metric="token_edit_distance", filter_name="raw")
    other = made_table(panel({"m": 0.3}, noise=0.2))
    both = pa.concat_tables([table, other], promote_options="default")
    found = of_table(both, Selection("token_edit_distance", "raw"))
    assert found.systems[0].noise.estimate == pytest.approx(0.02)


def test_what_is_detectable_is_stated_for_the_whole_family() -> None:
    # 9 prompts, 3 contrasts: 0.05 / 3; 21 contrasts leave less than the smallest p, which max-|t| still reaches.
    few = stated(panel(THREE)).detectable
    many = stated(panel(dict.fromkeys("abcdefg", 0.2))).detectable
    assert few is not None and many is not None
    assert few.level == pytest.approx(0.05 / 3)
    assert many.level == 2 / 2**9
    assert 0 < few.smallest <= few.largest and few.n_contrasts == 3


def test_a_rung_that_was_not_run_gives_a_reason_not_a_zero() -> None:
    rows = [row for row in panel(THREE) if (row[0], row[2]) != ("mid", "identical")]
    floors = {each.system: each.noise for each in stated(rows).systems}
    assert math.isnan(floors["mid"].estimate)
    assert floors["mid"].reason == "The identical rung was not run."
    assert floors["zeta"].estimate == 0
    none = stated([row for row in rows if row[2] != "identical"])
    assert all(each.noise.reason for each in none.systems)


def test_coverage_that_differs_is_pointed_out_and_pairs_lost_are_counted() -> None:
    rows = [
        (system, prompt, rung, edit, math.nan if system == "n" and edit == "leading_space" else number)
        for system, prompt, rung, edit, number in panel({"m": 0.1, "n": 0.1})
    ]
    found = stated(rows)
    assert "33% of the pairs of n" in said(found)
    assert found.systems[1].counts.n_erased == 9
    (contrast,) = found.contrasts
    assert (contrast.n_pairs_lost, contrast.counts.n_pairs) == (9, 18)


def test_five_prompts_cannot_tell_anything_apart_and_say_so() -> None:
    found = stated(panel({"m": 0.1, "n": 0.9}, n_prompts=5))
    assert "1 of 1 contrasts could never be told apart" in said(found)
    assert "above alpha 0.05, whatever the data" in said(found)
    assert found.clusters == () and [each.about for each in found.left_out] == [("m",), ("n",)]
    assert "0.0625, above alpha 0.05" in str(found.contrasts[0].reason)
    assert found.detectable is not None
    assert math.isnan(found.detectable.smallest)
    assert "No two systems share enough" in str(found.detectable.reason) and found.detectable.n_without == 1


def test_below_five_prompts_there_are_reasons_instead_of_numbers() -> None:
    found = stated(panel({"m": 0.1, "n": 0.9}, n_prompts=4))
    assert all(math.isnan(each.mean.estimate) and each.mean.reason for each in found.systems)
    assert all(math.isnan(each.p_adjusted) and each.finding == "not tested" for each in found.contrasts)
    assert [each.about for each in found.left_out] == [("m",), ("n",)]
    assert any("4 prompts have a number" in each.text for each in found.cautions)
    assert said(found)


def test_one_system_alone_has_an_interval_and_no_clusters() -> None:
    found = stated(panel({"m": 0.1}))
    assert (found.clusters, found.family, found.contrasts) == ((), None, ())
    assert math.isfinite(found.systems[0].mean.lower)
    assert "One system alone" in said(found)


def test_a_system_without_a_pair_is_named() -> None:
    rows = [row for row in panel(THREE) if row[0] != "mid" or row[2] == "identical"]
    found = stated(rows)
    assert found.absent == ("mid",)
    assert found.cautions[0].text == "mid has no pair on these rungs and is left out."


def test_a_system_between_two_others_could_be_in_both() -> None:
    # low - middle and middle - high differ in sign from prompt to prompt, low - high never does.
    rows: list[Row] = []
    for index in range(9):
        middle = 0.2 if index % 3 else 0.6
        for system, number in (("low", 0.3), ("middle", middle), ("high", 0.4 + index / 1000)):
            rows.append((system, f"q{index}", "noop", "nfd", number + 0.001 * index))
    words = said(stated(rows))
    assert "Cluster a: high, middle. No two of these are distinguishable" in words
    assert "middle is in a, and could also be in b." in words


def test_unknown_audits_are_pointed_out() -> None:
    table = made_table(panel(THREE))
    column = table.column_names.index("audit_status")
    table = table.set_column(column, "audit_status", [["unknown"] * table.num_rows])
    found = of_table(table, Selection())
    assert "not known for alpha, mid, zeta" in said(found)


def said(found: ClustersStatement) -> str:
    parts = statement_parts(found, pairwise=True)
    return "\n".join(in_words(part) for part in parts if not isinstance(part, ResultTable))


def sparse() -> list[Row]:
    """Two systems that differ in every prompt, and a third with only five of nine prompts."""
    rows = panel({"m": 0.1, "n": 0.5, "sparse": 0.9})
    return [row for row in rows if row[0] != "sparse" or row[1] < "q5"]


def test_a_sparse_system_does_not_silence_the_family() -> None:
    alone = stated([row for row in panel({"m": 0.1, "n": 0.5, "sparse": 0.9}) if row[0] != "sparse"])
    found = stated(sparse())
    assert found.family is not None and found.family.size == 1 and found.family.n_hopeless == 2
    by_pair = {(each.first, each.second): each for each in found.contrasts}
    assert by_pair["m", "n"].p_adjusted == alone.contrasts[0].p_adjusted == 2 / 2**9
    assert by_pair["m", "n"].finding == "first lower"
    assert by_pair["m", "sparse"].finding == "not tested" and by_pair["m", "sparse"].attainable_p == 0.0625
    assert "2 of 3 contrasts could never be told apart" in said(found)
    table = table_in(found, "contrasts")
    at = [column.name for column in table.columns].index("attainable p")
    assert [each[at] for each in table.rows] == [2 / 2**9, 0.0625, 0.0625]


def test_every_contrast_is_accounted_for_where_a_detectable_difference_is_stated() -> None:
    # m and o agree everywhere; the sparse system cannot be tested; a system with 7 prompts is tested at its own p.
    rows = [*sparse(), *(("o", *row[1:]) for row in sparse() if row[0] == "m")]
    rows += [
        ("seven", *row[1:4], 0.3 + 0.01 * index % 0.1) for index, row in enumerate(rows) if row[0] == "n"
    ]
    rows = [row for row in rows if row[0] != "seven" or row[1] < "q7"]
    found = stated(rows).detectable
    assert found is not None
    assert (found.n_contrasts, found.n_without) == (5, 5)
    assert len(found.reasons) == 2
    assert "The smallest p of 9 prompts (9 of them do not differ) is 1" in "".join(found.reasons)
    assert "5 of 10 contrasts have no such number" in said(stated(rows))


def test_clusters_say_what_was_not_compared() -> None:
    # n and o share four prompts, so that nothing is known of the two.
    rows = panel({"m": 0.1, "n": 0.1, "o": 0.1}, n_prompts=14)
    rows = [row for row in rows if row[0] == "m" or (row[0] == "n") == (int(row[1][1:]) < 7)]
    words = said(stated(rows))
    assert "No two of these that were compared are distinguishable" in words
    assert "Not compared: n and o." in words
    # Only two systems stand together, and they were not compared: no finding is claimed.
    told = [("m", *row[1:4], row[4] + 0.5) if row[0] == "m" and row[4] else row for row in rows]
    assert "Cluster b: n, o. Not compared: n and o." in said(stated(told))
    assert "distinguishable, which" not in said(stated(told))


@pytest.mark.parametrize("metric", ["top1_probability", "margin_min", "first_divergence"])
def test_what_is_no_distance_of_a_pair_has_no_floor(metric: str) -> None:
    table = made_table(panel({"m": 0.3, "n": 0.3}, noise=0.3), metric=metric, filter_name="raw")
    found = of_table(table, Selection(metric, "raw"))
    for each in found.systems:
        assert math.isnan(each.noise.estimate) and "no distance of a pair" in str(each.noise.reason)
    assert not [each for each in found.cautions if "noise floor" in each.text]
    assert "below 0 means 0" not in table_in(found, "systems").note


def test_drift_has_its_own_command() -> None:
    table = made_table(panel({"m": 0.3}), metric="baseline_drift", filter_name="raw")
    with pytest.raises(InputError, match="lm-eval-sensitivity drift"):
        of_table(table, Selection("baseline_drift", "raw"))
    with pytest.raises(InputError, match="lm-eval-sensitivity drift"):
        run_command("no_such_folder", "--metric", "baseline_drift")


def test_a_number_that_is_not_zero_is_not_printed_as_zero() -> None:
    rows: list[Row] = [(*row[:4], (row[4] or 0) * 1e-5) for row in panel({"m": 0.1, "n": 0.1})]
    rows = [(*row[:4], 3e-5) if row[2] == "identical" else row for row in rows]
    words = said(stated(rows))
    assert "its mean distance is within the noise floor <0.0001: <0.0001 over" in words
    assert "a difference of <0.0001 would be found" in words and "0.0000" not in words


RARE: list[Row] = [
    (system, f"q{i}", "noop", "nfd", 0.1 * i if i < 3 and system == "m" else 0.0)
    for i in range(9)
    for system in ("m", "n")
]
"""Two of nine prompts moved in one system, none in the other."""


def test_bounds_of_a_distance_stay_in_its_range() -> None:
    found = stated(RARE)
    for row, other in zip(found.systems, (RARE[::2], RARE[1::2]), strict=True):
        values = [value for *_, value in other]
        assert row.mean == mean_interval(values, largest=1.0, resamples=199)
        assert 0 <= row.mean.lower <= row.mean.upper <= 1 and row.mean.method == "half-point"
    assert found.systems[1].mean.lower == 0 < found.systems[1].mean.upper
    assert found.contrasts[0].difference.method == "corner-point"
    assert -1 < found.contrasts[0].difference.lower < found.contrasts[0].difference.upper < 1
    assert "unreliable" not in said(found)


def test_mostly_equal_numbers_make_an_interval_without_a_range_unreliable() -> None:
    found = of_table(made_table(RARE, metric="first_divergence"), Selection("first_divergence"))
    words = "7 of 9 prompts are exactly 0: the interval is unreliable."
    assert f"m, mean: {words}" in [each.text for each in found.cautions]
    assert str(found.contrasts[0].caution) == f"m and n, difference: {words}"
    assert str(found.contrasts[0].caution) in table_in(found, "contrasts").note


def test_how_bounds_are_made_is_said() -> None:
    assert "Bounds are by half points" in table_in(stated(panel(THREE)), "systems").note


RARE_AND_OFTEN = [("rare", f"q{i:02d}", "noop", "nfd", 0.3 if i == 0 else 0.0) for i in range(24)] + [
    ("often", f"q{i:02d}", "noop", "nfd", 0.05 + 0.002 * i) for i in range(24)
]
"""One system moved on one prompt, and far; the other on all, and little."""


def test_effects_that_differ_have_no_order_of_means_by_themselves() -> None:
    found = stated([*RARE_AND_OFTEN, *(("far", *row[1:4], 0.7 + row[4]) for row in RARE_AND_OFTEN[24:])])
    open_pair, *settled = sorted(found.contrasts, key=lambda each: each.ordered)
    assert (open_pair.first, open_pair.second) == ("often", "rare")
    assert open_pair.distinguishable and open_pair.p_adjusted <= 0.05 < open_pair.p_order
    assert open_pair.finding == "effects differ"
    assert found.ordered == (("often", "far"), ("rare", "far"))
    assert {each.finding for each in settled} == {"first higher"}
    words = said(found)
    assert "Their effects differ; which mean is lower is not settled: often and rare." in words


def test_means_beside_each_other_are_given_over_common_pairs_where_coverage_differs() -> None:
    rows = panel({"m": 0.1, "n": 0.3})
    assert [each.common for each in stated(rows).systems] == [None, None]
    assert "common mean" not in [column.name for column in table_in(stated(rows), "systems").columns]
    lost = [(*row[:4], None) if row[:4] == ("n", "q0", "noop", "leading_space") else row for row in rows]
    found = stated(lost)
    first, second = found.systems
    assert second.common == second.mean and first.common is not None and first.common != first.mean
    own = [row[4] for row in rows if row[0] == "m" and row[2] == "synonym" and row[1] == "q0"]
    noop = [row[4] for row in rows if row[0] == "m" and row[2] == "noop" and row[1] == "q0"]
    others = first.mean.estimate * 9 - statistics.fmean([statistics.fmean(own), *noop])
    assert first.common.estimate * 9 - others == pytest.approx(statistics.fmean(own))
    table = table_in(found, "systems")
    at = [column.name for column in table.columns].index("common mean")
    assert [row[at] for row in table.rows] == [first.common.estimate, second.common.estimate]


def test_a_detectable_difference_needs_prompts_that_differ() -> None:
    rows: list[Row] = [
        (name, f"q{i:02d}", "noop", "nfd", 0.5 + 0.1 * i if name == "m" and i < 4 else 0.0)
        for name in "mn"
        for i in range(24)
    ]
    found = stated(rows)
    assert found.contrasts[0].attainable_p == found.contrasts[0].p_adjusted == 0.125
    assert found.detectable is not None and math.isnan(found.detectable.smallest)
    assert "The smallest p of 24 prompts (20 of them do not differ) is 0.125" in str(found.detectable.reason)
    note = table_in(found, "contrasts").note
    assert "The interval leaves out 0, but p is above 0.05" in note


def run_command(*arguments: object) -> int:
    return command("clusters", *arguments, "--resamples", 199)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two systems, both run in part, so that each has a remark."""
    folder = tmp_path_factory.mktemp("runs")
    return [
        make_run(
            folder / name, model=f"org/{name}", identity={"weights": name * 64}, seed=seed, limit=8
        ).folder
        for seed, name in enumerate("ab")
    ]


def test_same_runs_in_another_order_give_the_same_bytes(runs: list[Path], tmp_path: Path) -> None:
    for form in ("table", "markdown", "csv", "json"):
        for name, folders in (("one", runs), ("two", runs[::-1])):
            run_command(*folders, "--format", form, "--output", tmp_path / name)
        assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
        assert (tmp_path / "one").read_text(encoding="utf-8").count("run in part") == (
            4 if form == "json" else 2
        )


def test_alpha_outside_its_range_is_refused(runs: list[Path]) -> None:
    for alpha in ("0", "1", "nan"):
        with pytest.raises(InputError, match="--alpha"):
            run_command(*runs, "--alpha", alpha)


def test_the_noise_floor_says_over_how_many_repetitions_it_is_a_mean() -> None:
    table = panel({"m": 0.3, "n": 0.3}, noise=0.02)
    rows = made_table(table).to_pylist()
    for each in rows:
        each["repetitions"] = {"m": 3, "n": None}[each["name"]] if each["rung"] == "identical" else None
    found = clusters_statement(partition_of(rows), Selection(), draws=99)
    assert [each.repetitions for each in found.systems] == [3, 1], "a run of an earlier version has one"
    assert floor_in_words(found.systems) == (
        "mean of the identical rung, one repetition (n) or three repetitions (m) of each prompt"
    )
    assert floor_in_words(found.systems[:1]) == "mean of the identical rung, three repetitions of each prompt"
    (alone,) = clusters_statement(
        partition_of(made_table([("m", "q", "noop", "tab", 0.1)])), Selection()
    ).systems
    assert alone.repetitions is None and floor_in_words([alone]) == "mean of the identical rung"
