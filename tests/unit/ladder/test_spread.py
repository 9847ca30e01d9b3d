"""The spread design: balance against an oracle, the published subset, budgets."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import networkx as nx
import pytest

from lm_eval_sensitivity.cli.main import main
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder import load_ladder
from lm_eval_sensitivity.ladder.authoring.checks.report import check_ladder
from lm_eval_sensitivity.ladder.authoring.folder import build_folder
from lm_eval_sensitivity.ladder.cost import generations
from lm_eval_sensitivity.ladder.parquet import write_parquet
from lm_eval_sensitivity.ladder.spread import Slot, rotation, spread_pairs
from lm_eval_sensitivity.types import CATEGORIES, MEANING_PRESERVING_RUNGS, Pair
from tests.unit.ladder.small_ladder import packaged, small_folder

FULL = packaged(subset="full").pairs
SPREAD = packaged(subset="spread").pairs


def unevenness(slots: Sequence[Slot], edits: Sequence[str]) -> tuple[int, int]:
    """Sums of squares of the edits' counts, and of those within strata."""
    totals = Counter(edits)
    cells = Counter((slot.stratum, edit) for slot, edit in zip(slots, edits, strict=True))
    return sum(n * n for n in totals.values()), sum(n * n for n in cells.values())


def least_unevenness(slots: Sequence[Slot]) -> tuple[int, int]:
    """The least that any assignment has, by a flow of least cost in another library."""
    graph = nx.DiGraph()
    weight = 10 * len(slots) ** 2
    most = (
        2 * len(slots) // len({edit for slot in slots for edit in slot.options}) + 6
    )  # no optimum needs more
    for number, slot in enumerate(slots):
        graph.add_edge("source", ("slot", number), capacity=1, weight=0)
        for edit in slot.options:
            graph.add_edge(("slot", number), ("cell", slot.stratum, edit), capacity=1, weight=0)
    for _, stratum, edit in [node for node in graph if node[0] == "cell"]:
        for n in range(min(most, 10)):
            via = ("n", stratum, edit, n)  # a simple graph has one arc between two nodes
            graph.add_edge(("cell", stratum, edit), via, capacity=1, weight=2 * n + 1)
            graph.add_edge(via, ("edit", edit), capacity=1, weight=0)
    for _, edit in [node for node in graph if node[0] == "edit"]:
        for n in range(most):
            graph.add_edge(("edit", edit), ("n", edit, n), capacity=1, weight=weight * (2 * n + 1))
            graph.add_edge(("n", edit, n), "sink", capacity=1, weight=0)
    cost = nx.cost_of_flow(graph, nx.max_flow_min_cost(graph, "source", "sink"))
    return divmod(cost, weight)


@pytest.mark.parametrize("seed", range(12))
def test_no_assignment_is_more_even(seed: int) -> None:
    """Every assignment of a small case, one by one."""
    draw = random.Random(seed)
    edits = "abcd"[: draw.randint(2, 4)]
    slots = [
        Slot(f"p{n}", draw.choice("xy"), tuple(draw.sample(edits, draw.randint(1, len(edits)))))
        for n in range(7)
    ]
    least = min(unevenness(slots, each) for each in itertools.product(*(slot.options for slot in slots)))
    found = rotation(slots, str(seed))
    assert all(edit in slot.options for slot, edit in zip(slots, found, strict=True))
    assert unevenness(slots, found) == least
    assert least_unevenness(slots) == least


def test_a_first_choice_is_taken_back_where_a_chain_of_exchanges_needs_it() -> None:
    slots = [
        Slot("a", "", ("x", "y")),
        Slot("b", "", ("x", "z")),
        Slot("c", "", ("x",)),
        Slot("d", "", ("y",)),
    ]
    for key in "abcdefgh":
        assert sorted(Counter(rotation(slots, key)).values()) == [1, 1, 2]


def test_what_stands_there_already_is_counted() -> None:
    slots = [Slot(f"p{n}", "s", ("x", "y")) for n in range(5)]
    assert Counter(rotation(slots, "", {("s", "x"): 3})) == {"x": 1, "y": 4}


