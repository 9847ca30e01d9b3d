"""Every figure that only a GPU can give, in at most eight minutes, without a network.

Steps stand in the order of their worth. Each is one or several processes, and has seconds of its own; what one leaves,
the next may use. A process that is over its time is killed, which is said, and the next step begins. After every
process the record `gpu.json` and the table `gpu.md` are written anew, so that nothing is lost if this one is killed.

  overhead  the suite beside plain generation of a randomly initialized 4B shape in bfloat16: time, memory
  ladder    a trained model on the ladder in float32 and bfloat16: distances, drift, noise floors
  noise     the noise floor of bfloat16 in smaller batches
  probes    replay and every probe, as shares of the generation that they look into

    python -m benchmarks.gpu --model models/smollm2-135m-it --output benchmarks
    python -m benchmarks.gpu --device cpu --model-shape tiny --batch-size 8 --max-new-tokens 12 --n-prompts 1 \\
        --tasks prompt_sensitivity_mini --limit 3 --output /tmp/gpu       # to try the script itself

Without `--model` the demonstration model stands in for the trained one. The figures are those of `overhead.py`,
`probes.py` and `real_runs.py`; only how long a step took is looked up on a clock here.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.steps import Command, Step, run_steps
from docs.tables import table
from lm_eval_sensitivity.text.format import to_json

SECONDS = 450
"""Of all steps together, so that half a minute of the eight is left for reading what they wrote."""
DTYPES = ("float32", "bfloat16")
SMALLER = 8
"""The batches of `--batch-size` divided by this are the smaller ones of step `noise`."""


# ---- the suite beside plain generation


def _overhead_commands(options: argparse.Namespace, folder: Path) -> list[Command]:
    line = [
        *(sys.executable, "-m", "benchmarks.overhead", "--rounds=1", "--without-by-hand"),
        *(f"--device={options.device}", f"--model-shape={options.model_shape}"),
        *(f"--batch-size={options.batch_size}", f"--max-new-tokens={options.max_new_tokens}"),
        *(f"--n-prompts={options.n_prompts}", f"--output={folder / 'overhead.json'}"),
    ]
    return [("overhead", line)]


def _overhead(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    return _read(folder / "overhead.json") or {}


# ---- the ladder


def _run(options: argparse.Namespace, folder: Path, name: str, dtype: str, batch: int, tasks: str) -> Command:
    line = [
        *(sys.executable, "-m", "lm_eval", "--tasks", tasks, "--model", "hf", "--log_samples"),
        *("--model_args", f"pretrained={options.model},dtype={dtype}", "--device", options.device),
        *("--batch_size", str(batch), "--gen_kwargs", f"max_gen_toks={options.max_new_tokens}"),
        *("--output_path", str(folder / "runs" / name), "--apply_chat_template"),
        *(["--limit", str(options.limit)] if options.limit else []),
    ]
    return name, line


def _ladder_commands(options: argparse.Namespace, folder: Path) -> list[Command]:
    return [_run(options, folder, dtype, dtype, options.batch_size, options.tasks) for dtype in DTYPES]


def _ladder(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    from benchmarks.real_runs import of_runs

    there = {dtype: folder / "runs" / dtype for dtype in DTYPES}
    there = {dtype: run for dtype, run in there.items() if any(run.rglob("results_*.json"))}
    return of_runs(there, next(iter(there))) if there else {}


# ---- noise in smaller batches


def _noise_commands(options: argparse.Namespace, folder: Path) -> list[Command]:
    batch = max(1, options.batch_size // SMALLER)
    name = f"bfloat16-batch-{batch}"
    return [_run(options, folder, name, "bfloat16", batch, f"{options.tasks}_identical")]


def _noise(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Noise floors, and how many first outputs are the same in both sizes of batches."""
    import lm_eval_sensitivity as les

    ((smaller, _),) = _noise_commands(options, folder)
    outputs: dict[str, dict[str, str]] = {}
    found: dict[str, Any] = {}
    for name in ("bfloat16", smaller):
        if not any((folder / "runs" / name).rglob("results_*.json")):
            continue
        frame = les.load(str(folder / "runs" / name)).pairs(text=True).to_pandas()
        rows = frame[(frame.rung == "identical") & (frame["filter"] == "raw")]
        scored = rows.cosine_distance.dropna()
        outputs[name] = dict(zip(rows.prompt_id, rows.base_output, strict=True))
        found[name] = {
            "prompts": len(rows),
            "mean_distance": float(scored.mean()) if len(scored) else None,
            "prompts_with_another_output": int((rows.token_edit_distance > 0).sum()),
        }
    if len(outputs) == 2:
        first, second = outputs.values()
        both = first.keys() & second.keys()
        found["equal_first_outputs"] = f"{sum(first[name] == second[name] for name in both)} of {len(both)}"
    return found


