"""Sentences on what could fake a number: each where it is true, and where it is not."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pytest

from lm_eval_sensitivity.cli import clusters as command
from lm_eval_sensitivity.statements import Selection
from lm_eval_sensitivity.statements.clusters import analyse_clusters
from lm_eval_sensitivity.statements.compare import compare
from lm_eval_sensitivity.statements.drift import sweep
from lm_eval_sensitivity.statements.heatmap import make_heatmap
from tests.unit.statements.small_tables import row, table_of

N = 9
COLLAPSED, WINDOW, FLOOR, END = (
    "COLLAPSED OR INDISCRIMINATE",
    "scaffold dominates this window",
    "the noise floor",
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


def said(table: pa.Table, selection: Selection | None = None) -> list[str]:
    return list(analyse_clusters(table, selection or Selection(), resamples=999, draws=99).cautions)


def about(words: str, sentences: Iterable[str]) -> list[str]:
    """Who the sentences with these words are about."""
    return [sentence.split(":")[0] for sentence in sentences if words in sentence]


# ---- collapse


def test_a_system_that_another_request_does_not_move_is_called_collapsed() -> None:
    dead = rows("dead", harmless=0.01, control=0.01, floor=0.0)
    table = table_of(dead + rows("well"))
    assert about(COLLAPSED, said(table)) == ["dead"]
    assert "Another request moves its output not 25 % further" in "".join(said(table))
    assert about(
        COLLAPSED, compare(table, "well", "dead", Selection(), resamples=999, draws=99).cautions
    ) == ["dead"]
    found = analyse_clusters(table, Selection(), resamples=999, draws=99)
    cells = dict(
        zip(("dead", "well"), [each[-2] for each in command._systems_table(found).rows], strict=True)
    )
    assert cells == {"dead": "no", "well": "yes"}
    assert [each["alive"] for each in command._data(found)["systems"]] == ["no", "yes"]


def test_collapse_is_judged_in_the_primary_metric_under_the_same_filter() -> None:
    dead = rows("m", harmless=0.01, control=0.01, filter_name="raw", token_edit_distance=0.5)
    alive = rows("m", token_edit_distance=0.5)
    table = table_of([*dead, *alive])
    assert about(COLLAPSED, said(table, Selection("token_edit_distance", "raw"))) == ["m"]
    assert not about(COLLAPSED, said(table, Selection("token_edit_distance", "answer")))


def test_without_a_positive_control_nothing_is_said_of_life() -> None:
    table = table_of(rows("m", control=None) + rows("few", n=4) + rows("close", control=0.126, harmless=0.1))
    found = analyse_clusters(table, Selection(), resamples=999, draws=99)
    assert not about(COLLAPSED, found.cautions)
    cells = {each[0]: each[-2] for each in command._systems_table(found).rows}
    assert cells["m"] is None and cells["few"] is None


def test_a_system_that_is_silent_on_many_pairs_is_not_alive_for_the_others() -> None:
    silent = rows("m")
    for each in silent[N : N + 3]:
        each["cosine_distance"] = None
    found = analyse_clusters(table_of(silent), Selection(), resamples=999)
    assert command._systems_table(found).rows[0][-2] == "unclear"


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
    assert about(WINDOW, said(table, short)) == ["thinks"]
    assert "this window (64 tokens)" in "".join(said(table, short))
    assert not about(WINDOW, said(table, whole)), "40 of 200 tokens"
    longer = table_of(scaffolded("thinks", 101))
    assert about(WINDOW, said(longer, whole)) == ["thinks"] and "(whole output)" in "".join(
        said(longer, whole)
    )
    assert about(WINDOW, compare(table, "answers", "thinks", short, resamples=99, draws=99).cautions) == [
        "thinks"
    ]
    assert about(WINDOW, make_heatmap(table, "cosine_distance_64", "raw", resamples=99).cautions) == [
        "thinks"
    ]
    assert about(WINDOW, sweep(table, ["thinks", "answers"], short, resamples=99).cautions) == ["thinks"]


@pytest.mark.parametrize(
    ("before", "n", "dominates"),
    [(32, N, False), (33, N, True), (33, 5, True), (33, 4, False), (None, N, False)],
)
def test_from_more_than_half_of_the_tokens_in_half_of_the_outputs(
    before: int | None, n: int, dominates: bool
) -> None:
    table = table_of(scaffolded("m", before, n))
    assert bool(about(WINDOW, said(table, Selection("cosine_distance_64", "raw")))) == dominates


@pytest.mark.parametrize("status", ["unclosed", "empty_answer"])
def test_an_output_that_never_leaves_its_scaffold_is_scaffold_throughout(status: str) -> None:
    table = table_of(scaffolded("m", None, base_scaffold_status=status, variant_scaffold_status=status))
    assert about(WINDOW, said(table, Selection("cosine_distance", "raw"))) == ["m"]


def test_an_end_of_the_prompt_has_no_window_and_an_answer_no_scaffold() -> None:
    table = table_of(scaffolded("m", 190) + rows("m"))
    assert not about(WINDOW, said(table, Selection("js_divergence", "raw")))
    assert not about(WINDOW, said(table))


# ---- noise


def test_a_mean_above_the_floor_by_one_prompt_is_not_reliably_above_it() -> None:
    made = rows("m", harmless=0.02, floor=0.02)
    made[N] |= {"cosine_distance": 0.9}
    table = table_of(made + rows("clear", harmless=0.1, floor=0.02))
    sentences = said(table)
    assert about(FLOOR, sentences) == ["m"]
    words = "is not reliably above the noise floor 0.0240: 0.1218 over the 9 prompts that have both, p"
    assert f"m: its mean distance {words}" in "".join(sentences) and "It may be noise." in "".join(sentences)
    assert about(FLOOR, compare(table, "m", "clear", Selection(), resamples=999, draws=99).cautions) == ["m"]
    assert not about(FLOOR, said(table, Selection(rung_set="identical")))


def test_pairing_by_prompt_sees_what_the_means_hide() -> None:
    """Prompts differ far more than an edit moves them: only the pairing shows that each one moves."""
    made = [
        row("m", rung, f"q{prompt}", rung, 0.05 * prompt + step + 0.0001 * (prompt % 3))
        for prompt in range(N)
        for rung, step in (("identical", 0.0), ("synonym", 0.01))
    ]
    assert not about(FLOOR, said(table_of(made)))


def test_a_floor_of_other_prompts_says_nothing() -> None:
    made = [
        row("m", rung, f"q{prompt}", rung, 0.1)
        for rung, prompts in (("identical", range(0, 6)), ("synonym", range(4, 12)))
        for prompt in prompts
    ]
    sentences = "".join(said(table_of(made)))
    assert "cannot be held against its noise floor 0.1000: only 2 prompts have both" in sentences
    assert "cannot be held" not in "".join(said(table_of(rows("m", floor=None))))


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
    (sentence,) = (each for each in said(table, selection) if END in each)
    assert sentence.startswith("m: prompt-end metrics: 4 of 4 pairs whose prompt-end distributions agree")
    assert about(END, make_heatmap(table, "js_divergence", "raw", resamples=99).cautions) == ["m"]
    assert about(END, compare(table, "m", "n", selection, resamples=99, draws=99).cautions) == ["m"]
    assert not about(END, said(table, Selection("cosine_distance", "raw")))


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
    assert not about(END, make_heatmap(table, "js_divergence", "raw", resamples=99).cautions)