def rows(rung: str, pairs: Sequence[Pair] = SPREAD) -> list[Pair]:
    return [pair for pair in pairs if pair.rung == rung]


@pytest.mark.parametrize("rung", [*MEANING_PRESERVING_RUNGS, "positive_control"])
def test_published_prompts_have_one_edit_of_every_rung_as_even_as_can_be(rung: str) -> None:
    assert Counter(pair.prompt_id for pair in rows(rung)) == Counter(dict.fromkeys(packaged().prompts, 1))
    applicable: dict[str, list[Pair]] = {}
    for pair in rows(rung, FULL):
        applicable.setdefault(pair.prompt_id, []).append(pair)
    edit_of = {pair.prompt_id: pair.edit for pair in rows(rung)}
    slots = [
        Slot(name, each[0].category, tuple(pair.edit for pair in each)) for name, each in applicable.items()
    ]
    assert unevenness(slots, [edit_of[slot.prompt_id] for slot in slots]) == least_unevenness(slots)


@pytest.mark.parametrize(
    ("rung", "few"),
    [
        ("noop", {}),
        ("punctuation", {"oxford_comma": 5, "em_dash": 3}),
        ("synonym", {}),
        ("positive_control", {}),
    ],
)
def test_published_edits_stand_on_equally_many_prompts(rung: str, few: dict[str, int]) -> None:
    """Only an edit that applies to fewer prompts than the others get has less, and then all of them."""
    counts = Counter(pair.edit for pair in rows(rung))
    assert {edit: counts[edit] for edit in few} == few == {e: len(_of(e, FULL)) for e in few}
    others = [n for edit, n in counts.items() if edit not in few]
    assert max(others) - min(others) <= 1
    for category in CATEGORIES:
        cells = Counter(pair.edit for pair in rows(rung) if pair.category == category)
        free = [
            cells[edit]
            for edit in counts
            if len([pair for pair in _of(edit, FULL) if pair.category == category]) > max(cells.values())
        ]
        assert max(free) - min(free) <= 1


def _of(edit: str, pairs: Sequence[Pair]) -> list[Pair]:
    return [pair for pair in pairs if pair.edit == edit]


def test_published_spread_counted_by_hand() -> None:
    bases, variants, repetitions = 96, 4 * 96 + 22 + 96, 22
    assert bases + variants + repetitions == 620
    assert (generations(SPREAD), generations(SPREAD, repeats=3)) == (620, 664)
    assert {rung: len(rows(rung)) for rung in ("identical", "semantic_change", "positive_control")} == {
        "identical": 22,
        "semantic_change": 22,
        "positive_control": 96,
    }
    for rung in ("identical", "semantic_change"):
        per_category = Counter(pair.category for pair in rows(rung))
        assert sorted(per_category.values()) == [3, 3, 4, 4, 4, 4]
    assert set(SPREAD) < set(FULL)
    spread = set(SPREAD)
    assert [pair for pair in FULL if pair in spread] == list(SPREAD)


def test_rungs_do_not_rotate_in_step() -> None:
    """Which synonym a prompt has says little about its paraphrase or its control."""
    edits = {rung: {pair.prompt_id: pair.edit for pair in rows(rung)} for rung in ("synonym", "paraphrase")}
    edits["control"] = {pair.prompt_id: pair.edit for pair in rows("positive_control")}
    for one, other in itertools.combinations(edits.values(), 2):
        assert min(Counter((one[name], other[name]) for name in one).values()) >= 15


