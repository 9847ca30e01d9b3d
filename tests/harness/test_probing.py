"""Probes in a run and after it: the same model, the same outputs, the same numbers; and every door."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.probes.catalogue import IN_A_RUN, NAMES, probe_named
from lm_eval_sensitivity.probes.files import kept_results, save
from lm_eval_sensitivity.probes.outputs import outputs_of
from lm_eval_sensitivity.report.wording.summary import WIDEST
from lm_eval_sensitivity.results import open_results
from lm_eval_sensitivity.runs import load_runs
from lm_eval_sensitivity.space.page import render
from tests.harness import tiny_models
from tests.harness.conftest import FOUR_RUNGS, Lmeval
from tests.running import Run, command, execute
from tests.traps.conftest import runs_in

SETTINGS: dict[str, Any] = {**FOUR_RUNGS, "gen_kwargs": "max_gen_toks=24"}
QUICK = ("--resamples", 199, "--draws", 199)


@pytest.fixture(scope="session")
def probed(demo: Path, shared_home: Path) -> Run:
    """A run of the demonstration model with every probe that a run takes."""
    return runs_in(shared_home)("probed", demo, **SETTINGS, metadata={"probes": list(IN_A_RUN)})


def result_files(folder: Path) -> dict[str, Path]:
    return {path.name.split("_")[1]: path for path in folder.rglob("probe_*.json")}


def test_a_run_keeps_what_its_probes_found_and_says_it_last(probed: Run) -> None:
    assert set(result_files(probed.folder)) == set(IN_A_RUN)
    system = load_runs(probed.folder).systems[0]
    for name, result in kept_results(system).items():
        assert (result.probe, result.system) == (name, system.fingerprint)
        assert result.agreement.share == 1 and result.agreement.largest_margin_difference < 1e-3
        said = [line for line in probed.last_screen if line.startswith(f"Probe {name}: ")]
        assert len(said) == 1 and len(said[0]) > 40


def test_a_probe_changes_nothing_of_the_run(probed: Run, run_once: Lmeval, demo: Path) -> None:
    plain = run_once(demo, **SETTINGS)
    assert plain.samples == probed.samples and plain.results["results"] == probed.results["results"]


def test_probes_take_no_room_from_the_cautions(probed: Run, run_once: Lmeval, demo: Path) -> None:
    def summary(run: Run) -> list[str]:
        found = (each["metadata"]["sensitivity"].get("summary") for each in run.results["configs"].values())
        return next(lines for lines in found if lines)

    plain, ours = summary(run_once(demo, **SETTINGS)), summary(probed)
    assert any("Caution: " in line for line in plain)
    first = next(place for place, line in enumerate(ours) if line.startswith("  Probe "))
    n_following = 2  # where the files are, which differs, and what to do next
    assert ours[:first] == plain[:-n_following]
    assert all(len(line) <= WIDEST for line in ours[first:-n_following])


def test_what_is_replayed_is_what_was_generated(probed: Run) -> None:
    outputs = outputs_of(load_runs(probed.folder).systems[0])
    rows = [row for task in sorted(probed.samples) for row in probed.rows(task)]
    assert {each.pair.pair_id for each in outputs.pairs} == {row["doc"]["pair_id"] for row in rows}
    assert {each.pair.pair_id for each in outputs.live_pairs()} == {
        row["doc"]["pair_id"] for row in rows if row["pair"]["audit"]["status"] == "survived"
    }
    for each in outputs.pairs:
        assert len(each.base.output_ids) == len(each.base.margins) == len(each.base.entropies) > 0
        if each.pair.rung == "identical":
            assert not each.live and each.base.output_ids == each.variant.output_ids


def test_what_a_result_holds_commands_no_terminal(
    probed: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = tmp_path / "run"
    shutil.copytree(probed.folder, again)
    for path in result_files(again).values():
        content = json.loads(path.read_text())
        content["name"] = content["conditions"]["attention"] = "\x1b]0;owned\x07"
        content["notes"] = [{"kind": "caution", "text": "\x1b[2J", "about": []}]
        path.write_text(json.dumps(content))
    for name in result_files(again):
        picture = tmp_path / f"{name}.svg"
        assert command("probe", name, again, "--kept", "--picture", picture) == 0
        assert "\x1b" not in capsys.readouterr().out and b"\x1b" not in picture.read_bytes()


def test_a_folder_in_the_place_of_a_result_is_no_file(probed: Run, tmp_path: Path) -> None:
    again = tmp_path / "run"
    shutil.copytree(probed.folder, again)
    name, path = next(iter(result_files(again).items()))
    path.unlink()
    path.mkdir()
    with pytest.raises(InputError, match="is no file"):
        command("probe", name, again, "--kept")


def test_a_folder_that_takes_no_file_is_refused_before_the_model_is_loaded(
    probed: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(InputError, match="cannot be written, and results of probes are kept there"):
        command("probe", IN_A_RUN[0], probed.folder, "--model_args", "pretrained=/nowhere")


def test_a_result_that_cannot_be_written_leaves_the_earlier_one(
    probed: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = next(iter(kept_results(load_runs(probed.folder).systems[0]).values()))
    path = save(result, tmp_path)
    before = path.read_bytes()

    def interrupted(self: Path, content: bytes) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save(result, tmp_path)
    assert path.read_bytes() == before


def test_a_probe_that_breaks_costs_a_run_nothing(
    probed: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lm_eval_sensitivity.harness.tasks import probing
    from lm_eval_sensitivity.probes.probing import Probed

    def breaks(*args: Any) -> None:
        raise IndexError("index 9 is out of bounds")

    monkeypatch.setattr(probing, "outputs_from", breaks)
    said = probing.probe_run(["stretch"], None, [], Probed("0" * 16, "m", None), tmp_path)
    assert said == ["Probe stretch: index 9 is out of bounds."]


@pytest.mark.parametrize("name", IN_A_RUN)
def test_after_the_run_it_finds_the_same(
    name: str, probed: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = tmp_path / "run"
    shutil.copytree(probed.folder, again)
    before = json.loads(result_files(again)[name].read_text())
    line = (
        "probe",
        name,
        again,
        "--device",
        "cpu",
        "--batch_size",
        SETTINGS["batch_size"],
        "--picture",
        tmp_path / "p.png",
    )
    assert command(*line, "--format", "json") == 0
    after = json.loads(result_files(again)[name].read_text())
    assert after == before
    printed = json.loads(capsys.readouterr().out)
    assert printed["probes"][0]["system"] == before["system"]
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("form", ["table", "markdown", "csv"])
@pytest.mark.parametrize("name", IN_A_RUN)
def test_what_is_kept_is_printed_with_what_it_is_not(
    name: str, form: str, probed: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("probe", name, probed.folder, "--kept", "--format", form) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "Not to be read as" in printed and "of the run" not in printed.split("Not to be read as")[0][:20]
    assert "The replay chooses the generated token at" in printed


def test_a_number_for_each_prompt_is_a_metric_of_clusters_and_compare(
    probed: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tiny_models.build(tmp_path / "other", "llama")
    folder = tmp_path / "of_other"
    from tests.harness.conftest import arguments

    execute(arguments(other, folder, **SETTINGS, metadata={"probes": list(IN_A_RUN)}))
    capsys.readouterr()
    system = load_runs(probed.folder).systems[0]
    for name, result in kept_results(system).items():
        for each in result.per_prompt:
            metric = f"probe.{name}.{each.measure}"
            line = (probed.folder, folder, "--metric", metric, *QUICK)
            assert command("clusters", *line, "--format", "json") == 0
            rows = next(iter(json.loads(capsys.readouterr().out)["tables"].values()))
            values = [value for value in each.values.values() if value is not None]
            row = next(row for row in rows if row["system"] == system.name)
            if len(values) == len(each.values) >= 5:
                assert row["mean"] == pytest.approx(sum(values) / len(values))
        assert command("compare", *line) == 0  # of the last
        assert "what larger means, its probe says" in " ".join(capsys.readouterr().out.split())


def test_report_export_and_page_show_it(
    probed: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("report", probed.folder, "-o", tmp_path / "report", *QUICK) == 0
    page = (tmp_path / "report" / "index.html").read_text()
    assert command("export", probed.folder, "-o", tmp_path / "results", *QUICK) == 0
    results = open_results(tmp_path / "results", everything=True)
    assert set(results.probes) == set(IN_A_RUN)
    for name in IN_A_RUN:
        title = probe_named(name).title
        assert title in page and (tmp_path / "report" / f"probe_{name}.svg").exists()
        view = render(results, {"view": "probes", "probe": name})
        assert title in view and "<svg" in view and "Not to be read as" in view
    damaged = tmp_path / "results" / "probes" / f"000_{IN_A_RUN[0]}.json"
    damaged.write_bytes(damaged.read_bytes().replace(b'"n_same"', b'"n_sane"'))
    with pytest.raises(InputError, match=r"bytes|sha256"):
        open_results(tmp_path / "results")


def test_a_damaged_result_is_refused_by_file_and_field(probed: Run, tmp_path: Path) -> None:
    again = tmp_path / "run"
    shutil.copytree(probed.folder, again)
    name, path = next(iter(result_files(again).items()))
    content = json.loads(path.read_text())
    content["agreement"]["n_same"] = "all"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"probe_.*agreement\.n_same` is 'all'; accepted is a valid integer"):
        command("probe", name, again, "--kept")


@pytest.mark.parametrize(
    ("probes", "words"),
    [
        ("stretch", "`probes` is 'stretch'; expected a list of names"),
        (["strech"], "Did you mean .stretch."),
        (["cards"], "accepted: stretch"),
    ],
)
def test_a_probe_that_a_run_does_not_take(
    probes: Any, words: str, demo: Path, tmp_path: Path, lm_eval: Lmeval
) -> None:
    with pytest.raises(InputError, match=words):
        lm_eval(demo, **SETTINGS, metadata={"probes": probes})


def test_nothing_is_probed_where_nothing_is_kept(demo: Path, lm_eval: Lmeval) -> None:
    with pytest.raises(InputError, match="Add `--output_path`"):
        lm_eval(demo, **SETTINGS, metadata={"probes": [IN_A_RUN[0]]}, output_path=None, log_samples=None)


def test_other_weights_are_refused(probed: Run, tmp_path: Path) -> None:
    other = tiny_models.build(tmp_path / "other", "llama")
    with pytest.raises(InputError, match="these weights are not those of the run"):
        command("probe", IN_A_RUN[0], probed.folder, "--model_args", f"pretrained={other}", "--device", "cpu")


def test_a_run_without_a_result_says_how_to_get_one(demo_of_four_rungs: Run) -> None:
    with pytest.raises(InputError, match="holds no result of the probe"):
        command("probe", NAMES[0], demo_of_four_rungs.folder, "--kept")
    metric = f"probe.{NAMES[0]}.anything"
    with pytest.raises(InputError, match=f"Make it with `lm-eval-sensitivity probe {NAMES[0]} RUN`"):
        command("clusters", demo_of_four_rungs.folder, "--metric", metric)
    with pytest.raises(InputError, match="there is no probe 'wrong'"):
        command("clusters", demo_of_four_rungs.folder, "--metric", "probe.wrong.x")
