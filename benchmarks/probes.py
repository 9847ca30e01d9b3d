"""What the probes cost beside the generation that they look into.

One process loads a model, runs the smallest ladder through lm_eval's evaluator with the suite's engine, and then lets
every probe look, as `--metadata '{"probes": [...]}'` does. Counted are seconds, and the largest resident size of the
process (of an accelerator: the largest allocated size), each over the same of the generation alone. Embedding and
metrics are the rest of the run, which leaves its embedder behind. `added` is the peak over what was there when a part
began. `replay` is one pass over all base outputs that no probe looks at; every probe makes the passes it needs itself.
`recover` and `cards` generate anew, which no run does by itself.

    python -m benchmarks.probes
    python -m benchmarks.probes FOLDER --without-holes --batch-size 16 --output benchmarks/probes_smollm2.txt

Seconds of one machine mean nothing for another: read the ratios.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measuring import ENVIRONMENT, TASKS, Cost, Stopwatch

AT_ONCE = {"MALLOC_MMAP_THRESHOLD_": str(2**18)}
"""Pieces of this size go back to the system when they are freed, instead of leaving holes in what is resident."""

GENERATION, REST = "generation", "rest of run"
TOGETHER = ("stretch", "boundary", "trajectory")
"""What a run is meant to be able to afford."""
MOST_SECONDS, MOST_MEMORY = 0.25, 1.1
"""Of a generation, for those three together."""


def run(options: argparse.Namespace, watch: Stopwatch) -> tuple[Any, Any]:
    """The run itself: a model, and what it said to the smallest ladder."""
    import lm_eval
    import torch
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    from lm_eval_sensitivity.harness import extension
    from lm_eval_sensitivity.probes.outputs import outputs_from
    from lm_eval_sensitivity.records.sample import decode_row
    from lm_eval_sensitivity.types import RUNGS

    torch.set_num_threads(options.threads)
    lm = HFLM(
        pretrained=str(options.model), batch_size=options.batch_size, device=options.device, dtype="float32"
    )
    # The first call pays for what is loaded late.
    lm.model.generate(
        torch.ones((1, 4), dtype=torch.long, device=lm.device), max_new_tokens=4, do_sample=False
    )
    tasks = [f"prompt_sensitivity_mini_{rung}" for rung in RUNGS]
    extension.greedy_generations = timed(extension.greedy_generations, watch)
    results = lm_eval.simple_evaluate(
        model=lm,
        tasks=tasks,
        task_manager=TaskManager(include_path=str(TASKS), include_defaults=False),
        gen_kwargs={"max_gen_toks": options.max_new_tokens},
        apply_chat_template=lm.tokenizer.chat_template is not None,
        bootstrap_iters=0,
        log_samples=True,
    )
    watch.stop(REST)
    rows = [(decode_row(row, task), task) for task in tasks for row in results["samples"][task]]
    return lm, outputs_from(rows, "the model")


def timed(generate: Callable[..., Any], watch: Stopwatch) -> Callable[..., Any]:
    """The suite's own generation, measured."""

    def measured(*arguments: Any) -> Any:
        watch.start()
        found = generate(*arguments)
        watch.stop(GENERATION)
        watch.start()
        return found

    return measured


def look(lm: Any, outputs: Any, options: argparse.Namespace, watch: Stopwatch) -> None:
    """Every probe, with its settings as they are by default."""
    from lm_eval_sensitivity.probes.catalogue import NAMES, probe_named
    from lm_eval_sensitivity.probes.replay import Path as Fed
    from lm_eval_sensitivity.probes.replay import Replay

    with watch.part("replay"):
        replay = Replay(lm.model, lm.tokenizer, batch_size=options.batch_size)
        replay.run([Fed.of(output) for output in outputs.bases.values()])
    for name in NAMES:
        if options.probes and name not in options.probes:
            continue
        probe = probe_named(name)
        if probe.of_series:  # it compares runs, of which there is one
            continue
        with watch.part(name):
            replay = Replay(lm.model, lm.tokenizer, batch_size=options.batch_size)
            probe.measure(replay, outputs, probe.settings())


