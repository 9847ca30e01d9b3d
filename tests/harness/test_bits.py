"""Static and dynamic floor of the demonstration model, from runs of the real lm_eval through the command."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.results import open_results
from lm_eval_sensitivity.space.page import render
from tests.harness.conftest import FOUR_RUNGS, Lmeval
from tests.running import Run, command
from tests.traps.models.collapsing import write_loop

WIDTHS = (8, 2)


@pytest.fixture(scope="module")
def runs(
    demo: Path, demo_of_four_rungs: Run, run_once: Lmeval, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Folders: the demonstration model, two rounded copies, and a model that says one thing, called 3 bits."""
    home = tmp_path_factory.mktemp("widths")
    write_loop(home / "loop")
    assert command("round", demo, home, "--bits", ",".join(map(str, WIDTHS))) == 0
    models = {**{str(bits): home / f"model-{bits}bit" for bits in WIDTHS}, "loop": home / "loop"}
    shutil.copytree(demo_of_four_rungs.folder, home / "runs" / "demo")
    found = {"demo": home / "runs" / "demo"}
    for name, model in models.items():
        found[name] = home / "runs" / name
        shutil.copytree(run_once(model, **FOUR_RUNGS).folder, found[name])
    return found


def probed(runs: dict[str, Path], reference: str, *widths: str, folder: Path) -> dict[str, Any]:
    line = (f"{'3' if name == 'loop' else name}={runs[name]}" for name in widths)
    options = ("--device", "cpu", "--resamples", 999, "--format", "json", "-o", folder / "bits.json")
    assert command("probe", "bits", runs[reference], *line, *options) == 0
    (result,) = json.loads((folder / "bits.json").read_text())["probes"]
    return dict(result)


