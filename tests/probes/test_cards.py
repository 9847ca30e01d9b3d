"""Branch cards on models whose branches are known, and on random ones against a slow obvious twin."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.probes.architecture import first_tensor
from lm_eval_sensitivity.probes.cards import PROBE
from lm_eval_sensitivity.probes.cards.card import BranchCard
from lm_eval_sensitivity.probes.cards.finding import CardsFinding, CardsSettings
from lm_eval_sensitivity.probes.cards.patching import MOST_PATCHES, Change, Patching, watch
from lm_eval_sensitivity.probes.files import codec
from lm_eval_sensitivity.probes.outputs import RunOutputs
from lm_eval_sensitivity.probes.replay import Replay
from lm_eval_sensitivity.probes.result import ProbeResult
from tests.probes import made
from tests.probes.made import greedy
from tests.probes.models_cards import (
    LEFT,
    NO,
    PLAIN,
    RIGHT,
    WORD_A,
    WORD_B,
    YES,
    bigram,
    reads_the_edit,
    run_outputs,
    run_pair,
)
from tests.probes.test_replay import ARCHITECTURES, model_of

EVERYTHING = CardsSettings(top=0, every_layer=1, every_position=True)


def result_of(
    model: Any, outputs: RunOutputs, settings: CardsSettings = EVERYTHING
) -> ProbeResult[CardsFinding]:
    return made.result_of(PROBE, Replay(model), outputs, settings)


def only_card(model: Any, outputs: RunOutputs, settings: CardsSettings = EVERYTHING) -> BranchCard:
    cards = result_of(model, outputs, settings).finding.cards
    return cards[0]


def reading_pair(prompt: str = "p", filler: int = PLAIN) -> Any:
    return run_pair(reads_the_edit(), prompt, "word", [0, WORD_A, filler, 9], [0, WORD_B, filler, 9], 20)


def table(card: BranchCard) -> dict[tuple[str, int], tuple[float, bool]]:
    """(class, layer) -> rescue and replay; of several positions the last."""
    patches, rescue = card.patches.value, card.rescue.value
    assert patches is not None and rescue is not None
    return {
        (place.kind, layer): (rescue[row][column], patches.replays[row][column])
        for row, place in enumerate(patches.places)
        for column, layer in enumerate(card.how.layers)
    }


# ---- truth on paper


def test_where_attention_reads_only_the_edit_only_its_state_rescues() -> None:
    card = only_card(reads_the_edit(), run_outputs(reading_pair()))
    assert (card.case.step, card.case.base_id, card.case.variant_id) == (0, YES, NO)
    branch = card.branch.value
    assert branch is not None and (branch.contrast_base, branch.contrast_variant) == (2.0, -2.0)
    assert branch.margins_variant == pytest.approx((1.0,))
    assert card.replayed_at_build.value is True
    found = table(card)
    # Behind the first block the word is still to be read, behind the second it has been.
    assert found == {
        ("edit_first", 0): (1.0, True),
        ("edit_first", 1): (0.0, False),
        ("after_edit", 0): (0.0, False),
        ("after_edit", 1): (0.0, False),
        ("final_context", 0): (0.0, False),
        ("final_context", 1): (1.0, True),
        ("all_after_edit", 0): (0.0, False),
        ("all_after_edit", 1): (1.0, True),
    }
    assert card.signature.value == "boundary"
    assert {each.kind: (each.layer, each.is_trivial) for each in card.earliest.value or ()} == {
        "edit_first": (0, False),
        "after_edit": (None, False),
        "final_context": (1, True),
        "all_after_edit": (1, True),
    }


def test_controls_of_the_model_that_reads_the_edit() -> None:
    """Another prompt with the same word restores it, with the other word does not, and the reverse undoes it."""
    same, other = (
        reading_pair("q", 8),
        run_pair(reads_the_edit(), "q", "word", [0, WORD_B, 8, 9], [0, WORD_A, 8, 9], 20),
    )
    for donor, restores in ((same, True), (other, False)):
        card = only_card(reads_the_edit(), run_outputs(reading_pair(), donor))
        controls = card.controls
        assert controls.at.value is not None and (controls.at.value.kind, controls.at.value.layer) == (
            "edit_first",
            0,
        )
        assert controls.self_patch.value == controls.before_edit.value == 0
        assert controls.wrong_donor.value is not None and controls.wrong_donor.value.replay == restores
        assert controls.donor.value is not None and controls.donor.value.pair_id == "q/word"
        reverse = controls.reverse.value
        assert reverse is not None and (reverse.replay, reverse.rescue) == (True, 1.0)
        assert len(controls.random.value or ()) == 16
        assert card.verdict.value is not None
        expected = not restores and sum(each.replay for each in controls.random.value or ()) <= 4
        assert card.verdict.value.specific == expected


def test_without_another_prompt_a_card_is_not_judged_specific() -> None:
    card = only_card(reads_the_edit(), run_outputs(reading_pair()))
    assert card.controls.wrong_donor.status == card.controls.donor.status == "not_run"
    assert card.verdict.value is None or not card.verdict.value.specific


def test_what_the_state_carries_does_not_heal_by_a_token() -> None:
    forced = only_card(reads_the_edit(), run_outputs(reading_pair())).forced.value
    assert forced is not None and (forced.rejoined, forced.compared) == (0, 16)


def test_what_the_token_carries_heals_by_it() -> None:
    model = bigram()
    pair = run_pair(model, "p", "word", [0, 1, LEFT], [0, 1, RIGHT], 20)
    card = only_card(model, run_outputs(pair))
    forced = card.forced.value
    assert forced is not None and (forced.rejoined, forced.compared) == (16, 16)
    # The edit is the last position: its state alone is everything.
    assert table(card)["edit_first", 0] == table(card)["final_context", 0] == (1.0, True)


def test_an_output_that_ends_is_compared_to_its_end() -> None:
    model = reads_the_edit()
    model.generation_config.eos_token_id = [YES]
    card = only_card(model, run_outputs(reading_pair()))
    assert card.forced.status == "not_run" and "ends its output" in card.forced.reason
    model.generation_config.eos_token_id = NO
    bigrams = bigram()
    bigrams.generation_config.eos_token_id = PLAIN
    pair = run_pair(bigrams, "p", "word", [0, 1, LEFT], [0, 1, RIGHT], 20)
    forced = only_card(bigrams, run_outputs(pair)).forced.value
    assert forced is not None and (forced.rejoined, forced.compared) == (1, 1)


def test_without_attention_only_the_last_position_moves_anything() -> None:
    replay = Replay(bigram())
    run = watch(replay, [0, LEFT, 1, RIGHT], [0, 1, 2])
    patching = Patching(replay, run)
    other = torch.full((1, 6), 5.0)
    for layer in range(3):
        said = patching.said(run, layer, [Change((at,), other) for at in range(4)], (YES, NO))
        assert [each == said.undisturbed for each in said.contrasts] == [True, True, True, False]


def test_a_branch_that_does_not_come_out_again_is_not_patched() -> None:
    """What was recorded is not what this model says."""
    pair = reading_pair()
    base = replace(pair.base, output_ids=(PLAIN, *pair.base.output_ids[1:]))
    card = only_card(reads_the_edit(), run_outputs(replace(pair, base=base)))
    assert card.replayed_at_build.value is False
    assert {card.patches.status, card.rescue.status, card.forced.status, card.signature.status} == {"not_run"}
    assert card.verdict.value is not None and not card.verdict.value.specific
    earlier = run_pair(bigram(), "p", "word", [0, 1, LEFT], [0, 1, RIGHT], 20)
    assert only_card(bigram(), run_outputs(earlier)).replayed_at_build.value is True


def test_small_contrasts_hide_the_rescue_and_keep_the_replay() -> None:
    model = reads_the_edit(0.04)
    pair = run_pair(model, "p", "word", [0, WORD_A, PLAIN, 9], [0, WORD_B, PLAIN, 9], 3)
    card = only_card(model, run_outputs(pair))
    assert card.rescue.status == "not_run"
    assert card.patches.value is not None and card.patches.value.replays[0] == (True, False)
    assert card.controls.reverse.value is not None and card.controls.reverse.value.rescue is None
    assert card.verdict.value is not None and any("below 0.1" in each for each in card.verdict.value.unmet)


# ---- the slow obvious twin, on every architecture


@cache
def random_pair(architecture: str, dtype: str = "float32", upcast: bool = False) -> Any:
    """The first pair of a random model whose outputs part after a few tokens."""
    model = model_of(architecture, dtype)
    with Replay(model, upcast=upcast).arithmetic():
        return model, _random_pair(model)


def _random_pair(model: Any) -> Any:
    generator = torch.Generator().manual_seed(1)
    for _ in range(60):
        base = torch.randint(5, 299, (9,), generator=generator).tolist()
        variant = [*base[:3], *torch.randint(5, 299, (2,), generator=generator).tolist(), *base[4:]]
        pair = run_pair(model, "p", "word", base, variant, 8)
        if pair.first_divergence:
            return pair
    raise AssertionError("no pair parts after a token")


def twin(model: Any, replay: Replay, case: Any, place: Any, layer: int) -> float:
    """The contrast by two whole passes, one sequence each, and a hook."""
    seen: list[torch.Tensor] = []
    base, variant = (torch.tensor([[*ids, *case.shared_ids]]) for ids in (case.base_ids, case.variant_ids))
    block = replay.architecture.blocks[layer]

    def keep(module: Any, args: Any, output: Any) -> None:
        seen.append(first_tensor(output).clone())

    def put(module: Any, args: Any, output: Any) -> Any:
        states = first_tensor(output).clone()
        for source, target in zip(place.base, place.variant, strict=True):
            states[0, target] = seen[0][0, source]
        return (states, *output[1:]) if isinstance(output, tuple) else states

    with torch.no_grad():
        for hook, ids in ((keep, base), (put, variant)):
            handle = block.register_forward_hook(hook)
            logits = model(input_ids=ids, use_cache=False).logits[0, -1].float()
            handle.remove()
    return float(logits[case.base_id] - logits[case.variant_id])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_patches_are_those_of_whole_passes(architecture: str) -> None:
    model, pair = random_pair(architecture)
    replay = Replay(model)
    card = made.result_of(PROBE, replay, run_outputs(pair), EVERYTHING).finding.cards[0]
    patches, branch = card.patches.value, card.branch.value
    assert patches is not None and branch is not None and card.replayed_at_build.value is True
    for row, place in enumerate(patches.places):
        for column, layer in enumerate(card.how.layers):
            slow = twin(model, replay, card.case, place, layer)
            assert patches.contrasts[row][column] == pytest.approx(slow, abs=2e-3)
    last = next(row for row, place in enumerate(patches.places) if place.kind == "final_context")
    assert patches.contrasts[last][-1] == pytest.approx(branch.contrast_base, abs=1e-3)
    assert patches.replays[last][-1], "the last position at the last block is the unedited run's own answer"
    assert card.controls.self_patch.value == pytest.approx(0, abs=1e-5)
    assert card.controls.before_edit.value == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_passes_that_begin_behind_a_block_are_whole_passes(architecture: str) -> None:
    """More changes than fit into one pass, and both ways to make it."""
    model, pair = random_pair(architecture)
    replay = Replay(model)
    run = watch(replay, pair.variant.prompt_ids, [0, 1])
    generator = torch.Generator().manual_seed(2)
    changes = [
        Change((at % 9,), torch.randn((1, run.outputs[0].shape[1]), generator=generator))
        for at in range(MOST_PATCHES + 3)
    ]
    patching = Patching(replay, run)
    assert patching.is_shortened
    for layer in (0, 1):
        short = patching.said(run, layer, changes, (7, 9))
        patching.is_shortened = False
        whole = patching.said(run, layer, changes, (7, 9))
        alone = patching.alone(run, layer, changes[0])
        patching.is_shortened = True
        assert short.contrasts == pytest.approx(whole.contrasts, abs=2e-3)
        assert short.tops == whole.tops
        assert float(alone[7] - alone[9]) == pytest.approx(short.contrasts[0], abs=2e-3)
    assert not [block for block in replay.architecture.blocks if "forward" in block.__dict__]


@pytest.mark.parametrize("upcast", [False, True])
def test_weights_of_16_bits(upcast: bool) -> None:
    """Upcast, a card of them is as exact as one of float32; else it says how far it rounds."""
    model, pair = random_pair("llama", "bfloat16", upcast)
    replay = Replay(model, upcast=upcast)
    card = made.result_of(PROBE, replay, run_outputs(pair), EVERYTHING).finding.cards[0]
    assert replay.conditions.dtype == "bfloat16" and card.controls.self_patch.value == pytest.approx(
        0, abs=1e-5
    )
    branch, patches = card.branch.value, card.patches.value
    assert branch is not None and patches is not None
    limit = 1e-3 if upcast else 2.0
    assert (card.controls.before_edit.value or 0) < limit
    last = next(row for row, place in enumerate(patches.places) if place.kind == "final_context")
    assert patches.contrasts[last][-1] == pytest.approx(branch.contrast_base, abs=limit)


def test_the_whole_span_of_an_edit_is_the_whole_difference() -> None:
    """Behind any block, all positions from the edit on are the unedited run; without the edit itself they are not."""
    model, pair = random_pair("llama")
    replay = Replay(model)
    step = pair.first_divergence
    base_ids = pair.base.prompt_ids
    # Of equal length, so that positions stay.
    variant_ids = (*base_ids[:3], (base_ids[3] + 1) % 299, *base_ids[4:])
    base, variant = (
        watch(replay, (*ids, *pair.base.output_ids[:step]), [0, 1]) for ids in (base_ids, variant_ids)
    )
    patching = Patching(replay, variant)
    n = len(base.ids)
    for layer, exact_without in ((0, False), (1, True)):
        spans = [tuple(range(start, n)) for start in (3, 4)]
        changes = [Change(span, base.outputs[layer][list(span)]) for span in spans]
        logits = patching.logits(variant, layer, changes)
        torch.testing.assert_close(logits[1], base.logits, atol=1e-4, rtol=1e-4)
        assert torch.allclose(logits[2], base.logits, atol=1e-4) == exact_without


def test_a_model_that_cannot_begin_behind_a_block_is_passed_whole() -> None:
    """Its second block looks at what went into the first."""

    class Remembers(torch.nn.Module):
        def forward(self, hidden_states: torch.Tensor, **kwargs: Any) -> torch.Tensor:
            self.own = hidden_states
            return hidden_states * 2

    class Uses(torch.nn.Module):
        def __init__(self, first: Remembers) -> None:
            super().__init__()
            self.first = [first]

        def forward(self, hidden_states: torch.Tensor, **kwargs: Any) -> torch.Tensor:
            return hidden_states + self.first[0].own

    model = bigram()
    first = Remembers()
    model.layers = torch.nn.ModuleList([first, Uses(first), torch.nn.Identity()])
    replay = Replay(model)
    run = watch(replay, [0, 1, LEFT], [0, 1, 2])
    model.layers[0].own = torch.zeros(1)
    patching = Patching(replay, run)
    assert not patching.is_shortened
    said = patching.said(run, 0, [Change((2,), torch.zeros(1, 6))], (YES, NO))
    # Of the three parts of what is said, two are gone.
    assert (said.undisturbed, said.contrasts[0]) == (18.0, 6.0)


# ---- the probe


def test_measuring_draws_by_rule_and_says_so() -> None:
    model = reads_the_edit()
    pairs = [reading_pair(f"p{n}") for n in range(4)]
    ended = replace(pairs[3], base=replace(pairs[3].base, output_ids=()), first_divergence=0)
    control = replace(pairs[2], pair=replace(pairs[2].pair, rung="positive_control"))
    result = result_of(model, run_outputs(*pairs[:2], control, ended), CardsSettings(top=1))
    finding = result.finding
    assert (finding.n_pairs, finding.n_branches, len(finding.cards)) == (3, 2, 1)
    assert finding.rule.startswith("1 of 2 branches, drawn by seed 0")
    assert any("1 pair" in str(note) for note in result.notes)
    assert result.agreement.share == 1.0 and result.agreement.n_outputs == 2


@pytest.mark.parametrize(
    ("setting", "value"), [("top", -1), ("rungs", ("nope",)), ("draws", 0), ("every_layer", -2)]
)
def test_settings_out_of_range_are_refused(setting: str, value: Any) -> None:
    with pytest.raises(InputError, match=f"`{setting}`"):
        result_of(reads_the_edit(), run_outputs(reading_pair()), CardsSettings(**{setting: value}))


def test_without_a_branch_there_is_a_sentence_and_no_picture() -> None:
    model = reads_the_edit()
    same = run_pair(model, "p", "word", [0, WORD_A, 8], [0, WORD_A, 9], 3)
    result = result_of(model, run_outputs(same))
    assert result.finding.cards == ()
    assert "no card" in str(PROBE.document(result)[0])
    assert type(PROBE.picture(result)).__name__ == "NotDrawn"


def test_a_result_is_read_back_as_it_was_written() -> None:
    result = result_of(reads_the_edit(), run_outputs(reading_pair(), reading_pair("q", 8)))
    again = codec("cards").load(codec("cards").dump(result), "x")
    assert (again.finding, again.per_prompt, again.settings) == (
        result.finding,
        result.per_prompt,
        result.settings,
    )


def test_random_draws_depend_on_the_seed_alone() -> None:
    outputs = run_outputs(reading_pair(), reading_pair("q", 8))
    one, again, other = (
        only_card(reads_the_edit(), outputs, replace(EVERYTHING, seed=seed)).controls.random.value
        for seed in (0, 0, 1)
    )
    assert one == again != other
    assert len({each.contrast for each in one or ()}) == 16
    more = only_card(reads_the_edit(), outputs, replace(EVERYTHING, draws=20)).controls
    assert more.random.value is not None and more.random.value[:16] == one and len(more.random.value) == 20
    assert more.wrong_donor.value == only_card(reads_the_edit(), outputs).controls.wrong_donor.value


def test_the_bigram_s_outputs_are_what_its_table_says() -> None:
    assert greedy(bigram(), [0, LEFT], 3) == (YES, PLAIN, PLAIN)
