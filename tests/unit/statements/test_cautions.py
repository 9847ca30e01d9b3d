"""Sentences on what could fake a number: each where it is true, and where it is not."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import pyarrow as pa
import pytest

from lm_eval_sensitivity.statements import Selection, TablePartition
from lm_eval_sensitivity.statements.clusters import clusters_statement
from lm_eval_sensitivity.statements.compare import comparison_statement
from lm_eval_sensitivity.statements.drift import drift_statement
from lm_eval_sensitivity.statements.heatmap import heatmap_statement
from lm_eval_sensitivity.types import Note
from tests.unit.statements.made_table import made_table, panel, partition_of, row, table_of

N = 9
COLLAPSED, WINDOW, FLOOR, MAY_BE_NOISE, END = (
    "COLLAPSED OR INDISCRIMINATE",
    "scaffold dominates this window",
    "the noise floor",
    "may be noise",
    "prompt-end metrics",
)


def rows(
    name: str,
    *,
    harmless: float = 0.1,
    control: float | None = 0.8,
    floor: float | None = 0.0,
    n: int = N,
    filter_name: str = "answer",
    **cells: Any,
) -> list[dict[str, Any]]:
    """One pair per prompt and rung; prompts vary a little, all rungs of a prompt by the same."""
    made = []
    levels = {"identical": floor, "synonym": harmless, "positive_control": control}
    for rung, level in levels.items():
        for prompt in range(n):
            if level is not None:
                value = level if level == 0 else level + 0.001 * prompt
                made.append(row(name, rung, f"q{prompt}", rung, value, **{"filter": filter_name, **cells}))
    return made


def cautions(table: pa.Table, selection: Selection | None = None) -> tuple[Note, ...]:
    return clusters_statement(partition_of(table), selection or Selection(), draws=99).cautions


def said(table: pa.Table, selection: Selection | None = None) -> str:
    return "\n".join(each.text for each in cautions(table, selection))


def responsive(table: pa.Table) -> dict[str, str | None]:
    found = clusters_statement(partition_of(table), Selection(), draws=99)
    return {each.system: each.responsiveness for each in found.systems}


def about(words: str, notes: Iterable[Note]) -> list[str]:
    """Who the cautions with these words are about; each is about one system."""
    return [system for each in notes if words in each.text for (system,) in [each.about]]


STATEMENTS: dict[str, Callable[[TablePartition], Any]] = {
    "clusters": lambda partition: clusters_statement(partition, Selection(), draws=99),
    "compare": lambda partition: comparison_statement(partition, "m", "n", Selection(), draws=99),
    "drift": lambda partition: drift_statement(partition, ["m", "n"], Selection()),
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_rung_that_one_system_lacks_is_the_first_thing_said(name: str) -> None:
    """Means beside each other are over other edits, or over other pairs, and only the words can say so."""
    whole = panel({"m": 0.1, "n": 0.1})
    lacking = [row for row in whole if (row[0], row[2]) != ("n", "synonym")]
    first, second, *_ = STATEMENTS[name](partition_of(made_table(lacking), 99)).cautions
    assert "DO NOT COVER THE SAME RUNGS (m: noop, synonym; n: noop)" in first.text
    assert second.text.startswith(
        "Coverage differs: 67% of the pairs of n are erased, unscored or were not given"
    )
    found = STATEMENTS[name](partition_of(made_table(whole), 99)).cautions
    assert found[0].text.startswith("No system was run on punctuation, paraphrase:")
    assert not [each for each in found if "DO NOT COVER" in each.text or each.text.startswith("Coverage")]


# ---- collapse


def test_a_system_that_another_request_does_not_move_is_called_collapsed() -> None:
    dead = rows("dead", harmless=0.01, control=0.01, floor=0.0)
    table = table_of(dead + rows("well"))
    assert about(COLLAPSED, cautions(table)) == ["dead"]
    assert "Another request moves its output not 25 % further" in said(table)
    compared = comparison_statement(partition_of(table), "well", "dead", Selection(), draws=99)
    assert about(COLLAPSED, compared.cautions) == ["dead"]
    assert responsive(table) == {"dead": "no", "well": "yes"}


def test_collapse_is_judged_in_the_primary_metric_under_the_same_filter() -> None:
    dead = rows("m", harmless=0.01, control=0.01, filter_name="raw", token_edit_distance=0.5)
    alive = rows("m", token_edit_distance=0.5)
    table = table_of([*dead, *alive])
    assert about(COLLAPSED, cautions(table, Selection("token_edit_distance", "raw"))) == ["m"]
    assert COLLAPSED not in said(table, Selection("token_edit_distance", "answer"))


def test_without_a_positive_control_nothing_is_said_of_life() -> None:
    table = table_of(rows("m", control=None) + rows("few", n=4) + rows("close", control=0.126, harmless=0.1))
    assert COLLAPSED not in said(table)
    assert responsive(table)["m"] is None and responsive(table)["few"] is None


def test_a_system_that_is_silent_on_many_pairs_is_not_alive_for_the_others() -> None:
    silent = rows("m")
    for each in silent[N : N + 3]:
        each["cosine_distance"] = None
    assert responsive(table_of(silent)) == {"m": "unclear"}


# ---- windows


def scaffolded(name: str, before: int | None, n: int = N, **cells: Any) -> list[dict[str, Any]]:
    """Outputs of 200 tokens; those of the first n prompts open with a scaffold."""
    made = rows(name, filter_name="raw", cosine_distance_64=0.1, token_edit_distance=0.1, js_divergence=0.1)
    for each in made:
        with_it = int(each["prompt_id"][1:]) < n
        for side in ("base", "variant"):
            each[f"{side}_n_tokens"] = 200
            each[f"{side}_answer_start"] = before if with_it else 0
            each[f"{side}_scaffold_status"] = "closed"
        each |= cells
    return made


def test_a_window_full_of_scaffold_is_named_for_its_system_alone() -> None:
    table = table_of(scaffolded("thinks", 40) + scaffolded("answers", 0))
    short, whole = Selection("cosine_distance_64", "raw"), Selection("cosine_distance", "raw")
    assert about(WINDOW, cautions(table, short)) == ["thinks"]
    assert "this window (64 tokens)" in said(table, short)
    assert WINDOW not in said(table, whole), "40 of 200 tokens"
    longer = table_of(scaffolded("thinks", 101))
    assert about(WINDOW, cautions(longer, whole)) == ["thinks"] and "(whole output)" in said(longer, whole)
    partition = partition_of(table, 99)
    for found in (
        comparison_statement(partition, "answers", "thinks", short, draws=99),
        heatmap_statement(partition, "cosine_distance_64", "raw"),
        drift_statement(partition, ["thinks", "answers"], short),
    ):
        assert about(WINDOW, found.cautions) == ["thinks"]


@pytest.mark.parametrize(
    ("before", "n", "dominates"),
    [(32, N, False), (33, N, True), (33, 5, True), (33, 4, False), (None, N, False)],
)
def test_from_more_than_half_of_the_tokens_in_half_of_the_outputs(
    before: int | None, n: int, dominates: bool
) -> None:
    table = table_of(scaffolded("m", before, n))
    assert (WINDOW in said(table, Selection("cosine_distance_64", "raw"))) == dominates


@pytest.mark.parametrize("status", ["unclosed", "empty_answer"])
def test_an_output_that_never_leaves_its_scaffold_is_scaffold_throughout(status: str) -> None:
    table = table_of(scaffolded("m", None, base_scaffold_status=status, variant_scaffold_status=status))
    assert about(WINDOW, cautions(table, Selection("cosine_distance", "raw"))) == ["m"]


def test_an_end_of_the_prompt_has_no_window_and_an_answer_no_scaffold() -> None:
    table = table_of(scaffolded("m", 190) + rows("m"))
    assert WINDOW not in said(table, Selection("js_divergence", "raw"))
    assert WINDOW not in said(table)


# ---- noise


def test_a_mean_above_the_floor_by_one_prompt_is_not_reliably_above_it() -> None:
    made = rows("m", harmless=0.02, floor=0.02)
    made[N] |= {"cosine_distance": 0.9}
    table = table_of(made + rows("clear", harmless=0.1, floor=0.02))
    assert about(MAY_BE_NOISE, cautions(table)) == ["clear", "m"], "nine prompts do not settle 0.1 either"
    words = (
        "may be noise (0.1218): 9 prompts with one repetition each that moved them by 0.0240 cannot exclude"
    )
    assert f"m: its mean distance {words} noise of up to 0." in said(table)
    compared = comparison_statement(partition_of(table), "m", "clear", Selection(), draws=99)
    assert about(MAY_BE_NOISE, compared.cautions) == ["m", "clear"]
    assert FLOOR not in said(table, Selection(rung_set="identical"))


def test_pairing_by_prompt_sees_what_the_means_hide() -> None:
    """Prompts differ far more than an edit moves them: only the pairing shows that each one moves."""
    made = [
        row("m", rung, f"q{prompt}", rung, 0.05 * prompt + step + 0.0001 * (prompt % 3))
        for prompt in range(N)
        for rung, step in (("identical", 0.0), ("synonym", 0.01))
    ]
    assert FLOOR not in said(table_of(made))


def test_a_floor_of_other_prompts_says_nothing() -> None:
    made = [
        row("m", rung, f"q{prompt}", rung, 0.1)
        for rung, prompts in (("identical", range(0, 6)), ("synonym", range(4, 12)))
        for prompt in prompts
    ]
    sentence = "cannot be held against its noise floor 0.1000: only 2 prompts have both"
    assert sentence in said(table_of(made))
    assert "cannot be held" not in said(table_of(rows("m", floor=None)))


# ---- prompt ends


def parting(name: str, js: float, step: float | None, n: int = N) -> list[dict[str, Any]]:
    """The first n prompts have this distance of the prompt ends, and part at this step."""
    made = rows(name, filter_name="raw", js_divergence=0.1, first_divergence=2.0)
    for each in made:
        if int(each["prompt_id"][1:]) < n:
            each |= {"js_divergence": js, "first_divergence": step}
    return made


def test_outputs_that_part_where_the_prompt_end_sees_nothing_are_counted() -> None:
    table = table_of(parting("m", 1e-9, 7.0, n=4) + parting("n", 1e-9, None))
    selection = Selection("js_divergence", "raw")
    assert "m: prompt-end metrics: 4 of 4 pairs whose prompt-end distributions agree" in said(
        table, selection
    )
    partition = partition_of(table, 99)
    for found in (
        clusters_statement(partition, selection, draws=99),
        heatmap_statement(partition, "js_divergence", "raw"),
        comparison_statement(partition, "m", "n", selection, draws=99),
    ):
        assert about(END, found.cautions) == ["m"]
    assert END not in said(table, Selection("cosine_distance", "raw"))


@pytest.mark.parametrize(("js", "step"), [(1e-9, None), (1e-9, 0.0), (1e-5, 7.0), (math.nan, 7.0)])
def test_nothing_is_counted_where_outputs_do_not_part_or_prompt_ends_differ(
    js: float, step: float | None
) -> None:
    table = table_of(parting("m", js, step))
    table = table.set_column(
        table.column_names.index("js_divergence"),
        "js_divergence",
        pa.array(
            [
                None if value is None or math.isnan(value) else value
                for value in table["js_divergence"].to_pylist()
            ]
        ),
    )
    assert not about(END, heatmap_statement(partition_of(table, 99), "js_divergence", "raw").cautions)