# ---- probes


def _probes_commands(options: argparse.Namespace, folder: Path) -> list[Command]:
    line = [
        *(sys.executable, "-m", "benchmarks.probes", str(options.model), "--device", options.device),
        *("--batch-size", str(options.batch_size), "--max-new-tokens", str(options.max_new_tokens)),
        *("--record", str(folder / "probes.json")),
    ]
    return [("probes", line)]


def _probes(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    costs = _read(folder / "probes.json") or []
    of = costs[0] if costs else {}
    return {
        cost["name"]: {
            "seconds": round(cost["seconds"], 2),
            "time_of_generation": round(cost["seconds"] / of["seconds"], 3),
            "peak_of_generation": round(cost["peak_bytes"] / max(of["peak_bytes"], 1), 3),
        }
        for cost in costs
    }


STEPS = (
    Step("overhead", 140, _overhead_commands, _overhead),
    Step("ladder", 165, _ladder_commands, _ladder),
    Step("noise", 45, _noise_commands, _noise),
    Step("probes", 100, _probes_commands, _probes),
)


def in_markdown(record: dict[str, Any]) -> str:
    """The record as one table, and what it was made with."""
    rows = [row for outcome in record["steps"] for row in _rows(outcome)]
    settings = ", ".join(f"{name} {value}" for name, value in record["settings"].items() if value)
    made_with = ", ".join(f"{name} {number}" for name, number in record["versions"].items())
    return f"{table(('step', 'figure', 'value'), rows)}\n\n{settings}; {made_with}.\n"


def _rows(outcome: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    name = outcome["name"]
    for process, ended in outcome["processes"].items():
        if ended["status"] != "done":
            yield name, f"{process}: {ended['status']}", f"after {ended['seconds']} s: {_cell(ended['said'])}"
    if outcome["unread"]:
        yield name, "not read", _cell(outcome["unread"])
    for figure, value in _flat(outcome["figures"]):
        yield name, figure, _cell(value)


def _of_several(values: list[Any]) -> str:
    """An estimate with its bounds, or anything else as it is."""
    cells = [_cell(value) for value in values]
    return f"{cells[0]} ({cells[1]} to {cells[2]})" if len(cells) == 3 else ", ".join(cells)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return str(value).replace("\n", " ").replace("|", "/")[-200:]


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested figures with the names of what they are in."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _flat(each, f"{prefix}, {name}" if prefix else name)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for each in value:
            name = each.get("system", "")
            yield from _flat({key: one for key, one in each.items() if key != "system"}, name)
    else:
        yield prefix, _of_several(value) if isinstance(value, list) else value


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    from lm_eval_sensitivity.demo import demo_model_path

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda", help="default: %(default)s")
    parser.add_argument("--model", type=Path, default=demo_model_path(), help="folder of a trained model")
    parser.add_argument("--model-shape", default="qwen3-4b", help="of overhead.py (default: %(default)s)")
    parser.add_argument("--batch-size", type=int, default=64, help="default: %(default)s")
    parser.add_argument("--max-new-tokens", type=int, default=128, help="default: %(default)s")
    parser.add_argument("--n-prompts", type=int, default=8, help="of step overhead (default: %(default)s)")
    parser.add_argument("--tasks", default="prompt_sensitivity", help="of the ladder (default: %(default)s)")
    parser.add_argument("--limit", type=int, help="pairs of each task, to try the script itself")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help="of all steps, shared as above (default: %(default)s)"
    )
    parser.add_argument("--output", type=Path, required=True, help="folder for gpu.json, gpu.md and the runs")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the steps, and write what is known after every process."""
    options = parse_options(arguments)
    options.model, options.output = options.model.resolve(), options.output.resolve()
    folder = options.output / "gpu"
    if folder.exists():
        raise SystemExit(f"{folder} holds what an earlier call left. Remove it, or give another `--output`.")
    folder.mkdir(parents=True)
    settings = {name: str(value) for name, value in vars(options).items() if value and name != "output"}
    settings["model"] = options.model.name
    versions = {name: version(name) for name in ("lm_eval", "torch", "transformers")}
    for outcomes in run_steps(STEPS, options, folder, options.seconds / SECONDS):
        record = to_json({"settings": settings, "versions": versions, "steps": outcomes})
        (options.output / "gpu.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        (options.output / "gpu.md").write_text(in_markdown(record), encoding="utf-8")
    print((options.output / "gpu.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
