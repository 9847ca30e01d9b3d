"""What a panel's file may say, and what is said of one that says something else."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from benchmarks import panel_results
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.panel.check_options import check_options
from lm_eval_sensitivity.panel.estimate import estimate, not_here
from lm_eval_sensitivity.panel.example import example_panel
from lm_eval_sensitivity.panel.panel_file import read_panel
from lm_eval_sensitivity.panel.plan import Panel, PanelSystem
from tests.conftest import REPOSITORY

WHOLE = """\
output: out
executor: local
workers: 2
retries: 3
defaults:
  model: hf
  device: cpu
  apply_chat_template: true
  model_args: {dtype: float32}
  gen_kwargs: max_gen_toks=12
env: {A: "1", B: "2"}
tasks: [prompt_sensitivity_mini, [prompt_sensitivity_core_noop, prompt_sensitivity_core_synonym]]
systems:
  - {name: one, run: {model_args: {pretrained: "${MODELS}/one"}}, gpus: 1, env: {B: "3"}}
  - name: two
    run: {model_args: "pretrained=two,dtype=bfloat16", apply_chat_template: null, metadata: {repeats: 2}}
reference: one
report: false
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "panel.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def _models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MODELS", "m")
    monkeypatch.chdir(tmp_path)


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    panel = read_panel(written(tmp_path, WHOLE))
    check_options(panel)
    assert (panel.executor, panel.workers, panel.retries, panel.reference, panel.report) == (
        *("local", 2, 3, "one"),
        False,
    )
    assert panel.systems[0] == PanelSystem("one", {"model_args": {"pretrained": "m/one"}}, {"B": "3"}, gpus=1)
    assert [unit.name for unit in panel.units] == [
        f"{system} on {tasks}"
        for system in ("one", "two")
        for tasks in (
            "prompt_sensitivity_mini",
            "prompt_sensitivity_core_noop,prompt_sensitivity_core_synonym",
        )
    ]
    one, two = panel.units[0], panel.units[2]
    shared = ["--device", "cpu", "--gen_kwargs", "max_gen_toks=12"]
    end = ["--model", "hf", "--model_args", "dtype=float32,pretrained=m/one"]
    assert list(one.options) == ["--apply_chat_template", *shared, *end]
    assert list(two.options) == [
        *(*shared, "--metadata", '{"repeats": 2}'),
        *("--model", "hf", "--model_args", "pretrained=two,dtype=bfloat16"),
    ]
    assert (one.env, two.env) == ({"A": "1", "B": "3"}, {"A": "1", "B": "2"})
    assert one.arguments(Path("f"))[-5:] == [
        "--output_path",
        "f",
        "--log_samples",
        "--use_cache",
        str(one.store),
    ]
    assert len({unit.id for unit in panel.units}) == 4
    assert one.store == panel.units[1].store != two.store


def test_a_moved_panel_has_the_same_ids(tmp_path: Path) -> None:
    panel = read_panel(written(tmp_path, WHOLE))
    moved = read_panel(written(tmp_path, WHOLE.replace("output: out", "output: elsewhere")))
    assert [unit.id for unit in panel.units] == [unit.id for unit in moved.units]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "retries: 3",
            "retrys: 3",
            r"panel\.yaml, line 4: a key is 'retrys'; accepted: .* Did you mean 'retries'\?",
        ),
        ("retries: 3", "retries: -1", r"line 4: `retries` is -1; accepted is greater than or equal to 0"),
        (
            "[prompt_sensitivity_mini,",
            "[]  #",
            r"line 12: `tasks` is a list; accepted is a list with at least 1 item, not 0",
        ),
        ("retries: 3", "workers: 3", r"line 4: `workers` stands there twice"),
        ("workers: 2", "workers: two", r"line 3: `workers` is 'two'; accepted is a valid integer"),
        (
            "executor: local",
            "executor: slurm",
            r"line 2: `executor` is 'slurm'; accepted is 'local' or 'ray'",
        ),
        ("output: out\n", "", r"line 1: `output` is missing"),
        ("  - name: two", "  - nane: two", r"line 15: a key is 'nane'.* Did you mean 'name'"),
        ("gpus: 1", "gpus: many", r"line 14: `systems\[0\]\.gpus` is 'many'"),
        ("name: two", "name: One", r"the name 'one' stands there twice"),
        ("name: two", "name: ../two", r"the name '\.\./two' cannot be a folder's"),
        ("reference: one", "reference: three", r"`reference` is 'three'; accepted: 'one', 'two'"),
        ("[prompt_sensitivity_mini,", "[[],", r"line 12: `tasks\[0\]"),
        ("${MODELS}", "${NO_SUCH}", r"`\$\{NO_SUCH\}` names an environment variable that is not set"),
        ("  model: hf", "  model: hf\n  model: vllm", r"line 5: 'model' stands there twice"),
        ("systems:", "systems", r"line 13: accepted are keys|this is no YAML"),
        (
            "  device: cpu",
            "  output_path: x",
            r"`output_path` cannot stand in a panel: the panel gives it itself",
        ),
        ("  device: cpu", "  predict_only: true", r"a run without scores cannot be read back"),
        (
            'run: {model_args: "pretrained=two,dtype=bfloat16", apply_chat_template: null, metadata: {repeats: 2}}',
            'run: {model_args: {pretrained: m/one}}\n    env: {B: "3"}',
            "'one' and 'two' have the same options",
        ),
        (
            "  device: cpu",
            "  devise: cpu",
            r"`defaults`: an option of lm_eval is 'devise'; .*Did you mean 'device'",
        ),
        (
            "repeats: 2}",
            "repeats: 2}, limit: few",
            r"two: lm_eval refuses its options: argument --limit/-L: invalid",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in WHOLE
    with pytest.raises(InputError, match=words):
        check_options(read_panel(written(tmp_path, WHOLE.replace(old, new, 1))))


@pytest.mark.parametrize("text", ["", "- a\n", "just words\n", "output: [\n", "? [a]\n: 1\n"])
def test_what_is_no_panel_is_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"panel\.yaml"):
        read_panel(written(tmp_path, text))