def in_words(options: argparse.Namespace, costs: Sequence[Cost], outputs: Any, lm: Any) -> str:
    """A table, the sum of what is meant to be affordable, and what was measured with."""
    import torch
    import transformers

    from lm_eval_sensitivity import __version__

    first = costs[0]
    lines = [
        f"{'part':<12} {'seconds':>8} {'of generation':>14} {'peak MiB':>9} {'of generation':>14} {'added MiB':>10}"
    ]
    for cost in costs:
        lines.append(
            f"{cost.name:<12} {cost.seconds:>8.1f} {cost.seconds / first.seconds:>14.3f} "
            f"{cost.peak_bytes / 2**20:>9.0f} {cost.peak_bytes / max(first.peak_bytes, 1):>14.3f} "
            f"{cost.added_bytes / 2**20:>10.0f}"
        )
    chosen = [cost for cost in costs if cost.name in TOGETHER]
    if len(chosen) == len(TOGETHER):
        seconds = sum(cost.seconds for cost in chosen) / first.seconds
        peak = max(cost.peak_bytes for cost in chosen)
        run_peak = max(cost.peak_bytes for cost in costs if cost.name in (GENERATION, REST))
        lines += [
            "",
            f"{', '.join(TOGETHER)} together: {seconds:.3f} of the seconds of generation (at most {MOST_SECONDS} is "
            f"meant), {peak / max(first.peak_bytes, 1):.3f} of its peak memory, {peak / max(run_peak, 1):.3f} of the "
            f"run's (at most {MOST_MEMORY} is meant).",
        ]
    distinct = {
        (side.prompt_ids, side.output_ids) for pair in outputs.pairs for side in (pair.base, pair.variant)
    }
    n_parameters = sum(parameter.numel() for parameter in lm.model.parameters())
    return "\n".join(
        [
            *lines,
            "",
            f"{Path(options.model).name}, {n_parameters:,} parameters, float32, {options.device}, {options.threads} "
            f"threads, batches of {options.batch_size}; {len(outputs.pairs)} pairs of {len(outputs.bases)} prompts, "
            f"{sum(len(ids) for _, ids in distinct):,} tokens in {len(distinct)} distinct outputs of at most "
            f"{options.max_new_tokens}.",
            f"lm-eval-sensitivity {__version__}, torch {torch.__version__}, transformers {transformers.__version__}, "
            f"Python {platform.python_version()}, {platform.system()} {platform.machine()}.",
        ]
    )


def parse_options() -> argparse.Namespace:
    """The command line."""
    from lm_eval_sensitivity.demo import demo_model_path

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "model", nargs="?", default=str(demo_model_path()), help="folder; default: the demo model"
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: %(default)s)")
    parser.add_argument("--batch-size", type=int, default=8, help="default: %(default)s")
    parser.add_argument("--max-new-tokens", type=int, default=128, help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="default: all cores")
    parser.add_argument("--probes", nargs="+", default=(), help="default: all")
    parser.add_argument(
        "--without-holes",
        action="store_true",
        help="freed memory goes back at once: peaks are what is in use",
    )
    parser.add_argument("--output", type=Path, help="also write the table there")
    parser.add_argument("--record", type=Path, help="write seconds and bytes there after every part, as JSON")
    return parser.parse_args()


def main() -> None:
    """Run, look, and print the table."""
    options = parse_options()
    wanted = {**ENVIRONMENT, **(AT_ONCE if options.without_holes else {})}
    if any(os.environ.get(name) != value for name, value in wanted.items()):
        # The allocator reads its settings when a process starts.
        line = [sys.executable, "-m", "benchmarks.probes", *sys.argv[1:]]
        sys.exit(subprocess.call(line, env={**os.environ, **wanted}))
    logging.disable(logging.WARNING)
    watch = Stopwatch(options.device, options.record)
    lm, outputs = run(options, watch)
    look(lm, outputs, options, watch)
    text = in_words(options, watch.costs, outputs, lm)
    print(text)
    if options.output:
        options.output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