@pytest.fixture(scope="module")
def result(runs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return probed(runs, "demo", "2", "8", folder=tmp_path_factory.mktemp("json"))


def test_eight_bits_change_nothing_and_two_bits_all(result: dict[str, Any]) -> None:
    finding = result["finding"]
    eight, two = finding["widths"]
    assert (eight["bits"], two["bits"]) == WIDTHS
    reference, near, far = finding["drift"]["systems"]
    assert reference["is_reference"]
    # No output changes at 8 bits.
    assert near["drift"]["mean"]["estimate"] == 0 and near["answers"] == [0, 9]
    assert far["drift"]["mean"]["estimate"] > 0.5 and far["answers"][0] == 9
    assert 0 < eight["weight_error"] < 0.01 < 0.5 < two["weight_error"] < 1
    assert eight["divergence"]["estimate"] < 1e-3 < 1 < two["divergence"]["estimate"]
    assert eight["disagreement"]["estimate"] == 0 < two["disagreement"]["estimate"]
    assert finding["reference"]["perplexity"] > 100, "it was trained on a few hundred sentences"
    assert finding["check"] == "divergence"
    assert (finding["static_floor"]["bits"], finding["static_floor"]["reason"]) == (8, "")
    assert result["agreement"]["n_same"] == result["agreement"]["n_steps"] > 0
    assert (finding["n_rounded"], finding["n_weights"]) == (1_548_800, 2_030_560)


def test_drift_and_verdicts_are_those_of_the_command_drift(
    runs: dict[str, Path], result: dict[str, Any], tmp_path: Path
) -> None:
    options = ("--drift-factor", 1, "--resamples", 999, "--format", "json", "-o", tmp_path / "drift.json")
    assert command("drift", runs["8"], runs["2"], "--reference", runs["demo"], *options) == 0
    theirs = json.loads((tmp_path / "drift.json").read_text())["drift"]
    ours = result["finding"]["drift"]
    for own, other in zip(ours["systems"], theirs["systems"], strict=True):
        for name in ("preserving", "control", "drift"):
            assert (own[name] or {}).get("mean") == (other[name] or {}).get("mean"), name
        assert (own["verdict"] or {}).get("label") == (other["verdict"] or {}).get("label")


def test_nine_prompts_do_not_show_that_nothing_drifts(result: dict[str, Any]) -> None:
    """No output of nine changes; a harmless edit moves the model less than the upper bound of that."""
    floor = result["finding"]["dynamic_floor"]
    reason = (
        "at 8 bits, the most that was measured, outputs are not shown to be nearer to the unrounded model than a "
        "harmless edit moves it"
    )
    assert floor == {"bits": None, "lowest": 8, "highest": None, "reason": reason}


def test_what_is_kept_is_said_again_and_goes_into_reports_and_results(
    runs: dict[str, Path], result: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("probe", "bits", runs["demo"], "--kept", "--picture", tmp_path / "bits.svg") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "KL to the unrounded model stays within 0.049 nats down to 8 bits." in said
    assert "There is no dynamic floor: at 8 bits, the most that was measured, outputs are not shown" in said
    assert "Silent zone: at 8 bits the static check passes" in said
    assert "Caution: Perplexity is not usable: the reference has" in said
    assert "Not to be read as: a statement on GPTQ, AWQ or GGUF" in said
    assert b"<svg" in (tmp_path / "bits.svg").read_bytes()
    assert command("report", runs["demo"], "-o", tmp_path / "report") == 0
    assert "Static and dynamic floor" in (tmp_path / "report" / "index.html").read_text()
    (kept,) = runs["demo"].rglob("probe_bits_*.json")
    stranger = json.loads(kept.read_text())
    stranger["finding"]["widths"][0]["system"] = "another"
    shutil.copytree(runs["demo"], tmp_path / "demo")
    (copy,) = (tmp_path / "demo").rglob("probe_bits_*.json")
    copy.write_text(json.dumps(stranger))
    with pytest.raises(InputError, match="accepted is one whose widths are the systems of its drift"):
        command("probe", "bits", tmp_path / "demo", "--kept")
    assert command("export", runs["demo"], "-o", tmp_path / "results") == 0
    view = render(open_results(tmp_path / "results", everything=True), {"view": "probes", "probe": "bits"})
    assert "KL to the unrounded model stays within" in view and "<svg" in view


def test_a_model_that_says_one_thing_is_collapsed_and_has_no_floor(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    copied = {**runs, "demo": tmp_path / "demo"}
    shutil.copytree(runs["demo"], copied["demo"])
    beside = probed(copied, "demo", "loop", folder=tmp_path)["finding"]
    (width,) = beside["widths"]
    _, system = beside["drift"]["systems"]
    assert system["verdict"]["label"] in ("COLLAPSED", "UNDETERMINED")
    assert system["verdict"]["response"] == "collapsed"
    assert system["preserving"]["mean"]["estimate"] == 0 == width["spread"]
    assert beside["dynamic_floor"]["bits"] is None is beside["dynamic_floor"]["lowest"]
    assert "collapsed" in beside["dynamic_floor"]["reason"]
    itself = probed(runs, "loop", "8", folder=tmp_path)["finding"]
    assert itself["reference"]["spread"] == 0
    assert itself["dynamic_floor"]["bits"] is None
    assert "answers another request as it answers a harmless edit" in itself["dynamic_floor"]["reason"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (("demo",), "has 1 runs of models and 0 of widths. Accepted is"),
        (("8=8", "2=2"), "has 0 runs of models and 2 of widths"),
        (("demo", "0.5=8"), r"0\.5=.* is no folder, and its width is none"),
        (("demo", "4=demo"), "for a width and as the model's own"),
        (("demo", "8=8", "4=8"), "A run is given for two widths"),
        (("demo", "8=8", "8=2"), "A width is given twice"),
        (("demo", "8=8", "--kept"), "with `--kept`, runs of models alone"),
        (("8", "--kept"), "holds no result of the probe bits"),
    ],
)
def test_mistakes_are_refused_in_a_sentence(
    line: tuple[str, ...], message: str, runs: dict[str, Path]
) -> None:
    def word(text: str) -> str:
        bits, equals, name = text.rpartition("=")
        return text if text.startswith("--") else f"{bits}{equals}{runs[name]}"

    with pytest.raises(InputError, match=message):
        command("probe", "bits", *map(word, line))


def test_a_width_whose_weights_are_gone_keeps_its_drift(
    runs: dict[str, Path], tmp_path: Path, demo: Path
) -> None:
    """Of a run of an engine without weights, or of a model that was deleted, outputs are all there is."""
    shutil.copytree(runs["8"], tmp_path / "8")
    for path in (tmp_path / "8").rglob("results_*.json"):
        text = path.read_text()
        path.write_text(text.replace("model-8bit", "model-gone"))
    copied = {"demo": tmp_path / "demo", "8": tmp_path / "8"}
    shutil.copytree(runs["demo"], copied["demo"])
    finding = probed(copied, "demo", "8", folder=tmp_path)["finding"]
    (width,) = finding["widths"]
    assert width["perplexity"] is None is width["divergence"] and "model-gone" in width["missing"]
    assert finding["check"] is None
    assert finding["static_floor"]["reason"].startswith("static check not usable:")
    assert finding["drift"]["systems"][1]["drift"]["mean"]["estimate"] == 0
