"""What is said of stretching, and that it survives its file."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from lm_eval_sensitivity.probes.document import probe_document
from lm_eval_sensitivity.probes.files import codec
from lm_eval_sensitivity.probes.replay import Replay
from lm_eval_sensitivity.probes.result import ProbeResult
from lm_eval_sensitivity.probes.stretch import PROBE
from lm_eval_sensitivity.probes.stretch.finding import StretchFinding
from lm_eval_sensitivity.probes.stretch.settings import Settings
from lm_eval_sensitivity.report.figures import render
from lm_eval_sensitivity.report.figures.style import Picture
from lm_eval_sensitivity.types import Note
from tests.probes import made
from tests.probes import models_stretch as models


def result_of(model: Any, n_prompts: int = 6, **settings: Any) -> ProbeResult[StretchFinding]:
    prompts = models.random_prompts(n_prompts)
    outputs = models.outputs(prompts, variants=[[1, *ids] for ids in prompts])
    return made.result_of(PROBE, Replay(model), outputs, Settings(**settings))


@pytest.fixture(scope="module")
def deep() -> ProbeResult[StretchFinding]:
    return result_of(models.llama(12), sweep=True, jacobian=True)


def sentence(result: ProbeResult[StretchFinding]) -> str:
    first = PROBE.document(result)[0]
    assert isinstance(first, Note) and first.kind == "finding"
    return first.text


def test_the_sentence_says_where_and_how_much(deep: ProbeResult[StretchFinding]) -> None:
    inner, twin = deep.finding.loaded.over("inner"), deep.finding.untrained
    assert inner is not None and twin is not None
    text = sentence(deep)
    assert text.startswith(
        f"From layer 1 to 10 the residual grows by {inner.magnitude.estimate:.3f} per layer"
    )
    assert (
        f"it changes by {inner.relative.estimate:.3f} per layer" in text and "a disturbance of 0.1 %" in text
    )
    assert f"(untrained: by {twin.over('inner').relative.estimate:.3f}" in text


def test_the_first_ten_layers_stand_beside_an_untrained_network(deep: ProbeResult[StretchFinding]) -> None:
    said = [part.text for part in PROBE.document(deep) if isinstance(part, Note) and part.kind == "remark"]
    ours, theirs = (network.over("first ten") for network in deep.finding.networks)
    assert ours is not None and theirs is not None
    assert len(said) == 1
    assert (
        f"{ours.magnitude.estimate:.3f} per layer as loaded, and by {theirs.magnitude.estimate:.3f} untrained"
        in said[0]
    )


def test_every_table_says_positions_and_prompts(deep: ProbeResult[StretchFinding]) -> None:
    document = probe_document([deep])
    names = [table.name for table in document.tables_in("table")]
    assert names == ["stretch", "stretch_shares", "stretch_edits", "stretch_sweep", "stretch_jacobian"]
    growth = document.tables_in("table")[0]
    assert growth.note.startswith("Read at 18 steps of the outputs to 6 prompts.")
    assert [row[:3] for row in growth.rows[:5]] == [
        ("as loaded", "all", "0-11"),
        ("as loaded", "first ten", "0-9"),
        ("as loaded", "inner", "1-10"),
        ("as loaded", "first", "0"),
        ("as loaded", "last", "11"),
    ]
    shares = document.tables_in("json")[1]
    projection = dict(zip([column.name for column in shares.columns], shares.rows[0], strict=True))
    assert sum(projection[part] for part in ("embedding", "attention", "mlp")) == pytest.approx(1)
    assert len(document.tables_in("csv")[-1].rows) == 24


def test_too_few_prompts_are_said_and_not_made_up() -> None:
    result = result_of(models.llama(3), n_prompts=4)
    assert sentence(result) == "No growth is given: 4 prompts have a number, at least 5 are needed."
    growth = probe_document([result]).tables_in("csv")[0]
    assert all(math.isnan(row[3]) for row in growth.rows)


def test_without_a_disturbance_there_is_no_word_of_one() -> None:
    text = sentence(result_of(models.llama(3), size=0.0))
    assert text.startswith("In layer 1 the residual grows by") and text.endswith(
        "no disturbance was measured."
    )


def test_a_result_survives_its_file(deep: ProbeResult[StretchFinding]) -> None:
    again = codec("stretch").load(codec("stretch").dump(deep), "`x`")
    assert (again.finding, again.per_prompt, again.notes) == (deep.finding, deep.per_prompt, deep.notes)
    missing = result_of(models.llama(3), n_prompts=2, size=0.0)
    kept = codec("stretch").dump(missing)
    assert codec("stretch").dump(codec("stretch").load(kept, "`x`")) == kept


@pytest.mark.parametrize("n_prompts", [6, 2])
def test_a_picture(n_prompts: int) -> None:
    picture = PROBE.picture(result_of(models.llama(3), n_prompts=n_prompts))
    assert isinstance(picture, Picture)
    drawn = render(picture, "foot")
    assert "layer" in drawn.inline and f"{n_prompts} prompts" in picture.caption.n


def test_a_network_without_sizes_is_not_drawn(deep: ProbeResult[StretchFinding]) -> None:
    nothing = dataclasses.replace(deep.finding.loaded, layers=())
    finding = dataclasses.replace(deep.finding, networks=(nothing,))
    assert not isinstance(PROBE.picture(dataclasses.replace(deep, finding=finding)), Picture)