_BOMB = ", ".join(f"k{n}: &k{n} [{', '.join([f'*k{n - 1}' if n else 'x'] * 10)}]" for n in range(9))
"""Lists of ten that refer to the one before: 10^9 values in half a kilobyte."""


@pytest.mark.parametrize(
    "metadata", [f"{{{_BOMB}}}", "&a {b: *a}", "[" * 3000 + "]" * 3000, "[" * 60 + "]" * 60]
)
def test_a_file_that_no_memory_holds_is_refused_before_it_is_built(tmp_path: Path, metadata: str) -> None:
    text = WHOLE.replace("  device: cpu", f"  metadata: {metadata}")
    with pytest.raises(InputError, match=r"panel\.yaml: this is nested or refers to itself"):
        read_panel(written(tmp_path, text))


def test_options_may_be_referred_to(tmp_path: Path) -> None:
    text = WHOLE.replace("{dtype: float32}", "&shared {dtype: float32}").replace(
        '"pretrained=two,dtype=bfloat16"', "{<<: *shared, pretrained: two}"
    )
    (two,) = (system for system in read_panel(written(tmp_path, text)).systems if system.name == "two")
    assert two.run["model_args"] == {"dtype": "float32", "pretrained": "two"}


def test_models_of_a_path_that_is_not_here_are_named(tmp_path: Path) -> None:
    (tmp_path / "a/b/there").mkdir(parents=True)
    models = ["ORG/NAME", "gpt2", "a/b/there", "./nowhere", str(tmp_path / "gone"), "a/b/gone"]
    panel = read_panel(written(tmp_path, example_panel(models)))
    assert not_here(panel) == tuple(models[3:])


def test_the_example_is_a_panel_and_every_remark_of_it_is_a_key(tmp_path: Path) -> None:
    models = ["Qwen/Qwen3-4B", "other/Qwen3-4B", "runs/models/8", "/", "a: b"]
    text = example_panel(models)
    panel = read_panel(written(tmp_path, text))
    check_options(panel)
    assert [system.name for system in panel.systems] == ["Qwen3-4B", "Qwen3-4B-2", "8", "model", "a-b"]
    assert [system.run["model_args"]["pretrained"] for system in panel.systems] == models
    remarks = re.sub(r"(?m)^( *)# (?=\w+: )", r"\1", text)
    whole = read_panel(written(tmp_path, remarks))
    assert whole.executor == "ray" and whole.defaults["metadata"] == {"repeats": 3}
    assert set(yaml.safe_load(remarks)) == {each.name for each in fields(Panel)}


def test_the_example_of_the_repository_is_a_panel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMO", "demo")
    check_options(read_panel(REPOSITORY / "examples" / "panel.yaml"))


@pytest.mark.parametrize("limit", panel_results.TABLES)
def test_recorded_figures_are_read_where_their_panel_writes(limit: str) -> None:
    folders = [Path("runs", run) for run in panel_results.TABLES[limit]]
    panel = read_panel(REPOSITORY / "benchmarks" / f"{folders[0].parts[1].replace('-', '_')}.yaml")
    check_options(panel)
    assert [panel.runs_of(system.name) for system in panel.systems] == folders
    assert panel.reference == folders[0].name


def test_a_panel_is_estimated_from_its_options(tmp_path: Path) -> None:
    text = WHOLE.replace("prompt_sensitivity_mini, [", "prompt_sensitivity_mini_noop, [")
    one, two = estimate(read_panel(written(tmp_path, text)))
    assert one.n_outputs == two.n_outputs, "no prompt is repeated"
    assert one.output_tokens == one.n_outputs * 12
    mini = WHOLE.replace(", [prompt_sensitivity_core_noop, prompt_sensitivity_core_synonym]", "")
    one, two = estimate(read_panel(written(tmp_path, mini)))
    assert (one.n_outputs, two.n_outputs) == (205, 205 + 9), (
        "the second one is told to repeat, in another precision"
    )
    limited = estimate(read_panel(written(tmp_path, mini.replace("device: cpu", "device: cpu\n  limit: 2"))))
    # Of nine rungs' edits the first two pairs each: the two prompts, their variants, and two repetitions.
    assert limited[0].n_outputs < 30
    other = estimate(
        read_panel(written(tmp_path, mini.replace("sensitivity_mini", "sensitivity_mini, arc_easy")))
    )
    assert other[0].n_outputs is None, "prompts of other tasks are not known"
