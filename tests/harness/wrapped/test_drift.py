"""Drift of answers: beside a reference, with what harmless edits do to that; models whose numbers are known by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lm_eval_sensitivity.errors import InputError
from tests.harness.wrapped import made_tasks
from tests.harness.wrapped.made_tasks import ARC
from tests.harness.wrapped.scripted import Scripted
from tests.harness.wrapped.test_rows import saved
from tests.running import command

N = 20
DOCUMENTS = [
    {
        "id": str(index),
        "question": f"Which of the two is number {index}, the left or the right?",
        "choices": {"text": ["left", "side"], "label": ["A", "B"]},
        "answerKey": "A",
    }
    for index in range(N)
]
Answers = Callable[[int, str], bool]
"""(document, `base`, `double_space` or `nbsp`) -> whether the second choice is taken."""


def reference(index: int, edit: str) -> bool:
    """One of its two edits changes every second answer: p is 0.25."""
    return edit == "double_space" and index % 2 == 0


SYSTEMS: dict[str, Answers] = {
    "same": reference,
    # One answer in twenty is another one, edited or not: b is 0.05.
    "near": lambda index, edit: reference(index, edit) != (index == 1),
    # All are others, and edits change as many: b is 1.
    "far": lambda index, edit: not reference(index, edit),
    # Both edits change every answer: p is 1; b is 0.75 / 1.5.
    "more": lambda index, edit: edit != "base",
}


def model(answers: Answers) -> Scripted:
    def say(context: str, choice: str | None) -> float:
        number = re.search(r"number[ \u00a0]+(\d+)", context)
        assert number
        edit = "double_space" if "  " in context else "nbsp" if "\u00a0" in context else "base"
        return -float((choice == " side") != answers(int(number[1]), edit))

    return Scripted(say)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    made_tasks.make(folder / "tasks", "sides", ARC, DOCUMENTS, sensitivity_edits=["double_space", "nbsp"])
    for name, answers in {"reference": reference, **SYSTEMS}.items():
        saved(model(answers), "sensitivity_sides", folder / "tasks", folder / name)
    return folder


def drift(folder: Path, *options: object) -> int:
    runs = [folder / name for name in SYSTEMS]
    return command("drift", *runs, "--reference", folder / "reference", "--resamples", "999", *options)


def test_answers_have_the_words_and_the_label_of_their_contrasts(folder: Path, capsys: Any) -> None:
    assert drift(folder, "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)["drift"]
    by_name = {each["system"]: each for each in found["systems"]}
    verdicts = {name: by_name[name]["verdict"] for name in SYSTEMS}
    assert {name: each["label"] for name, each in verdicts.items()} == {
        "same": "STABLE",
        "near": "STABLE",
        "far": "DRIFTED",
        "more": "RESPONSIVE",
    }
    assert {each["response"] for each in verdicts.values()} == {"not asked"}
    assert [each["name"] for each in found["probe"]] == ["noise"]
    for name, p, b in (("same", 0.25, 0), ("near", 0.25, 0.05), ("far", 0.25, 1), ("more", 1, 0.5)):
        verdict = verdicts[name]
        assert verdict["harmless"] == pytest.approx(p) and verdict["harmless_reference"] == 0.25
        assert verdict["drift_distance"] == pytest.approx(b) and verdict["drift_yardstick"] == 0.25
        estimates = {each["name"]: each["bounds"]["estimate"] for each in verdict["contrasts"]}
        assert estimates == {"L_P": pytest.approx(p - 0.375), "L_D": pytest.approx(b - 0.5)}
    assert by_name["near"]["answers"] == [1, N] and by_name["far"]["answers"] == [N, N]


def test_the_words_speak_of_answers(folder: Path, capsys: Any) -> None:
    assert drift(folder) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert (
        "Far: 20 of 20 answers differ from the reference's, by more than 2 times what a harmless edit" in said
    )
    assert "None of 60 answers differs from the reference's" in said
    assert "near: as the reference, near: STABLE, is not more than 50 % more sensitive, and is nearer" in said
    assert "p: share of the harmless edits of a document that change its answer" in said
    assert not re.search(r"positive control|control mean|kC|response to meaning|filter answer", said)


def test_a_build_can_fail_on_answers(folder: Path, capsys: Any) -> None:
    assert drift(folder, "--fail-on", "DRIFTED", "--format", "junit") == 1
    assert 'failures="1"' in capsys.readouterr().out


def test_of_one_system_nothing_is_judged(folder: Path) -> None:
    with pytest.raises(InputError, match=r"nothing is judged without a reference.*Give `--reference RUN`"):
        command("drift", folder / "near")


def test_where_edits_change_all_answers_of_the_reference_nothing_could_be_further(
    folder: Path, capsys: Any
) -> None:
    line = ("drift", folder / "far", "--reference", folder / "more", "--resamples", "999")
    assert command(*line) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "far: edits unclear, drift unclear: no label." in said
    assert "change 100 % of the reference's own answers, and 2 times that is all or more: drift" in said


def test_a_report_beside_a_reference_has_the_verdicts(folder: Path, tmp_path: Path) -> None:
    runs = [folder / name for name in ("near", "far")]
    line = ("--reference", folder / "reference", "-o", tmp_path, "--resamples", "999")
    assert command("report", *runs, *line) == 0
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "DRIFTED" in page and "STABLE" in page
