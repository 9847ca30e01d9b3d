"""Record the runs anew: `python -m tests.golden.record`. Needs PyTorch and about a minute.

The recordings are what the real `lm_eval` command wrote, printed and logged; only what it says of the machine is
taken out. They ask `ladder.jsonl`, eight edits of six prompts of the packaged ladder, so that a new ladder leaves
them as they are.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.golden.doors import HERE, RUNS, inside
from tests.golden.entries import demo_model_path
from tests.running import arguments, execute_and_listen, only_our_tasks

LADDER = "ladder.jsonl"
ABOUT_THE_MACHINE = ("git_hash", "pretty_env_info", "upper_git_hash", "total_evaluation_time_seconds")

GREEDY = {"gen_kwargs": "max_gen_toks=24", "batch_size": 16, "metadata": {"ladder": LADDER}}
DRIFTED = {**GREEDY, "metadata": {"ladder": LADDER, "reference": "greedy/demo"}}
MINI = "prompt_sensitivity_mini"
FEW_RUNGS = ",".join(f"{MINI}_{rung}" for rung in ("identical", "noop", "synonym", "positive_control"))
TEXT = {**GREEDY, "model": "golden_text", "batch_size": 1, "tasks": FEW_RUNGS}
RECORDINGS: Mapping[str, dict[str, Any]] = {
    "greedy/demo": GREEDY,
    "greedy/rounded": {**DRIFTED, "model_args": "pretrained=models/rounded"},
    "greedy/coarse": {**DRIFTED, "model_args": "pretrained=models/coarse", "tasks": FEW_RUNGS},
    "text/steady": {**TEXT, "model_args": "model=steady"},
    "text/fickle": {**TEXT, "model_args": "model=fickle"},
    "text/other_limit": {**TEXT, "tasks": f"{MINI}_identical", "gen_kwargs": "max_gen_toks=12"},
    "sampled/demo": {
        "tasks": "prompt_sensitivity_sampling_identical,prompt_sensitivity_sampling_synonym",
        "limit": 3,
        "batch_size": 8,
        "gen_kwargs": "temperature=0.8,max_gen_toks=8",
        "metadata": {"ladder": LADDER, "n_samples": 6, "seed": 1},
    },
}
"""Folder below `runs` -> options of `lm_eval`. A run whose reference is another one comes after it."""
STEPS = {"rounded": 32, "coarse": 12}
"""Weights of the demo model rounded to so many steps of 1: other models, the same on every machine."""


@contextmanager
def workplace() -> Iterator[Path]:
    """A folder to run in, where models and ladder have names without a machine's path in them."""
    import torch
    from safetensors.torch import load_file, save_file

    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        shutil.copytree(demo_model_path(), folder / "models" / "demo")
        for name, steps in STEPS.items():
            shutil.copytree(folder / "models" / "demo", folder / "models" / name)
            weights = folder / "models" / name / "model.safetensors"
            rounded = {key: torch.round(value * steps) / steps for key, value in load_file(weights).items()}
            save_file(rounded, weights, metadata={"format": "pt"})
        shutil.copy(HERE / LADDER, folder)
        yield folder


def record(name: str, folder: Path) -> None:
    """Run `lm_eval` in a workplace; what it printed and logged stands beside what it wrote."""
    import tests.golden.text_engine  # noqa: F401 - registers itself

    with inside(folder), only_our_tasks():
        printed, logged = execute_and_listen(arguments("models/demo", Path(name), **RECORDINGS[name]))
    (folder / name / "printed.txt").write_text(printed, encoding="utf-8")
    (folder / name / "logged.txt").write_text(logged, encoding="utf-8")


def main() -> None:
    """Replace all recordings."""
    with workplace() as folder:
        for name in RECORDINGS:
            record(name, folder)
        for results in folder.glob("*/*/**/results_*.json"):
            _take_out_the_machine(results)
        for kind in {Path(name).parts[0] for name in RECORDINGS}:
            shutil.rmtree(RUNS / kind, ignore_errors=True)
            shutil.copytree(folder / kind, RUNS / kind)


def _take_out_the_machine(path: Path) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    content |= {name: None for name in ABOUT_THE_MACHINE if name in content}
    for config in content["configs"].values():
        config["metadata"]["config_source"] = Path(config["metadata"]["config_source"]).name
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
