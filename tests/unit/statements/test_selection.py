"""Which rows of a pairs table a selection takes, and that each is read once."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.statements import RUNG_SETS, Selection
from lm_eval_sensitivity.stats.partition import ABSENT, ERASED, SCORED, UNSCORED
from lm_eval_sensitivity.types import MEANING_PRESERVING_RUNGS, RUNGS
from tests.unit.statements.made_table import made_table, partition_of

ROWS = [
    ("m", "q1", "identical", "identical", 0.5),
    ("m", "q1", "noop", "leading_space", 0.1),
    ("m", "q1", "synonym", "synonym_1", 0.3),
    ("m", "q2", "synonym", "synonym_1", None),
    ("m", "q2", "noop", "leading_space", math.nan),
    ("m", "q2", "positive_control", "control_topic", 0.9),
    ("n", "q1", "noop", "leading_space", 0.2),
]


def test_a_rung_set_takes_its_rungs_and_no_other() -> None:
    pairs = partition_of(made_table(ROWS)).pairs(Selection())
    assert pairs.edits == ("leading_space", "synonym_1")
    assert pairs.system("m")[0] == pytest.approx(0.2)
    alone = partition_of(made_table(ROWS)).pairs(Selection(rung_set="positive_control"))
    assert alone.prompts == ("q2",)
    assert partition_of(made_table(ROWS)).given(Selection(rung_set="positive_control")) == ("m",)


def test_erased_and_unscored_are_told_apart_and_never_zero() -> None:
    pairs = partition_of(made_table(ROWS)).pairs(Selection(), ["m"])
    status = dict(zip(pairs.edits, pairs.status[1, :, 0].tolist(), strict=True))
    assert status == {"leading_space": ERASED, "synonym_1": UNSCORED}
    assert np.isnan(pairs.values[1]).all()
    assert pairs.status[0, 0, 0] == SCORED


def test_an_erased_pair_counts_as_erased_whatever_number_stands_there() -> None:
    table = made_table(ROWS)
    column = table.column_names.index("cosine_distance")
    table = table.set_column(column, "cosine_distance", [[0.0] * len(ROWS)])
    counts = partition_of(table).pairs(Selection()).counts("m")
    assert (counts.n_pairs, counts.n_erased, counts.n_unscored) == (3, 1, 0)


def test_an_infinite_number_is_unscored() -> None:
    table = made_table([("m", "q1", "noop", "nfd", math.inf)], metric="kl_forward", filter_name="raw")
    assert partition_of(table).pairs(Selection("kl_forward", "raw")).counts("m").n_unscored == 1


def test_the_other_filter_is_another_table() -> None:
    with pytest.raises(InputError, match="no pair of cosine_distance, filter raw"):
        partition_of(made_table(ROWS)).given(Selection(filter_name="raw"))


def test_the_order_of_rows_changes_nothing() -> None:
    first, second = (partition_of(made_table(ROWS, shuffle=seed)).pairs(Selection()) for seed in (0, 5))
    assert (first.prompts, first.edits, first.systems) == (second.prompts, second.edits, second.systems)
    assert first.values.tobytes() == second.values.tobytes()
    assert first.status.tobytes() == second.status.tobytes()


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("cosine_distanse", "answer", "noop"), "Did you mean 'cosine_distance'"),
        (("cosine_distance", "answr", "noop"), "Did you mean 'answer'"),
        (("cosine_distance", "answer", "synonyms"), "Did you mean 'synonym'"),
        (("js_divergence", "answer", "noop"), "--filter raw"),
    ],
)
def test_mistakes_are_named_with_what_is_accepted(arguments: tuple[str, str, str], hint: str) -> None:
    with pytest.raises(InputError, match=hint):
        Selection(*arguments)


def test_an_unknown_system_is_named() -> None:
    with pytest.raises(InputError, match="no system 'k' in these runs; there are m, n"):
        partition_of(made_table(ROWS)).pairs(Selection(), ["k"])


def test_a_system_without_a_pair_has_nothing_but_absent_ones() -> None:
    pairs = partition_of(made_table(ROWS)).pairs(Selection(rung_set="positive_control"), ["m", "n"])
    assert (pairs.systems, pairs.counts("n").n_pairs) == (("m", "n"), 0)
    assert (pairs.status[:, :, 1] == ABSENT).all()


def test_two_rows_for_one_pair_are_refused() -> None:
    with pytest.raises(ValueError, match="two rows for prompt 'q1', edit 'leading_space', 'm'"):
        partition_of(made_table([*ROWS, ROWS[1]])).pairs(Selection())


def test_what_is_computed_is_kept() -> None:
    partition = partition_of(made_table(ROWS))
    assert partition.pairs(Selection()) is partition.pairs(Selection())
    assert partition.mean(Selection(), "m") is partition.mean(Selection(), "m")


def test_rung_sets_are_the_harmless_ones_together_and_each_alone() -> None:
    assert RUNG_SETS["meaning_preserving"] == MEANING_PRESERVING_RUNGS
    assert {name for name in RUNG_SETS if name != "meaning_preserving"} == set(RUNGS)


def test_windows_are_read_from_the_metric() -> None:
    assert Selection("cosine_distance_64").window == 64
    assert Selection("cosine_distance").window is None