@pytest.mark.parametrize("budget", [576, 577, 600, 620, 648, 700, 900])
def test_a_budget_is_kept_and_used(budget: int) -> None:
    pairs = spread_pairs(FULL, budget)
    assert generations(pairs) == min(budget, 96 * 6 + 24 + 48 + 192)
    assert len(rows("identical", pairs)) == min(24, (budget - 576) // 2)
    assert len(rows("semantic_change", pairs)) <= 48
    for rung in ("noop", "punctuation"):
        per_prompt = Counter(pair.prompt_id for pair in rows(rung, pairs))
        assert set(per_prompt.values()) <= {1, 2}


def test_without_a_budget_half_of_the_prompts_have_a_semantic_change() -> None:
    pairs = spread_pairs(FULL)
    assert len(rows("semantic_change", pairs)) == 48
    assert len(rows("identical", pairs)) == 24
    assert Counter(pair.category for pair in rows("semantic_change", pairs)) == dict.fromkeys(CATEGORIES, 8)


def test_too_small_a_budget_names_the_least() -> None:
    with pytest.raises(InputError, match=r"--budget 575.*96 prompts.*need 576 generations"):
        spread_pairs(FULL, 575)


# --- checks of a spread ladder ---------------------------------------------------------------------------------------


def spread_folder(folder: Path) -> Path:
    """The small ladder with a spread subset, its sources included."""
    small_folder(folder, card=False)
    top = folder / "sources" / "ladder.yaml"
    top.write_text(top.read_text(encoding="utf-8") + "spread: {budget: 90}\n", encoding="utf-8")
    build_folder(folder)
    return folder


def test_a_spread_subset_passes_in_its_folder_and_alone(tmp_path: Path) -> None:
    folder = spread_folder(tmp_path / "ladder")
    assert load_ladder(folder, "spread").design == "spread"
    assert generations(load_ladder(folder, "spread").pairs) == 90
    for place in (folder, folder / "spread" / "test.parquet"):
        found = check_ladder(place)
        assert found.passed, found.violations


def test_a_row_that_another_rotation_would_have_is_named(tmp_path: Path) -> None:
    folder = spread_folder(tmp_path / "ladder")
    pairs = list(load_ladder(folder, "spread").pairs)
    dropped = next(pair for pair in pairs if pair.rung == "synonym")
    write_parquet([pair for pair in pairs if pair != dropped], folder / "spread" / "test.parquet", "spread")
    (found,) = check_ladder(folder).violations
    assert (found.check, found.row) == ("sources", dropped.pair_id)
    edited = [replace(pair, reason="Another.") if pair == dropped else pair for pair in pairs]
    write_parquet(edited, folder / "spread" / "test.parquet", "spread")
    assert {found.check for found in check_ladder(folder).violations} == {"nesting", "sources"}


@pytest.mark.parametrize("budget", ["0", "-5", "true", "many", "6.5"])
def test_a_budget_in_the_sources_is_a_number(tmp_path: Path, budget: str) -> None:
    top = small_folder(tmp_path, card=False) / "sources" / "ladder.yaml"
    top.write_text(top.read_text(encoding="utf-8") + f"spread: {{budget: {budget}}}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"`budget` is .* whole number above 0"):
        build_folder(tmp_path)


# --- own prompts -----------------------------------------------------------------------------------------------------


def build_own(folder: Path, *options: str) -> int:
    prompts = folder / "own.txt"
    prompts.write_text("".join(f"Tell me about the town number {n}, and why.\n" for n in range(30)), "utf-8")
    return main(["ladder", "build", str(prompts), "-o", str(folder / "made"), *options])


def test_own_prompts_get_the_same_rotation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build_own(tmp_path, "--design", "spread", "--budget", "120") == 0
    ladder = load_ladder(tmp_path / "made")
    assert ladder.design == "spread"
    assert generations(ladder.pairs) == 120  # 30 bases, 60 first edits, 15 repetitions, 15 second edits
    assert "at most 120 generations" in capsys.readouterr().out
    counts = Counter(pair.edit for pair in ladder.rung("noop"))
    assert max(counts.values()) - min(counts.values()) <= 1
    assert check_ladder(tmp_path / "made").passed


def test_a_budget_needs_the_spread_design(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build_own(tmp_path, "--budget", "120") == 2
    assert "--design spread" in capsys.readouterr().err
    assert build_own(tmp_path, "--design", "spread", "--budget", "89") == 2
    assert "need 90 generations" in capsys.readouterr().err
    assert not (tmp_path / "made").exists()
