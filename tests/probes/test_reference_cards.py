"""Published numbers of three cards, on the model that they were measured on."""

from __future__ import annotations

from typing import Any

import pytest

from lm_eval_sensitivity.ladder import load_ladder
from lm_eval_sensitivity.probes.cards.build import build
from lm_eval_sensitivity.probes.cards.card import BranchCard, Closeness
from lm_eval_sensitivity.probes.cards.measure import case_of
from tests.probes.models_cards import run_pair
from tests.probes.real import MODEL, REAL, encoded, replay_of

pytestmark = [*REAL]
LAYERS = (0, 4, 8, 12, 16, 20, 24, 29)
N_TOKENS = 30


def pair_named(name: str) -> Any:
    """The pair with both outputs, made one token after the other."""
    pair = next(each for each in load_ladder(subset="mini").pairs if each.pair_id == name)
    replay = replay_of(MODEL)
    ids = [encoded(replay.tokenizer, text) for text in (pair.base, pair.variant)]
    return run_pair(replay.model, pair.prompt_id, pair.edit, *ids, N_TOKENS)


def card(name: str) -> BranchCard:
    replay = replay_of(MODEL)
    return build(
        replay, case_of(replay, pair_named(name)), Closeness(LAYERS, False, 0, 16), lambda at, place: None
    )


@pytest.mark.parametrize(
    ("name", "step", "tokens", "margins", "rho", "earliest", "rescues", "rejoined"),
    [
        (
            "palindrome-function/parenthesize_word",
            *(12, (" a", " designed"), (0.595, 0.147), 1.247),
            {"edit_first": 0, "prompt_last": 16, "final_context": 16, "all_after_edit": 12},
            {"edit_first": 1.48, "prompt_last": 0.43, "final_context": 0.35, "all_after_edit": 0.22},
            12,
        ),
        (
            "brasilia-capital/parenthesize_word",
            *(12, (" largest", " capital"), (0.292, 0.135), 1.461),
            {"edit_first": 16, "prompt_last": None, "final_context": 20, "all_after_edit": 24},
            {"edit_first": 1.02, "final_context": 1.96},
            15,
        ),
        (
            "plain-sentence/mid_newline",
            *(5, (" pending", " which"), (0.001, 0.014), 15.17),
            {"edit_first": None, "prompt_last": 20, "final_context": 29, "all_after_edit": 0},
            {},
            4,  # the unedited output ends after four tokens, and both are the same up to there
        ),
    ],
)
def test_cards_of_smollm2(
    name: str,
    step: int,
    tokens: tuple[str, str],
    margins: tuple[float, float],
    rho: float,
    earliest: dict[str, int | None],
    rescues: dict[str, float],
    rejoined: int,
) -> None:
    found = card(name)
    branch, shift, forced = found.branch.value, found.shift.value, found.forced.value
    assert branch is not None and shift is not None and forced is not None
    assert found.case.step == step and found.replayed_at_build.value
    assert (branch.base_token.text, branch.variant_token.text) == tokens
    assert (branch.margins_base[-1], branch.margins_variant[-1]) == pytest.approx(margins, abs=6e-4)
    assert shift.rho == pytest.approx(rho, rel=0.01)
    by_class = {each.kind: each for each in found.earliest.value or ()}
    assert {kind: each.layer for kind, each in by_class.items()} == earliest
    for kind, value in rescues.items():
        assert by_class[kind].rescue == pytest.approx(value, abs=0.006)
    assert found.controls.self_patch.value == 0 and found.controls.before_edit.value == pytest.approx(
        0, abs=1e-4
    )
    assert forced.rejoined == rejoined
