"""What the clusters of a large table cost: 25 systems, 96 prompts, 19 edits, all 300 contrasts.

A synthetic pairs table goes through the analysis of `lm-eval-sensitivity clusters`: means with intervals, noise
floors, all contrasts with intervals and adjusted p, detectable differences, clusters; 99,999 sign draws and 9,999
resamples. The same again with ten times the rows (ten times the prompts) shows that the cost is linear in rows.
Reading the runs and importing the libraries are not counted. Each size runs in a process of its own, because peak
memory is that of a process.

    python -m benchmarks.clusters
    python -m benchmarks.clusters --output benchmarks/clusters.json
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.measuring import Stopwatch, in_a_child, say

TARGET_SECONDS = 10
TARGET_BYTES = 2 * 2**30
N_SYSTEMS, N_PROMPTS, N_EDITS = 25, 96, 19
TIMES = 10
THREADS = 2


def made_table(n_systems: int, n_prompts: int, n_edits: int) -> Any:
    """Distances with prompt, edit and system effects, a few erased and unscored pairs, and an identical rung."""
    import numpy as np
    import pyarrow as pa

    generator = np.random.default_rng(0)
    shape = n_systems, n_prompts, n_edits + 1
    systems, prompts, edits = (index.ravel() for index in np.indices(shape))
    level = 0.2 + 0.01 * np.arange(n_systems)
    own_prompt, own_edit = generator.gamma(2.0, 0.05, n_prompts), generator.gamma(2.0, 0.05, n_edits + 1)
    values = level[systems] * (own_prompt[prompts] + own_edit[edits]) * generator.gamma(4.0, 0.25, len(edits))
    identical = edits == n_edits
    values[identical] = 0.0
    erased = ~identical & (generator.random(len(edits)) < 0.05)
    values[erased | (~identical & (generator.random(len(edits)) < 0.05))] = np.nan
    rungs = np.array(["noop", "punctuation", "synonym", "paraphrase"])[edits % 4]
    audit = np.where(identical, "identical", np.where(erased, "erased", "survived"))
    return pa.table(
        {
            "name": [f"system-{index:02d}" for index in systems],
            "prompt_id": [f"prompt-{index:04d}" for index in prompts],
            "rung": np.where(identical, "identical", rungs).tolist(),
            "edit": np.where(identical, "identical", [f"edit-{index:02d}" for index in edits]).tolist(),
            "filter": ["answer"] * len(edits),
            "audit_status": audit.tolist(),
            "cosine_distance": pa.array(values, pa.float64(), from_pandas=True),
            "missing_cosine_distance": pa.nulls(len(edits), pa.string()),
        }
    )


def run_size(times: int) -> None:
    """In the child process: analyse one table and print its figures as JSON."""
    from lm_eval_sensitivity.statements import Selection, TablePartition
    from lm_eval_sensitivity.statements.clusters import clusters_statement

    small = TablePartition(made_table(2, 20, 2), resamples=99)
    clusters_statement(small, Selection(), draws=99)  # imports what is imported late
    table = made_table(N_SYSTEMS, times * N_PROMPTS, N_EDITS)
    watch = Stopwatch("cpu")
    watch.start()
    found = clusters_statement(TablePartition(table), Selection())
    cost = watch.stop("clusters")
    assert len(found.contrasts) == N_SYSTEMS * (N_SYSTEMS - 1) // 2
    figures = {
        "rows": table.num_rows,
        "prompts": times * N_PROMPTS,
        "contrasts": len(found.contrasts),
        "draws": found.draws,
        "resamples": found.resamples,
        "seconds": cost.seconds,
        "peak_bytes": cost.peak_bytes,
        "peak_bytes_before": cost.peak_bytes - cost.added_bytes,
    }
    print(json.dumps(figures))


def measure(times: int, threads: int) -> dict[str, Any]:
    """Run one size in a process of its own."""
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    figures: dict[str, Any] = in_a_child("clusters", f"--times={times}", environment=limits)
    return figures


def report(figures: list[dict[str, Any]], threads: int) -> dict[str, Any]:
    """Targets beside what was measured, and the ratio of the larger table."""
    one, many = figures
    return {
        "systems": N_SYSTEMS,
        "edits": N_EDITS,
        "threads": threads,
        "target_seconds": TARGET_SECONDS,
        "target_mib": TARGET_BYTES // 2**20,
        "within_targets": one["seconds"] <= TARGET_SECONDS and one["peak_bytes"] <= TARGET_BYTES,
        "sizes": [
            {
                **{name: each[name] for name in ("rows", "prompts", "contrasts", "draws", "resamples")},
                "seconds": round(each["seconds"], 2),
                "peak_mib": round(each["peak_bytes"] / 2**20),
                "peak_mib_before": round(each["peak_bytes_before"] / 2**20),
            }
            for each in figures
        ],
        "rows_ratio": many["rows"] / one["rows"],
        "seconds_ratio": round(many["seconds"] / one["seconds"], 2),
    }


def main() -> None:
    """Both sizes in turn."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=THREADS, help="default: %(default)s")
    parser.add_argument("--output", type=Path, help="also write the figures there, as JSON")
    parser.add_argument("--times", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.times:
        run_size(options.times)
        return
    figures = []
    for times in (1, TIMES):
        print(f"{times} times the rows ...", file=sys.stderr, flush=True)
        figures.append(measure(times, options.threads))
    say(report(figures, options.threads), options.output)


if __name__ == "__main__":
    main()
