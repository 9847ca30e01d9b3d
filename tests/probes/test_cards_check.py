"""A card that is checked again: what may change, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.probes.cards import PROBE
from lm_eval_sensitivity.probes.outputs import RunOutputs
from lm_eval_sensitivity.probes.replay import Replay
from tests.probes.models_cards import (
    PLAIN,
    WORD_A,
    reads_the_edit,
    run_outputs,
)
from tests.probes.test_cards import reading_pair, result_of


@pytest.fixture
def written(tmp_path: Path) -> tuple[Any, RunOutputs, Path]:
    model, outputs = reads_the_edit(), run_outputs(reading_pair(), reading_pair("q", 8))
    assert PROBE.write is not None
    files = PROBE.write(result_of(model, outputs), tmp_path / "cards")
    assert [path.suffix for path in files] == [".html", ".json", ".html", ".json", ".html"]
    return Replay(model), outputs, files[1]


def changed(path: Path, change: Any) -> Path:
    content = json.loads(path.read_text("utf-8"))
    change(content)
    path.write_text(json.dumps(content), "utf-8")
    return path


def check(path: Path, replay: Replay, outputs: RunOutputs) -> tuple[str, bool, list[str]]:
    assert PROBE.check is not None
    document, ok = PROBE.check(path, replay, outputs)
    return str(document.parts[0]), ok, document.data["changed"]


def test_a_card_comes_out_again(written: tuple[Any, RunOutputs, Path]) -> None:
    replay, outputs, path = written
    text, ok, fields = check(path, replay, outputs)
    assert ok and not fields and "comes out again" in text


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("dtype", lambda card: card["conditions"].update(dtype="bfloat16")),
        ("batch size", lambda card: card.update(batch_size=8)),
        ("vocabulary", lambda card: card["conditions"].update(vocabulary=13)),
        ("unedited token", lambda card: card["card"]["case"].update(base_id=PLAIN)),
        ("base prompt ids", lambda card: card["card"]["case"].update(base_ids=[0, WORD_A, 9, 9])),
        (
            "branch.value.margins_base[0]",
            lambda card: card["card"]["branch"]["value"].update(margins_base=[1.25]),
        ),
        (
            "patches.value.replays[0][0]",
            lambda card: card["card"]["patches"]["value"]["replays"].__setitem__(0, [False, False]),
        ),
        ("forced.value.rejoined", lambda card: card["card"]["forced"]["value"].update(rejoined=3)),
        ("branch", lambda card: card["card"]["case"].update(base_id=4_000)),
        ("branch", lambda card: card["card"]["how"].update(layers=[0, 99])),
    ],
)
def test_a_changed_card_is_named_by_its_field(
    written: tuple[Any, RunOutputs, Path], field: str, change: Any
) -> None:
    replay, outputs, path = written
    text, ok, fields = check(changed(path, change), replay, outputs)
    assert not ok and field in fields and field in text


def test_other_versions_are_named_and_judged_by_what_they_change(
    written: tuple[Any, RunOutputs, Path],
) -> None:
    replay, outputs, path = written
    text, ok, _ = check(changed(path, lambda card: card["conditions"].update(torch="1.0")), replay, outputs)
    assert ok and "torch" in text


def test_another_model_changes_the_tokens(written: tuple[Any, RunOutputs, Path]) -> None:
    _, outputs, path = written
    _, ok, fields = check(path, Replay(reads_the_edit(-1.0)), outputs)
    assert not ok and {"unedited token", "edited token"} <= set(fields)


@pytest.mark.parametrize(
    "change",
    [
        lambda card: card.update(format="branchcard/2"),
        lambda card: card["card"].pop("case"),
        lambda card: card["card"]["case"].update(step=-1),
        lambda card: card.update(more=1),
        lambda card: card["card"]["branch"].update(value=None),
        lambda card: card["card"]["branch"]["value"].update(margins_base=[1.0, 2.0]),
        lambda card: card["card"]["branch"]["value"].update(top_base=[]),
        lambda card: card["card"]["how"].update(layers=[1, 0]),
        lambda card: card["card"]["patches"]["value"]["replays"].pop(),
        lambda card: card["card"]["patches"]["value"]["contrasts"][0].pop(),
        lambda card: card["card"]["patches"]["value"]["places"][0].update(base=[1, 2]),
        lambda card: card["card"]["rescue"]["value"].pop(),
        lambda card: card["card"]["controls"]["at"]["value"].update(place=99),
    ],
)
def test_what_is_no_card_is_refused(written: tuple[Any, RunOutputs, Path], change: Any) -> None:
    replay, outputs, path = written
    with pytest.raises(InputError, match="Make the card again"):
        check(changed(path, change), replay, outputs)


def test_a_card_of_positions_that_do_not_fit_is_not_this_model_s(
    written: tuple[Any, RunOutputs, Path],
) -> None:
    replay, outputs, path = written

    def far(card: Any) -> None:
        card["card"]["controls"]["donor"]["value"]["position"] = 70

    _, ok, fields = check(changed(path, far), replay, outputs)
    assert not ok and "branch" in fields
