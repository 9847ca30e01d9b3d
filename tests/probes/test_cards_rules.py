"""Positions, selection, and what is worked out from contrasts: no model."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_eval_sensitivity.probes.cards.card import (
    At,
    Branch,
    Closeness,
    Controls,
    Outcome,
    Patches,
    Stated,
    Token,
)
from lm_eval_sensitivity.probes.cards.forced import common_length
from lm_eval_sensitivity.probes.cards.positions import (
    Alignment,
    Place,
    align,
    before_edit,
    layers_to_patch,
    places,
)
from lm_eval_sensitivity.probes.cards.rescue import (
    earliest,
    place_of_controls,
    rescue_of,
    rescues,
    signature,
    verdict,
)
from lm_eval_sensitivity.probes.cards.selection import Candidate, select

IDS = st.lists(st.integers(0, 3), min_size=1, max_size=12)
SETTING = pytest.mark.parametrize


# ---- positions


@given(IDS, IDS)
def test_alignment_is_the_longest_common_start_and_then_end(base: list[int], variant: list[int]) -> None:
    found = align(base, variant)
    shorter = min(len(base), len(variant))
    prefixes = [n for n in range(shorter + 1) if base[:n] == variant[:n]]
    assert found.prefix == max(prefixes)
    rest = shorter - found.prefix
    suffixes = [n for n in range(rest + 1) if base[len(base) - n :] == variant[len(variant) - n :]]
    assert found.suffix == max(suffixes)


@given(IDS, IDS, st.integers(0, 6), st.booleans())
def test_places_correspond(base: list[int], variant: list[int], step: int, every: bool) -> None:
    """After the edit the tokens are the same on both sides, and no position is outside of what was fed."""
    shared = list(range(10, 10 + step))
    fed = base + shared, variant + shared
    alignment = align(base, variant)
    found = places(alignment, step, every_position=every)
    assert len({(each.kind, each.base) for each in found}) == len(found)
    for each in found:
        assert len(each.base) == len(each.variant) > 0
        assert max(each.base) < len(fed[0]) and max(each.variant) < len(fed[1])
        tokens = [fed[0][at] for at in each.base], [fed[1][at] for at in each.variant]
        if each.kind == "edit_first":
            assert tokens[0] != tokens[1]
        elif each.kind in ("after_edit", "generated", "all_after_edit"):
            assert tokens[0] == tokens[1]
    kinds = [each.kind for each in found]
    assert kinds.count("generated") == (max(step - 1, 0) if every else 0)
    assert kinds.count("final_context") == 1
    assert ("prompt_last" in kinds) == (step > 0)
    earlier = before_edit(alignment)
    assert (earlier is None) == (alignment.prefix == 0)
    assert earlier is None or base[earlier.base[0]] == variant[earlier.variant[0]]


def test_a_prompt_that_is_the_beginning_of_the_other_has_no_edited_token() -> None:
    kinds = [each.kind for each in places(align([1, 2], [1, 2, 3]), 0, every_position=True)]
    assert kinds == ["final_context"]


@given(st.integers(1, 80), st.integers(1, 9))
def test_the_first_and_last_layer_are_always_patched(n_layers: int, every: int) -> None:
    found = layers_to_patch(n_layers, every)
    assert found[0] == 0 and found[-1] == n_layers - 1
    assert all(later - earlier <= every for earlier, later in pairwise(found))


# ---- selection

CANDIDATES = st.lists(
    st.builds(
        Candidate,
        st.integers(0, 99).map(lambda n: f"p{n}/e"),
        st.sampled_from(["p", "q", "r"]),
        st.sampled_from(["noop", "synonym", "paraphrase"]),
        st.sampled_from([0, 1, 7, 8, 40]),
    ),
    unique_by=lambda each: each.pair_id,
    max_size=30,
)


@given(CANDIDATES, st.integers(0, 12), st.integers(0, 4), st.integers(0, 3), st.randoms())
def test_selection_keeps_its_limits_and_its_order(
    candidates: list[Candidate], top: int, most: int, seed: int, random: object
) -> None:
    found = select(candidates, top=top, per_stratum=most, seed=seed)
    shuffled = list(candidates)
    random.shuffle(shuffled)
    assert select(shuffled, top=top, per_stratum=most, seed=seed) == found
    strata = {each.pair_id: each.stratum for each in candidates}
    sizes = {each: list(strata.values()).count(each) for each in set(strata.values())}
    kept = [strata[name] for name in found.pair_ids]
    allowed = sum(min(size, most or size) for size in sizes.values())
    assert len(set(found.pair_ids)) == len(kept) == min(top or allowed, allowed)
    assert kept == sorted(kept)
    prompts = {each.pair_id: (each.stratum, each.prompt_id) for each in candidates}
    own = [prompts[name] for name in found.pair_ids]
    for cell in set(prompts.values()):
        if own.count(cell) < list(prompts.values()).count(cell):
            assert all(own.count(other) <= own.count(cell) + 1 for other in own if other[0] == cell[0])
    # In turn: no stratum has two more than one that still had something to give.
    for one, size in sizes.items():
        if kept.count(one) < min(size, most or size):
            assert all(kept.count(other) <= kept.count(one) + 1 for other in sizes)


def test_another_pair_does_not_change_the_draw_of_the_others() -> None:
    pairs = [Candidate(f"p{n}/e", f"p{n}", "noop", 0) for n in range(9)]
    order = select(pairs, top=0, per_stratum=9, seed=3).pair_ids
    without = select(pairs[1:], top=0, per_stratum=9, seed=3).pair_ids
    assert without == tuple(name for name in order if name != "p0/e")
    assert order != select(pairs, top=0, per_stratum=9, seed=4).pair_ids
    assert sorted(select(pairs, top=0, per_stratum=0, seed=0).pair_ids) == [f"p{n}/e" for n in range(9)]
    assert select(pairs, top=0, per_stratum=0, seed=0).rule == "All 9 branches."


# ---- what is worked out


def token(base: float, variant: float) -> Token:
    return Token(1, "x", 0.5, 0.5, base, variant)


def branch(contrast_base: float = 1.0, contrast_variant: float = -1.0, margin: float = 0.5) -> Branch:
    return Branch(token(contrast_base, contrast_variant), token(0, 0), (), (), (1.0,), (margin,))


PLACES = (
    Place("edit_first", (1,), (1,)),
    Place("generated", (4,), (4,)),
    Place("generated", (5,), (5,)),
    Place("final_context", (6,), (6,)),
)
HOW = Closeness((0, 1, 2), True, 0, 4)
HERE = Alignment(4, 4, 1, 2)


def patches(*replays: str) -> Patches:
    """A row of each place: `x` restores."""
    rows = tuple(tuple(each == "x" for each in row) for row in replays)
    contrasts = tuple(tuple(1.0 if each else -1.0 for each in row) for row in rows)
    return Patches(PLACES, ("",) * 4, contrasts, rows, (-1.0,) * 3)


def test_rescue_is_hidden_where_it_divides_by_little() -> None:
    assert rescue_of(0.5, 1.0, -1.0) == 0.75
    assert rescue_of(0.5, 0.09, -0.1) is None
    assert rescues(patches("...", "...", "...", "..x"), branch(0.09, -0.1)).status == "not_run"
    assert rescues(patches("...", "...", "...", "..x"), branch()).value == ((0, 0, 0),) * 3 + ((0, 0, 1),)


def test_a_batch_that_rounds_otherwise_is_held_against_its_own_undisturbed_row() -> None:
    shifted = replace(patches("...", "...", "...", "..."), undisturbed=(-0.5, -1.0, -1.0))
    found = rescues(shifted, branch()).value
    assert found is not None and found[0] == (-0.25, 0, 0)


@SETTING(
    ("rows", "kind", "layer", "word"),
    [
        (("..x", "x..", "...", "xxx"), "edit_first", 2, "boundary"),
        (("...", ".x.", "x..", ".xx"), "generated", 0, "generated_prefix"),
        (("...", "...", "...", ".xx"), "final_context", 1, "late_only"),
        (("...", "...", "...", "..x"), None, None, "late_only"),
    ],
)
def test_place_of_controls_and_signature(
    rows: tuple[str, ...], kind: str | None, layer: int | None, word: str
) -> None:
    at = place_of_controls(patches(*rows), HOW.layers, 3)
    assert (at.kind, at.layer) == (kind, layer) if at else kind is None
    assert signature(patches(*rows), HOW, HERE, 3).value == word


def test_a_signature_is_not_said_where_not_everything_was_tried() -> None:
    late = patches("...", "...", "...", ".xx")
    assert signature(late, HOW, HERE, 4).status == "not_run"
    assert signature(late, replace(HOW, every_position=False), HERE, 3).status == "not_run"
    assert signature(patches("x..", "...", "...", "..."), HOW, HERE, 4).value == "boundary"
    assert signature(late, HOW, replace(HERE, prefix=0), 3).value == "tokenization_shift"


def test_earliest_is_trivial_only_at_the_last_block() -> None:
    found = {
        each.kind: each
        for each in earliest(patches("...", "...", ".x.", "..x"), Stated.not_run("hidden"), HOW.layers, 3)
    }
    assert (found["edit_first"].layer, found["edit_first"].is_trivial) == (None, False)
    assert (found["generated"].layer, found["generated"].depth) == (1, 1 / 3)
    assert found["final_context"].is_trivial and found["final_context"].rescue is None
    assert not earliest(patches("...", "...", "...", "..x"), Stated.not_run(""), HOW.layers, 9)[-1].is_trivial


YES, NO = Outcome(True, 1.0, 1.0), Outcome(False, -1.0, 0.0)


def controls(n_random: int = 1, donor: Outcome | None = NO, placed: bool = True) -> Controls:
    nothing: Stated[float] = Stated.observed(0.0)
    return Controls(
        Stated.derived(At("edit_first", 0, 0)) if placed else Stated.not_run("no place"),
        nothing,
        nothing,
        Stated.observed((YES,) * n_random + (NO,) * (4 - n_random)),
        Stated.observed(donor) if donor else Stated.not_run("no donor"),
        Stated.not_run("not needed"),
        Stated.observed(NO),
    )


@SETTING(
    ("margin", "found", "replayed", "specific"),
    [
        (0.1, controls(), True, True),
        (0.0999, controls(), True, False),
        (0.5, controls(2), True, False),
        (0.5, controls(donor=YES), True, False),
        (0.5, controls(placed=False), True, False),
        (0.5, controls(), False, False),
        (0.5, controls(donor=None), True, None),
        (0.5, controls(3, donor=None), True, False),
    ],
)
def test_specific_is_a_rule(margin: float, found: Controls, replayed: bool, specific: bool | None) -> None:
    said = verdict(branch(margin=margin), found, replayed=replayed)
    assert (said.value.specific if said.value else None) == specific
    assert said.value is None or bool(said.value.unmet) == (not specific)


@given(IDS, IDS)
def test_common_length(first: list[int], second: list[int]) -> None:
    n = common_length(first, second)
    assert (first[:n] == second[:n] and first[: n + 1] != second[: n + 1]) or n == len(first) == len(second)
